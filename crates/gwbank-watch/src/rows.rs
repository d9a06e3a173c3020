//! Rows of the table `indicators`, and which of them differ from what is stored.
//!
//! # Format
//! `period` is UTC midnight of the month's first day. A row without a value says in `class` why
//! (`insufficient_record`, `no_comparison_well`, …). A month that has not closed carries class `preliminary`, a dry month
//! `dry`. What is no more (a month whose readings were corrected away) has no row.

use std::collections::{BTreeMap, HashMap};

use gwbank_indicator::{Assessment, Basis, MonthStanding};
use gwbank_model::condition::Scope;
use gwbank_model::{Month, Timestamp};
use gwbank_registry::Well;
use gwbank_store::{IndicatorKey, IndicatorRow};

use crate::record::RecordRow;

pub(crate) const SGI: &str = "sgi";
pub(crate) const PERCENTILE: &str = "percentile";
pub(crate) const PERCENTILE_CLASS: &str = "percentile_class";
pub(crate) const POSITION_INDEX: &str = "position_index";
pub(crate) const IPS: &str = "ips";

/// All that are computed; places have some of them.
pub(crate) const WELL_INDICATORS: [&str; 5] = [SGI, PERCENTILE, PERCENTILE_CLASS, POSITION_INDEX, IPS];

/// Those of places, in the order of [`place_cells`](crate::place_standing::place_cells).
pub(crate) const PLACE_INDICATORS: [&str; 5] =
    [SGI, "drought_share_moderate", "drought_share_severe", "drought_share_extreme", "drought_coverage"];

/// Names of what is computed of places and of no well.
pub fn place_indicator_names() -> impl Iterator<Item = &'static str> {
    PLACE_INDICATORS.into_iter().filter(|name| !WELL_INDICATORS.contains(name))
}

/// What a row says, apart from when it was computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub value: Option<f64>,
    pub class: Option<&'static str>,
    pub basis: Option<Basis>,
}

impl Cell {
    pub fn of(assessment: &Assessment<f64>, class: Option<&'static str>) -> Self {
        match assessment {
            Assessment::Given { value, basis } => Self { value: Some(*value), class, basis: Some(*basis) },
            Assessment::Insufficient { why, basis } => {
                Self { value: None, class: Some(why.name()), basis: Some(*basis) }
            }
        }
    }

    pub fn is_stored_as(&self, row: &IndicatorRow) -> bool {
        row.value == self.value
            && row.class.as_deref() == self.class
            && row.n == self.basis.map(|basis| basis.n as i32)
            && row.confidence == self.basis.map(|basis| basis.confidence)
            && row.years == self.basis.map(|basis| basis.years)
            && row.approved_share == self.basis.and_then(|basis| basis.approved_share)
            && row.quality_share == self.basis.and_then(|basis| basis.quality_share)
    }
}

/// The five indicators of a month, in the order of [`WELL_INDICATORS`].
fn cells(standing: &MonthStanding) -> [Cell; 5] {
    let overruled = match (standing.preliminary, standing.dry) {
        (true, _) => Some("preliminary"),
        (false, true) => Some("dry"),
        (false, false) => None,
    };
    let class = |own: Option<&'static str>| overruled.or(own);
    let percentile_class = standing.percentile_class();
    let ips = standing.ips();
    let provisional = standing.percentile_is_provisional().then_some("provisional");
    [
        Cell::of(&standing.sgi(), class(standing.sgi_class().value().map(|c| c.name()))),
        Cell::of(&standing.percentile(), class(provisional)),
        Cell::of(
            &percentile_class.clone().map(|c| f64::from(c.code())),
            class(percentile_class.value().map(|c| c.name())),
        ),
        Cell::of(&standing.position_index(), class(None)),
        Cell::of(&ips.clone().map(|_| standing.sgi_raw), class(ips.value().map(|c| c.name()))),
    ]
}

/// What the store holds of a well: nothing known, known to be what was computed before, or read back.
pub(crate) enum Stored<'a> {
    Nothing,
    Standings(&'a [MonthStanding]),
    Rows(&'a [IndicatorRow]),
}

/// How the rows of a well differ from what is stored.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RowChanges {
    pub put: Vec<IndicatorRow>,
    pub removed: Vec<IndicatorKey>,
}

impl RowChanges {
    pub fn len(&self) -> usize {
        self.put.len() + self.removed.len()
    }
}

/// The row of a well.
pub(crate) fn row_of(
    well: &Well,
    (indicator, period): (&str, Timestamp),
    cell: Cell,
    computed_at: Timestamp,
) -> IndicatorRow {
    let key = IndicatorKey {
        scope: Scope::Well,
        place: well.well_id.as_str().to_owned(),
        indicator: indicator.to_owned(),
        period,
    };
    row(key, &well.province_code, cell, computed_at)
}

