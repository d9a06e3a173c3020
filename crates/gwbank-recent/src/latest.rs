//! The latest row of many series at once.

use gwbank_model::{Row, SeriesId, Timestamp};

use crate::chunk::Part;
use crate::scan::RowFilter;
use crate::snapshot::WindowSnapshot;

/// Where the latest row of a series is, as far as has been looked.
#[derive(Debug, Clone, Copy)]
struct Place {
    time: i64,
    part: u32,
    row: u32,
}

impl WindowSnapshot {
    /// Of each series the winner with the latest time among those that a scan with this filter gives. By series.
    pub fn latest_rows(&self, filter: &RowFilter) -> Vec<Row> {
        let from = filter.from.unwrap_or(Timestamp::MIN).max(self.covers_from());
        let mut latest: Vec<Option<Place>> = Vec::new();
        // Newest first: most series are then settled by the first parts, and the rest is only compared.
        let mut order: Vec<usize> = (0..self.parts().len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(self.parts()[number].chunk.times_within.max));
        for number in order {
            let part = &self.parts()[number];
            if part.chunk.times_within.max < from.as_micros() {
                break;
            }
            for (series, rows) in part.chunk.series_within(filter.series.as_deref()) {
                let known = latest.get(series.0 as usize).copied().flatten();
                if known.is_some_and(|known| known.time >= part.chunk.times_within.max) {
                    continue;
                }
                if let Some(row) = last_winner(part, rows, from, filter.to) {
                    let place = Place { time: part.chunk.times[row], part: number as u32, row: row as u32 };
                    if known.is_none_or(|known| place.time > known.time) {
                        keep(&mut latest, series, place);
                    }
                }
            }
        }
        let found = latest.iter().enumerate().filter_map(|(series, place)| Some((series, (*place)?)));
        found
            .map(|(series, place)| {
                self.parts()[place.part as usize].chunk.row(SeriesId(series as u32), place.row as usize)
            })
            .collect()
    }
}

fn keep(latest: &mut Vec<Option<Place>>, series: SeriesId, place: Place) {
    let index = series.0 as usize;
    if index >= latest.len() {
        latest.resize(index + 1, None);
    }
    latest[index] = Some(place);
}

/// The last winner among rows of one series with from ≤ time < to.
fn last_winner(part: &Part, rows: std::ops::Range<usize>, from: Timestamp, to: Option<Timestamp>) -> Option<usize> {
    let within = part.chunk.within(rows.clone(), from, to.unwrap_or(Timestamp::MAX));
    // An open end includes the last instant there is.
    let end = if to.is_none() { rows.end } else { within.end };
    (within.start..end).rev().find(|&row| part.is_winner(row))
}
