//! LINE Messaging API: push messages.
//!
//! # Rules
//! 1. Every attempt of a message has the same `X-Line-Retry-Key`: LINE answers 409 where it has taken it before, which is done.
//! 2. A 429 is either too many requests a moment, which a short wait mends, or the month's quota, which it does not.
//! 3. When little is left of the quota, what can wait goes into digests, so that what cannot still gets through.

use std::time::Duration;

use async_trait::async_trait;
use gwbank_model::condition::{Severity, Transition};
use gwbank_notice::{Notice, render};
use parking_lot::Mutex;
use reqwest::{Client, Response, StatusCode, redirect};
use ring::digest;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::courier::{Courier, Outcome, Parcel};
use crate::links::LinkMaker;
use crate::webhook::{beginning, failed, retry_after};

#[derive(Debug, Clone)]
pub struct LineConfig {
    /// `https://api.line.me`, or what stands in for it.
    pub base_url: String,
    pub channel_access_token: String,
    pub timeout: Duration,
    /// Below this share of the month's quota what can wait goes into digests.
    pub quota_low_share: f64,
    /// How long what is known of the quota is good.
    pub quota_kept: Duration,
    pub user_agent: String,
}

#[derive(Debug, thiserror::Error)]
#[error("LINE cannot be reached")]
pub struct LineError(#[from] reqwest::Error);

pub struct LineCourier {
    client: Client,
    config: LineConfig,
    links: LinkMaker,
    quota: Mutex<Option<(Instant, Quota)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quota {
    Unlimited,
    Left {
        of: u64,
        left: u64,
    },
    /// It could not be asked; messages go.
    Unknown,
}

/// How long a message waits when the month's quota is used up: somebody may buy more.
const QUOTA_WAIT: Duration = Duration::from_secs(3_600);

impl LineCourier {
    pub fn new(config: LineConfig, links: LinkMaker) -> Result<Self, LineError> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .user_agent(&config.user_agent)
            .build()?;
        Ok(Self { client, config, links, quota: Mutex::new(None) })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v2/bot/message/{path}", self.config.base_url.trim_end_matches('/'))
    }

    async fn asked(&self, path: &str) -> Option<Value> {
        let request = self.client.get(self.url(path)).bearer_auth(&self.config.channel_access_token);
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    async fn quota(&self) -> Quota {
        let known = *self.quota.lock();
        if let Some((at, quota)) = known
            && at.elapsed() < self.config.quota_kept
        {
            return quota;
        }
        let quota = match self.asked("quota").await {
            Some(quota) if quota["type"] == "limited" => {
                let used = self.asked("quota/consumption").await;
                match (quota["value"].as_u64(), used.and_then(|used| used["totalUsage"].as_u64())) {
                    (Some(of), Some(used)) => Quota::Left { of, left: of.saturating_sub(used) },
                    _ => Quota::Unknown,
                }
            }
            Some(quota) if quota["type"] == "none" => Quota::Unlimited,
            _ => Quota::Unknown,
        };
        *self.quota.lock() = Some((Instant::now(), quota));
        quota
    }

    fn count_one(&self) {
        if let Some((_, Quota::Left { left, .. })) = &mut *self.quota.lock() {
            *left = left.saturating_sub(1);
        }
    }

    async fn is_quota_low(&self) -> bool {
        match self.quota().await {
            Quota::Left { of, left } => (left as f64) < of as f64 * self.config.quota_low_share,
            Quota::Unlimited | Quota::Unknown => false,
        }
    }
}

/// Something got bad that an office answers today.
fn is_urgent(notice: &Notice) -> bool {
    notice.severity() >= Some(Severity::Severe)
        && matches!(notice.transition(), Some(Transition::Raised | Transition::Escalated))
}

/// A UUID that stands for a key: version 8, which is free for such uses.
fn retry_key(key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[async_trait]
impl Courier for LineCourier {
    fn channel(&self) -> &'static str {
        "line"
    }

    async fn deliver(&self, parcel: &Parcel) -> Outcome {
        let Some(contact) = parcel.recipient.as_ref().map(|it| it.contact.as_ref()) else {
            return Outcome::Dead("it has no contact".to_owned());
        };
        let notices = parcel.notices();
        let is_digest = parcel.messages.iter().any(|message| message.digest.is_some());
        let page = |notice: &Notice| self.links.links(notice, &contact.contact_id);
        let messages = match &notices[..] {
            [] => return Outcome::Dead("there is nothing in it to tell".to_owned()),
            [notice] => render::line_messages(notice, contact.language, &page(notice)),
            notices => render::line_digest(notices, contact.language, page),
        };
        let may_wait = !is_digest && !parcel.may_have_been_sent && !notices.iter().any(is_urgent);
        if may_wait && self.is_quota_low().await {
            return Outcome::IntoDigest("little is left of LINE's quota of this month".to_owned());
        }
        let request = self
            .client
            .post(self.url("push"))
            .bearer_auth(&self.config.channel_access_token)
            .header("X-Line-Retry-Key", retry_key(&parcel.key))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(json!({ "to": parcel.target, "messages": messages }).to_string());
        match request.send().await {
            Ok(answer) => self.outcome(answer).await,
            Err(error) => failed(&error),
        }
    }
}

impl LineCourier {
    /// Answers somebody's message, which counts as nothing of the quota; that it fails is told in the log alone.
    pub async fn reply(&self, reply_token: &str, text: &str) {
        let said = json!({ "replyToken": reply_token, "messages": [{ "type": "text", "text": text }] });
        let request = self
            .client
            .post(self.url("reply"))
            .bearer_auth(&self.config.channel_access_token)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(said.to_string());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "a reply to LINE was refused"),
            Err(error) => {
                if let Outcome::Retry { reason, .. } = failed(&error) {
                    tracing::warn!(reason, "a reply to LINE was not sent");
                }
            }
        }
    }

    async fn outcome(&self, answer: Response) -> Outcome {
        let status = answer.status();
        let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
        let id = header("x-line-request-id").unwrap_or_default();
        let accepted = header("x-line-accepted-request-id");
        let after = retry_after(&answer);
        let said = format!("{status} {}", beginning(answer).await);
        match status {
            StatusCode::OK => {
                self.count_one();
                Outcome::Delivered(format!("{said} request {id}"))
            }
            StatusCode::CONFLICT => {
                Outcome::Delivered(format!("taken before as request {}", accepted.unwrap_or_default()))
            }
            StatusCode::TOO_MANY_REQUESTS if said.contains("monthly limit") => {
                *self.quota.lock() = None;
                Outcome::Retry { reason: said, after: Some(QUOTA_WAIT) }
            }
            StatusCode::BAD_REQUEST if said.contains("'to'") => Outcome::Unreachable(said),
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::PAYLOAD_TOO_LARGE => Outcome::Dead(said),
            // Too many a moment, the token, or LINE itself: mended in time.
            _ => Outcome::Retry { reason: said, after },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_key_is_a_uuid_of_its_message() {
        let key = retry_key("flood-well-A-1-raised-2@c");
        assert_eq!(key, retry_key("flood-well-A-1-raised-2@c"));
        assert_ne!(key, retry_key("flood-well-A-1-raised-2@d"));
        let parts: Vec<usize> = key.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!((&key[14..15], matches!(&key[19..20], "8" | "9" | "a" | "b")), ("8", true));
    }
}
