//! The one leniency towards broken JSON: numbers that JSON or a double cannot hold.
//!
//! Python's `json.dumps`, JavaScript-like printf code and .NET write `NaN`, `Infinity` and `1e999`. A parser stops there
//! and would cost every good reading beside it. So, only after a message failed to parse, such tokens are put in quotes:
//! the record then carries text where a number should be, which is a fault of that one value.

/// The payload with every impossible number in quotes; `None` where there is none.
pub(crate) fn quote_impossible_numbers(payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(payload.len() + 16);
    let mut at = 0;
    let mut changed = false;
    while at < payload.len() {
        let byte = payload[at];
        if byte == b'"' {
            let end = end_of_string(payload, at);
            out.extend_from_slice(&payload[at..end]);
            at = end;
            continue;
        }
        if !is_token_byte(byte) {
            out.push(byte);
            at += 1;
            continue;
        }
        let end = at + payload[at..].iter().take_while(|byte| is_token_byte(**byte)).count();
        let token = &payload[at..end];
        if is_impossible_number(token) {
            out.push(b'"');
            out.extend_from_slice(token);
            out.push(b'"');
            changed = true;
        } else {
            out.extend_from_slice(token);
        }
        at = end;
    }
    changed.then_some(out)
}

/// What numbers, `NaN`, `Infinity`, `true` and `null` are made of.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn is_impossible_number(token: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(token) else { return false };
    // Rust reads nan, inf and infinity in any case, and overflowing numbers as infinite.
    text.parse::<f64>().is_ok_and(|number| !number.is_finite())
}

/// The index after the closing quote, or the end of the payload.
fn end_of_string(payload: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < payload.len() {
        match payload[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Option<&str>) {
        let repaired = quote_impossible_numbers(input.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(repaired.as_deref(), expected, "{input}");
    }

    #[test]
    fn only_impossible_numbers_outside_texts_are_quoted() {
        check(r#"{"a":NaN,"b":-Infinity,"c":1e999,"d":1}"#, Some(r#"{"a":"NaN","b":"-Infinity","c":"1e999","d":1}"#));
        check(r#"{"a":"NaN, \" Infinity","b":true,"c":null,"d":-1.5e3}"#, None);
        check(r#"{"a":"unfinished NaN"#, None);
        check(r#"{"a":"ends in a backslash\"#, None);
        check("[nan, inf]", Some(r#"["nan", "inf"]"#));
    }
}
