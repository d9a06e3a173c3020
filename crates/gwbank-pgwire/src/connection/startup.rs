//! From the first byte to the first "ready for query": TLS, the startup packet, the password.
//!
//! # Rules
//! 1. Where TLS is required, nobody is told or asked anything without it.
//! 2. What a client sent before a TLS handshake is not read after it.
//! 3. All of it within a bound of time.

use std::net::SocketAddr;
use std::sync::Arc;

use gwbank_runtime::Shutdown;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::server::TlsStream;

use super::Connection;
use super::socket::{Socket, Stop};
use super::stream::Stream;
use crate::auth::Gatekeeper;
use crate::cancel::{Cancels, Registered};
use crate::door::SqlDoor;
use crate::error::PgError;
use crate::protocol::backend;
use crate::protocol::frontend::{Message, Opening};
use crate::scram::{self, Channel, Exchange, Verifier};
use crate::server::Limits;
use crate::session::{Session, Settings};
use crate::tls::TlsDoor;
use crate::types::Zone;
use gwbank_door::{DoorStats, Refusal};

/// What all connections share.
pub(crate) struct DoorParts {
    pub(crate) door: Arc<dyn SqlDoor>,
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) tls: Option<TlsDoor>,
    pub(crate) tls_required: bool,
    pub(crate) limits: Limits,
    pub(crate) time_zone: Zone,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) cancels: Cancels,
    pub(crate) stats: Arc<DoorStats>,
}

/// The first byte of a TLS handshake: a client that asks for TLS at once.
const TLS_HANDSHAKE: u8 = 0x16;

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, parts: Arc<DoorParts>, shutdown: Shutdown) {
    let starting = tokio::time::timeout(parts.limits.startup_time, start(stream, peer, &parts));
    let (socket, session, registered) = match starting.await {
        Ok(Some(started)) => started,
        Ok(None) => return,
        Err(_) => return parts.stats.refuse(Refusal::Startup),
    };
    let Ok(_place) = parts.places.clone().try_acquire_owned() else {
        parts.stats.refuse(Refusal::Places);
        return refuse(socket, &PgError::fatal("53300", "sorry, too many clients already")).await;
    };
    let _session = parts.stats.session();
    let mut socket = socket;
    socket.trust();
    greet(&mut socket, &registered);
    let mut connection = Connection {
        socket,
        door: parts.door.clone(),
        stats: parts.stats.clone(),
        session,
        cancelled: registered.cancelled.clone(),
        deadline: None,
        skips_to_sync: false,
    };
    for (name, value) in connection.session.untold() {
        backend::parameter_status(&mut connection.socket.output, name, &value);
    }
    connection.ready();
    connection.run(shutdown).await;
}

fn greet(socket: &mut Socket, registered: &Registered) {
    backend::authentication_ok(&mut socket.output);
    backend::backend_key(&mut socket.output, registered.key);
}

async fn refuse(mut socket: Socket, error: &PgError) {
    backend::error(&mut socket.output, error);
    socket.close().await;
}

/// `None` where the client was refused, went away, or only came to cancel.
async fn start(stream: TcpStream, peer: SocketAddr, parts: &DoorParts) -> Option<(Socket, Session, Registered)> {
    let (mut socket, minor, parameters) = open(stream, parts).await?;
    let settle = async || -> Result<(Session, Registered), Stop> {
        if parts.tls_required && !socket.is_tls() {
            return Err(PgError::fatal("28000", "connections without TLS are refused").hint("sslmode=require").into());
        }
        let asked = Asked::read(minor, parameters)?;
        if asked.negotiates {
            let options: Vec<&str> = asked.unknown_options.iter().map(String::as_str).collect();
            backend::negotiate_protocol(&mut socket.output, &options);
        }
        if let Some(verifier) = parts.gatekeeper.verifier(&asked.user, peer.ip())? {
            let end_point = parts.tls.as_ref().filter(|_| socket.is_tls()).and_then(|tls| tls.end_point.as_deref());
            authenticate(&mut socket, verifier, end_point).await.map_err(|stop| match stop {
                Stop::Error(error) if error.code == WRONG_PASSWORD => {
                    parts.gatekeeper.refuse(&asked.user, peer.ip()).into()
                }
                other => other,
            })?;
        }
        parts.gatekeeper.admit(&asked.user)?;
        let registered = parts.cancels.register();
        let settings = asked.settings(&parts.time_zone)?;
        Ok((Session::new(asked.user, registered.key.process, settings), registered))
    };
    match settle().await {
        Ok((session, registered)) => Some((socket, session, registered)),
        Err(Stop::Error(error)) => {
            tracing::debug!(%peer, %error, "a connection is refused");
            parts.stats.refuse(match (error.code, socket.is_tls()) {
                ("28000", false) if parts.tls_required => Refusal::Tls,
                ("28000" | WRONG_PASSWORD | "42501", _) => Refusal::Credentials,
                _ => Refusal::Startup,
            });
            refuse(socket, &PgError { severity: crate::error::Severity::Fatal, ..error }).await;
            None
        }
        Err(Stop::Gone) => None,
    }
}

