//! Small pieces of the text form.

use bytes::{BufMut, BytesMut};

pub fn put_whole(out: &mut BytesMut, number: i64) {
    let mut digits = [0u8; 20];
    let mut first = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        first -= 1;
        digits[first] = b'-';
    }
    out.put_slice(&digits[first..]);
}

/// `bytea` as `bytea_output = hex` writes it.
pub fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.put_slice(b"\\x");
    for &byte in bytes {
        out.put_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}
