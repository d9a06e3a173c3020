//! The one state of the world that all tables of a query see.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use gwbank_model::{Key, Parameter, Row, Timestamp};
use gwbank_recent::{RowFilter, WindowSnapshot};
use gwbank_store::{Approvals, Archive, ArchiveSnapshot, Reviews, RevisionRow, RowNames, ScanRequest, StoredVersions};
use tokio::sync::OnceCell;

use crate::error::QueryError;
use crate::readings::filter::ReadingFilter;
use crate::readings::well_names::WellNames;

/// A window snapshot, and the archive snapshot that is taken after it, when a scan first needs it: so the archive has
/// whatever the window has let go of.
pub(crate) struct ReadCut {
    window: Arc<WindowSnapshot>,
    archive: Arc<dyn Archive>,
    names: RowNames,
    well_names: Arc<WellNames>,
    reviews: Arc<Reviews>,
    archived: OnceCell<Arc<dyn ArchiveSnapshot>>,
}

impl std::fmt::Debug for ReadCut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadCut").field("covers_from", &self.window.covers_from()).finish_non_exhaustive()
    }
}

/// What is pending changes in what the archive says.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) winners: Vec<Row>,
    pub(crate) revisions: Vec<RevisionRow>,
    /// Archive rows that lost.
    pub(crate) hidden: HiddenKeys,
}

/// Keys by name, as archive batches have them.
#[derive(Debug, Default)]
pub(crate) struct HiddenKeys(HashMap<String, HashMap<Parameter, HashSet<i64>>>);

impl HiddenKeys {
    fn insert(&mut self, well: &str, parameter: Parameter, time: Timestamp) {
        let of_well = self.0.entry(well.to_owned()).or_default();
        of_well.entry(parameter).or_default().insert(time.as_micros());
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub(crate) fn len(&self) -> usize {
        self.0.values().flat_map(HashMap::values).map(HashSet::len).sum()
    }
    pub(crate) fn keys(&self, names: &RowNames) -> Vec<Key> {
        let of_well = self.0.iter().flat_map(|(well, parameters)| parameters.iter().map(move |of| (well, of)));
        let of_series =
            of_well.filter_map(|(well, (parameter, times))| Some((names.series.get(well, *parameter)?, times)));
        of_series
            .flat_map(|(series, times)| {
                times.iter().map(move |&time| Key { series, time: Timestamp::from_micros(time) })
            })
            .collect()
    }
    pub(crate) fn of_well(&self, well: &str) -> Option<&HashMap<Parameter, HashSet<i64>>> {
        self.0.get(well)
    }
}

impl ReadCut {
    pub(crate) fn new(
        window: Arc<WindowSnapshot>,
        archive: Arc<dyn Archive>,
        names: RowNames,
        well_names: Arc<WellNames>,
        reviews: Arc<Reviews>,
    ) -> Self {
        Self { window, archive, names, well_names, reviews, archived: OnceCell::new() }
    }

    /// By the reviews that hold.
    pub(crate) fn approvals(&self) -> &Arc<Approvals> {
        self.reviews.approvals()
    }

    pub(crate) fn reviews(&self) -> &Arc<Reviews> {
        &self.reviews
    }

    pub(crate) fn window(&self) -> &WindowSnapshot {
        &self.window
    }

    pub(crate) fn well_names(&self) -> &WellNames {
        &self.well_names
    }

    pub(crate) fn names(&self) -> &RowNames {
        &self.names
    }

    pub(crate) async fn archive(&self) -> Result<&Arc<dyn ArchiveSnapshot>, QueryError> {
        let take = || async { self.archive.snapshot().await.map_err(|error| self.archive_error(error)) };
        self.archived.get_or_try_init(take).await
    }

    pub(crate) fn archive_if_taken(&self) -> Option<&Arc<dyn ArchiveSnapshot>> {
        self.archived.get()
    }

    pub(crate) fn archive_error(&self, error: gwbank_store::ArchiveError) -> QueryError {
        let since = self.window.covers_from();
        let since = (since < Timestamp::MAX).then(|| since.to_rfc3339(gwbank_model::BANGKOK_OFFSET_SECONDS));
        QueryError::archive(error, since)
    }

    /// What to ask of the archive; `None` when the window alone answers.
    pub(crate) fn archive_request(&self, filter: &ReadingFilter, partitions: usize) -> Option<ScanRequest> {
        let covers_from = self.window.covers_from();
        if filter.is_empty() || covers_from == Timestamp::MIN || filter.from().is_some_and(|from| from >= covers_from) {
            return None;
        }
        Some(ScanRequest {
            from: filter.from(),
            to: Some(filter.to().map_or(covers_from, |to| to.min(covers_from))),
            wells: filter.well_list(),
            parameters: filter.known_parameters().map(Into::into),
            projection: None,
            partitions,
            limit: None,
            values: filter.values,
            latest: false,
            narrowing: None,
        })
    }

