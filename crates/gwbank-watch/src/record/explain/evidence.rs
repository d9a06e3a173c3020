//! The parts of an explanation.

use gwbank_indicator::bank::NotMeasurable;
use gwbank_indicator::{Monthly, MonthlyLevel, Why};
use gwbank_model::Month;

/// What a number is made of, in lines of text.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Evidence {
    pub used: Vec<String>,
    /// With the numbers put in.
    pub formulas: Vec<String>,
    pub limits: Vec<String>,
    pub left_out: Vec<String>,
    /// How the confidence is made.
    pub confidence: String,
    pub weaknesses: Vec<String>,
    pub missing: Option<Missing>,
}

impl Evidence {
    pub fn without(missing: impl Into<Missing>) -> Self {
        Self { missing: Some(missing.into()), ..Self::default() }
    }
}

/// Why there is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// A fixed word, that of the row's class where there is a row.
    pub reason: &'static str,
    /// With what was found.
    pub told: String,
}

impl Missing {
    pub(super) fn new(reason: &'static str, told: impl Into<String>) -> Self {
        Self { reason, told: told.into() }
    }
}

impl From<NotMeasurable> for Missing {
    fn from(why: NotMeasurable) -> Self {
        Self::new(why.name(), why.to_string())
    }
}

impl From<Why> for Missing {
    fn from(why: Why) -> Self {
        Self::new(why.name(), why.to_string())
    }
}

pub(super) fn lines<const N: usize>(lines: [&str; N]) -> Vec<String> {
    lines.map(str::to_owned).to_vec()
}

/// Cells side by side, so many a line.
pub(super) fn side_by_side(cells: impl IntoIterator<Item = String>, a_line: usize) -> Vec<String> {
    let cells: Vec<String> = cells.into_iter().collect();
    cells.chunks(a_line.max(1)).map(|cells| cells.join("  ")).collect()
}

pub(super) fn plus(terms: impl IntoIterator<Item = f64>) -> String {
    let terms: Vec<String> = terms.into_iter().map(signed_in_sum).collect();
    terms.join(" + ")
}

fn signed_in_sum(term: f64) -> String {
    if term.is_sign_negative() { format!("({term})") } else { term.to_string() }
}

pub(super) fn level_text(month: &MonthlyLevel) -> String {
    match month.level {
        Some(level) => format!("{} {level}", month.month),
        None => format!("{} dry", month.month),
    }
}

/// Months of the record that have no level, and why.
pub(super) fn months_left_out(monthly: &Monthly, days_min: u32) -> Vec<String> {
    let mut left_out: Vec<(Month, String)> = monthly
        .thin
        .iter()
        .map(|&(month, days)| (month, format!("{month}  {days} days with data, {} are needed", days_min.max(1))))
        .collect();
    let dry = monthly.levels.iter().filter(|month| month.level.is_none());
    left_out.extend(dry.map(|month| (month.month, format!("{}  dry to an unknown depth", month.month))));
    let known = || monthly.levels.iter().map(|month| month.month).chain(monthly.thin.iter().map(|&(month, _)| month));
    if let (Some(first), Some(last)) = (known().min(), known().max()) {
        let mut is_known: Vec<Month> = known().collect();
        is_known.sort_unstable();
        let within = (first.index()..=last.index()).map(Month::from_index);
        let absent = within.filter(|month| is_known.binary_search(month).is_err());
        left_out.extend(absent.map(|month| (month, format!("{month}  no data"))));
    }
    left_out.sort_by_key(|&(month, _)| month);
    left_out.into_iter().map(|(_, told)| told).collect()
}
