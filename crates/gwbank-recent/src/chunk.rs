//! An immutable run of rows, sorted by (series, time, seq, origin), as columns.
//!
//! # Format
//! 30 bytes a row (32 where gateway numbers exceed 16 bits): time 8, seq 8, value 8, attributes 4, gateway 2. Series are
//! runs: 8 bytes for each series in the chunk. A revision other than 0 and the form of a corrected time are rare and kept
//! beside, 8 bytes each.

use std::ops::Range;
use std::sync::Arc;

use gwbank_model::{
    GatewayIndex, Key, Origin, QcTests, QualityFlag, Row, Seq, SeriesId, SiteStatus, TimeFormIndex, TimeSource,
    Timestamp,
};

use crate::bits::RowSet;

/// Where the rows of one series start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) series: SeriesId,
    start: u32,
}

#[derive(Debug)]
pub(crate) enum GatewayColumn {
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl GatewayColumn {
    fn new(indices: Vec<u32>) -> Self {
        if indices.iter().all(|&index| index <= u32::from(u16::MAX)) {
            Self::Narrow(indices.into_iter().map(|index| index as u16).collect())
        } else {
            Self::Wide(indices.into())
        }
    }

    pub(crate) fn get(&self, row: usize) -> u32 {
        match self {
            Self::Narrow(indices) => u32::from(indices[row]),
            Self::Wide(indices) => indices[row],
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Narrow(indices) => size_of_val(&indices[..]),
            Self::Wide(indices) => size_of_val(&indices[..]),
        }
    }
}

/// What stands beside a value, in 27 bits: qc_tests 16, quality 4, site status 4 (0 is none), time source 2, origin 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes(u32);

impl Attributes {
    fn of(row: &Row) -> Self {
        Self(
            u32::from(row.qc_tests.bits())
                | u32::from(row.quality.code()) << 16
                | u32::from(row.site_status.map_or(0, SiteStatus::code)) << 20
                | u32::from(row.time_source.code()) << 24
                | u32::from(row.origin as u8) << 26,
        )
    }
    pub(crate) fn qc_tests(self) -> QcTests {
        QcTests::from_bits((self.0 & 0xffff) as u16)
    }
    pub(crate) fn quality(self) -> QualityFlag {
        QualityFlag::from_code((self.0 >> 16 & 0xf) as u8).expect("packed from a quality flag")
    }
    pub(crate) fn site_status(self) -> Option<SiteStatus> {
        SiteStatus::from_code((self.0 >> 20 & 0xf) as u8)
    }
    pub(crate) fn time_source(self) -> TimeSource {
        TimeSource::from_code((self.0 >> 24 & 0x3) as u8).expect("packed from a time source")
    }
    pub(crate) fn origin(self) -> Origin {
        if self.0 >> 26 & 1 == 1 { Origin::Requalified } else { Origin::Received }
    }
}

#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) runs: Box<[Run]>,
    pub(crate) times: Box<[i64]>,
    pub(crate) values: Box<[f64]>,
    pub(crate) seqs: Box<[i64]>,
    pub(crate) attributes: Box<[Attributes]>,
    pub(crate) gateways: GatewayColumn,
    /// (row, revision), by row; rows that are not here have revision 0.
    revisions: Box<[(u32, u32)]>,
    /// (row, form), by row; the times of other rows were not corrected.
    time_forms: Box<[(u32, TimeFormIndex)]>,
    pub(crate) times_within: Bounds,
    pub(crate) seqs_within: Bounds,
}

