//! Columns as the vocabulary's types.

use std::str::FromStr;

use gwbank_model::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub fn of(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    pub fn get<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    pub fn time(&mut self) -> rusqlite::Result<Timestamp> {
        self.get().map(Timestamp::from_micros)
    }

    pub fn time_opt(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    /// An id or an enum that goes by its name.
    pub fn parsed<T: FromStr>(&mut self) -> rusqlite::Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let text: String = self.get()?;
        self.parse(&text)
    }

    pub fn parsed_opt<T: FromStr>(&mut self) -> rusqlite::Result<Option<T>>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let text: Option<String> = self.get()?;
        text.map(|text| self.parse(&text)).transpose()
    }

    fn parse<T: FromStr>(&self, text: &str) -> rusqlite::Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        text.parse()
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(self.next - 1, Type::Text, Box::new(error)))
    }
}

/// Counts are `u64` in the vocabulary and wrap around in the same way in SQLite's integers.
pub(super) const fn count_to_sql(count: u64) -> i64 {
    count.cast_signed()
}

pub(super) const fn count_from_sql(count: i64) -> u64 {
    count.cast_unsigned()
}
