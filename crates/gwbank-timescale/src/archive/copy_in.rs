//! Rows as `COPY … FROM STDIN (FORMAT binary)` takes them.
//!
//! # Format
//! ```text
//! signature, flags (i32), length of the extension (i32)
//! a row:  number of fields (i16), and of each its length (i32, -1 for NULL) and its bytes, big-endian
//! end:    -1 (i16)
//! ```
//! Source: PostgreSQL's documentation, "COPY", section "Binary Format".

use bytes::{BufMut, Bytes, BytesMut};
use futures::SinkExt;
use gwbank_model::{Row, TimeForms};
use tokio_postgres::Transaction;

use super::numbers::Numbers;
use super::rows::{ARRAY_TYPES, COLUMNS};
use crate::error::WorkError;
use crate::values::{postgres_micros, text};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: i16 = -1;
const NULL: i32 = -1;

/// Bytes of one piece: many rows, and little beside the batch.
const PIECE_BYTES: usize = 256 << 10;

/// Copies rows whose names all have a number into `reading_rows`.
pub(super) async fn copy_in(
    transaction: &Transaction<'_>,
    rows: &[Row],
    numbers: &Numbers,
    forms: &TimeForms,
) -> Result<(), WorkError> {
    let statement = format!("COPY reading_rows ({COLUMNS}) FROM STDIN (FORMAT binary)");
    let sink = transaction.copy_in::<_, Bytes>(&statement).await?;
    let mut sink = std::pin::pin!(sink);
    let mut forms = forms.reader();
    let mut piece = BytesMut::with_capacity(PIECE_BYTES + 1024);
    piece.put_slice(SIGNATURE);
    for row in rows {
        let time_raw = row.time_form.map(|form| forms.render(form, row.time));
        put_row(&mut piece, row, numbers, time_raw.as_deref())?;
        if piece.len() >= PIECE_BYTES {
            sink.send(piece.split().freeze()).await?;
            piece.reserve(PIECE_BYTES + 1024);
        }
    }
    piece.put_i16(END);
    sink.send(piece.freeze()).await?;
    sink.finish().await?;
    Ok(())
}

/// The fields of [`COLUMNS`].
fn put_row(out: &mut BytesMut, row: &Row, numbers: &Numbers, time_raw: Option<&str>) -> Result<(), WorkError> {
    out.put_i16(ARRAY_TYPES.len() as i16);
    put_i32(out, numbers.series(row.series).expect("a number was given"));
    put_i64(out, postgres_micros(row.time)?);
    match row.value() {
        Some(value) => put_i64(out, value.to_bits().cast_signed()),
        None => out.put_i32(NULL),
    }
    put_i64(out, row.seq.as_i64());
    put_i64(out, i64::from(row.revision));
    put_i32(out, numbers.gateway(row.gateway).expect("a number was given"));
    put_i32(out, i32::from(row.qc_tests.bits()));
    put_i16(out, i16::from(row.quality.code()));
    put_i16(out, i16::from(row.time_source.code()));
    match row.site_status {
        Some(status) => put_i16(out, i16::from(status.code())),
        None => out.put_i32(NULL),
    }
    match time_raw {
        Some(raw) => {
            let raw = text(raw);
            out.put_i32(i32::try_from(raw.len()).expect("a time is short"));
            out.put_slice(raw.as_bytes());
        }
        None => out.put_i32(NULL),
    }
    Ok(())
}

fn put_i16(out: &mut BytesMut, value: i16) {
    out.put_i32(2);
    out.put_i16(value);
}

fn put_i32(out: &mut BytesMut, value: i32) {
    out.put_i32(4);
    out.put_i32(value);
}

fn put_i64(out: &mut BytesMut, value: i64) {
    out.put_i32(8);
    out.put_i64(value);
}
