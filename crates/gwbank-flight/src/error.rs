//! Failures as gRPC's clients read them.

use arrow::error::ArrowError;
use tonic::{Code, Status};

use crate::door::{FailureKind, SqlFailure};

/// A message goes in a header, percent-encoded: clients in C refuse headers beyond 8 KiB, and with them the whole answer.
const MESSAGE_BYTES_MAX: usize = 2000;

impl From<SqlFailure> for Status {
    fn from(failure: SqlFailure) -> Self {
        let code = match failure.kind {
            FailureKind::Invalid => Code::InvalidArgument,
            FailureKind::Unsupported => Code::Unimplemented,
            FailureKind::ReadOnly => Code::PermissionDenied,
            FailureKind::Limit => Code::ResourceExhausted,
            FailureKind::TimedOut => Code::DeadlineExceeded,
            FailureKind::Cancelled => Code::Cancelled,
            FailureKind::Unavailable => Code::Unavailable,
            FailureKind::Internal => Code::Internal,
        };
        Status::new(code, shortened(failure.message))
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// What nobody but we can mend.
pub(crate) fn internal(error: &ArrowError) -> Status {
    tracing::error!(%error, "an answer of the Flight SQL door cannot be written");
    Status::internal(shortened(format!("the answer cannot be written: {error}")))
}

pub(crate) fn read_only(what: &str) -> Status {
    Status::permission_denied(format!("{what} is refused: this door is read-only; readings come in by MQTT or HTTP"))
}

pub(crate) fn unsupported(what: &str, instead: &str) -> Status {
    Status::unimplemented(format!("{what} is not supported; {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_into_a_header() {
        let failure = SqlFailure { kind: FailureKind::Limit, message: "น้ำ".repeat(1000) };
        let status = Status::from(failure);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().len() <= MESSAGE_BYTES_MAX + '…'.len_utf8() && status.message().ends_with('…'));
    }
}
