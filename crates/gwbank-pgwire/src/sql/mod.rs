//! Which statements are the connection's own, and which go to the engine.
//!
//! # Rules
//! 1. Only the first words of a statement are understood here; what it asks is the engine's.
//! 2. What is not on the list goes to the engine, which refuses what it does not permit.

mod command;
mod copy;
mod lexer;

pub use command::{Argument, Command, FetchCount, command};
pub use copy::{CopyFormat, CopyOut};
pub use lexer::{Statement, names_word, statements};
