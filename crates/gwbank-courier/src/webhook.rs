//! Webhooks as of Standard Webhooks 1.0: signed, with the same id at every attempt, to where the URL says and nowhere else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gwbank_runtime::Clock;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, StatusCode, header, redirect};
use ring::hmac;
use url::Host;

use crate::courier::{Courier, Outcome, Parcel};
use crate::networks::{Network, may_reach};

#[derive(Debug, Clone)]
pub struct WebhookConfig {
    pub timeout: Duration,
    /// Private networks that URLs may lead into.
    pub allowed_networks: Vec<Network>,
    /// Whether `http://` is sent to beyond the allowed networks, too.
    pub plain_http: bool,
    pub user_agent: String,
}

#[derive(Debug, thiserror::Error)]
#[error("webhooks cannot be sent")]
pub struct WebhookError(#[from] reqwest::Error);

pub struct WebhookCourier {
    client: Client,
    config: WebhookConfig,
    clock: Arc<dyn Clock>,
}

/// Resolves names to addresses that may be reached; checked at the connection itself, so that a name that changes its
/// address in between leads nowhere.
struct PublicOnly(Vec<Network>);

#[derive(Debug, thiserror::Error)]
#[error("{0} leads into a private network")]
struct Private(String);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let reachable: Vec<SocketAddr> = found.filter(|found| may_reach(found.ip(), &allowed)).collect();
            if reachable.is_empty() {
                return Err(Box::new(Private(host)) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}

/// What is read of an answer, for the receipt.
const ANSWER_BYTES_MAX: usize = 200;

impl WebhookCourier {
    pub fn new(config: WebhookConfig, clock: Arc<dyn Clock>) -> Result<Self, WebhookError> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            // A proxy would look names up by itself.
            .no_proxy()
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .user_agent(&config.user_agent)
            .dns_resolver(Arc::new(PublicOnly(config.allowed_networks.clone())))
            .build()?;
        Ok(Self { client, config, clock })
    }

    /// Why this URL is not sent to.
    fn refusal(&self, url: &url::Url) -> Option<String> {
        let address: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) => None,
            None => return Some("the URL has no host".to_owned()),
        };
        if let Some(address) = address
            && !may_reach(address, &self.config.allowed_networks)
        {
            return Some(format!("{address} is of a private network; allow it in webhook.allowed_networks"));
        }
        let is_allowed = |address: IpAddr| self.config.allowed_networks.iter().any(|network| network.contains(address));
        match url.scheme() {
            "https" => None,
            "http" if self.config.plain_http || address.is_some_and(is_allowed) => None,
            "http" => Some("http:// is not encrypted; use https://, or set webhook.plain_http".to_owned()),
            other => Some(format!("{other}:// is not sent to")),
        }
    }
}

/// `v1,` and the base64 of the HMAC-SHA-256 of `id.timestamp.body`; `None` where the secret is none.
fn signature(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    Some(format!("v1,{}", STANDARD.encode(context.sign().as_ref())))
}

#[async_trait]
impl Courier for WebhookCourier {
    fn channel(&self) -> &'static str {
        "webhook"
    }

    async fn deliver(&self, parcel: &Parcel) -> Outcome {
        let Ok(url) = url::Url::parse(&parcel.target) else {
            return Outcome::Dead("the address is not a URL; import the contact again".to_owned());
        };
        if let Some(refusal) = self.refusal(&url) {
            return Outcome::Dead(refusal);
        }
        let secret = parcel.recipient.as_ref().and_then(|it| it.contact.secret.as_deref());
        let body = parcel.messages.first().map(|message| message.body.clone()).unwrap_or_default();
        let timestamp = self.clock.now_micros() / 1_000_000;
        let id = header_safe(&parcel.key);
        let Some(signature) = secret.and_then(|secret| signature(secret, &id, timestamp, &body)) else {
            return Outcome::Dead("the contact has no usable secret; import it again".to_owned());
        };
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(answer) => outcome(answer).await,
            Err(error) => failed(&error),
        }
    }
}

/// Ids may hold Thai letters of a well's id; a header may not.
fn header_safe(key: &str) -> String {
    if key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return key.to_owned();
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hex}")
}

async fn outcome(answer: Response) -> Outcome {
    let status = answer.status();
    let after = retry_after(&answer);
    let said = format!("{status} {}", beginning(answer).await);
    match status {
        status if status.is_success() => Outcome::Delivered(said),
        // As Standard Webhooks asks.
        StatusCode::GONE => Outcome::Unreachable(said),
        status if status.is_redirection() => {
            Outcome::retry(format!("{said}: redirects are not followed; give the contact the URL itself"))
        }
        _ => Outcome::Retry { reason: said, after },
    }
}

pub(crate) fn retry_after(answer: &Response) -> Option<Duration> {
    /// What is asked for beyond it is not waited for: the message has an age.
    const LONGEST: u64 = 3_600;
    let seconds: u64 = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

/// The first bytes of an answer; how long it is, is the receiver's to say and not ours to read.
pub(crate) async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - bytes.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// The innermost cause says it; the outer ones repeat the URL, which may hold a token.
pub(crate) fn failed(error: &reqwest::Error) -> Outcome {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let kind = match () {
        () if error.is_timeout() => "no answer in time",
        () if error.is_connect() => "no connection",
        () => "the request failed",
    };
    if cause.downcast_ref::<Private>().is_some() {
        return Outcome::retry(format!("{cause}; allow it in webhook.allowed_networks"));
    }
    Outcome::retry(format!("{kind}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn signs_as_the_specification_does() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(signature("secret", "a", 0, b""), None);
    }

    #[test]
    fn ids_are_fit_for_a_header() {
        assert_eq!(header_safe("flood-well-A-1-raised-2@c"), "flood-well-A-1-raised-2@c");
        let thai = header_safe("flood-well-บ่อ-1");
        assert!(thai.starts_with("msg_") && thai == header_safe("flood-well-บ่อ-1"));
    }
}
