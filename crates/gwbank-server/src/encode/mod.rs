//! Query answers as JSON, CSV, Arrow stream or Parquet, batch by batch.
//!
//! # Rules
//! 1. Memory is bounded by one batch (Parquet: one row group) whatever the size of the answer.
//! 2. An error in the midst of an answer ends the body with an error, so that the connection breaks without its last
//!    chunk: a client can tell a broken answer from a whole one.
//! 3. JSON and CSV are for people: instants in Thai time, no NaN, nested values readable. Arrow and Parquet carry the
//!    engine's own types unchanged.

mod present;

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::doors::{SqlAnswer, SqlError, SqlErrorKind};
use crate::problem::{Kind, Problem};

pub use present::{THAI_ZONE, flat, presentable};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlFormat {
    Json,
    Csv,
    Arrow,
    Parquet,
}

impl SqlFormat {
    pub const ALL: [SqlFormat; 4] = [SqlFormat::Json, SqlFormat::Csv, SqlFormat::Arrow, SqlFormat::Parquet];

    pub const fn media_type(self) -> &'static str {
        match self {
            SqlFormat::Json => "application/json",
            SqlFormat::Csv => "text/csv",
            SqlFormat::Arrow => "application/vnd.apache.arrow.stream",
            SqlFormat::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            SqlFormat::Csv => "text/csv; charset=utf-8; header=present",
            other => other.media_type(),
        }
    }

    /// The format that an `Accept` header prefers; JSON without one.
    pub fn from_accept(accept: Option<&str>) -> Result<SqlFormat, Problem> {
        let offered = SqlFormat::ALL.map(SqlFormat::media_type);
        preferred(accept, &offered).map(|index| SqlFormat::ALL[index])
    }
}

/// The place in `offered` of what an `Accept` header prefers; the first where it has no preference.
pub fn preferred(accept: Option<&str>, offered: &[&str]) -> Result<usize, Problem> {
    let Some(accept) = accept.map(str::trim).filter(|accept| !accept.is_empty()) else {
        return Ok(0);
    };
    let mut best: Option<(f32, usize)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts
            .filter_map(|parameter| parameter.strip_prefix("q="))
            .find_map(|weight| weight.parse::<f32>().ok())
            .unwrap_or(1.0);
        let matched = offered.iter().position(|media| {
            let major = media.split('/').next().unwrap_or_default();
            name == "*/*" || name == *media || name.strip_suffix("/*") == Some(major)
        });
        if let Some(index) = matched
            && weight > 0.0
            && best.is_none_or(|(best_weight, _)| weight > best_weight)
        {
            best = Some((weight, index));
        }
    }
    best.map(|(_, index)| index).ok_or_else(|| {
        Problem::new(Kind::NOT_ACCEPTABLE, format!("{accept} is not among {}", offered.join(", ")))
            .with("offered", offered.to_vec())
    })
}

/// What a writer wrote and nobody has taken yet.
#[derive(Debug, Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn take(&self) -> Bytes {
        Bytes::from(std::mem::take(&mut *self.0.lock()))
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Rows a Parquet answer buffers before it writes them out.
const PARQUET_ROW_GROUP_ROWS: usize = 128 * 1024;

enum Writer {
    Json(arrow::json::ArrayWriter<SharedBuffer>),
    Csv(Box<arrow::csv::Writer<SharedBuffer>>),
    Arrow(Box<arrow::ipc::writer::StreamWriter<SharedBuffer>>),
    Parquet(Box<ArrowWriter<SharedBuffer>>),
}