/// A cell at its place in the table.
pub(crate) fn row(key: IndicatorKey, province: &str, cell: Cell, computed_at: Timestamp) -> IndicatorRow {
    let IndicatorKey { scope, place, indicator, period } = key;
    IndicatorRow {
        scope,
        place,
        province_code: province.to_owned(),
        period,
        indicator,
        value: cell.value,
        class: cell.class.map(str::to_owned),
        confidence: cell.basis.map(|basis| basis.confidence),
        n: cell.basis.map(|basis| basis.n as i32),
        years: cell.basis.map(|basis| basis.years),
        approved_share: cell.basis.and_then(|basis| basis.approved_share),
        quality_share: cell.basis.and_then(|basis| basis.quality_share),
        computed_at,
    }
}

/// The rows of these indicators against what is stored of them.
pub(crate) fn record_changes(
    well: &Well,
    rows: Vec<RecordRow>,
    indicators: &[&'static str],
    stored: &[IndicatorRow],
    computed_at: Timestamp,
) -> RowChanges {
    let mut known: BTreeMap<(&str, Timestamp), &IndicatorRow> = stored
        .iter()
        .filter(|row| row.scope == Scope::Well && indicators.contains(&row.indicator.as_str()))
        .map(|row| ((row.indicator.as_str(), row.period), row))
        .collect();
    let mut changes = RowChanges::default();
    for RecordRow { indicator, period, cell } in rows {
        let old = known.remove(&(indicator, period));
        if old.is_none_or(|old| !cell.is_stored_as(old)) {
            changes.put.push(row_of(well, (indicator, period), cell, computed_at));
        }
    }
    changes.removed.extend(known.into_values().map(IndicatorRow::key));
    changes
}

/// The rows of a well's months that differ from what is stored.
pub(crate) fn changed_rows(
    well: &Well,
    standings: &[MonthStanding],
    stored: Stored<'_>,
    months_max: Option<u32>,
    computed_at: Timestamp,
) -> RowChanges {
    let first = match (months_max, standings.last()) {
        (Some(max), Some(last)) => {
            last.month.plus(1 - max.min(i32::MAX as u32 - 1) as i32).max(Month::from_index(-24_000))
        }
        _ => Month::from_index(i32::MIN / 2),
    };
    let row = |month: Month, indicator: &'static str, cell: Cell| {
        row_of(well, (indicator, month.start(0)), cell, computed_at)
    };
    let gone = |month: Month, indicator: &'static str| IndicatorKey {
        scope: Scope::Well,
        place: well.well_id.as_str().to_owned(),
        indicator: indicator.to_owned(),
        period: month.start(0),
    };
    let shown = standings.iter().filter(|standing| standing.month >= first);
    let all = |standing: &MonthStanding| WELL_INDICATORS.into_iter().zip(cells(standing));
    let mut rows = Vec::new();
    let mut removed = Vec::new();
    match stored {
        Stored::Nothing => {
            rows.reserve(standings.len() * WELL_INDICATORS.len());
            for standing in shown {
                rows.extend(all(standing).map(|(indicator, cell)| row(standing.month, indicator, cell)));
            }
        }
        Stored::Standings(before) => {
            let find = |list: &[MonthStanding], month| list.binary_search_by_key(&month, |s| s.month).ok();
            for standing in shown {
                let old = find(before, standing.month).map(|index| cells(&before[index]));
                for (index, (indicator, cell)) in all(standing).enumerate() {
                    if old.is_none_or(|old| old[index] != cell) {
                        rows.push(row(standing.month, indicator, cell));
                    }
                }
            }
            for old in before.iter().filter(|s| s.month >= first && find(standings, s.month).is_none()) {
                removed.extend(WELL_INDICATORS.into_iter().map(|indicator| gone(old.month, indicator)));
            }
        }
        Stored::Rows(before) => {
            let mut known: HashMap<(&str, Timestamp), &IndicatorRow> = before
                .iter()
                .filter(|row| row.scope == Scope::Well && WELL_INDICATORS.contains(&row.indicator.as_str()))
                .map(|row| ((row.indicator.as_str(), row.period), row))
                .collect();
            for standing in shown {
                for (indicator, cell) in all(standing) {
                    let old = known.remove(&(indicator, standing.month.start(0)));
                    if old.is_none_or(|old| !cell.is_stored_as(old)) {
                        rows.push(row(standing.month, indicator, cell));
                    }
                }
            }
            removed.extend(known.into_values().filter(|old| old.period.month(0) >= first).map(IndicatorRow::key));
            removed.sort_unstable();
        }
    }
    RowChanges { put: rows, removed }
}
