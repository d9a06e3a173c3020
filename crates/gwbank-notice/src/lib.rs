//! What is said of a condition flag: who is told and when, in which words, in which form.
//!
//! ```text
//! flag + transition ─▶ Notice ─┬─ route ─▶ contacts, each now, at the end of its quiet hours, or in its digest
//!                              ├─ render ─▶ text and HTML, messages of LINE
//!                              └─ cap ────▶ CAP 1.2 documents, Atom feeds
//! ```
//!
//! # Rules
//! 1. Pure: what is said follows from what is handed in. No clock, no disk, no network.
//! 2. One set of words for every form, in Thai and English. The fixed terms of hazards and severities are those of the flag's
//!    own texts; nothing here reads like an official warning.
//! 3. What a message says is fixed when its transition happens; a later delivery says the same.

pub mod cap;
mod evidence;
mod link;
mod notice;
pub mod render;
mod routing;
mod when;
mod words;

pub use evidence::{field_words, told_evidence};
pub use link::{LinkKey, LinkProblem, LinkTicket};
pub use notice::{Notice, NoticeData, NoticeTransition, Practice, flag_json, notice_key};
pub use routing::{Listener, Told, route};
pub use when::{english_day, english_time, thai_day, thai_time};
pub use words::{
    NO_DECLARATION_EN, NO_DECLARATION_TH, TransitionWords, action_words, grouped, hazard_words, reason_words,
    severity_words, state_words, transition_words,
};
