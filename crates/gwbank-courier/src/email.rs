//! E-mail over SMTP: text and HTML, and a Message-ID that is the same at every attempt.

use std::time::Duration;

use async_trait::async_trait;
use gwbank_notice::Notice;
use gwbank_notice::render::{self, MailText};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use ring::digest;

use crate::courier::{Courier, Outcome, Parcel};
use crate::links::LinkMaker;

#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// `smtps://user:password@host:465`, or `smtp://host:587?tls=required`.
    pub url: String,
    /// Such as `gwbank <no-reply@bank.example.org>`.
    pub from: String,
    pub timeout: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum EmailError {
    #[error("email.smtp_url cannot be used: {0}")]
    Url(String),
    #[error("email.from is not an address: {0}")]
    From(String),
}

pub struct EmailCourier {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    links: LinkMaker,
}

impl EmailCourier {
    pub fn new(config: &EmailConfig, links: LinkMaker) -> Result<Self, EmailError> {
        let from: Mailbox = config.from.parse().map_err(|error| EmailError::From(format!("{error}")))?;
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.url)
            .map_err(|error| EmailError::Url(error.to_string()))?;
        Ok(Self { transport: builder.timeout(Some(config.timeout)).build(), from, links })
    }

    fn message(&self, parcel: &Parcel) -> Result<Message, String> {
        let contact = parcel.recipient.as_ref().map(|it| it.contact.as_ref()).ok_or("it has no contact")?;
        let notices = parcel.notices();
        if notices.is_empty() {
            return Err("there is nothing in it to tell".to_owned());
        }
        let page = |notice: &Notice| self.links.links(notice, &contact.contact_id);
        let MailText { subject, text, html } = match &notices[..] {
            [notice] if parcel.messages.len() == 1 => render::mail(notice, contact.language, &page(notice)),
            notices => render::mail_digest(notices, contact.language, page),
        };
        let to = parcel.target.parse().map_err(|error| format!("the address cannot be used: {error}"))?;
        let domain = self.from.email.domain();
        let id = |of: &str| {
            let hash = digest::digest(&digest::SHA256, of.as_bytes());
            let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("<{hex}@{domain}>")
        };
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(contact.name.clone(), to))
            .subject(subject)
            .message_id(Some(id(&parcel.key)))
            // No answering machine answers to it.
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let [message_of_flag] = &parcel.messages[..]
            && let Some(flag) = &message_of_flag.flag_id
        {
            // What is told of one flag stands together in the reader's program.
            message = message.references(id(flag));
        }
        message.multipart(MultiPart::alternative_plain_html(text, html)).map_err(|error| error.to_string())
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[async_trait]
impl Courier for EmailCourier {
    fn channel(&self) -> &'static str {
        "email"
    }

    async fn deliver(&self, parcel: &Parcel) -> Outcome {
        let message = match self.message(parcel) {
            Ok(message) => message,
            Err(reason) => return Outcome::Dead(reason),
        };
        match self.transport.send(message).await {
            Ok(answer) => {
                let said: Vec<&str> = answer.message().collect();
                Outcome::Delivered(format!("{} {}", answer.code(), said.join(" ")))
            }
            Err(error) => failed(&error),
        }
    }
}

/// Codes that speak of this server and not of the receiver: somebody mends the configuration.
fn speaks_of_us(code: u16) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
}

fn failed(error: &smtp::Error) -> Outcome {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    match error.status().map(u16::from) {
        Some(code) if error.is_permanent() && !speaks_of_us(code) => Outcome::Dead(reason),
        _ => Outcome::retry(reason),
    }
}
