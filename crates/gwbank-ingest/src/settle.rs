//! Quality of readings whose neighbours the archive has: settled just before they are archived.

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_model::{Key, Origin, Row, Seq, SeriesId, Timestamp};
use gwbank_quality::{Point, SeriesConfig};
use gwbank_recent::WindowSnapshot;
use gwbank_store::{ArchiveError, ArchiveSnapshot, StoredVersions};
use hashbrown::{HashMap, HashSet};

use crate::context::{Span, clusters, is_enough_after, is_enough_before};
use crate::judge::{differs, point, requalified, set};
use crate::ledger::Stretch;

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;
/// How far to look at first, and then, until it is enough; the last is everything.
const LOOK_DAYS: [i64; 4] = [2, 16, 128, 1024];

/// What the assessment changes beside the rows of the commit.
#[derive(Debug, Default)]
pub(crate) struct Settlement {
    /// New versions of rows that are archived: to be committed too.
    pub(crate) requalified: Vec<Row>,
    /// Rows that the window shows with another quality: to be replaced there after the commit.
    pub(crate) in_window: Vec<Row>,
}

pub(crate) struct Settler<'a> {
    pub(crate) archive: &'a dyn ArchiveSnapshot,
    pub(crate) window: &'a WindowSnapshot,
    pub(crate) stretch: &'a Stretch,
    pub(crate) configs: &'a HashMap<SeriesId, Arc<SeriesConfig>>,
}

