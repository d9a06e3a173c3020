//! The Common Alerting Protocol 1.2 (OASIS): one document a transition, and Atom feeds of them.
//!
//! # Rules
//! 1. A document is a draft for officers (`Draft`, `Restricted`) until one of them approves it; then it is `Actual`, `Public`, sent
//!    when it was approved. Its identifier stays, as nobody but officers has seen it before.
//! 2. `references` names all earlier messages of the flag that its readers have: of a document that was approved those that were
//!    approved, of a draft all. What the public hears first of a flag is an `Alert`, whatever it was here.
//! 3. Low groundwater is never more urgent than `Expected`; only high groundwater at extreme is `Immediate`, `Extreme`,
//!    `Observed`.
//! 4. Wells, gateways, rapid changes and missing data are the operator's: they have no document.

mod document;
mod feed;

pub use document::{
    CapArea, CapKind, CapMessage, CapSender, chain, document, drill_document, drill_identifier, drill_status,
    has_documents, identifier, transition_number,
};
pub use feed::{FeedEntry, FeedPage, feed};
