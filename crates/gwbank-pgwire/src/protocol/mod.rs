//! The messages of protocol 3.0, without what they mean.

pub mod backend;
pub mod frontend;