impl Settler<'_> {
    /// Sets the quality of the rows of a commit that could not be judged by the window alone.
    pub(crate) async fn settle(&self, rows: &mut [Row]) -> Result<Settlement, ArchiveError> {
        let mut times: BTreeMap<SeriesId, Vec<Timestamp>> = BTreeMap::new();
        for key in &self.stretch.unassessed {
            times.entry(key.series).or_default().push(key.time);
        }
        let rejudged: HashSet<SeriesId> = self.stretch.rejudged.iter().map(|(series, _)| *series).collect();
        let mut by_series: HashMap<SeriesId, Vec<usize>> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            if times.contains_key(&row.series) || rejudged.contains(&row.series) {
                by_series.entry(row.series).or_default().push(index);
            }
        }
        let mut spans: BTreeMap<SeriesId, Vec<Span>> = BTreeMap::new();
        for (series, mut times) in times {
            times.sort_unstable();
            spans.insert(series, clusters(times));
        }
        for &(series, span) in &self.stretch.rejudged {
            spans.entry(series).or_default().push(span);
        }
        let mut settlement = Settlement::default();
        for (series, mut spans) in spans {
            let Some(config) = self.configs.get(&series) else { continue };
            // None where only what is stored is judged anew.
            let indices = by_series.get(&series).map_or(&[][..], Vec::as_slice);
            spans.sort_unstable_by_key(|span| span.from);
            let late = self.late_winners(indices, rows).await?;
            let mut changed: HashMap<Key, Row> = HashMap::new();
            for span in spans {
                self.settle_span(config, series, span, indices, &late, rows, &mut changed).await?;
            }
            for row in changed.into_values() {
                let is_archived = row.origin == Origin::Requalified && row.seq <= self.stretch.through;
                if is_archived {
                    settlement.requalified.push(row);
                }
                if row.key().time >= self.window.covers_from() {
                    settlement.in_window.push(row);
                }
            }
        }
        Ok(settlement)
    }

    /// What wins after the commit among the keys that only the archive knows in full.
    async fn late_winners(&self, indices: &[usize], rows: &[Row]) -> Result<BTreeMap<Timestamp, Row>, ArchiveError> {
        let late = |index: &&usize| rows[**index].time < self.window.covers_from();
        let mut order: Vec<usize> = indices.iter().filter(late).copied().collect();
        let mut keys: Vec<Key> = order.iter().map(|index| rows[*index].key()).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let stored = self.archive.versions(&keys).await?;
        let mut known: BTreeMap<Key, Option<StoredVersions>> = keys.into_iter().zip(stored).collect();
        order.sort_by_key(|index| rows[*index].seq);
        for index in order {
            if let Some(known) = known.get_mut(&rows[index].key()) {
                StoredVersions::take(known, rows[index]);
            }
        }
        Ok(known.into_values().flatten().map(|versions| (versions.winner.time, versions.winner)).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `settle`, split off for its length only")]
    async fn settle_span(
        &self,
        config: &SeriesConfig,
        series: SeriesId,
        span: Span,
        indices: &[usize],
        late: &BTreeMap<Timestamp, Row>,
        rows: &mut [Row],
        changed: &mut HashMap<Key, Row>,
    ) -> Result<(), ArchiveError> {
        let (series_rows, altered) = self.look_around(config, series, span, late, changed).await?;
        let points: Vec<Point> = series_rows.iter().map(point).collect();
        let assessments = gwbank_quality::assess(config, &points);
        let in_span = |row: &Row| span.from <= row.time && row.time <= span.to;
        // Rows that an earlier life of this process archived are in the commit to be counted, not to be stored.
        let archived = self.archive.position().max(self.stretch.after);
        let own_places: HashMap<(Key, Seq, Origin), usize> =
            indices.iter().map(|&index| ((rows[index].key(), rows[index].seq, rows[index].origin), index)).collect();
        for position in altered {
            let (row, assessment) = (series_rows[position], assessments[position]);
            if !differs(&row, assessment) {
                continue;
            }
            let own = own_places.get(&(row.key(), row.seq, row.origin)).copied().filter(|_| row.seq > archived);
            if let Some(own) = own {
                set(&mut rows[own], assessment);
                if row.time >= self.window.covers_from() {
                    changed.insert(row.key(), rows[own]);
                }
            } else if row.seq > self.stretch.through {
                let mut later = row;
                set(&mut later, assessment);
                changed.insert(row.key(), later);
            } else {
                // Not of this commit, so it is archived: by this node or, whatever position it has there, by another.
                changed.insert(row.key(), requalified(row, assessment, self.stretch.through, Seq::MAX));
            }
        }
        // A version that loses says nothing of its neighbours; judge it by itself.
        for &index in indices.iter().filter(|i| in_span(&rows[**i])).collect::<Vec<_>>() {
            let row = rows[index];
            let winner = series_rows.binary_search_by_key(&row.time, |winner| winner.time);
            let wins = winner.is_ok_and(|place| series_rows[place].seq == row.seq);
            if !wins && row.origin == Origin::Received && self.stretch.unassessed.contains(&row.key()) {
                set(&mut rows[index], gwbank_quality::assess(config, &[point(&row)])[0]);
            }
        }
        Ok(())
    }

    /// The winners around a span, and which of them a change in it can alter.
    async fn look_around(
        &self,
        config: &SeriesConfig,
        series: SeriesId,
        span: Span,
        late: &BTreeMap<Timestamp, Row>,
        changed: &HashMap<Key, Row>,
    ) -> Result<(Vec<Row>, std::ops::Range<usize>), ArchiveError> {
        for days in LOOK_DAYS.iter().copied().map(Some).chain([None]) {
            let (from, to) = match days {
                Some(days) => (span.from.plus_micros(-days * DAY_MICROS), span.to.plus_micros(days * DAY_MICROS)),
                None => (Timestamp::MIN, Timestamp::MAX),
            };
            let rows = self.winners(series, from, to, late, changed).await?;
            let first_in = rows.partition_point(|row| row.time < span.from);
            let first_after = rows.partition_point(|row| row.time <= span.to);
            // The reading before the span is altered too, and is judged with what is before it.
            let start = first_in.saturating_sub(1);
            let start_time = rows.get(start).map_or(span.from, |row| row.time);
            let enough_before = is_enough_before(config, start_time, &rows[..start]);
            let enough_after =
                rows.len() > first_after && is_enough_after(config, span.to, &rows[first_after..rows.len() - 1]);
            if days.is_none() {
                let end = rows.len();
                return Ok((rows, start..end));
            }
            if enough_before && enough_after {
                let end = rows.len() - 1;
                return Ok((rows, start..end));
            }
            // Nothing lies after the window's end: looking further changes only the past.
            let at_end = self.window.latest(series).is_none_or(|latest| latest.time < to) && to > self.archive_end();
            if enough_before && at_end {
                let end = rows.len();
                return Ok((rows, start..end));
            }
        }
        Ok((Vec::new(), 0..0))
    }

    fn archive_end(&self) -> Timestamp {
        self.archive.time_range().map_or(Timestamp::MIN, |(_, latest)| latest)
    }

    /// The winners of a series as they are after the commit, from ≤ time < to.
    async fn winners(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        late: &BTreeMap<Timestamp, Row>,
        changed: &HashMap<Key, Row>,
    ) -> Result<Vec<Row>, ArchiveError> {
        let covers_from = self.window.covers_from();
        let mut winners: BTreeMap<Timestamp, Row> = BTreeMap::new();
        if from < covers_from {
            let archived = self.archive.series_rows(series, from, to.min(covers_from)).await?;
            winners.extend(archived.into_iter().map(|row| (row.time, row)));
            winners.extend(late.range(from..to.min(covers_from)).map(|(time, row)| (*time, *row)));
        }
        if to > covers_from {
            let recent = self.window.series_rows(series, from.max(covers_from), to);
            winners.extend(recent.into_iter().map(|row| (row.time, row)));
        }
        let overlay = |row: Row| changed.get(&row.key()).copied().unwrap_or(row);
        Ok(winners.into_values().map(overlay).collect())
    }
}
