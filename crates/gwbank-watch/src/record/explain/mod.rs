//! The whole evidence of one number of a well's record, or of a rise that goes on.
//!
//! # Rules
//! 1. An explanation is made anew from the series, with the functions that make the rows: its number is that of a row made
//!    here, and what it is made of is told by the same results. Nothing of it is stored.
//! 2. Without a month the latest row is explained. An event (a fill, a dry spell) is asked for by the month of its period;
//!    of several in a month the last one is told in full and the others are listed.
//! 3. No number is an explanation too: what is missing, with what was found, and how it is mended.
//! 4. Numbers have ten digits, so that they can be checked by hand. All words are in English and Thai; symbols, times and
//!    numbers are the same in both.
//! 5. What decides is told whatever is asked for; long lists of readings are summed up unless all of it is asked for.

mod days;
mod evidence;
mod fills;
mod mend;
mod months;
mod names;
mod performance;
mod rain;
mod rises;
mod salinity;
mod text;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use gwbank_indicator::{Basis, Why};
use gwbank_model::{Month, Timestamp, WellId};
use gwbank_registry::{BankType, Well};

pub use evidence::Missing;
pub use names::RecordIndicator;

use evidence::{Evidence, told};

use super::closed::Closed;
use super::read::{WellData, read, read_comparisons};
use super::work::{RecordTask, may_have};
use super::{Part, RecordRow, RecordRules};
use crate::config::WatchConfig;
use crate::error::WatchError;
use crate::monthly::daily_levels;
use crate::watch::{Inner, Watch};

/// All that one number of a well's record is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordExplanation {
    pub well: String,
    pub indicator: RecordIndicator,
    /// Of the row, in local time; without a row the month asked for, or the last closed one.
    pub month: Month,
    /// Of the row.
    pub period: Option<Timestamp>,
    pub value: Option<f64>,
    /// Of the row; without a row the reason why there is none.
    pub class: Option<&'static str>,
    pub basis: Option<Basis>,
    evidence: Evidence,
    offset_seconds: i32,
}

impl RecordExplanation {
    fn without(mut self, missing: Missing) -> Self {
        self.class = Some(missing.reason);
        self.evidence.missing = Some(missing);
        self
    }

    /// Why there is no number.
    pub fn missing(&self) -> Option<&Missing> {
        self.evidence.missing.as_ref()
    }
}

/// What is asked, and what there is to answer it.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    indicator: &'static str,
    /// The row that is explained, if there is one.
    row: Option<&'a RecordRow>,
    /// All of this indicator, in order of time.
    rows: &'a [RecordRow],
    month: Month,
    closed: &'a Closed<'a>,
    rules: &'a RecordRules,
}

impl Asked<'_> {
    fn value(&self) -> Option<f64> {
        self.row.and_then(|row| row.cell.value)
    }

    fn time(&self, time: Timestamp) -> String {
        time.to_rfc3339(self.closed.offset_seconds)
    }

    /// The rows of the month asked for.
    fn of_month(&self) -> impl Iterator<Item = &RecordRow> {
        self.rows.iter().filter(|row| row.period.month(self.closed.offset_seconds) == self.month)
    }
}

impl Watch {
    /// `None` for a well that nobody registered. Without a month the latest row is explained.
    pub async fn explain_record(
        &self,
        well: &WellId,
        month: Option<Month>,
        indicator: RecordIndicator,
    ) -> Result<Option<RecordExplanation>, WatchError> {
        let inner = self.inner();
        let registry = inner.registry.borrow().clone();
        let Some(well) = registry.well(well.as_str()) else { return Ok(None) };
        let Some(part) = indicator.part() else {
            return rises::explain(inner, &registry, well, (indicator, month)).await.map(Some);
        };
        let comparison = well.comparison_well_id.as_ref().and_then(|id| registry.well(id.as_str())).cloned();
        let parts = BTreeSet::from([part]);
        let task = RecordTask { well: Arc::clone(well), comparison, compared: parts.clone(), parts };
        let (own, compared) = data_of(inner, &task, part).await?;
        let closed_through = inner.config.closing.closed_through(inner.now());
        let offset_seconds = inner.config.closing.offset_seconds;
        let closed = Closed::of(&task, &own, compared.as_ref(), closed_through, offset_seconds);
        Ok(Some(explain(inner, &closed, part, indicator, month)))
    }
}

/// What the part is made of: of the well, and of its comparison well.
async fn data_of(inner: &Inner, task: &RecordTask, part: Part) -> Result<(WellData, Option<WellData>), WatchError> {
    let well = &task.well.well_id;
    let levels = match part {
        Part::Months | Part::Days | Part::Salinity => daily_levels(inner, vec![well.clone()], None).await?,
        Part::Rain | Part::Bank => HashMap::new(),
    };
    let own = read(inner, &[task], levels).await?.remove(well).unwrap_or_default();
    let mut comparisons = read_comparisons(inner, &[task]).await?;
    Ok((own, task.comparison.as_ref().map(|other| comparisons.remove(&other.well_id).unwrap_or_default())))
}

