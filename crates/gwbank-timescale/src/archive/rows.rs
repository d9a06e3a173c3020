//! A reading as columns of `reading_rows` and `reading_versions`, and back.

use gwbank_model::{
    Origin, QcTests, QualityFlag, Row, Seq, SiteStatus, TimeFormIndex, TimeForms, TimeSource, Timestamp,
};
use gwbank_store::RevisionRow;
use tokio_postgres::types::ToSql;

use super::numbers::Numbers;
use crate::values::{Columns, Instant, StrangeValue, text};

/// Columns of both tables, in the order of [`Arrays`] and of [`read`].
pub(super) const COLUMNS: &str =
    "series_id, time, value, seq, revision, gateway_number, qc_tests, quality, time_source,
    site_status, time_raw";

/// What a loser has beside.
pub(super) const SUPERSEDED_COLUMNS: &str = "superseded_seq, superseded_at, cause";

/// One array a column of [`COLUMNS`].
pub(super) const ARRAY_TYPES: [&str; 11] =
    ["int", "timestamptz", "float8", "bigint", "bigint", "int", "int", "smallint", "smallint", "smallint", "text"];

#[derive(Default)]
pub(super) struct Arrays {
    series: Vec<i32>,
    time: Vec<Instant>,
    value: Vec<Option<f64>>,
    seq: Vec<i64>,
    revision: Vec<i64>,
    gateway: Vec<i32>,
    qc_tests: Vec<i32>,
    quality: Vec<i16>,
    time_source: Vec<i16>,
    site_status: Vec<Option<i16>>,
    time_raw: Vec<Option<String>>,
}

impl Arrays {
    /// The rows as arrays. Every name has a number.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>, numbers: &Numbers, forms: &TimeForms) -> Self {
        let mut arrays = Self::default();
        let mut forms = forms.reader();
        for row in rows {
            arrays.series.push(numbers.series(row.series).expect("a number was given"));
            arrays.time.push(Instant(row.time));
            arrays.value.push(row.value());
            arrays.seq.push(row.seq.as_i64());
            arrays.revision.push(i64::from(row.revision));
            arrays.gateway.push(numbers.gateway(row.gateway).expect("a number was given"));
            arrays.qc_tests.push(i32::from(row.qc_tests.bits()));
            arrays.quality.push(i16::from(row.quality.code()));
            arrays.time_source.push(i16::from(row.time_source.code()));
            arrays.site_status.push(row.site_status.map(|status| i16::from(status.code())));
            arrays.time_raw.push(row.time_form.map(|form| text(&forms.render(form, row.time)).into_owned()));
        }
        arrays
    }

    pub fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.series,
            &self.time,
            &self.value,
            &self.seq,
            &self.revision,
            &self.gateway,
            &self.qc_tests,
            &self.quality,
            &self.time_source,
            &self.site_status,
            &self.time_raw,
        ]
    }
}

/// `unnest($n::int[], …)` of the arrays, from the parameter `first` on.
pub(super) fn unnest(first: usize) -> String {
    let arrays: Vec<String> =
        ARRAY_TYPES.iter().enumerate().map(|(i, kind)| format!("${}::{kind}[]", first + i)).collect();
    format!("unnest({})", arrays.join(", "))
}

/// Remembers how the row before wrote its time: the next one mostly writes alike.
#[derive(Default)]
pub(super) struct Reading {
    last_form: Option<TimeFormIndex>,
}

impl Reading {
    /// The row of [`COLUMNS`]. The origin is not stored.
    pub fn row(
        &mut self,
        columns: &mut Columns<'_>,
        numbers: &Numbers,
        forms: &TimeForms,
    ) -> Result<Row, StrangeValue> {
        let series = columns.numbered(|number| numbers.series_back(number))?;
        let time: Timestamp = columns.time()?;
        let value: Option<f64> = columns.get()?;
        let seq = Seq::from_i64(columns.get()?);
        let revision = columns.number()?;
        let gateway = columns.numbered(|number| numbers.gateway_back(number))?;
        let qc_tests = QcTests::from_bits(columns.code::<i32, u16>()?);
        let quality = columns.known(QualityFlag::from_code)?;
        let time_source = columns.known(TimeSource::from_code)?;
        let site_status = columns.known_opt(SiteStatus::from_code)?;
        let time_raw: Option<&str> = columns.get()?;
        let time_form = time_raw.and_then(|raw| {
            self.last_form = forms.intern(raw, time, self.last_form);
            self.last_form
        });
        Ok(Row {
            series,
            gateway,
            time,
            value: value.unwrap_or(f64::NAN),
            seq,
            revision,
            qc_tests,
            quality,
            site_status,
            time_source,
            origin: Origin::Received,
            time_form,
        })
    }

    /// The row of [`COLUMNS`] and [`SUPERSEDED_COLUMNS`].
    pub fn revision(
        &mut self,
        columns: &mut Columns<'_>,
        numbers: &Numbers,
        forms: &TimeForms,
    ) -> Result<RevisionRow, StrangeValue> {
        let row = self.row(columns, numbers, forms)?;
        let superseded_seq = Seq::from_i64(columns.get()?);
        let superseded_at = columns.time()?;
        let cause = columns.one_of(RevisionRow::CAUSES)?;
        Ok(RevisionRow { row, superseded_seq, superseded_at, cause })
    }
}