/// Up to the startup packet.
async fn open(stream: TcpStream, parts: &DoorParts) -> Option<(Socket, u16, Vec<(String, String)>)> {
    let mut first = [0];
    let begins_with_tls = stream.peek(&mut first).await.ok()? == 1 && first[0] == TLS_HANDSHAKE;
    let mut socket = if begins_with_tls {
        let stream = encrypted(stream, parts).await?;
        // Without the name of the protocol it may be a client of another one that was led here.
        (stream.get_ref().1.alpn_protocol() == Some(b"postgresql")).then_some(())?;
        Socket::new(Stream::Tls(Box::new(stream)))
    } else {
        Socket::new(Stream::Plain(stream))
    };
    loop {
        let opening = match socket.opening().await {
            Ok(opening) => opening,
            Err(Stop::Error(error)) => {
                parts.stats.refuse(Refusal::Startup);
                refuse(socket, &error).await;
                return None;
            }
            Err(Stop::Gone) => return None,
        };
        match opening {
            Opening::Start { minor, parameters } => return Some((socket, minor, parameters)),
            Opening::Cancel(key) => {
                if parts.cancels.cancel(key) {
                    parts.stats.cancelled();
                }
                return None;
            }
            Opening::Tls if parts.tls.is_some() && !socket.is_tls() => {
                socket.output.extend_from_slice(b"S");
                socket.flush().await.ok()?;
                let stream = encrypted(socket.into_plain()?, parts).await?;
                socket = Socket::new(Stream::Tls(Box::new(stream)));
            }
            Opening::Tls | Opening::Gss => {
                socket.output.extend_from_slice(b"N");
                socket.flush().await.ok()?;
            }
        }
    }
}

/// After the handshake of TLS.
async fn encrypted(stream: TcpStream, parts: &DoorParts) -> Option<TlsStream<TcpStream>> {
    let shaken = match &parts.tls {
        Some(tls) => tls.acceptor.accept(stream).await.ok(),
        None => None,
    };
    if shaken.is_none() {
        parts.stats.refuse(Refusal::Tls);
    }
    shaken
}

const WRONG_PASSWORD: &str = "28P01";

async fn authenticate(socket: &mut Socket, verifier: Verifier, end_point: Option<&[u8]>) -> Result<(), Stop> {
    let wrong = || PgError::fatal(WRONG_PASSWORD, "password authentication failed");
    let mechanisms: &[&str] = match end_point {
        Some(_) => &[scram::MECHANISM_BOUND, scram::MECHANISM],
        None => &[scram::MECHANISM],
    };
    backend::sasl_mechanisms(&mut socket.output, mechanisms);
    let Message::Password(first) = socket.message().await? else { return Err(unexpected().into()) };
    let (mechanism, first) = initial_response(&first).ok_or_else(unexpected)?;
    let channel = match (mechanism, end_point) {
        (scram::MECHANISM_BOUND, Some(end_point)) => Channel::Bound(end_point),
        (scram::MECHANISM, Some(_)) => Channel::Unbound,
        (scram::MECHANISM, None) => Channel::Unbindable,
        _ => return Err(unexpected().into()),
    };
    let begun = Exchange::begin(verifier, channel, first);
    let exchange = begun.map_err(|error| PgError::fatal("08P01", error.to_string()))?;
    backend::sasl_continue(&mut socket.output, &exchange.server_first);
    let Message::Password(last) = socket.message().await? else { return Err(unexpected().into()) };
    let proof = exchange.finish(&last).map_err(|error| match error {
        scram::ScramError::WrongPassword => wrong(),
        other => PgError::fatal("08P01", other.to_string()),
    })?;
    backend::sasl_final(&mut socket.output, &proof);
    Ok(())
}