fn explain(
    inner: &Inner,
    closed: &Closed<'_>,
    part: Part,
    indicator: RecordIndicator,
    month: Option<Month>,
) -> RecordExplanation {
    let rules = &inner.config.record;
    let allowed = may_have(closed.well, part);
    let months = months::Levels::of(closed, part, &inner.config);
    let mut rows = if allowed { rows_of(closed, part, &months, &inner.config) } else { Vec::new() };
    rows.retain(|row| row.indicator == indicator.name());
    rows.sort_by_key(|row| row.period);
    let month_of = |row: &RecordRow| row.period.month(closed.offset_seconds);
    let row = match month {
        Some(month) => rows.iter().rev().find(|row| month_of(row) == month),
        None => rows.last(),
    };
    let asked = Asked {
        indicator: indicator.name(),
        row,
        rows: &rows,
        month: row.map(month_of).or(month).unwrap_or(closed.closed_through),
        closed,
        rules,
    };
    let mut evidence = match part {
        _ if !allowed => Evidence::without(not_of_this_well(closed.well, part)),
        Part::Months => months::explain(&asked, &months),
        Part::Days => days::explain(&asked),
        Part::Rain => rain::explain(&asked),
        Part::Salinity => salinity::explain(&asked),
        Part::Bank => performance::explain(&asked),
    };
    // The row decides whether there is a number.
    if asked.value().is_some() {
        evidence.missing = None;
    } else if evidence.missing.is_none() {
        evidence.missing = Some(no_row(&asked));
    }
    let reason = evidence.missing.as_ref().map(|missing| missing.reason);
    RecordExplanation {
        well: closed.well.well_id.to_string(),
        indicator,
        month: asked.month,
        period: row.map(|row| row.period),
        value: asked.value(),
        class: row.and_then(|row| row.cell.class).or(reason),
        basis: row.and_then(|row| row.cell.basis),
        evidence,
        offset_seconds: closed.offset_seconds,
    }
}

fn rows_of(closed: &Closed<'_>, part: Part, months: &months::Levels, config: &WatchConfig) -> Vec<RecordRow> {
    let rules = &config.record;
    match part {
        Part::Months => {
            let (place, own) = (closed.place(), &months.own.levels);
            let mut rows = super::months::rows(place, own, months.comparison.as_deref(), rules);
            rows.extend(super::thresholds::rows(place, own, config));
            rows
        }
        Part::Days => {
            let (sense, days) = closed.levels();
            super::days::rows(closed.well, sense, &days, closed.closed_through, rules)
        }
        Part::Rain => super::rain::rows(&closed.rain_days()),
        Part::Salinity => {
            let days = salinity::ec_days(closed, rules);
            super::salinity::rows(&days, closed.place().season, closed.closed_through, rules)
        }
        Part::Bank => super::bank::rows(&closed.bank(), rules),
    }
}

fn not_of_this_well(well: &Well, part: Part) -> Missing {
    let told = match (part, well.bank_type) {
        (Part::Bank, _) => {
            told!("only a bank fills and drains; this is an observation well", "ค่านี้ใช้กับบ่อเติมน้ำเท่านั้น บ่อนี้เป็นบ่อสังเกตการณ์")
        }
        (Part::Salinity, _) => told!("a closed bank holds rain, not groundwater", "บ่อปิดเก็บน้ำฝน ไม่ใช่น้ำใต้ดิน"),
        (_, BankType::Closed) => {
            told!("a closed bank is dry by design and has no standing", "บ่อปิดแห้งตามการออกแบบ จึงไม่มีอันดับ")
        }
        _ => told!("the well does not speak of its aquifer", "บ่อนี้ไม่ได้เป็นตัวแทนของชั้นน้ำ"),
    };
    Missing::new(Why::NotCapable.name(), told)
}

/// There are rows, but none of the month asked for.
fn no_row(asked: &Asked<'_>) -> Missing {
    const LISTED: usize = 12;
    let mut months: Vec<String> =
        asked.rows.iter().map(|row| row.period.month(asked.closed.offset_seconds).to_string()).collect();
    months.dedup();
    if months.is_empty() {
        let told = told!("nothing that it is made of was measured in a closed month", "ไม่มีการวัดสิ่งที่ใช้คำนวณในเดือนที่ปิดแล้ว");
        return Missing::new("no_data", told);
    }
    let from = months.len().saturating_sub(LISTED);
    let (month, count, last) = (asked.month, months.len(), months[from..].join(", "));
    let told = told!(
        "no number of {month}; there are {count} months, the last: {last}",
        "ไม่มีค่าของ {month} มีทั้งหมด {count} เดือน ล่าสุด: {last}"
    );
    Missing::new("no_row", told)
}
