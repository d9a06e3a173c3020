//! The well of each series as an array, made once and not once a query: a scan of the window takes its names from it.

use arrow::array::{Array, StringViewArray};
use gwbank_model::SeriesTable;
use parking_lot::Mutex;

#[derive(Debug, Default)]
pub(crate) struct WellNames(Mutex<Option<StringViewArray>>);

impl WellNames {
    /// Element n is the well of `SeriesId(n)`, for all series that are known now.
    pub(crate) fn of(&self, series: &SeriesTable) -> StringViewArray {
        let mut made = self.0.lock();
        let known = series.known();
        match &*made {
            // A table of names only grows.
            Some(names) if names.len() == known.keys().len() => names.clone(),
            _ => {
                let names = StringViewArray::from_iter_values(known.keys().iter().map(|key| key.well.as_str()));
                made.insert(names).clone()
            }
        }
    }
}
