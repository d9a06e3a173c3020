//! Asking the server in a way that can be given up: the connection belongs to one statement, and ends with it. A server that
//! sees it end stops the query.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use url::Url;

use super::refused;
use crate::client::Client;
use crate::failure::{Failure, Outcome};

const CONNECT_TIME: Duration = Duration::from_secs(10);

/// What is kept of a refusal; problem documents are shorter.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

pub struct Door {
    url: Url,
    token: Option<String>,
}

/// Rows on their way.
pub struct Answer {
    body: Incoming,
    id: Option<String>,
    _connection: EndOnDrop,
}

struct EndOnDrop(JoinHandle<()>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Door {
    pub fn new(client: &Client) -> Outcome<Self> {
        let url = Url::parse(client.base()).context("the server's address")?;
        Ok(Self { url, token: client.token().map(str::to_owned) })
    }

    pub async fn ask(&self, statement: &str, accept: &str) -> Outcome<Answer> {
        let body = Bytes::from(json!({ "sql": statement }).to_string());
        let path = format!("{}/api/v1/sql", self.url.path().trim_end_matches('/'));
        let (status, mut answer) = self.send("POST", &path, accept, body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let mut text = Vec::new();
        while let Some(piece) = answer.next().await.unwrap_or(None) {
            text.extend_from_slice(&piece);
            if text.len() > REFUSAL_BYTES_MAX {
                break;
            }
        }
        Err(refused(statement, status.as_u16(), &String::from_utf8_lossy(&text)))
    }

    /// All rows as JSON: for what the shell itself needs to know.
    pub async fn rows(&self, statement: &str) -> Outcome<Vec<Value>> {
        let mut answer = self.ask(statement, "application/json").await?;
        let mut bytes = Vec::new();
        while let Some(piece) = answer.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(serde_json::from_slice(&bytes).context("the server's answer is not the JSON expected")?)
    }

    /// Why an answer broke off, as the server remembers it.
    pub async fn why(&self, id: Option<&str>, failure: Failure) -> Failure {
        let Some(id) = id else { return failure };
        let path = format!("{}/api/v1/sql/{id}", self.url.path().trim_end_matches('/'));
        let told = async {
            let (status, mut answer) = self.send("GET", &path, "application/json", Bytes::new()).await.ok()?;
            let mut text = Vec::new();
            while let Some(piece) = answer.next().await.ok()? {
                text.extend_from_slice(&piece);
            }
            status.is_success().then(|| serde_json::from_slice::<Value>(&text).ok())?
        };
        told.await.map_or(failure, |problem| super::broken_off(&problem))
    }

    async fn send(&self, method: &str, path: &str, accept: &str, body: Bytes) -> Outcome<(hyper::StatusCode, Answer)> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(80);
        let base = self.url.as_str().trim_end_matches('/').to_owned();
        let no_answer = |error: anyhow::Error| error.context(format!("no answer from {base}"));
        // An IPv6 address stands in brackets in a URL, and without them where it is connected to.
        let address = (host.trim_start_matches('[').trim_end_matches(']'), port);
        let connecting = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await;
        let stream = connecting.map_err(|late| no_answer(late.into()))?.map_err(|error| no_answer(error.into()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| no_answer(error.into()))?;
        // Its errors are seen by who reads the answer.
        let connection = EndOnDrop(tokio::spawn(async move { drop(connection.await) }));
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).context("the request cannot be made")?;
        let reply = sender.send_request(request).await.map_err(|error| no_answer(error.into()))?;
        let status = reply.status();
        let id = reply.headers().get(super::ANSWER_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok((status, Answer { body: reply.into_body(), id, _connection: connection }))
    }
}

impl Answer {
    pub fn id(&self) -> Option<String> {
        self.id.clone()
    }

    /// The next bytes; `None` at the end, which a connection that breaks off is not.
    pub async fn next(&mut self) -> Outcome<Option<Bytes>> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| anyhow!(error).context(super::BrokeOff))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}