/// Smallest and largest number of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl Bounds {
    fn of(numbers: &[i64]) -> Self {
        let start = Self { min: i64::MAX, max: i64::MIN };
        numbers.iter().fold(start, |b, &n| Self { min: b.min.min(n), max: b.max.max(n) })
    }
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&self.runs[..])
            + size_of_val(&self.times[..])
            + size_of_val(&self.values[..])
            + size_of_val(&self.seqs[..])
            + size_of_val(&self.attributes[..])
            + self.gateways.bytes()
            + size_of_val(&self.revisions[..])
            + size_of_val(&self.time_forms[..])
    }

    pub(crate) fn run_rows(&self, run: usize) -> Range<usize> {
        let end = self.runs.get(run + 1).map_or(self.len(), |next| next.start as usize);
        self.runs[run].start as usize..end
    }

    /// The rows of a series; empty when it has none here.
    pub(crate) fn series_rows(&self, series: SeriesId) -> Range<usize> {
        match self.runs.binary_search_by_key(&series, |run| run.series) {
            Ok(run) => self.run_rows(run),
            Err(_) => 0..0,
        }
    }

    /// The series that are wanted (sorted and distinct; `None` is all) and their rows.
    pub(crate) fn series_within(&self, wanted: Option<&[SeriesId]>) -> impl Iterator<Item = (SeriesId, Range<usize>)> {
        let mut rest = wanted;
        self.runs.iter().enumerate().filter_map(move |(number, run)| {
            if let Some(list) = rest {
                let left = &list[list.partition_point(|series| *series < run.series)..];
                rest = Some(left);
                if left.first() != Some(&run.series) {
                    return None;
                }
            }
            Some((run.series, self.run_rows(number)))
        })
    }

    /// The part of `rows` (of one series) with from ≤ time < to.
    pub(crate) fn within(&self, rows: Range<usize>, from: Timestamp, to: Timestamp) -> Range<usize> {
        let times = &self.times[rows.clone()];
        let start = if self.times_within.min >= from.as_micros() {
            0
        } else {
            times.partition_point(|&time| time < from.as_micros())
        };
        let end = if self.times_within.max < to.as_micros() {
            times.len()
        } else {
            times.partition_point(|&time| time < to.as_micros())
        };
        rows.start + start..rows.start + end.max(start)
    }

    /// All versions of a key.
    pub(crate) fn key_rows(&self, key: Key) -> Range<usize> {
        let time = key.time.as_micros();
        if time < self.times_within.min || time > self.times_within.max {
            return 0..0;
        }
        let rows = self.series_rows(key.series);
        let start = rows.start + self.times[rows.clone()].partition_point(|&t| t < time);
        let mut end = start;
        while end < rows.end && self.times[end] == time {
            end += 1;
        }
        start..end
    }

    pub(crate) fn revision(&self, row: usize) -> u32 {
        of_row(&self.revisions, row).unwrap_or(0)
    }

    pub(crate) fn time_form(&self, row: usize) -> Option<TimeFormIndex> {
        of_row(&self.time_forms, row)
    }

    pub(crate) fn has_time_forms(&self) -> bool {
        !self.time_forms.is_empty()
    }

    pub(crate) fn row(&self, series: SeriesId, row: usize) -> Row {
        let attributes = self.attributes[row];
        Row {
            series,
            gateway: GatewayIndex(self.gateways.get(row)),
            time: Timestamp::from_micros(self.times[row]),
            value: self.values[row],
            seq: Seq::from_i64(self.seqs[row]),
            revision: self.revision(row),
            qc_tests: attributes.qc_tests(),
            quality: attributes.quality(),
            site_status: attributes.site_status(),
            time_source: attributes.time_source(),
            origin: attributes.origin(),
            time_form: self.time_form(row),
        }
    }
}

/// What a row has of something that few rows have.
fn of_row<T: Copy>(few: &[(u32, T)], row: usize) -> Option<T> {
    if few.is_empty() {
        return None;
    }
    let at = few.binary_search_by_key(&(row as u32), |&(row, _)| row).ok()?;
    Some(few[at].1)
}

/// Copies what a range of rows has of something that few rows have to rows from `start` on.
fn extend_few<T: Copy>(into: &mut Vec<(u32, T)>, few: &[(u32, T)], rows: &Range<usize>, start: usize) {
    let from = few.partition_point(|&(row, _)| (row as usize) < rows.start);
    let within = few[from..].iter().take_while(|&&(row, _)| (row as usize) < rows.end);
    into.extend(within.map(|&(row, value)| ((row as usize - rows.start + start) as u32, value)));
}

/// A chunk and what happened to its rows since it was built.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) chunk: Arc<Chunk>,
    /// Rows that are gone: as if they had never been in the chunk.
    pub(crate) dead: RowSet,
    /// Rows that are not their key's winner within the window.
    pub(crate) losers: RowSet,
}

impl Part {
    pub(crate) fn is_live(&self, row: usize) -> bool {
        !self.dead.contains(row)
    }

    pub(crate) fn is_winner(&self, row: usize) -> bool {
        !self.dead.contains(row) && !self.losers.contains(row)
    }

    pub(crate) fn has_winners_only(&self) -> bool {
        self.dead.is_empty() && self.losers.is_empty()
    }

    pub(crate) fn live_rows(&self) -> usize {
        self.chunk.len() - self.dead.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.chunk.bytes() + self.dead.bytes() + self.losers.bytes() + size_of::<Self>()
    }

    /// Calls `take` with each live row that `wanted` (given its number) accepts, in order.
    pub(crate) fn for_each(&self, wanted: impl Fn(&Chunk, usize) -> bool, mut take: impl FnMut(Row, usize)) {
        for run in 0..self.chunk.runs.len() {
            let series = self.chunk.runs[run].series;
            for row in self.chunk.run_rows(run) {
                if wanted(&self.chunk, row) && self.is_live(row) {
                    take(self.chunk.row(series, row), row);
                }
            }
        }
    }

