//! The latest time of each series, as one version of the table has it: where to look for the latest row.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_model::{Row, SeriesId, SeriesKey, Timestamp};
use gwbank_store::ScanRequest;

use super::files::DataFile;

/// By number of the series; exact, as keys never leave the archive.
#[derive(Debug, Clone, Default)]
pub(crate) struct SeriesEnds(Vec<Option<Timestamp>>);

impl FromIterator<(SeriesId, Timestamp)> for SeriesEnds {
    fn from_iter<I: IntoIterator<Item = (SeriesId, Timestamp)>>(ends: I) -> Self {
        let mut all = Self::default();
        ends.into_iter().for_each(|(series, end)| all.widen(series, end));
        all
    }
}

impl SeriesEnds {
    pub fn with<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut all = self.clone();
        rows.into_iter().for_each(|row| all.widen(row.series, row.time));
        all
    }

    fn widen(&mut self, series: SeriesId, time: Timestamp) {
        let index = series.0 as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, None);
        }
        self.0[index] = self.0[index].max(Some(time));
    }

    pub fn iter(&self) -> impl Iterator<Item = (SeriesId, Timestamp)> {
        self.0.iter().enumerate().filter_map(|(index, end)| end.map(|end| (SeriesId(index as u32), end)))
    }

    /// Of some files those that may hold the latest row of a series that a request wants, each with what is to be asked
    /// of it. `names` has the name of each series by its number.
    pub fn latest_in(
        &self,
        files: Vec<Arc<DataFile>>,
        request: &ScanRequest,
        names: &[SeriesKey],
    ) -> Vec<(Arc<DataFile>, ScanRequest)> {
        let mut ends: HashMap<&str, Vec<Timestamp>> = HashMap::new();
        // Wells whose latest row within the request is not the latest of all: it may be in any file.
        let mut anywhere: BTreeSet<&str> = BTreeSet::new();
        for (series, end) in self.iter() {
            let Some(name) = names.get(series.0 as usize) else { continue };
            let well = name.well.as_str();
            if !request.wants_series(well, name.parameter) || request.from.is_some_and(|from| end < from) {
                continue;
            }
            let is_in_a_file = || files.iter().any(|file| file.may_hold_at(well, end));
            if request.to.is_some_and(|to| end >= to) || !is_in_a_file() {
                anywhere.insert(well);
            } else {
                ends.entry(well).or_default().push(end);
            }
        }
        let mut asked = Vec::new();
        for file in files {
            let mut wells: BTreeSet<&str> = anywhere.clone();
            let mut from = (!anywhere.is_empty()).then_some(file.time.0);
            for (well, ends) in &ends {
                if let Some(end) = ends.iter().filter(|end| file.may_hold_at(well, **end)).min() {
                    wells.insert(well);
                    from = Some(from.map_or(*end, |from| from.min(*end)));
                }
            }
            let Some(from) = from else { continue };
            let from = Some(request.from.map_or(from, |wanted| wanted.max(from)));
            let wells = Some(wells.into_iter().map(str::to_owned).collect());
            let narrowed = ScanRequest { from, wells, ..request.clone() };
            if file.may_hold(&narrowed) {
                asked.push((file, narrowed));
            }
        }
        asked
    }
}
