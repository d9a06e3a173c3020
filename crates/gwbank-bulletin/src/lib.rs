//! The bulletin of a province and month: two printed pages, the first in Thai, the second in English.
//!
//! ```text
//! statements (SQL) ─▶ whoever runs them ─▶ rows ─▶ page (HTML that prints as two sheets of A4)
//! ```
//!
//! # Rules
//! 1. Every number comes from one of the [`statements`]; the page carries them, so that anybody can run them.
//! 2. What is not known is said so: a class without a record is "record too short", never "normal".
//! 3. One file: no script, no font, image or style sheet from elsewhere.
//! 4. Pure: rows come in, text goes out.

mod map;
mod page;
mod statements;
mod words;

pub use page::{Bulletin, page};
pub use statements::{Statement, statements};
