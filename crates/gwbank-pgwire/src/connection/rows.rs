//! The rows of an answer on their way to the client.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::BufMut;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use super::Connection;
use super::socket::Interrupts;
use super::socket::{Socket, Stop};
use crate::door::{Answer, SqlFailure};
use crate::error::PgError;
use crate::protocol::backend::{self, ColumnDescription};
use crate::types::{Column, Format, PgType, Zone, columns};

/// An answer of which some rows may have been sent.
pub struct Rows {
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, SqlFailure>>,
    current: Option<Current>,
}

struct Current {
    columns: Vec<Column>,
    rows: usize,
    next: usize,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl From<Answer> for Rows {
    fn from(answer: Answer) -> Self {
        Self { schema: answer.schema, batches: answer.batches, current: None }
    }
}

impl Rows {
    /// Rows that are there.
    pub fn of(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), batches: stream::iter([Ok(batch)]).boxed(), current: None }
    }

    pub fn columns(&self, formats: &[Format]) -> Vec<ColumnDescription> {
        described(&self.schema, formats)
    }

    pub fn width(&self) -> usize {
        self.schema.fields().len()
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether the columns are those of which the client was told.
    pub fn is_as_told(&self, told: &SchemaRef) -> bool {
        let names = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        names(&self.schema) == names(told)
    }

    /// The next batch; what is to be sent is sent before it is waited for.
    pub(super) async fn batch(
        &mut self,
        socket: &mut Socket,
        interrupts: &mut Interrupts,
    ) -> Result<Option<RecordBatch>, Stop> {
        // A stream that is always ready never waits, and a request may be cancelled all the same.
        interrupts.check()?;
        let next = match self.batches.next().now_or_never() {
            Some(next) => next,
            None => {
                socket.flush_unless(interrupts).await?;
                socket.unless_interrupted(interrupts, self.batches.next()).await?
            }
        };
        next.transpose().map_err(|failure| super::failed(failure, "", None).into())
    }
}

/// Columns as clients are told of them; where there are fewer formats the last one holds.
pub fn described(schema: &SchemaRef, formats: &[Format]) -> Vec<ColumnDescription> {
    let fields = schema.fields().iter().enumerate();
    let description = |(index, field): (usize, &arrow::datatypes::FieldRef)| ColumnDescription {
        name: field.name().clone(),
        pg_type: PgType::of(field.data_type()),
        format: format_of(formats, index),
    };
    fields.map(description).collect()
}

/// No format is text, one is for all.
pub fn format_of(formats: &[Format], column: usize) -> Format {
    match formats {
        [one] => *one,
        many => many.get(column).copied().unwrap_or_default(),
    }
}

/// What became of sending rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub rows: usize,
    /// There may be more.
    pub suspended: bool,
}

/// A row description counts its columns in 16 bits.
const COLUMNS_MAX: usize = 1664;

/// As PostgreSQL bounds them.
pub fn check_width(schema: &SchemaRef) -> Result<(), PgError> {
    if schema.fields().len() > COLUMNS_MAX {
        return Err(PgError::new("54011", format!("an answer can have at most {COLUMNS_MAX} columns")));
    }
    Ok(())
}

impl Connection {
    /// Sends up to `rows_max` rows, or passes over them.
    pub(super) async fn send_rows(
        &mut self,
        rows: &mut Rows,
        formats: &[Format],
        rows_max: Option<usize>,
        silent: bool,
    ) -> Result<Sent, Stop> {
        let zone: Zone = self.session.settings.zone().clone();
        let formats: Vec<Format> = (0..rows.width()).map(|column| format_of(formats, column)).collect();
        let mut interrupts = self.interrupts();
        let mut sent = 0;
        loop {
            if rows_max.is_some_and(|rows_max| sent >= rows_max) {
                return Ok(Sent { rows: sent, suspended: true });
            }
            let Some(current) = &mut rows.current else {
                let Some(batch) = rows.batch(&mut self.socket, &mut interrupts).await? else {
                    return Ok(Sent { rows: sent, suspended: false });
                };
                let columns = columns(&batch, &formats, &zone)
                    .map_err(|error| PgError::new("XX000", format!("the answer cannot be written: {error}")))?;
                rows.current = Some(Current { columns, rows: batch.num_rows(), next: 0 });
                continue;
            };
            let left = current.rows - current.next;
            let count = rows_max.map_or(left, |rows_max| left.min(rows_max - sent));
            for row in current.next..current.next + count {
                if silent {
                    break;
                }
                put_row(&mut self.socket, &current.columns, row);
                self.socket.flush_much(&mut interrupts).await?;
            }
            sent += count;
            current.next += count;
            if current.next == current.rows {
                rows.current = None;
            }
        }
    }
}

fn put_row(socket: &mut Socket, columns: &[Column], row: usize) {
    backend::message(&mut socket.output, b'D', |out| {
        out.put_i16(columns.len() as i16);
        columns.iter().for_each(|column| column.put(row, out));
    });
}

/// An answer of texts that the connection itself gives.
pub fn texts(names: &[&str], rows: &[Vec<String>]) -> Result<RecordBatch, PgError> {
    use arrow::array::{ArrayRef, StringArray};
    let column = |index: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row[index].as_str())))
    };
    RecordBatch::try_from_iter(names.iter().enumerate().map(|(index, &name)| (name, column(index))))
        .map_err(|error| PgError::new("XX000", error.to_string()))
}
