//! Columns as the vocabulary's types.

use std::borrow::Cow;
use std::error::Error;
use std::str::FromStr;

use bytes::{BufMut, BytesMut};
use gwbank_model::{Day, Timestamp};
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::Row;

/// PostgreSQL counts microseconds and days from 2000-01-01, UTC.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;

/// An instant as `timestamptz`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(pub Timestamp);

/// A time before 292,000 BC.
#[derive(Debug, thiserror::Error)]
#[error("{0} is before PostgreSQL's first instant")]
pub(crate) struct TooEarly(Timestamp);

/// As the binary formats of PostgreSQL have it.
pub(crate) fn postgres_micros(time: Timestamp) -> Result<i64, TooEarly> {
    time.as_micros().checked_sub(EPOCH_MICROS).ok_or(TooEarly(time))
}

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(postgres_micros(self.0)?);
        Ok(IsNull::No)
    }
    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        // The largest and the smallest are `infinity` and `-infinity`, which no column of ours holds.
        let micros = micros.checked_add(EPOCH_MICROS).filter(|_| micros != i64::MIN).ok_or("an infinite instant")?;
        Ok(Self(Timestamp::from_micros(micros)))
    }
    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

/// A day as `date`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Date(pub Day);

impl ToSql for Date {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i32(self.0.0.checked_sub(EPOCH_DAYS).ok_or("a day before PostgreSQL's first")?);
        Ok(IsNull::No)
    }
    fn accepts(kind: &Type) -> bool {
        *kind == Type::DATE
    }
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Date {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let days = i32::from_be_bytes(raw.try_into()?);
        Ok(Self(Day(days.checked_add(EPOCH_DAYS).ok_or("an infinite day")?)))
    }
    fn accepts(kind: &Type) -> bool {
        *kind == Type::DATE
    }
}

/// Why a value cannot be what it should be.
pub(crate) type Reason = Box<dyn Error + Send + Sync>;

/// What a stored row says that nothing of ours ever wrote.
#[derive(Debug, thiserror::Error)]
#[error("column {column} of a row cannot be read")]
pub(crate) struct StrangeValue {
    pub column: Box<str>,
    pub source: Reason,
}

/// Reads the columns of a row from left to right.
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    pub fn get<T: FromSql<'a>>(&mut self) -> Result<T, StrangeValue> {
        self.next += 1;
        self.row.try_get(self.next - 1).map_err(|error| self.strange(error))
    }

    pub fn time(&mut self) -> Result<Timestamp, StrangeValue> {
        self.get::<Instant>().map(|instant| instant.0)
    }

    pub fn time_opt(&mut self) -> Result<Option<Timestamp>, StrangeValue> {
        Ok(self.get::<Option<Instant>>()?.map(|instant| instant.0))
    }

    pub fn count(&mut self) -> Result<u64, StrangeValue> {
        self.get().map(count_from_sql)
    }

    /// A number that PostgreSQL has no unsigned type for.
    pub fn number(&mut self) -> Result<u32, StrangeValue> {
        u32::try_from(self.get::<i64>()?).map_err(|error| self.strange(error))
    }

    /// A number that is smaller than its column could be.
    pub fn code<S, T>(&mut self) -> Result<T, StrangeValue>
    where
        S: FromSql<'a>,
        T: TryFrom<S, Error: Error + Send + Sync + 'static>,
    {
        T::try_from(self.get::<S>()?).map_err(|error| self.strange(error))
    }

    /// An enum that goes by its code.
    pub fn known<T>(&mut self, of: impl Fn(u8) -> Option<T>) -> Result<T, StrangeValue> {
        let code = self.get()?;
        known(code, of).map_err(|reason| self.strange(reason))
    }

    pub fn known_opt<T>(&mut self, of: impl Fn(u8) -> Option<T>) -> Result<Option<T>, StrangeValue> {
        let code: Option<i16> = self.get()?;
        code.map(|code| known(code, of)).transpose().map_err(|reason| self.strange(reason))
    }

    /// What goes by a number of the database.
    pub fn numbered<T>(&mut self, of: impl Fn(i32) -> Option<T>) -> Result<T, StrangeValue> {
        let number = self.get()?;
        numbered(number, of).map_err(|reason| self.strange(reason))
    }

    /// One of some texts.
    pub fn one_of(&mut self, texts: &[&'static str]) -> Result<&'static str, StrangeValue> {
        let text = self.get()?;
        one_of(text, texts).map_err(|reason| self.strange(reason))
    }

    /// An id or an enum that goes by its name.
    pub fn parsed<T: FromStr>(&mut self) -> Result<T, StrangeValue>
    where
        T::Err: Error + Send + Sync + 'static,
    {
        let text: &str = self.get()?;
        text.parse().map_err(|error| self.strange(error))
    }

    pub fn parsed_opt<T: FromStr>(&mut self) -> Result<Option<T>, StrangeValue>
    where
        T::Err: Error + Send + Sync + 'static,
    {
        let text: Option<&str> = self.get()?;
        text.map(str::parse).transpose().map_err(|error| self.strange(error))
    }

    fn strange(&self, reason: impl Into<Reason>) -> StrangeValue {
        StrangeValue { column: self.row.columns()[self.next - 1].name().into(), source: reason.into() }
    }
}

/// An enum that goes by its code.
pub(crate) fn known<T>(code: i16, of: impl Fn(u8) -> Option<T>) -> Result<T, Reason> {
    u8::try_from(code).ok().and_then(of).ok_or_else(|| format!("the code {code} is not known").into())
}

/// What goes by a number of the database.
pub(crate) fn numbered<T>(number: i32, of: impl Fn(i32) -> Option<T>) -> Result<T, Reason> {
    of(number).ok_or_else(|| format!("the number {number} has no name").into())
}

pub(crate) fn one_of(text: &str, texts: &[&'static str]) -> Result<&'static str, Reason> {
    let known = texts.iter().find(|known| **known == text).copied();
    known.ok_or_else(|| format!("{text:?} is not known").into())
}

/// PostgreSQL's `text` takes every character but the one of code zero, which senders can write.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// Counts are `u64` in the vocabulary. What is to be taken away is added as its complement, which is negative here.
pub(crate) const fn count_to_sql(count: u64) -> i64 {
    count.cast_signed()
}

pub(crate) const fn count_from_sql(count: i64) -> u64 {
    count.cast_unsigned()
}
