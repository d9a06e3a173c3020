//! What a fuzzer calls.

use bytes::BytesMut;

use crate::protocol::frontend::{Malformed, Message, Opening, message, opening};
use crate::scram::{Channel, Exchange, Verifier};
use crate::sql::{command, statements};
use crate::types::{Format, PgType, Scalar, Zone, parameter};

/// Longer messages are refused: as much as a fuzzer sends.
const MESSAGE_BYTES_MAX: usize = 1 << 16;

/// Reads the bytes as a connection does, from its first packet on, and checks what holds for any input.
pub fn read_connection(bytes: &[u8]) {
    let whole = read(&[bytes]);
    // A network cuts where it likes.
    let cut = bytes.first().map_or(0, |&first| usize::from(first) % (bytes.len() + 1));
    let halves = read(&[&bytes[..cut], &bytes[cut..]]);
    assert_eq!(whole, halves, "what is read depends on how it is cut");
    for message in whole.messages {
        understand(message);
    }
}

/// What was read, and what ended it.
#[derive(Debug, Default, PartialEq)]
struct Read {
    openings: Vec<Opening>,
    messages: Vec<Message>,
    malformed: Option<Malformed>,
}

fn read(parts: &[&[u8]]) -> Read {
    let (mut read, mut buffer) = (Read::default(), BytesMut::new());
    for part in parts {
        buffer.extend_from_slice(part);
        while read.malformed.is_none() {
            let before = buffer.len();
            let is_started = matches!(read.openings.last(), Some(Opening::Start { .. }));
            let step = if is_started {
                message(&mut buffer, MESSAGE_BYTES_MAX).map(|found| found.map(|message| read.messages.push(message)))
            } else {
                opening(&mut buffer).map(|found| found.map(|opening| read.openings.push(opening)))
            };
            match step {
                Ok(Some(())) => assert!(buffer.len() < before, "a message of nothing"),
                Ok(None) => {
                    assert_eq!(buffer.len(), before, "half a message was taken");
                    break;
                }
                Err(malformed) => read.malformed = Some(malformed),
            }
        }
    }
    read
}

fn understand(message: Message) {
    match message {
        Message::Query(sql) | Message::Parse { sql, .. } => {
            if let Ok(statements) = statements(&sql) {
                for statement in &statements {
                    let _ = command(statement);
                }
            }
        }
        Message::Bind { formats, values, .. } => {
            let zone = Zone::utc();
            for (value, code) in values.iter().zip(formats.iter().cycle()) {
                let Some(format) = Format::from_code(*code) else { continue };
                for &scalar in Scalar::ALL {
                    for is_array in [false, true] {
                        if let Ok(array) = parameter::value(PgType { scalar, is_array }, format, value.as_ref(), &zone)
                        {
                            assert_eq!(array.len(), 1, "a value is one");
                        }
                    }
                }
            }
        }
        Message::Password(step) => {
            let verifier = Verifier::decoy();
            if let Ok(exchange) = Exchange::begin(verifier, Channel::Unbindable, &step) {
                assert!(exchange.finish(&step).is_err(), "let in without a password");
            }
        }
        _ => {}
    }
}
