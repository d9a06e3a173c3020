//! Finding the running server, and asking it.
//!
//! The server writes `addresses.json` and a `local-token` that only its user can read. A process that died leaves both
//! behind; whether one runs is told by the lock on the data directory alone.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::arguments::{General, ServerArguments};
use crate::failure::{Failure, Outcome};
use crate::node::addresses::{Addresses, read_local_token};
use crate::node::lock::DataDirLock;

/// How long a server may take to begin its answer; queries have their own limit there.
const ANSWER_TIME: Duration = Duration::from_secs(300);

/// How long a server that is starting is waited for.
const START_PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

/// Whether a server runs on the data directory.
pub enum Found {
    Running(Client),
    /// Nobody holds the lock.
    Nobody,
}

/// An answer whose body is not read yet.
pub type Reply = ureq::http::Response<ureq::Body>;

impl Client {
    pub fn new(base: &str, token: Option<String>) -> Self {
        Self { agent: agent(ANSWER_TIME), base: base.trim_end_matches('/').to_owned(), token }
    }

    /// Waits so long for the beginning of an answer.
    pub fn patient(self, answer_time: Duration) -> Self {
        Self { agent: agent(answer_time), ..self }
    }

    /// The server that was named, or the one that runs on the data directory.
    pub fn find(general: &General, server: &ServerArguments) -> Outcome<Found> {
        if let Some(base) = &server.server {
            return Ok(Found::Running(Self::new(base, server.token.clone())));
        }
        let data_dir = general.load()?.config.data_dir;
        Self::on(&data_dir, server.token.clone())
    }

    fn on(data_dir: &Path, token: Option<String>) -> Outcome<Found> {
        let began = Instant::now();
        let addresses = loop {
            if !data_dir.is_dir() || !DataDirLock::is_held(data_dir)? {
                return Ok(Found::Nobody);
            }
            match Addresses::read(data_dir) {
                Ok(addresses) => break addresses,
                // It is starting, or an import runs there.
                Err(_) if began.elapsed() < START_PATIENCE => std::thread::sleep(Duration::from_millis(100)),
                Err(error) => {
                    let dir = data_dir.display();
                    let context = format!("a process works on {dir} and has no addresses there: an import, or a start");
                    return Err(Failure::Failed(error.context(context)));
                }
            }
        };
        let http = addresses.http.ok_or_else(|| {
            Failure::failed(format!("the server on {} has no HTTP door (http.listen)", data_dir.display()))
        })?;
        let token = token.or_else(|| read_local_token(data_dir).ok());
        Ok(Found::Running(Self::new(&format!("http://{http}"), token)))
    }

    /// As [`Self::find`], where nothing can be done without a server.
    pub fn needed(general: &General, server: &ServerArguments) -> Outcome<Self> {
        match Self::find(general, server)? {
            Found::Running(client) => Ok(client),
            Found::Nobody => Err(Failure::failed(
                "no server runs on this data directory; start `gwbank serve` or `gwbank demo`, \
                 or name one with --data-dir or --server",
            )),
        }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Sends, and turns a problem document into an error.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Outcome<Reply> {
        let mut reply = self.send_any(method, path, headers, body)?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        let status = reply.status();
        let text = reply.body_mut().read_to_string().unwrap_or_default();
        Err(refusal(status.as_u16(), &text))
    }

    /// Sends, and gives the answer whatever its status.
    pub fn send_any(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Outcome<Reply> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let reached = self.agent.run(request.body(body.to_vec()).context("the request cannot be made")?);
        reached.map_err(|error| Failure::Failed(anyhow!(error).context(format!("no answer from {}", self.base))))
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        read_json(self.send("GET", path, &[("accept", "application/json")], &[])?)
    }

    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Outcome<T> {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        read_json(self.send("POST", path, &headers, body.to_string().as_bytes())?)
    }
}

fn agent(answer_time: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_recv_response(Some(answer_time))
        .timeout_connect(Some(Duration::from_secs(10)))
        .proxy(None)
        .build()
        .into()
}

pub fn read_json<T: DeserializeOwned>(mut reply: Reply) -> Outcome<T> {
    let bytes = read_all(&mut reply)?;
    Ok(serde_json::from_slice(&bytes).context("the server's answer is not the JSON expected")?)
}

pub fn read_all(reply: &mut Reply) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    reply.body_mut().as_reader().read_to_end(&mut bytes).context("the answer broke off")?;
    Ok(bytes)
}

/// A choice that the server does not know is wrong use, whoever forwarded it.
const WRONG_CHOICE: &str = "#problem-bad-parameter";

/// What the server refused, as a failure of the command.
pub fn refusal(status: u16, text: &str) -> Failure {
    let problem = serde_json::from_str::<Value>(text).unwrap_or_default();
    let said = anyhow!("{}", explain(status, text));
    match problem["type"].as_str() {
        Some(kind) if kind.ends_with(WRONG_CHOICE) => Failure::Usage(said),
        _ => Failure::Failed(said),
    }
}

/// A problem document as a person reads it.
fn explain(status: u16, text: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(text) else {
        return format!("the server answered {status}: {}", text.trim());
    };
    let member = |name: &str| problem[name].as_str().unwrap_or_default();
    let mut lines = vec![format!("{} ({status}): {}", member("title"), member("detail"))];
    for fault in problem["faults"].as_array().into_iter().flatten() {
        let text = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        lines.push(format!(
            "  line {}, column {}: {:?}: {}; {}",
            fault["line"],
            text("column"),
            text("value"),
            text("problem"),
            text("mend")
        ));
    }
    lines.join("\n")
}

/// A value in a URL.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The query of a URL from what was given.
pub fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given: Vec<String> =
        parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        assert_eq!(
            query(&[("a", Some("บ่อ 1&2")), ("b", None), ("c", Some("x"))]),
            "?a=%E0%B8%9A%E0%B9%88%E0%B8%AD%201%262&c=x"
        );
        assert_eq!(query(&[("b", None)]), "");
    }

    #[test]
    fn problems_are_told_with_their_rows() {
        let text =
            r#"{"title":"t","detail":"d","faults":[{"line":3,"column":"depth","value":"x","problem":"p","mend":"m"}]}"#;
        assert_eq!(explain(422, text), "t (422): d\n  line 3, column depth: \"x\": p; m");
        assert_eq!(explain(502, "<html>"), "the server answered 502: <html>");
    }

    #[test]
    fn a_choice_that_the_server_refuses_is_wrong_use() {
        let text = r#"{"type":"/api/docs#problem-bad-parameter","title":"t","detail":"state is not one of open"}"#;
        assert!(matches!(refusal(400, text), Failure::Usage(_)));
        assert!(refusal(400, text).text().contains("not one of open"));
        assert!(matches!(refusal(400, &text.replace("bad-parameter", "bad-request")), Failure::Failed(_)));
        assert!(matches!(refusal(502, "<html>"), Failure::Failed(_)));
    }
}
