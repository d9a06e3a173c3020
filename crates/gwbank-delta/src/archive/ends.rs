//! Where to look for the latest row of each series, by when the series end.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_model::{SeriesKey, Timestamp};
use gwbank_store::ScanRequest;

use super::files::DataFile;
use super::ranges::SeriesRanges;

impl SeriesRanges {
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
        for (series, end) in self.ends() {
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
