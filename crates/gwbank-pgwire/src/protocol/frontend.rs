//! What clients send: bytes to messages.
//!
//! # Rules
//! 1. Nothing is taken from the buffer before the whole message is there, and nothing beyond it is looked at.
//! 2. A length is believed only within the bound that the caller names: memory is not promised to strangers.
//! 3. What does not fit its own length is [`Malformed`], never a panic.

use bytes::{Buf, Bytes, BytesMut};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("invalid length of startup packet")]
    StartupLength,
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0")]
    Version { major: u16, minor: u16 },
    #[error("invalid message length")]
    Length,
    #[error("a message of {bytes} bytes is longer than the {bytes_max} that are taken")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("invalid frontend message type {0}")]
    Type(u8),
    #[error("insufficient data left in message")]
    Truncated,
    #[error("invalid message format")]
    Rest,
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    Encoding,
}

/// The first packet of a connection, which has no type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    Tls,
    /// Encryption by GSSAPI.
    Gss,
    Cancel(BackendKey),
    Start {
        minor: u16,
        parameters: Vec<(String, String)>,
    },
}

/// What names a connection to those who want to cancel its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BackendKey {
    pub process: i32,
    pub secret: i32,
}

/// As PostgreSQL bounds it.
const OPENING_BYTES_MAX: usize = 10_000;
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// The first packet, once it is complete.
pub fn opening(buffer: &mut BytesMut) -> Result<Option<Opening>, Malformed> {
    let Some(length) = buffer.get(..4) else { return Ok(None) };
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if !(8..=OPENING_BYTES_MAX).contains(&length) {
        return Err(Malformed::StartupLength);
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut body = Body(buffer.split_to(length).freeze());
    body.0.advance(4);
    let opening = match body.u32()? {
        TLS_REQUEST => Opening::Tls,
        GSS_REQUEST => Opening::Gss,
        CANCEL_REQUEST => Opening::Cancel(BackendKey { process: body.i32()?, secret: body.i32()? }),
        version => start((version >> 16) as u16, version as u16, &mut body)?,
    };
    body.end().map(|()| Some(opening))
}

fn start(major: u16, minor: u16, body: &mut Body) -> Result<Opening, Malformed> {
    if major != 3 {
        return Err(Malformed::Version { major, minor });
    }
    let mut parameters = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            return Ok(Opening::Start { minor, parameters });
        }
        parameters.push((name, body.text()?));
    }
}

/// A prepared statement or a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Statement,
    Portal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    Query(String),
    Parse {
        name: String,
        sql: String,
        /// Object ids of types; 0 where the client leaves it to the server.
        types: Vec<u32>,
    },
    Bind {
        portal: String,
        statement: String,
        formats: Vec<i16>,
        values: Vec<Option<Bytes>>,
        result_formats: Vec<i16>,
    },
    Describe(Target, String),
    Execute {
        portal: String,
        /// 0 for all.
        rows_max: usize,
    },
    Close(Target, String),
    Flush,
    Sync,
    Terminate,
    /// A password or a step of SASL: what it is tells the dialogue.
    Password(Bytes),
    CopyData,
    CopyDone,
    CopyFail,
    FunctionCall,
}

impl Message {
    /// Whether an error in it is followed by silence up to the next [`Message::Sync`].
    pub fn is_extended(&self) -> bool {
        matches!(
            self,
            Self::Parse { .. }
                | Self::Bind { .. }
                | Self::Describe(..)
                | Self::Execute { .. }
                | Self::Close(..)
                | Self::Flush
        )
    }
}

