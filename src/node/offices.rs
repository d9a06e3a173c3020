//! Couriers and links as the configuration wants them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use gwbank_courier::{
    Courier, DispatchConfig, EmailConfig, EmailCourier, LineConfig, LineCourier, LinkMaker, Outcome, Parcel,
    WebhookConfig, WebhookCourier,
};
use gwbank_notice::LinkKey;
use gwbank_notice::cap::CapSender;
use gwbank_runtime::Clock;

use super::addresses;
use crate::config::Config;
use crate::failure::Outcome as Done;

/// Bytes of a key that signs links, at least.
const KEY_BYTES_MIN: usize = 32;
/// How often LINE is asked what is left of the quota.
const QUOTA_KEPT: Duration = Duration::from_secs(600);

fn user_agent() -> String {
    format!("gwbank/{}", env!("CARGO_PKG_VERSION"))
}

/// The first line of a file that holds a secret.
fn secret(key: &str, file: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{key}: {file} cannot be read"))?;
    let secret = text.lines().next().unwrap_or_default().trim().to_owned();
    anyhow::ensure!(!secret.is_empty(), "{key}: the first line of {file} is empty");
    Ok(secret)
}

/// Signs links; with `data_dir/link.key` where no file is named, which is made at the first start.
pub fn links(config: &Config) -> Done<LinkMaker> {
    let section = &config.delivery;
    let key = match section.link_key_file.as_str() {
        "" => addresses::kept_secret(&config.data_dir.join("link.key"))?,
        file => std::fs::read(file).with_context(|| format!("delivery.link_key_file: {file} cannot be read"))?,
    };
    if key.len() < KEY_BYTES_MIN {
        return Err(
            anyhow::anyhow!("delivery.link_key_file: less than {KEY_BYTES_MIN} bytes sign nothing safely").into()
        );
    }
    let public_url = config.public_url.trim_end_matches('/');
    let public_url = (!public_url.is_empty()).then(|| public_url.to_owned());
    Ok(LinkMaker { key: LinkKey::new(&key), public_url, days: section.link_days })
}

pub fn dispatch(config: &Config) -> DispatchConfig {
    DispatchConfig {
        holder: format!("node {}", config.node.id),
        messages_per_minute: config.delivery.messages_per_minute,
        ..DispatchConfig::default()
    }
}

pub fn email(config: &Config) -> anyhow::Result<EmailConfig> {
    let section = &config.email;
    let mut url = url::Url::parse(&section.smtp_url).context("email.smtp_url is no URL")?;
    anyhow::ensure!(matches!(url.scheme(), "smtp" | "smtps"), "email.smtp_url begins with smtp:// or smtps://");
    anyhow::ensure!(!section.from.is_empty(), "email.from is not given");
    if !section.user.is_empty() {
        let refused = |()| anyhow::anyhow!("email.smtp_url has no host");
        url.set_username(&section.user).map_err(refused)?;
        if !section.password_file.is_empty() {
            let password = secret("email.password_file", &section.password_file)?;
            url.set_password(Some(&password)).map_err(refused)?;
        }
    }
    Ok(EmailConfig {
        url: url.to_string(),
        from: section.from.clone(),
        timeout: Duration::from_secs(section.timeout_seconds),
    })
}

/// How LINE is reached; only where it is configured.
pub fn line(config: &Config) -> anyhow::Result<LineConfig> {
    let section = &config.line;
    Ok(LineConfig {
        base_url: section.base_url.clone(),
        channel_access_token: secret("line.channel_access_token_file", &section.channel_access_token_file)?,
        timeout: Duration::from_secs(section.timeout_seconds),
        quota_low_share: section.quota_low_share,
        quota_kept: QUOTA_KEPT,
        user_agent: user_agent(),
    })
}

/// What LINE signs its own requests with; `None` without LINE.
pub fn line_secret(config: &Config) -> Done<Option<String>> {
    match config.line.channel_secret_file.as_str() {
        "" => Ok(None),
        file => Ok(Some(secret("line.channel_secret_file", file)?)),
    }
}

/// The couriers of all channels of contacts. A channel that is not configured says so, so that what is owed on it expires and
/// does not wait for ever.
pub fn couriers(config: &Config, links: &LinkMaker, clock: &Arc<dyn Clock>) -> Done<Vec<Arc<dyn Courier>>> {
    let allowed = config.webhook.allowed_networks.iter().filter_map(|network| network.parse().ok());
    let webhook = WebhookConfig {
        timeout: Duration::from_secs(config.webhook.timeout_seconds),
        allowed_networks: allowed.collect(),
        plain_http: config.webhook.plain_http,
        user_agent: user_agent(),
    };
    let webhook = WebhookCourier::new(webhook, clock.clone()).map_err(anyhow::Error::new)?;
    let email: Arc<dyn Courier> = match config.email.smtp_url.as_str() {
        "" => Arc::new(NotConfigured { channel: "email", key: "email.smtp_url" }),
        _ => Arc::new(EmailCourier::new(&self::email(config)?, links.clone()).map_err(anyhow::Error::new)?),
    };
    let line: Arc<dyn Courier> = match config.line.channel_access_token_file.as_str() {
        "" => Arc::new(NotConfigured { channel: "line", key: "line.channel_access_token_file" }),
        _ => Arc::new(LineCourier::new(self::line(config)?, links.clone()).map_err(anyhow::Error::new)?),
    };
    Ok(vec![Arc::new(webhook), email, line])
}

struct NotConfigured {
    channel: &'static str,
    key: &'static str,
}

#[async_trait]
impl Courier for NotConfigured {
    fn channel(&self) -> &'static str {
        self.channel
    }

    async fn deliver(&self, _: &Parcel) -> Outcome {
        let after = Some(Duration::from_secs(600));
        Outcome::Retry { reason: format!("the channel is not configured; set {}", self.key), after }
    }
}

/// Who sends CAP documents.
pub fn cap_sender(config: &Config) -> CapSender {
    let section = &config.cap;
    let host = url::Url::parse(&config.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let sender = match section.sender.as_str() {
        "" => format!("gwbank@{}", host.as_deref().unwrap_or("localhost")),
        sender => sender.to_owned(),
    };
    let public_url = config.public_url.trim_end_matches('/');
    CapSender {
        sender,
        name_en: section.sender_name_en.clone(),
        name_th: section.sender_name_th.clone(),
        restriction: section.restriction.clone(),
        public_url: (!public_url.is_empty()).then(|| public_url.to_owned()),
    }
}
