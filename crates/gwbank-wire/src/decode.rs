//! The front door: one payload in, readings and faults out.

use crate::fault::{FaultText, Sink};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::{Context, Decoded, Format, Reason, json, senml};

/// Reads one message. Never panics; gives at least one reading or fault.
pub fn decode(format: Format, payload: &[u8], context: &Context<'_>) -> Decoded {
    let mut sink = Sink::new(context);
    if payload.len() > PAYLOAD_BYTES_MAX {
        whole(&mut sink, Reason::TooLarge, || {
            format!(
                "the payload has {} bytes, at most {PAYLOAD_BYTES_MAX} are read: send smaller messages",
                payload.len()
            )
        });
        return sink.out;
    }
    let payload = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    if payload.iter().all(u8::is_ascii_whitespace) {
        whole(&mut sink, Reason::Empty, || "the payload is empty: send at least one reading".to_owned());
        return sink.out;
    }
    match format {
        Format::Json => json::decode(payload, &mut sink),
        Format::SenmlJson => senml::decode_json(payload, &mut sink),
        Format::SenmlCbor => senml::decode_cbor(payload, &mut sink),
    }
    if sink.out.received() == 0 && sink.out.ignored == 0 {
        whole(&mut sink, Reason::Empty, || "the message holds no reading: send at least one, or nothing".to_owned());
    }
    sink.out
}

/// A fault of the message as a whole: counts as one reading.
pub(crate) fn whole(sink: &mut Sink<'_>, reason: Reason, detail: impl FnOnce() -> String) {
    sink.fault(reason, 1, || FaultText { place: String::new(), detail: detail(), subject: String::new() });
}