    /// `None` when no series is wanted.
    pub(crate) fn window_filter(&self, filter: &ReadingFilter) -> Option<RowFilter> {
        if filter.is_empty() {
            return None;
        }
        let series = self.wanted_series(filter);
        let none_wanted = series.as_ref().is_some_and(|series| series.is_empty());
        (!none_wanted).then(|| RowFilter { from: filter.from(), to: filter.to(), series })
    }

    /// What is still to be looked for in the archive when the window has given the latest row of some series: later than
    /// all that the archive has of them. `None` when that is nothing.
    pub(crate) fn without_series_of(&self, filter: &ReadingFilter, latest: &[Row]) -> Option<ReadingFilter> {
        if !self.archive.names_every_series() {
            return Some(filter.clone());
        }
        let known = self.names.series.known();
        let keys = known.keys();
        let mut found = vec![false; keys.len()];
        for row in latest {
            if let Some(found) = found.get_mut(row.series.0 as usize) {
                *found = true;
            }
        }
        let missing = keys.iter().zip(found).filter(|(key, found)| !found && filter.wants_series(key));
        let wells: BTreeSet<String> = missing.map(|(key, _)| key.well.as_str().to_owned()).collect();
        (!wells.is_empty()).then(|| ReadingFilter { wells: Some(wells), ..filter.clone() })
    }

    fn wanted_series(&self, filter: &ReadingFilter) -> Option<Arc<[gwbank_model::SeriesId]>> {
        let table = &self.names.series;
        let mut series: Vec<gwbank_model::SeriesId> = match (&filter.wells, filter.known_parameters()) {
            (None, None) => return None,
            (Some(wells), parameters) => {
                let parameters = parameters.unwrap_or_else(|| Parameter::ALL.to_vec());
                let of_well = |well: &String| parameters.iter().filter_map(|&p| table.get(well, p)).collect::<Vec<_>>();
                wells.iter().flat_map(of_well).collect()
            }
            (None, Some(_)) => {
                let known = table.known();
                let wanted = known.keys().iter().enumerate().filter(|(_, key)| filter.wants_series(key));
                wanted.map(|(number, _)| gwbank_model::SeriesId(number as u32)).collect()
            }
        };
        series.sort_unstable();
        Some(series.into())
    }

    /// Weighs what is pending, within the filter, against the archive.
    pub(crate) async fn pending(&self, filter: &ReadingFilter) -> Result<Pending, QueryError> {
        let archive = self.archive().await?;
        let mut versions = self.window.pending_versions(archive.position());
        if !filter.is_all() {
            let wanted = self.wanted_series(filter);
            versions.retain(|row| {
                filter.wants_time(row.time)
                    && wanted.as_ref().is_none_or(|series| series.binary_search(&row.series).is_ok())
            });
        }
        let mut pending = Pending::default();
        if versions.is_empty() {
            return Ok(pending);
        }
        let groups: Vec<&[Row]> = versions.chunk_by(|a, b| a.key() == b.key()).collect();
        let keys: Vec<Key> = groups.iter().map(|group| group[0].key()).collect();
        let stored = archive.versions(&keys).await.map_err(|error| self.archive_error(error))?;
        for (group, mut known) in groups.into_iter().zip(stored) {
            let before = known.as_ref().map(|versions| (versions.winner, versions.revisions.len()));
            for version in group {
                StoredVersions::take(&mut known, *version);
            }
            let Some(known) = known else { continue };
            let won =
                before.is_none_or(|(winner, _)| winner.seq != known.winner.seq || winner.origin != known.winner.origin);
            if won {
                pending.winners.push(known.winner);
                if before.is_some() {
                    let name = self.names.series.key(known.winner.series);
                    pending.hidden.insert(name.well.as_str(), name.parameter, known.winner.time);
                }
            }
            pending.revisions.extend(&known.revisions[before.map_or(0, |(_, count)| count)..]);
        }
        Ok(pending)
    }

    /// Superseded versions that the window alone knows of: all of keys at or after `covers_from`.
    pub(crate) fn window_revisions(&self, filter: &ReadingFilter) -> Vec<RevisionRow> {
        let wanted = self.wanted_series(filter);
        let revisions = self.window.revisions(gwbank_model::Seq::ZERO).into_iter();
        revisions
            .filter(|revision| {
                filter.wants_time(revision.row.time)
                    && wanted.as_ref().is_none_or(|series| series.binary_search(&revision.row.series).is_ok())
            })
            .map(|revision| RevisionRow::new(revision.row, &revision.by))
            .collect()
    }
}
