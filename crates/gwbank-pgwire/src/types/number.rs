//! Numbers in text, and decimals in PostgreSQL's binary form.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

/// As `extra_float_digits = 1` writes it: the fewest digits that give the number back, and an exponent where PostgreSQL
/// writes one.
pub fn put_float(out: &mut BytesMut, number: f64) {
    if put_short_decimal(out, number) {
        return;
    }
    put_shortest(out, number, |out| {
        let _ = write!(out, "{number}");
    });
}

/// Decimals that a short number is looked for with: readings have three, and nine digits before the point are left.
const SHORT_DECIMALS: usize = 6;
const SHORT_SCALE: f64 = 1e6;
/// Up to fifteen digits a decimal is told from every other by the double next to it.
const SHORT_MAX: f64 = 1e15;

/// Writes a number that has few decimals; false where it is none, or where PostgreSQL writes an exponent.
///
/// A whole number below 2^53 divided by a power of ten up to 10^22 is the double next to that decimal. So if `n / 10^6` gives
/// the number back, the decimal is one that reads as the number; and as it has at most fifteen digits no shorter one does,
/// but for the zeros at its end.
fn put_short_decimal(out: &mut BytesMut, number: f64) -> bool {
    let scaled = (number.abs() * SHORT_SCALE).round();
    let is_plain = number.abs() >= 1e-4 || number.to_bits() == 0;
    // What is not finite is not below it.
    let is_short = is_plain && scaled < SHORT_MAX && scaled / SHORT_SCALE == number.abs();
    if !is_short {
        return false;
    }
    let digits = scaled as u64;
    let (whole, mut fraction) = (digits / SHORT_SCALE as u64, digits % SHORT_SCALE as u64);
    let mut text = [b'0'; 2 + 15 + 1];
    let mut end = text.len();
    if fraction > 0 {
        let mut decimals = SHORT_DECIMALS;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            decimals -= 1;
        }
        for _ in 0..decimals {
            end -= 1;
            text[end] = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        end -= 1;
        text[end] = b'.';
    }
    let (last, mut left) = (text.len(), whole);
    loop {
        end -= 1;
        text[end] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0.0 {
        end -= 1;
        text[end] = b'-';
    }
    out.put_slice(&text[end..last]);
    true
}

/// The same of the digits that tell one single from the next.
pub fn put_single(out: &mut BytesMut, number: f32) {
    // A single has six digits where a double has fifteen.
    let plain = number == 0.0 || (1e-4..1e6).contains(&number.abs());
    if plain {
        let _ = write!(out, "{number}");
    } else if number.is_finite() {
        put_scientific(out, &format!("{number:e}"));
    } else {
        put_float(out, number.into());
    }
}

fn put_shortest(out: &mut BytesMut, number: f64, plain: impl FnOnce(&mut BytesMut)) {
    if number.is_nan() {
        out.put_slice(b"NaN");
    } else if number.is_infinite() {
        out.put_slice(if number > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else if number == 0.0 || (1e-4..1e15).contains(&number.abs()) {
        plain(out);
    } else {
        put_scientific(out, &format!("{number:e}"));
    }
}

/// `1e5` of Rust is `1e+05` of PostgreSQL.
fn put_scientific(out: &mut BytesMut, rust: &str) {
    let (mantissa, exponent) = rust.split_once('e').unwrap_or((rust, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let _ = write!(out, "{mantissa}e{sign}{digits:0>2}");
}

const NUMERIC_POSITIVE: u16 = 0x0000;
const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xc000;
/// Decimal digits of a digit of the binary form.
const GROUP: usize = 4;

/// A plain decimal (`-12.340`) in the binary form of `numeric`.
pub fn put_numeric(out: &mut BytesMut, decimal: &str) {
    let (sign, digits) = match decimal.strip_prefix('-') {
        Some(rest) => (NUMERIC_NEGATIVE, rest),
        None => (NUMERIC_POSITIVE, decimal),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let mut groups: Vec<i16> = Vec::new();
    let lead = whole.len() % GROUP;
    let (first, rest) = whole.split_at(lead);
    if !first.is_empty() {
        groups.push(first.parse().unwrap_or(0));
    }
    groups.extend(chunks(rest));
    let mut weight = groups.len() as i16 - 1;
    groups.extend(chunks(fraction));
    let zeros = groups.iter().take_while(|&&group| group == 0).count();
    groups.drain(..zeros);
    weight -= zeros as i16;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let is_zero = groups.is_empty();
    out.put_i16(groups.len() as i16);
    out.put_i16(weight);
    out.put_u16(if is_zero { NUMERIC_POSITIVE } else { sign });
    out.put_u16(fraction.len() as u16);
    groups.iter().for_each(|&group| out.put_i16(group));
}

fn chunks(digits: &str) -> impl Iterator<Item = i16> + '_ {
    let count = digits.len().div_ceil(GROUP);
    (0..count).map(move |index| {
        let group = &digits[index * GROUP..(index * GROUP + GROUP).min(digits.len())];
        group.parse::<i16>().unwrap_or(0) * 10i16.pow((GROUP - group.len()) as u32)
    })
}

/// The plain decimal of a `numeric` in binary form; `None` where it is none.
pub fn numeric_text(bytes: &[u8]) -> Option<String> {
    let short = |index: usize| Some(i16::from_be_bytes(bytes.get(index * 2..index * 2 + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (short(0)?, short(1)?, short(2)? as u16, short(3)?);
    if count < 0 || scale < 0 || bytes.len() != 8 + usize::try_from(count).ok()? * 2 {
        return None;
    }
    match sign {
        NUMERIC_NAN => return Some("NaN".to_owned()),
        NUMERIC_POSITIVE | NUMERIC_NEGATIVE => {}
        _ => return None,
    }
    let group = |place: i32| -> Option<i16> {
        let index = i32::from(weight) - place;
        if (0..i32::from(count)).contains(&index) { short(4 + index as usize) } else { Some(0) }
    };
    let mut text = String::new();
    if sign == NUMERIC_NEGATIVE {
        text.push('-');
    }
    if weight < 0 {
        text.push('0');
    }
    for place in (0..=i32::from(weight)).rev() {
        let digits = group(place)?;
        let _ = if place == i32::from(weight) { write!(text, "{digits}") } else { write!(text, "{digits:04}") };
    }
    if scale > 0 {
        let mut fraction = String::new();
        let mut place = -1;
        while fraction.len() < scale as usize {
            let _ = write!(fraction, "{:04}", group(place)?);
            place -= 1;
        }
        fraction.truncate(scale as usize);
        text.push('.');
        text.push_str(&fraction);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn float(number: f64) -> String {
        let mut out = BytesMut::new();
        put_float(&mut out, number);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn binary(decimal: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_numeric(&mut out, decimal);
        out.to_vec()
    }

    #[test]
    fn floats_as_postgresql_writes_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.42, "3.42"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-1.5e-300, "-1.5e-300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, expected) in cases {
            assert_eq!(float(number), expected);
        }
    }

    #[test]
    fn numerics() {
        // As `SELECT numeric_send(…)` of PostgreSQL 15 shows them.
        assert_eq!(binary("0"), [0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(binary("12345.678"), [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]);
        assert_eq!(binary("-0.0001"), [0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 1]);
        assert_eq!(numeric_text(&binary("12345.678")).unwrap(), "12345.678");
        assert_eq!(numeric_text(&[0, 9, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn numerics_come_back(whole in 0u64.., fraction in "[0-9]{0,12}", negative in any::<bool>()) {
            let sign = if negative && (whole > 0 || fraction.bytes().any(|digit| digit != b'0')) { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            let decimal = format!("{sign}{whole}{point}{fraction}");
            prop_assert_eq!(numeric_text(&binary(&decimal)).unwrap(), decimal);
        }

        #[test]
        fn short_decimals_are_the_shortest(whole in -2_000_000_000i64..2_000_000_000, decimals in 0i32..9) {
            let number = whole as f64 / 10f64.powi(decimals);
            if number == 0.0 || number.abs() >= 1e-4 {
                prop_assert_eq!(float(number), number.to_string());
            }
        }

        #[test]
        fn floats_come_back(number in any::<f64>()) {
            let back: f64 = float(number).parse().unwrap();
            prop_assert!(back == number || (back.is_nan() && number.is_nan()));
        }

        #[test]
        fn any_bytes_are_a_numeric_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = numeric_text(&bytes);
        }
    }
}
