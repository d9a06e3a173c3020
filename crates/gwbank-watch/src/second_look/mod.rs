//! The second look: what tests find that need other series, or hindsight.
//!
//! ```text
//! who is due (second_looks, sources) ─▶ daily medians, readings (SeriesReader) ─▶ series · across ─▶ findings ─▶ SeriesJudge
//! ```
//!
//! A stream judges a reading as it comes. When a month has closed, its wells are looked at again: shifts, ramps and whole
//! standstills of each series ([`series`]), and the well against its neighbours, rain and air ([`across`]). What is found is a
//! stretch of time to which a test objects; whoever judges readings judges them by it, those that come late too.
//!
//! # Rules
//! 1. Findings of a month are a pure function of readings, registry and limits: of the values that no stream test fails, never
//!    of flags that findings give. So they do not feed back into themselves, and neither order nor restarts leave a trace. What
//!    a month is judged from are closed months around it, cut by the calendar alone.
//! 2. A finding belongs to the month that it begins in.
//! 3. How far each well was looked at is stored in the transaction of its findings; a mark of a closed month sets the well, and
//!    those whose look rests on it, back in the transaction that removes the mark. A well whose sources or limits change is
//!    looked at from the start.
//! 4. Only the last [`crate::WatchConfig::second_look_months`] closed months are looked at. What was found of earlier ones stays.

mod across;
mod days;
mod due;
mod found;
mod series;
mod sources;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use gwbank_model::{Month, Parameter, Timestamp, WellId};
use gwbank_registry::Registry;
use gwbank_store::{
    DirtyMonth, LookAgain, QualityFinding, SecondLook, SecondLookCommit, SeriesFindings, SeriesReadError,
};
use tokio::time::Instant;

use crate::error::WatchError;
use crate::watch::Inner;
use days::Days;
use due::{Due, due};
use found::{Found, merged};
use series::{Reviewed, months};
pub(crate) use sources::Sources;

/// To be raised with every change that finds otherwise.
const VERSION: u32 = 1;
/// Months of days, up to the one that is judged, by which neighbours are known.
const NEIGHBOUR_MONTHS: i32 = 36;
/// Months that are read at once: 64 wells with as many neighbours and quarter-hourly levels are 40 MB of days.
const PIECE_MONTHS: i32 = 12;
/// One well is thought about while the next one is read: nothing waits for a look, and others want the processors.
const WELLS_AT_ONCE: usize = 2;
/// After so long it is looked whether limits changed, or series began.
const LOOK_AFTER: Duration = Duration::from_secs(600);

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecondLookReport {
    pub wells: usize,
    /// Series whose findings changed.
    pub series: usize,
    /// Wells that are still due.
    pub left: usize,
}

/// What is remembered between runs.
#[derive(Debug, Default)]
pub(crate) struct LookState {
    /// Who rests on whom, by which registry.
    sources: Option<(Arc<Registry>, Arc<Sources>)>,
    /// When nothing was due any more, and what had closed then.
    rested: Option<(Instant, Month)>,
}

impl LookState {
    /// Marks of closed months were evaluated.
    pub fn wake(&mut self) {
        self.rested = None;
    }

    fn is_resting(&self, registry: &Arc<Registry>, closed_through: Month) -> bool {
        let same_registry = self.sources.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, registry));
        same_registry
            && self.rested.is_some_and(|(since, closed)| closed == closed_through && since.elapsed() < LOOK_AFTER)
    }
}

/// Wells whose second look rests on what was marked, of which closed months are told.
pub(crate) async fn look_again(
    inner: &Inner,
    registry: &Arc<Registry>,
    marks: &[DirtyMonth],
    closed_through: Month,
) -> Result<HashMap<WellId, Vec<LookAgain>>, WatchError> {
    let closed: Vec<&DirtyMonth> = marks.iter().filter(|mark| mark.month <= closed_through).collect();
    if closed.is_empty() {
        return Ok(HashMap::new());
    }
    let mut state = inner.second_look.lock().await;
    state.wake();
    let known = state.sources.as_ref().filter(|(known, _)| Arc::ptr_eq(known, registry));
    let sources = match known {
        Some((_, sources)) => Arc::clone(sources),
        None => Arc::new(Sources::new(registry, &inner.reader.last_heard().await?)),
    };
    state.sources = Some((Arc::clone(registry), Arc::clone(&sources)));
    let mut first: HashMap<(WellId, Parameter), Month> = HashMap::new();
    for mark in closed {
        let month = first.entry((mark.well_id.clone(), mark.parameter)).or_insert(mark.month);
        *month = mark.month.min(*month);
    }
    let mut again: HashMap<WellId, Vec<LookAgain>> = HashMap::new();
    for ((well, parameter), from) in first {
        let resting = sources.resting_on(&well, parameter).into_iter().map(|well_id| LookAgain { well_id, from });
        again.entry(well.clone()).or_default().extend(resting);
    }
    Ok(again)
}

