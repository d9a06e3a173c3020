//! What the server sends: messages appended to a buffer.

use bytes::{BufMut, BytesMut};

use super::frontend::BackendKey;
use crate::error::PgError;
use crate::types::{Format, PgType};

/// Whether a transaction is under way, as [`ready_for_query`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Open,
    Failed,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDescription {
    pub name: String,
    pub pg_type: PgType,
    pub format: Format,
}

/// Appends one message: type, length, and what `body` writes.
pub fn message(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let start = out.len();
    out.put_u32(0);
    body(out);
    fill_length(out, start);
}

/// Puts the bytes from `start` on, the length itself included, into the length.
pub fn fill_length(out: &mut BytesMut, start: usize) {
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

pub fn put_text(out: &mut BytesMut, text: &str) {
    // A zero would end it early, and what follows would be read as something else.
    out.extend(text.bytes().filter(|&byte| byte != 0));
    out.put_u8(0);
}

pub fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_u32(0));
}

pub fn sasl_mechanisms(out: &mut BytesMut, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.put_u32(10);
        for mechanism in mechanisms {
            put_text(out, mechanism);
        }
        out.put_u8(0);
    });
}

pub fn sasl_continue(out: &mut BytesMut, data: &str) {
    message(out, b'R', |out| {
        out.put_u32(11);
        out.put_slice(data.as_bytes());
    });
}

pub fn sasl_final(out: &mut BytesMut, data: &str) {
    message(out, b'R', |out| {
        out.put_u32(12);
        out.put_slice(data.as_bytes());
    });
}

/// The client asked for more than protocol 3.0.
pub fn negotiate_protocol(out: &mut BytesMut, unknown_options: &[&str]) {
    message(out, b'v', |out| {
        out.put_u32(3 << 16);
        out.put_u32(unknown_options.len() as u32);
        for option in unknown_options {
            put_text(out, option);
        }
    });
}

pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

pub fn backend_key(out: &mut BytesMut, key: BackendKey) {
    message(out, b'K', |out| {
        out.put_i32(key.process);
        out.put_i32(key.secret);
    });
}

pub fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    let status = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::Open => b'T',
        TransactionStatus::Failed => b'E',
    };
    message(out, b'Z', |out| out.put_u8(status));
}

pub fn error(out: &mut BytesMut, error: &PgError) {
    message(out, b'E', |out| fields(out, error));
}

pub fn notice(out: &mut BytesMut, notice: &PgError) {
    message(out, b'N', |out| fields(out, notice));
}

fn fields(out: &mut BytesMut, error: &PgError) {
    let mut field = |kind: u8, text: &str| {
        out.put_u8(kind);
        put_text(out, text);
    };
    field(b'S', error.severity.name());
    field(b'V', error.severity.name());
    field(b'C', error.code);
    field(b'M', &error.message);
    if let Some(hint) = &error.hint {
        field(b'H', hint);
    }
    if let Some(position) = error.position {
        field(b'P', &position.to_string());
    }
    out.put_u8(0);
}

pub fn row_description(out: &mut BytesMut, columns: &[ColumnDescription]) {
    message(out, b'T', |out| {
        out.put_i16(columns.len() as i16);
        for column in columns {
            put_text(out, &column.name);
            out.put_u32(0); // of no table
            out.put_i16(0);
            out.put_u32(column.pg_type.oid());
            out.put_i16(column.pg_type.size());
            out.put_i32(column.pg_type.modifier());
            out.put_i16(column.format.code());
        }
    });
}

pub fn parameter_description(out: &mut BytesMut, types: &[u32]) {
    message(out, b't', |out| {
        out.put_i16(types.len() as i16);
        types.iter().for_each(|&oid| out.put_u32(oid));
    });
}

pub fn command_complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| put_text(out, tag));
}

pub fn copy_out(out: &mut BytesMut, columns: usize) {
    message(out, b'H', |out| {
        out.put_u8(0);
        out.put_i16(columns as i16);
        (0..columns).for_each(|_| out.put_i16(0));
    });
}

/// A message without a body.
macro_rules! bare {
    ($($name:ident = $kind:literal;)*) => {
        $(pub fn $name(out: &mut BytesMut) {
            message(out, $kind, |_| ());
        })*
    };
}

bare! {
    parse_complete = b'1';
    bind_complete = b'2';
    close_complete = b'3';
    no_data = b'n';
    empty_query = b'I';
    portal_suspended = b's';
    copy_done = b'c';
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_themselves_and_zeros_cannot_be_smuggled() {
        let mut out = BytesMut::new();
        parameter_status(&mut out, "a", "b\0c");
        assert_eq!(&out[..], b"S\0\0\0\x09a\0bc\0");
        out.clear();
        ready_for_query(&mut out, TransactionStatus::Failed);
        assert_eq!(&out[..], b"Z\0\0\0\x05E");
    }

    #[test]
    fn an_error_tells_code_and_place() {
        let mut out = BytesMut::new();
        error(&mut out, &PgError::new("42601", "syntax").at(3));
        let text = String::from_utf8_lossy(&out);
        for part in ["SERROR\0", "C42601\0", "Msyntax\0", "P3\0"] {
            assert!(text.contains(part), "{text:?}");
        }
    }
}
