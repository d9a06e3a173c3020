//! Connection options from a URL.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::Transport;
use rumqttc::v5::MqttOptions;
use url::Url;

use crate::IngestError;
use crate::mqtt::tls::trusting;

const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// rumqttc's default of 10 KiB would break the connection at the first larger message.
const PACKET_BYTES_MAX: u32 = 16 << 20;

/// `mqtt://[user[:password]@]host[:port]` or `mqtts://…`; user and password given apart win over those in the URL.
/// `ca_file` names the only authorities that `mqtts` trusts; without it those of the system.
pub(crate) fn options(
    url: &str,
    client_id: &str,
    user: Option<&str>,
    password: Option<&str>,
    ca_file: Option<&Path>,
) -> Result<MqttOptions, IngestError> {
    let refuse = |problem: &str| {
        let shown = Url::parse(url).map_or_else(|_| "?".to_owned(), |url| url.host_str().unwrap_or("?").to_owned());
        IngestError::Url { url: shown, problem: problem.to_owned() }
    };
    let parsed = Url::parse(url).map_err(|error| refuse(&error.to_string()))?;
    let host = parsed.host_str().ok_or_else(|| refuse("it names no host"))?;
    let (transport, port) = match (parsed.scheme(), ca_file) {
        ("mqtt" | "tcp", None) => (Transport::Tcp, 1883),
        ("mqtt" | "tcp", Some(_)) => return Err(refuse("a ca_file is for mqtts")),
        ("mqtts" | "ssl", Some(file)) => (Transport::tls_with_config(trusting(file)?.into()), 8883),
        ("mqtts" | "ssl", None) => {
            // One provider for the process; that somebody was first is no error.
            let _ = rustls::crypto::ring::default_provider().install_default();
            (Transport::tls_with_default_config(), 8883)
        }
        _ => return Err(refuse("its scheme must be mqtt or mqtts")),
    };
    let mut options = MqttOptions::new(client_id, host, parsed.port().unwrap_or(port));
    options.set_transport(transport);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_max_packet_size(Some(PACKET_BYTES_MAX));
    let decoded = |text: &str| -> Arc<str> { Arc::from(percent_decoded(text)) };
    let user = user.map(Arc::from).or_else(|| (!parsed.username().is_empty()).then(|| decoded(parsed.username())));
    let password = password.map(Arc::from).or_else(|| parsed.password().map(decoded));
    if let Some(user) = user {
        options.set_credentials(&*user, password.as_deref().unwrap_or_default());
    }
    Ok(options)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%')
            .then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let opened = options("mqtt://gw%2D1:se%63ret@broker.example", "id", None, None, None).unwrap();
        assert_eq!(opened.broker_address(), ("broker.example".to_owned(), 1883));
        let login = opened.credentials().unwrap();
        assert_eq!((login.username.as_str(), login.password.as_str()), ("gw-1", "secret"));
        let opened = options("mqtt://a:b@h:77", "id", Some("c"), Some("d"), None).unwrap();
        assert_eq!(opened.credentials().unwrap().username, "c");
        assert!(options("http://h", "id", None, None, None).is_err());
        assert!(options("nonsense", "id", None, None, None).is_err());
    }
}
