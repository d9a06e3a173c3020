//! What a fuzzer calls.

use gwbank_model::Timestamp;

use crate::{Context, Format, decode};

/// Decodes the bytes in every format and checks what holds for any input.
pub fn decode_any(payload: &[u8]) {
    let now = Timestamp::from_secs(1_795_403_700);
    let zoned = Context { clock_zone: Some(7 * 3600), ..Context::live(now) };
    for context in [Context::live(now), Context::import(now), zoned] {
        for &format in Format::ALL {
            let decoded = decode(format, payload, &context);
            assert!(decoded.received() > 0, "a payload without reading or fault");
            assert!(decoded.faults.iter().all(|fault| fault.readings > 0 && !fault.detail.is_empty()));
            assert!(decoded.readings.iter().all(|reading| reading.value.is_none_or(f64::is_finite)));
            assert_eq!(decoded, decode(format, payload, &context), "not a function of its input");
        }
    }
    if let Ok(topic) = std::str::from_utf8(payload) {
        let _ = crate::route(topic);
    }
}