impl Writer {
    fn new(format: SqlFormat, schema: &SchemaRef, buffer: SharedBuffer) -> Result<Self, ArrowError> {
        Ok(match format {
            SqlFormat::Json => Writer::Json(
                arrow::json::WriterBuilder::new()
                    .with_explicit_nulls(true)
                    .build::<_, arrow::json::writer::JsonArray>(buffer),
            ),
            SqlFormat::Csv => {
                let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(buffer);
                // The header is written with the first batch; an empty answer needs it too.
                writer.write(&flat(&presentable(&RecordBatch::new_empty(schema.clone()))?)?)?;
                Writer::Csv(Box::new(writer))
            }
            SqlFormat::Arrow => Writer::Arrow(Box::new(arrow::ipc::writer::StreamWriter::try_new(buffer, schema)?)),
            SqlFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(PARQUET_ROW_GROUP_ROWS))
                    .set_created_by("gwbank".to_owned())
                    .build();
                Writer::Parquet(Box::new(ArrowWriter::try_new(buffer, schema.clone(), Some(properties))?))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Writer::Json(writer) => writer.write(&presentable(batch)?),
            Writer::Csv(writer) => writer.write(&flat(&presentable(batch)?)?),
            Writer::Arrow(writer) => writer.write(batch),
            Writer::Parquet(writer) => Ok(writer.write(batch)?),
        }
    }

    fn finish(self) -> Result<(), ArrowError> {
        match self {
            Writer::Json(mut writer) => writer.finish(),
            Writer::Csv(_) => Ok(()),
            Writer::Arrow(mut writer) => writer.finish(),
            Writer::Parquet(writer) => writer.close().map(drop).map_err(ArrowError::from),
        }
    }
}

fn encoding_failed(error: ArrowError) -> SqlError {
    SqlError::new(SqlErrorKind::Internal, format!("the answer cannot be written: {error}"))
}

/// The answer as a stream of bytes. Errors before the first byte come back as the result, so that they can still be
/// told with a status of their own.
pub async fn encode(
    format: SqlFormat,
    answer: SqlAnswer,
) -> Result<BoxStream<'static, Result<Bytes, SqlError>>, SqlError> {
    let SqlAnswer { schema, mut batches } = answer;
    let first = batches.next().await.transpose()?;
    let buffer = SharedBuffer::default();
    let writer = Writer::new(format, &schema, buffer.clone()).map_err(encoding_failed)?;

    enum Stage {
        Writing(Box<Writer>, Option<RecordBatch>, BoxStream<'static, Result<RecordBatch, SqlError>>),
        Done,
    }
    let start = Stage::Writing(Box::new(writer), first, batches);
    let bytes = stream::unfold(start, move |stage| {
        let buffer = buffer.clone();
        async move {
            let Stage::Writing(mut writer, mut pending, mut batches) = stage else { return None };
            loop {
                let next = match pending.take() {
                    Some(batch) => Some(Ok(batch)),
                    None => batches.next().await,
                };
                match next {
                    None => {
                        let finished = writer.finish().map_err(encoding_failed);
                        return Some((finished.map(|()| buffer.take()), Stage::Done));
                    }
                    Some(Err(error)) => return Some((Err(error), Stage::Done)),
                    Some(Ok(batch)) => {
                        if let Err(error) = writer.write(&batch) {
                            return Some((Err(encoding_failed(error)), Stage::Done));
                        }
                        let bytes = buffer.take();
                        if !bytes.is_empty() {
                            return Some((Ok(bytes), Stage::Writing(writer, None, batches)));
                        }
                    }
                }
            }
        }
    });
    Ok(bytes.boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        let format = |accept: &str| SqlFormat::from_accept(Some(accept)).ok();
        assert_eq!(SqlFormat::from_accept(None).unwrap(), SqlFormat::Json);
        assert_eq!(format("*/*"), Some(SqlFormat::Json));
        assert_eq!(format("text/*"), Some(SqlFormat::Csv));
        assert_eq!(format("text/html, text/csv;q=0.5, application/json;q=0.4"), Some(SqlFormat::Csv));
        assert_eq!(format("application/vnd.apache.parquet"), Some(SqlFormat::Parquet));
        assert_eq!(format("text/html"), None);
        assert_eq!(format("application/json;q=0"), None);
    }
}
