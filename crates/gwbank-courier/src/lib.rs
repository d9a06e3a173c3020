//! Brings what the outbox owes to people and programs.
//!
//! ```text
//! outbox ─lease─▶ too old? ─▶ the office's pace ─▶ digests put together ─▶ Courier ─settle─▶ outbox
//!                  expired      postponed                                  (e-mail, webhook, LINE, MQTT)
//! ```
//!
//! # Rules
//! 1. At least once: a message leaves the outbox after its receiver took it. A process may end between any two steps; what it
//!    had leased is sent again, with the same idempotency key, which receivers know it by.
//! 2. A failure is told apart by what the receiver said: what would be refused again is a dead letter at once, everything else is
//!    tried again with growing waits until it is too old to be worth telling.
//! 3. No office is flooded: beyond its pace messages wait, in their order.
//! 4. Every attempt is kept with its receipt or reason. Addresses, secrets and tokens are not in it, nor in logs.

mod courier;
mod dispatcher;
mod email;
mod line;
mod links;
mod networks;
mod pace;
mod webhook;

pub use courier::{Courier, Outcome, Parcel, Recipient};
pub use dispatcher::{DeliveryCounts, DispatchConfig, Dispatcher};
pub use email::{EmailConfig, EmailCourier, EmailError};
pub use line::{LineConfig, LineCourier, LineError};
pub use links::LinkMaker;
pub use networks::{Network, NotANetwork};
pub use webhook::{WebhookConfig, WebhookCourier, WebhookError};