/// The next message, once it is complete.
pub fn message(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Message>, Malformed> {
    let Some(head) = buffer.get(..5) else { return Ok(None) };
    let kind = head[0];
    if !b"QPBDECHSXpdcfF".contains(&kind) {
        return Err(Malformed::Type(kind));
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length < 4 {
        return Err(Malformed::Length);
    }
    if length > bytes_max {
        return Err(Malformed::TooLong { bytes: length, bytes_max });
    }
    if buffer.len() < length + 1 {
        return Ok(None);
    }
    let mut body = Body(buffer.split_to(length + 1).freeze());
    body.0.advance(5);
    let message = read(kind, &mut body)?;
    body.end().map(|()| Some(message))
}

fn read(kind: u8, body: &mut Body) -> Result<Message, Malformed> {
    Ok(match kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => Message::Parse { name: body.text()?, sql: body.text()?, types: body.list(Body::u32)? },
        b'B' => Message::Bind {
            portal: body.text()?,
            statement: body.text()?,
            formats: body.list(Body::i16)?,
            values: body.list(Body::value)?,
            result_formats: body.list(Body::i16)?,
        },
        b'D' => {
            let target = body.target()?;
            Message::Describe(target, body.text()?)
        }
        b'E' => Message::Execute { portal: body.text()?, rows_max: usize::try_from(body.i32()?).unwrap_or(0) },
        b'C' => {
            let target = body.target()?;
            Message::Close(target, body.text()?)
        }
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'p' => Message::Password(body.rest()),
        b'd' => {
            body.rest();
            Message::CopyData
        }
        b'c' => Message::CopyDone,
        b'f' => {
            body.rest();
            Message::CopyFail
        }
        b'F' => {
            body.rest();
            Message::FunctionCall
        }
        other => return Err(Malformed::Type(other)),
    })
}

/// What is left of one message.
pub(crate) struct Body(pub(crate) Bytes);

impl Body {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<Bytes, Malformed> {
        if self.0.len() < count { Err(Malformed::Truncated) } else { Ok(self.0.split_to(count)) }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.bytes(4).map(|mut bytes| bytes.get_u32())
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.bytes(4).map(|mut bytes| bytes.get_i32())
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.bytes(2).map(|mut bytes| bytes.get_i16())
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// Up to the zero that ends it.
    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let end = self.0.iter().position(|&byte| byte == 0).ok_or(Malformed::Truncated)?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.to_vec()).map_err(|_| Malformed::Encoding)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
        // Grows with what is there, not with what is promised.
        let count = self.i16()? as u16;
        (0..count).map(|_| item(self)).collect()
    }

    fn value(&mut self) -> Result<Option<Bytes>, Malformed> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.bytes(usize::try_from(length).map_err(|_| Malformed::Length)?).map(Some),
        }
    }

    fn target(&mut self) -> Result<Target, Malformed> {
        match self.byte()? {
            b'S' => Ok(Target::Statement),
            b'P' => Ok(Target::Portal),
            _ => Err(Malformed::Rest),
        }
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Rest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
    }

    #[test]
    fn messages_come_whole_or_not_at_all() {
        let parse = framed(b'P', b"s\0SELECT $1\0\0\x01\0\0\0\x17");
        let mut buffer = BytesMut::new();
        for &byte in &parse[..parse.len() - 1] {
            buffer.extend_from_slice(&[byte]);
            assert_eq!(message(&mut buffer, 1000), Ok(None));
        }
        buffer.extend_from_slice(&parse[parse.len() - 1..]);
        buffer.extend_from_slice(&framed(b'S', b""));
        let expected = Message::Parse { name: "s".into(), sql: "SELECT $1".into(), types: vec![23] };
        assert_eq!(message(&mut buffer, 1000), Ok(Some(expected)));
        assert_eq!(message(&mut buffer, 1000), Ok(Some(Message::Sync)));
        assert!(buffer.is_empty());
    }

    #[test]
    fn bind_reads_values_and_nulls() {
        let body = b"\0st\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\0";
        let mut buffer = BytesMut::from(&framed(b'B', body)[..]);
        let expected = Message::Bind {
            portal: String::new(),
            statement: "st".into(),
            formats: vec![1],
            values: vec![Some(Bytes::from_static(b"ab")), None],
            result_formats: vec![],
        };
        assert_eq!(message(&mut buffer, 1000), Ok(Some(expected)));
    }

    #[test]
    fn what_does_not_fit_is_malformed() {
        let cases: [(&[u8], Malformed); 6] = [
            (&framed(b'Q', b"no end"), Malformed::Truncated),
            (&framed(b'Q', b"a\0b"), Malformed::Rest),
            (&framed(b'Q', b"\xff\0"), Malformed::Encoding),
            (b"Q\0\0\0\x03", Malformed::Length),
            (b"Q\x7f\xff\xff\xff", Malformed::TooLong { bytes: 0x7fff_ffff, bytes_max: 1000 }),
            (b"GET / HTTP/1.1", Malformed::Type(b'G')),
        ];
        for (bytes, expected) in cases {
            assert_eq!(message(&mut BytesMut::from(bytes), 1000), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn openings() {
        let read = |bytes: &[u8]| opening(&mut BytesMut::from(bytes));
        assert_eq!(read(b"\0\0\0\x08\x04\xd2\x16\x2f"), Ok(Some(Opening::Tls)));
        assert_eq!(read(b"\0\0\0\x08\x04\xd2\x16\x30"), Ok(Some(Opening::Gss)));
        let key = BackendKey { process: 7, secret: -1 };
        assert_eq!(read(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\xff\xff\xff\xff"), Ok(Some(Opening::Cancel(key))));
        let start = b"\0\0\0\x13\0\x03\0\x02user\0anna\0\0";
        let parameters = vec![("user".to_owned(), "anna".to_owned())];
        assert_eq!(read(start), Ok(Some(Opening::Start { minor: 2, parameters })));
        assert_eq!(read(&start[..10]), Ok(None));
        assert_eq!(read(b"\0\0\0\x09\0\x02\0\0\0"), Err(Malformed::Version { major: 2, minor: 0 }));
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Err(Malformed::StartupLength));
        assert_eq!(read(b"\0\0\0\x07"), Err(Malformed::StartupLength));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in any::<u8>()) {
            let _ = opening(&mut BytesMut::from(&bytes[..]));
            let _ = message(&mut BytesMut::from(&bytes[..]), 1000);
            let kind = b"QPBDECHSXpdcfF"[usize::from(kind) % 14];
            let mut buffer = BytesMut::from(&framed(kind, &bytes)[..]);
            let read = message(&mut buffer, 1000);
            prop_assert!(!matches!(read, Ok(None)), "a whole message is a message or malformed");
            prop_assert!(buffer.is_empty());
        }
    }
}