/// Looks at wells that are due, until none is or the time is over.
pub(crate) async fn run(inner: &Inner, time: Duration) -> Result<SecondLookReport, WatchError> {
    let started = Instant::now();
    let mut state = inner.second_look.lock().await;
    let closed_through = inner.config.closing.closed_through(inner.now());
    let registry = inner.registry.borrow().clone();
    if state.is_resting(&registry, closed_through) {
        return Ok(SecondLookReport::default());
    }
    let heard = inner.reader.last_heard().await?;
    let sources = Arc::new(Sources::new(&registry, &heard));
    state.sources = Some((Arc::clone(&registry), Arc::clone(&sources)));
    let looks = inner.metadata.second_looks().await?;
    let due = due(inner, &registry, &sources, looks, closed_through);
    let mut look = Look { inner, sources, closed_through, found: BTreeMap::new(), looks: Vec::new() };
    let mut left = due.as_slice();
    while !left.is_empty() && (look.looks.is_empty() || started.elapsed() < time) {
        let (slice, rest) = left.split_at(left.len().min(inner.config.wells_per_batch.max(1)));
        look.look_at(slice).await?;
        left = rest;
    }
    let report = SecondLookReport { wells: look.looks.len(), series: look.commit().await?, left: left.len() };
    if report.left == 0 {
        state.rested = Some((Instant::now(), closed_through));
    }
    if report.wells > 0 {
        tracing::info!(
            wells = report.wells,
            series = report.series,
            left = report.left,
            millis = started.elapsed().as_millis() as u64,
            "wells were looked at a second time"
        );
    }
    Ok(report)
}

/// One run over wells that are due.
struct Look<'a> {
    inner: &'a Inner,
    sources: Arc<Sources>,
    closed_through: Month,
    /// By series: from when on its findings are known anew, and these.
    found: BTreeMap<(WellId, Parameter), (Timestamp, Vec<Found>)>,
    looks: Vec<SecondLook>,
}

impl Look<'_> {
    /// Looks at wells that are due from about the same month on.
    async fn look_at(&mut self, slice: &[Due]) -> Result<(), WatchError> {
        let Some(from) = slice.iter().map(|due| due.from).min() else { return Ok(()) };
        let mut days = Days::starting(from.plus(1 - NEIGHBOUR_MONTHS).first_day());
        let mut known_through = from.plus(-NEIGHBOUR_MONTHS);
        for first in (from.index()..=self.closed_through.index()).step_by(PIECE_MONTHS as usize).map(Month::from_index)
        {
            let last = first.plus(PIECE_MONTHS - 1).min(self.closed_through);
            while known_through < last {
                let next = known_through.plus(PIECE_MONTHS).min(last);
                days.read(self.inner, &self.sources, slice, (known_through.plus(1), next)).await?;
                known_through = next;
            }
            let shared = Arc::new(days);
            let mut looked = Vec::with_capacity(slice.len());
            for due in slice.iter().filter(|due| due.from <= last) {
                looked.push(self.look_at_well(due, (first.max(due.from), last), Arc::clone(&shared)));
            }
            let of_wells: Vec<Vec<Found>> = stream::iter(looked).buffered(WELLS_AT_ONCE).try_collect().await?;
            days = Arc::try_unwrap(shared).unwrap_or_else(|shared| (*shared).clone());
            for (due, found) in slice.iter().filter(|due| due.from <= last).zip(of_wells) {
                self.note(due, found);
            }
        }
        let looked_through = self.closed_through;
        self.looks.extend(slice.iter().map(|due| SecondLook {
            well_id: due.well.well_id.clone(),
            looked_through,
            fingerprint: due.fingerprint,
        }));
        Ok(())
    }

    async fn look_at_well(
        &self,
        due: &Due,
        (first, last): (Month, Month),
        days: Arc<Days>,
    ) -> Result<Vec<Found>, WatchError> {
        let inner = self.inner;
        let sources = self.sources.of(&due.well.well_id);
        let reviewed = Reviewed::read(inner, &due.well, sources.clone(), (first, last), self.closed_through).await?;
        let (well, offset_seconds) = (Arc::clone(&due.well), inner.config.closing.offset_seconds);
        // Milliseconds for each month, which nothing else should wait for.
        let look = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            for month in months(first, last) {
                found.extend(reviewed.month(month));
                found.extend(across::month(&well, &sources, &days, month, offset_seconds));
            }
            found
        });
        look.await.map_err(|error| SeriesReadError(Box::new(error)).into())
    }

    fn note(&mut self, due: &Due, found: Vec<Found>) {
        let from = due.from.start(self.inner.config.closing.offset_seconds);
        for &parameter in &self.sources.of(&due.well.well_id).parameters {
            self.found.entry((due.well.well_id.clone(), parameter)).or_insert_with(|| (from, Vec::new()));
        }
        for found in found {
            let series = (due.well.well_id.clone(), found.parameter);
            self.found.entry(series).or_insert_with(|| (from, Vec::new())).1.push(found);
        }
    }

    /// Gives how many series have other findings now.
    async fn commit(self) -> Result<usize, WatchError> {
        let Self { inner, found, looks, .. } = self;
        let mut stored: HashMap<(WellId, Parameter), Vec<QualityFinding>> = HashMap::new();
        for finding in inner.metadata.quality_findings().await? {
            stored.entry((finding.well_id.clone(), finding.parameter)).or_default().push(finding);
        }
        let mut commit = SecondLookCommit { looks, series: Vec::new() };
        for ((well_id, parameter), (from, found)) in found {
            let before = stored.remove(&(well_id.clone(), parameter)).unwrap_or_default();
            let findings = merged(&well_id, parameter, &before, from, found, inner.now());
            if findings != before {
                commit.series.push(SeriesFindings { well_id, parameter, findings });
            }
        }
        let changed = commit.series.len();
        if !commit.looks.is_empty() {
            inner.judge.take_second_look(commit).await?;
        }
        Ok(changed)
    }
}
