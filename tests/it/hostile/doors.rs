//! The doors that SQL comes in by, each as a function. Another door is another line of [`DOORS`].

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use serde_json::json;

use crate::program::{Server, gwbank};

/// What became of a statement, with what was sent.
#[derive(Debug, Clone)]
pub enum Ended {
    Answered(String),
    Refused(String),
}

pub struct Door {
    pub name: &'static str,
    /// Whether a connection has settings, transactions and the like of its own.
    pub has_sessions: bool,
    /// Whether asking starts a process, which takes its time.
    pub is_slow: bool,
    pub ask: fn(&Server, &str) -> Ended,
}

pub const DOORS: [Door; 5] = [
    Door { name: "HTTP", has_sessions: false, is_slow: false, ask: http },
    Door { name: "PostgreSQL, simple", has_sessions: true, is_slow: false, ask: simple },
    Door { name: "PostgreSQL, extended", has_sessions: true, is_slow: false, ask: extended },
    Door { name: "Flight SQL", has_sessions: false, is_slow: false, ask: flight },
    Door { name: "gwbank sql", has_sessions: false, is_slow: true, ask: command_line },
];

/// Longer than anything may take; a door that hangs fails the test instead of stopping it.
const PATIENCE: Duration = Duration::from_secs(120);

fn http(server: &Server, sql: &str) -> Ended {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
    let request = agent.post(format!("{}/api/v1/sql", server.http)).header("content-type", "application/json");
    let mut response = match request.send(json!({ "sql": sql }).to_string()) {
        Ok(response) => response,
        Err(error) => panic!("no answer over HTTP: {error}"),
    };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    // An answer that fails after its first rows breaks off.
    let whole = response.body_mut().as_reader().read_to_end(&mut body).is_ok();
    let text = String::from_utf8_lossy(&body).into_owned();
    assert_ne!(status, 500, "{sql:.200}: {text}");
    if status == 200 && whole { Ended::Answered(text) } else { Ended::Refused(text) }
}

fn command_line(server: &Server, sql: &str) -> Ended {
    let mut command = gwbank();
    command.args(["sql", "--server", &server.http, "--format", "csv", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ended::Answered(text(&output.stdout)) } else { Ended::Refused(text(&output.stderr)) }
}

/// As ADBC asks: planned first, then run.
fn flight(server: &Server, sql: &str) -> Ended {
    let asking = async {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", server.flight_sql)).unwrap();
        let mut client = FlightSqlServiceClient::new(endpoint.connect().await.expect("a connection"));
        let info = client.execute(sql.to_owned(), None).await.map_err(|error| error.to_string())?;
        let mut answered = String::new();
        for ticket in info.endpoint.into_iter().filter_map(|endpoint| endpoint.ticket) {
            let mut batches = client.do_get(ticket).await.map_err(|error| error.to_string())?;
            while let Some(batch) = batches.try_next().await.map_err(|error| error.to_string())? {
                answered = format!("{:.2000}", format!("{batch:?}"));
            }
        }
        Ok::<String, String>(answered)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(async { tokio::time::timeout(PATIENCE, asking).await }) {
        Ok(Ok(answered)) => Ended::Answered(answered),
        Ok(Err(refused)) => Ended::Refused(refused),
        Err(_) => panic!("no answer over Flight SQL: {sql:.200}"),
    }
}

fn simple(server: &Server, sql: &str) -> Ended {
    let mut connection = Connection::open(server);
    connection.send(b'Q', &[sql.as_bytes(), b"\0"].concat());
    connection.ended()
}

fn extended(server: &Server, sql: &str) -> Ended {
    with_parameters(server, sql, &[])
}

/// As drivers ask: the statement, its parameters as text, then what it answers.
pub fn with_parameters(server: &Server, sql: &str, parameters: &[&[u8]]) -> Ended {
    let mut connection = Connection::open(server);
    connection.send(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat());
    let mut bind = b"\0\0\0\0".to_vec();
    bind.extend_from_slice(&(parameters.len() as u16).to_be_bytes());
    for parameter in parameters {
        bind.extend_from_slice(&(parameter.len() as u32).to_be_bytes());
        bind.extend_from_slice(parameter);
    }
    bind.extend_from_slice(b"\0\0");
    connection.send(b'B', &bind);
    connection.send(b'D', b"P\0");
    connection.send(b'E', b"\0\0\0\0\0");
    connection.send(b'S', b"");
    connection.ended()
}

struct Connection(TcpStream);

impl Connection {
    fn open(server: &Server) -> Self {
        let mut stream = TcpStream::connect(&server.postgres_wire).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"\0\0\0\x15\0\x03\0\0user\0gwbank\0\0").unwrap();
        let mut connection = Self(stream);
        while connection.message().expect("a greeting").0 != b'Z' {}
        connection
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let message = [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat();
        // A server that has hung up on what it cannot read is found out by reading.
        let _hung_up = self.0.write_all(&message);
    }

    /// The next message; `None` at the end of the connection.
    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer in {PATIENCE:?}"),
            Err(_) => return None,
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.0.read_exact(&mut body).ok().map(|()| (head[0], body))
    }

    /// Reads to the end of what was asked.
    fn ended(&mut self) -> Ended {
        let (mut answered, mut refused) = (String::new(), None);
        loop {
            match self.message() {
                Some((b'E', body)) => {
                    let text = String::from_utf8_lossy(&body).replace('\0', " ");
                    assert!(!text.contains("XX000"), "an error inside the server: {text}");
                    refused = Some(text);
                }
                Some((b'Z', _)) => break,
                Some((b'D', body)) => answered.push_str(&String::from_utf8_lossy(&body)),
                Some(_) => {}
                None => {
                    refused.get_or_insert_with(|| "the connection was ended".to_owned());
                    break;
                }
            }
        }
        refused.map_or(Ended::Answered(answered), Ended::Refused)
    }
}
