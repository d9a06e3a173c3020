//! Errors as clients of PostgreSQL read them.

use crate::protocol::frontend::Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// The connection ends.
    Fatal,
    Warning,
    Notice,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PgError {
    pub severity: Severity,
    /// Of the list in PostgreSQL's appendix A.
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
    /// Character of the statement, from 1.
    pub position: Option<usize>,
}

impl PgError {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), hint: None, position: None }
    }

    pub fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, ..Self::new(code, message) }
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(code, message) }
    }

    pub fn notice(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Notice, ..Self::new(code, message) }
    }

    pub fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn syntax(message: impl Into<String>) -> Self {
        Self::new("42601", message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("0A000", message)
    }

    pub fn shutting_down() -> Self {
        Self::fatal("57P01", "terminating connection due to administrator command")
    }
}

impl From<Malformed> for PgError {
    /// After a message that cannot be read nothing tells where the next one begins.
    fn from(malformed: Malformed) -> Self {
        let code = match malformed {
            Malformed::Version { .. } => "0A000",
            Malformed::TooLong { .. } => "54000",
            Malformed::Encoding => "22021",
            _ => "08P01",
        };
        Self::fatal(code, malformed.to_string())
    }
}