fn unexpected() -> PgError {
    PgError::fatal("08P01", "expected a SASL response")
}

/// Mechanism, length, and the client's first message.
fn initial_response(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let mechanism = std::str::from_utf8(&bytes[..end]).ok()?;
    let (length, data) = bytes[end + 1..].split_first_chunk::<4>()?;
    (usize::try_from(i32::from_be_bytes(*length)).ok()? == data.len()).then_some((mechanism, data))
}

/// What a startup packet asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    user: String,
    settings: Vec<(String, String)>,
    negotiates: bool,
    unknown_options: Vec<String>,
}

impl Asked {
    fn read(minor: u16, parameters: Vec<(String, String)>) -> Result<Self, PgError> {
        let mut asked = Self { negotiates: minor > 0, ..Self::default() };
        for (name, value) in parameters {
            match name.as_str() {
                "user" => asked.user = value,
                // There is one; what it is called matters to nobody.
                "database" => {}
                "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
                "replication" => return Err(PgError::fatal("0A000", "replication is not supported")),
                "options" => asked.settings.extend(options(&value)?),
                option if option.starts_with("_pq_.") => {
                    asked.negotiates = true;
                    asked.unknown_options.push(name);
                }
                _ => asked.settings.push((name, value)),
            }
        }
        if asked.user.is_empty() {
            return Err(PgError::fatal("28000", "no PostgreSQL user name specified in startup packet"));
        }
        Ok(asked)
    }

    fn settings(&self, zone: &Zone) -> Result<Settings, PgError> {
        let mut settings = Settings::new(&self.user, zone);
        for (name, value) in &self.settings {
            settings.set(name, Some(value))?;
        }
        settings.end_startup();
        Ok(settings)
    }
}

/// `-c name=value`, `--name=value`; a backslash keeps the blank after it.
fn options(text: &str) -> Result<Vec<(String, String)>, PgError> {
    let mut words = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words.last_mut().map(|word| word.extend(letters.next())).unwrap_or_default(),
            blank if blank.is_whitespace() => words.push(String::new()),
            letter => words.last_mut().map(|word| word.push(letter)).unwrap_or_default(),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut settings = Vec::new();
    let invalid = || PgError::fatal("42601", "invalid command-line argument for server process");
    while let Some(word) = words.next() {
        let pair = match word.as_str() {
            "-c" => words.next().ok_or_else(invalid)?,
            other => other.strip_prefix("--").or(other.strip_prefix("-c")).ok_or_else(invalid)?.to_owned(),
        };
        let (name, value) = pair.split_once('=').ok_or_else(invalid)?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_settings() {
        let read = options(r"-c statement_timeout=5s --TimeZone=UTC -csearch_path=a\ b").unwrap();
        let pairs: Vec<(&str, &str)> = read.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(pairs, [("statement_timeout", "5s"), ("TimeZone", "UTC"), ("search_path", "a b")]);
        assert!(options("-x").is_err() && options("-c").is_err() && options("-c a").is_err());
    }

    #[test]
    fn a_startup_packet_names_its_user() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(Asked::read(0, vec![pair("database", "x")]).unwrap_err().code, "28000");
        let asked = Asked::read(2, vec![pair("user", "a"), pair("_pq_.x", ""), pair("TimeZone", "UTC")]).unwrap();
        assert!(asked.negotiates && asked.unknown_options == ["_pq_.x"]);
        assert_eq!(asked.settings(&Zone::bangkok()).unwrap().zone().name(), "UTC");
        let asked = Asked::read(0, vec![pair("user", "a"), pair("work_mem", "1")]).unwrap();
        assert_eq!(asked.settings(&Zone::bangkok()).unwrap_err().code, "42704");
    }

    #[test]
    fn the_first_step_of_sasl() {
        let first = initial_response(b"SCRAM-SHA-256\0\0\0\0\x02n,");
        assert_eq!(first, Some(("SCRAM-SHA-256", &b"n,"[..])));
        assert_eq!(initial_response(b"SCRAM-SHA-256\0\0\0\0\x03n,"), None);
        assert_eq!(initial_response(b"\xff\0\0\0\0\x02n,"), None);
    }
}