    pub(crate) fn is_unchanged(&self, other: &Part) -> bool {
        Arc::ptr_eq(&self.chunk, &other.chunk)
            && self.dead.is_unchanged(&other.dead)
            && self.losers.is_unchanged(&other.losers)
    }
}

/// Builds a chunk from rows that come in its order.
#[derive(Debug, Default)]
pub(crate) struct ChunkBuilder {
    runs: Vec<Run>,
    times: Vec<i64>,
    values: Vec<f64>,
    seqs: Vec<i64>,
    attributes: Vec<Attributes>,
    gateways: Vec<u32>,
    revisions: Vec<(u32, u32)>,
    time_forms: Vec<(u32, TimeFormIndex)>,
    losers: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Winner,
    Loser,
}

impl ChunkBuilder {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            times: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
            seqs: Vec::with_capacity(rows),
            attributes: Vec::with_capacity(rows),
            gateways: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    fn ensure_run(&mut self, series: SeriesId) {
        if self.runs.last().is_none_or(|run| run.series != series) {
            self.runs.push(Run { series, start: self.len() as u32 });
        }
    }

    pub(crate) fn push(&mut self, row: &Row, place: Place) {
        self.ensure_run(row.series);
        let number = self.len() as u32;
        if row.revision != 0 {
            self.revisions.push((number, row.revision));
        }
        if let Some(form) = row.time_form {
            self.time_forms.push((number, form));
        }
        if place == Place::Loser {
            self.losers.push(number);
        }
        self.times.push(row.time.as_micros());
        self.values.push(row.value);
        self.seqs.push(row.seq.as_i64());
        self.attributes.push(Attributes::of(row));
        self.gateways.push(row.gateway.0);
    }

    pub(crate) fn push_from(&mut self, part: &Part, series: SeriesId, row: usize) {
        let place = if part.losers.contains(row) { Place::Loser } else { Place::Winner };
        self.push(&part.chunk.row(series, row), place);
    }

    /// Takes the live rows of a range of one series.
    pub(crate) fn extend_from(&mut self, part: &Part, series: SeriesId, rows: Range<usize>) {
        let chunk = &part.chunk;
        if rows.is_empty() {
            return;
        }
        if !part.has_winners_only() {
            for row in rows.filter(|&row| part.is_live(row)) {
                self.push_from(part, series, row);
            }
            return;
        }
        self.ensure_run(series);
        let start = self.len();
        extend_few(&mut self.revisions, &chunk.revisions, &rows, start);
        extend_few(&mut self.time_forms, &chunk.time_forms, &rows, start);
        self.times.extend_from_slice(&chunk.times[rows.clone()]);
        self.values.extend_from_slice(&chunk.values[rows.clone()]);
        self.seqs.extend_from_slice(&chunk.seqs[rows.clone()]);
        self.attributes.extend_from_slice(&chunk.attributes[rows.clone()]);
        match &chunk.gateways {
            GatewayColumn::Narrow(indices) => self.gateways.extend(indices[rows].iter().map(|&i| u32::from(i))),
            GatewayColumn::Wide(indices) => self.gateways.extend_from_slice(&indices[rows]),
        }
    }

    /// `None` when there are no rows.
    pub(crate) fn finish(self) -> Option<Part> {
        if self.times.is_empty() {
            return None;
        }
        let rows = self.times.len();
        let mut losers = RowSet::default();
        for row in self.losers {
            losers.insert(row as usize, rows);
        }
        let chunk = Chunk {
            times_within: Bounds::of(&self.times),
            seqs_within: Bounds::of(&self.seqs),
            runs: self.runs.into(),
            times: self.times.into(),
            values: self.values.into(),
            seqs: self.seqs.into(),
            attributes: self.attributes.into(),
            gateways: GatewayColumn::new(self.gateways),
            revisions: self.revisions.into(),
            time_forms: self.time_forms.into(),
        };
        Some(Part { chunk: Arc::new(chunk), dead: RowSet::default(), losers })
    }
}

/// The order of rows in a chunk.
pub(crate) fn chunk_order(row: &Row) -> (SeriesId, Timestamp, Seq, u8) {
    (row.series, row.time, row.seq, row.origin as u8)
}

/// What decides the winner: as [`Row::precedence`]. Of equal ones the requalified, which can only follow the received.
pub(crate) fn rank(row: &Row) -> (u32, Seq, u8) {
    (row.revision, row.seq, row.origin as u8)
}
