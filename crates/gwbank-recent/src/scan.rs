//! Reading many rows at once: columns of a chunk, without copying it.

use std::ops::Range;
use std::sync::Arc;

use gwbank_model::{Origin, QcTests, QualityFlag, SeriesId, SiteStatus, TimeFormIndex, TimeSource, Timestamp};

use crate::chunk::{Chunk, Part};

/// What to scan. Exact: nothing else is given.
#[derive(Debug, Clone, Default)]
pub struct RowFilter {
    /// Half-open: from ≤ time < to. `None` is open.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Sorted and distinct. `None` is all.
    pub series: Option<Arc<[SeriesId]>>,
}

/// Some winners of one chunk, sorted by (series, time).
#[derive(Debug, Clone)]
pub struct Slice {
    part: Part,
    from: Timestamp,
    to: Option<Timestamp>,
    series: Option<Arc<[SeriesId]>>,
}

/// Rows of one series that lie side by side in the columns of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub series: SeriesId,
    pub rows: Range<usize>,
}

impl Slice {
    pub(crate) fn new(part: Part, from: Timestamp, to: Option<Timestamp>, series: Option<Arc<[SeriesId]>>) -> Self {
        Self { part, from, to, series }
    }

    /// Those of its rows that a filter wants, too.
    pub fn within(self, filter: &RowFilter) -> Self {
        let series = match (self.series, &filter.series) {
            (Some(ours), Some(theirs)) => {
                Some(ours.iter().filter(|series| theirs.binary_search(series).is_ok()).copied().collect())
            }
            (ours, theirs) => ours.or_else(|| theirs.clone()),
        };
        Self {
            from: filter.from.map_or(self.from, |from| from.max(self.from)),
            to: self.to.into_iter().chain(filter.to).min(),
            series,
            ..self
        }
    }

    /// As many rows or more than the slice has.
    pub fn rows_max(&self) -> usize {
        self.part.live_rows() - self.part.losers.len()
    }

    /// How many rows the slice has, where that is known without reading them.
    pub fn rows_exact(&self) -> Option<usize> {
        let within = self.part.chunk.times_within;
        let all_times = within.min >= self.from.as_micros() && self.to.is_none_or(|to| within.max < to.as_micros());
        (all_times && self.series.is_none()).then(|| self.rows_max())
    }

    /// The columns in which spans number the rows.
    pub fn columns(&self) -> Columns<'_> {
        Columns(&self.part.chunk)
    }

    /// The slice's rows, in order.
    pub fn spans(&self) -> Spans {
        Spans { slice: self.clone(), run: 0, wanted: 0, rest: 0..0, series: SeriesId(0) }
    }
}

/// Columns of a chunk; row numbers come from [`Spans`].
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a>(&'a Chunk);

impl<'a> Columns<'a> {
    /// Microseconds since 1970.
    pub fn times(&self) -> &'a [i64] {
        &self.0.times
    }
    /// NaN is missing.
    pub fn values(&self) -> &'a [f64] {
        &self.0.values
    }
    pub fn seqs(&self) -> &'a [i64] {
        &self.0.seqs
    }
    pub fn gateway(&self, row: usize) -> u32 {
        self.0.gateways.get(row)
    }
    pub fn revision(&self, row: usize) -> u32 {
        self.0.revision(row)
    }
    pub fn qc_tests(&self, row: usize) -> QcTests {
        self.0.attributes[row].qc_tests()
    }
    pub fn quality(&self, row: usize) -> QualityFlag {
        self.0.attributes[row].quality()
    }
    pub fn site_status(&self, row: usize) -> Option<SiteStatus> {
        self.0.attributes[row].site_status()
    }
    pub fn time_source(&self, row: usize) -> TimeSource {
        self.0.attributes[row].time_source()
    }
    pub fn origin(&self, row: usize) -> Origin {
        self.0.attributes[row].origin()
    }
    /// Set where the time was corrected.
    pub fn time_form(&self, row: usize) -> Option<TimeFormIndex> {
        self.0.time_form(row)
    }
    /// Whether any row has one.
    pub fn has_time_forms(&self) -> bool {
        self.0.has_time_forms()
    }
}

/// Walks over a slice; owns what it walks over.
#[derive(Debug, Clone)]
pub struct Spans {
    slice: Slice,
    run: usize,
    /// Place in the filter's series.
    wanted: usize,
    /// What is left of the present run.
    rest: Range<usize>,
    series: SeriesId,
}

impl Spans {
    pub fn columns(&self) -> Columns<'_> {
        self.slice.columns()
    }

    /// The next rows that lie side by side, at most `rows_max` (which is not 0).
    pub fn next_span(&mut self, rows_max: usize) -> Option<Span> {
        loop {
            while self.rest.is_empty() {
                self.rest = self.next_run()?;
            }
            let part = &self.slice.part;
            let limit = self.rest.end.min(self.rest.start + rows_max);
            if part.has_winners_only() {
                let rows = self.rest.start..limit;
                self.rest.start = limit;
                return Some(Span { series: self.series, rows });
            }
            let Some(start) = self.rest.clone().find(|&row| part.is_winner(row)) else {
                self.rest = 0..0;
                continue;
            };
            let limit = self.rest.end.min(start + rows_max);
            let end = (start..limit).find(|&row| !part.is_winner(row)).unwrap_or(limit);
            self.rest.start = end;
            return Some(Span { series: self.series, rows: start..end });
        }
    }

    fn next_run(&mut self) -> Option<Range<usize>> {
        let chunk = &self.slice.part.chunk;
        if let Some(series) = &self.slice.series {
            // Two sorted lists: each leaps to where the other is.
            loop {
                let wanted = *series.get(self.wanted)?;
                self.run += leap(&chunk.runs[self.run..], |run| run.series < wanted);
                let here = chunk.runs.get(self.run)?.series;
                if here == wanted {
                    break;
                }
                self.wanted += leap(&series[self.wanted..], |&wanted| wanted < here);
            }
        }
        self.series = chunk.runs.get(self.run)?.series;
        let rows = chunk.run_rows(self.run);
        self.run += 1;
        let to = self.slice.to.unwrap_or(Timestamp::MAX);
        let within = chunk.within(rows.clone(), self.slice.from, to);
        // An open end includes the last instant there is.
        Some(if self.slice.to.is_none() { within.start..rows.end } else { within })
    }
}

/// As `partition_point`, for places that are mostly near.
fn leap<T>(sorted: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let mut bound = 1;
    while bound < sorted.len() && is_before(&sorted[bound - 1]) {
        bound *= 2;
    }
    let (from, to) = (bound / 2, bound.min(sorted.len()));
    from + sorted[from..to].partition_point(is_before)
}
