//! The bounds of one message.

/// Longest payload that is looked at. Larger than any sane gateway message (100,000 readings in JSON), small enough
/// that decoding it holds a core for less than a tenth of a second.
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;

/// Most faults that a message lists one by one; the rest is counted in one further fault per reason, so that a hostile
/// message cannot make the journal write more than it brought.
pub const FAULTS_MAX: usize = 256;

/// Most records of one SenML pack: a pack is held whole before it is resolved.
pub const SENML_RECORDS_MAX: usize = 100_000;

/// Nesting that no format here needs; deeper input is unreadable. (Both parsers also guard their own stack.)
pub const NESTING_MAX: usize = 32;

/// Longest piece of a sender's text that a fault repeats, in characters.
pub const EXCERPT_CHARS_MAX: usize = 60;

/// How many well ids of a message are remembered, so that a repeated id is not allocated again.
pub const WELLS_REMEMBERED_MAX: usize = 64;

/// Among how many of the latest a well id is searched for that is not where it is expected.
pub const WELLS_SEARCHED_MAX: usize = 8;
