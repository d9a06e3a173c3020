//! Small pieces of the binary form, which counts from 2000-01-01.

use bytes::{BufMut, BytesMut};

use super::calendar::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};

pub fn day(since_1970: i32) -> i32 {
    since_1970.saturating_sub(POSTGRES_EPOCH_DAYS)
}

pub fn micros(since_1970: i64) -> i64 {
    since_1970.saturating_sub(POSTGRES_EPOCH_MICROS)
}

pub fn put_interval(out: &mut BytesMut, months: i32, days: i32, micros: i64) {
    out.put_i64(micros);
    out.put_i32(days);
    out.put_i32(months);
}
