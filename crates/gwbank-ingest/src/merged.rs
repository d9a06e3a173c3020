//! The winners of one series as they are once a group is inserted.

use std::collections::BTreeMap;

use gwbank_model::{Key, Row, SeriesId, Timestamp};
use gwbank_quality::SeriesConfig;
use gwbank_recent::WindowSnapshot;
use hashbrown::HashMap;

use crate::context::{Span, is_enough_after, is_enough_before};

/// How many rows are fetched at first; eight times as many when they are not enough.
const FIRST_FETCH_ROWS: usize = 16;

/// The window's winners, overlaid with those of the group and with what the group has changed already.
pub(crate) struct Merged<'a> {
    pub(crate) window: &'a WindowSnapshot,
    pub(crate) series: SeriesId,
    pub(crate) incoming: &'a BTreeMap<Timestamp, Row>,
    pub(crate) changed: &'a HashMap<Key, Row>,
}

impl Merged<'_> {
    /// Enough of the winners before a time to judge what follows, in time order.
    pub(crate) fn context_before(&self, config: &SeriesConfig, at: Timestamp) -> Vec<Row> {
        let mut wanted = FIRST_FETCH_ROWS;
        loop {
            let rows = self.before(at, wanted);
            if rows.len() < wanted || is_enough_before(config, at, &rows) {
                return rows;
            }
            wanted *= 8;
        }
    }

    /// The winners after a time that a change there can alter, and one more where there is one, in time order; and how
    /// many can be altered.
    pub(crate) fn context_after(&self, config: &SeriesConfig, at: Timestamp) -> (Vec<Row>, usize) {
        let mut wanted = FIRST_FETCH_ROWS;
        loop {
            let rows = self.after(at, wanted);
            if rows.len() < wanted {
                let altered = rows.len();
                return (rows, altered);
            }
            if is_enough_after(config, at, &rows[..wanted - 1]) {
                return (rows, wanted - 1);
            }
            wanted *= 8;
        }
    }

    /// Enough of the last winners to judge what comes next.
    pub(crate) fn tail(&self, config: &SeriesConfig) -> Vec<Row> {
        let in_window = self.window.latest(self.series).map(|row| row.time);
        let latest = in_window.max(self.incoming.keys().next_back().copied());
        latest.map_or_else(Vec::new, |latest| self.context_before(config, latest.plus_micros(1)))
    }

    /// Winners with from ≤ time ≤ to, in time order.
    pub(crate) fn within(&self, span: Span) -> Vec<Row> {
        let window = self.window.series_rows(self.series, span.from, span.to.plus_micros(1));
        self.overlay(window, self.incoming.range(span.from..=span.to))
    }

    fn before(&self, at: Timestamp, count: usize) -> Vec<Row> {
        let mut window = self.window.neighbours(self.series, at, count, 0);
        window.retain(|row| row.time < at);
        let mut rows = self.overlay(window, self.incoming.range(..at).rev().take(count));
        rows.drain(..rows.len().saturating_sub(count));
        rows
    }

    fn after(&self, at: Timestamp, count: usize) -> Vec<Row> {
        let mut window = self.window.neighbours(self.series, at, 0, count);
        window.retain(|row| row.time > at);
        let mut rows = self.overlay(window, self.incoming.range(at.plus_micros(1)..).take(count));
        rows.truncate(count);
        rows
    }

    fn overlay<'r>(&self, window: Vec<Row>, incoming: impl Iterator<Item = (&'r Timestamp, &'r Row)>) -> Vec<Row> {
        let mut rows = window;
        if !self.changed.is_empty() {
            for row in &mut rows {
                if let Some(changed) = self.changed.get(&row.key()) {
                    *row = *changed;
                }
            }
        }
        let known = rows.len();
        rows.extend(incoming.map(|(_, row)| *row));
        if rows.len() > known {
            rows.sort_by_key(|row| (row.time, row.precedence()));
            // Of one key the last, which is the winner.
            rows.reverse();
            rows.dedup_by_key(|row| row.time);
            rows.reverse();
        }
        rows
    }
}
