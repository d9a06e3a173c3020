//! The parts of an explanation.

use gwbank_indicator::bank::NotMeasurable;
use gwbank_indicator::explain::{Detail, Language, number};
use gwbank_indicator::{Monthly, MonthlyLevel, Why};
use gwbank_model::{Month, Timestamp};

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told {
    pub en: String,
    pub th: String,
}

impl Told {
    /// Of symbols, numbers and times alone.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { en: text.clone(), th: text }
    }

    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Thai => &self.th,
        }
    }

    pub fn push(&mut self, more: &Told) {
        self.en.push_str(&more.en);
        self.th.push_str(&more.th);
    }
}

impl From<Why> for Told {
    fn from(why: Why) -> Self {
        Self { en: why.to_string(), th: why.thai() }
    }
}

impl From<NotMeasurable> for Told {
    fn from(why: NotMeasurable) -> Self {
        Self { en: why.to_string(), th: why.thai() }
    }
}

/// A [`Told`] of two texts that take the names in scope.
macro_rules! told {
    ($en:literal, $th:literal) => {
        $crate::record::explain::evidence::Told { en: format!($en), th: format!($th) }
    };
}
pub(super) use told;

/// A line of what a number is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    told: Told,
    /// `None`: whatever is asked for.
    only: Option<Detail>,
}

impl Line {
    pub fn of(&self, language: Language, detail: Detail) -> Option<&str> {
        self.only.is_none_or(|only| only == detail).then(|| self.told.of(language))
    }
}

impl From<Told> for Line {
    fn from(told: Told) -> Self {
        Self { told, only: None }
    }
}

/// What a number is made of, in lines of text.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Evidence {
    pub used: Vec<Line>,
    /// With the numbers put in.
    pub formulas: Vec<Told>,
    pub limits: Vec<Told>,
    pub left_out: Vec<Told>,
    /// How the confidence is made.
    pub confidence: Told,
    pub weaknesses: Vec<Told>,
    pub missing: Option<Missing>,
}

impl Evidence {
    pub fn without(missing: impl Into<Missing>) -> Self {
        Self { missing: Some(missing.into()), ..Self::default() }
    }

    pub fn use_line(&mut self, told: Told) {
        self.used.push(told.into());
    }

    pub fn use_cells(&mut self, cells: impl IntoIterator<Item = String>, a_line: usize) {
        self.used.extend(side_by_side(cells, a_line));
    }
}

/// Why there is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// A fixed word, that of the row's class where there is a row.
    pub reason: &'static str,
    /// With what was found.
    pub(super) told: Told,
}

impl Missing {
    pub(super) fn new(reason: &'static str, told: Told) -> Self {
        Self { reason, told }
    }
}

impl From<NotMeasurable> for Missing {
    fn from(why: NotMeasurable) -> Self {
        Self::new(why.name(), why.into())
    }
}

impl From<Why> for Missing {
    fn from(why: Why) -> Self {
        Self::new(why.name(), why.into())
    }
}

/// Cells of symbols and numbers side by side, so many a line.
pub(super) fn side_by_side(cells: impl IntoIterator<Item = String>, a_line: usize) -> Vec<Line> {
    let cells: Vec<String> = cells.into_iter().collect();
    cells.chunks(a_line.max(1)).map(|cells| Told::same(cells.join("  ")).into()).collect()
}

/// A value of a long list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub time: Timestamp,
    /// What is listed, with its time.
    pub text: String,
    /// What is summed up.
    pub value: f64,
}

/// So many values are listed whatever is asked for.
const POINTS_LISTED: usize = 60;
/// Of more the first and the last ones.
const ENDS_LISTED: usize = 3;
/// Stretches of a summary.
const STRETCHES_MAX: usize = 40;

/// All values; where they are many a summary lists the first, the last, and each day, month or year between.
pub(super) fn points(points: &[Point], a_line: usize, offset_seconds: i32) -> Vec<Line> {
    let texts = |points: &[Point]| side_by_side(points.iter().map(|point| point.text.clone()), a_line);
    if points.len() <= POINTS_LISTED {
        return texts(points);
    }
    let in_full = texts(points).into_iter().map(|line| Line { only: Some(Detail::Full), ..line });
    let mut summary = texts(&points[..ENDS_LISTED]);
    let (count, first) = (points.len(), stretches(points, offset_seconds));
    summary.push(told!("of {count} values (all with --full):", "สรุปจาก {count} ค่า (ดูทั้งหมดด้วย --full):").into());
    summary.extend(first.into_iter().map(Line::from));
    summary.extend(texts(&points[points.len() - ENDS_LISTED..]));
    let in_summary = summary.into_iter().map(|line| Line { only: Some(Detail::Summary), ..line });
    in_summary.chain(in_full).collect()
}

/// By the shortest of day, month and year that makes few of them.
fn stretches(points: &[Point], offset_seconds: i32) -> Vec<Told> {
    let day = |point: &Point| point.time.day(offset_seconds).date().to_string();
    let month = |point: &Point| point.time.month(offset_seconds).to_string();
    let year = |point: &Point| point.time.month(offset_seconds).year().to_string();
    let count = |name: &dyn Fn(&Point) -> String| points.chunk_by(|a, b| name(a) == name(b)).count();
    let name: &dyn Fn(&Point) -> String = if count(&day) <= STRETCHES_MAX {
        &day
    } else if count(&month) <= STRETCHES_MAX {
        &month
    } else {
        &year
    };
    points
        .chunk_by(|a, b| name(a) == name(b))
        .map(|stretch| {
            let values = || stretch.iter().map(|point| point.value);
            let (count, of) = (stretch.len(), name(&stretch[0]));
            let mean = number(values().sum::<f64>() / count as f64);
            let lowest = number(values().fold(f64::INFINITY, f64::min));
            let highest = number(values().fold(f64::NEG_INFINITY, f64::max));
            told!(
                "{of}  {count} values from {lowest} to {highest}, mean {mean}",
                "{of}  {count} ค่า ตั้งแต่ {lowest} ถึง {highest} เฉลี่ย {mean}"
            )
        })
        .collect()
}

pub(super) fn plus(terms: impl IntoIterator<Item = f64>) -> String {
    let terms: Vec<String> = terms.into_iter().map(signed_in_sum).collect();
    terms.join(" + ")
}

fn signed_in_sum(term: f64) -> String {
    if term.is_sign_negative() { format!("({})", number(term)) } else { number(term) }
}

/// Levels of months; of dry ones of unknown depth the word.
pub(super) fn level_points<'a>(months: impl IntoIterator<Item = &'a MonthlyLevel>) -> Vec<Point> {
    let point = |month: &MonthlyLevel| {
        let level = month.level.map_or("-".to_owned(), number);
        let value = month.level.unwrap_or(f64::NAN);
        Point { time: month.month.start(0), text: format!("{} {level}", month.month), value }
    };
    months.into_iter().map(point).collect()
}

/// Months of the record that have no level, and why.
pub(super) fn months_left_out(monthly: &Monthly, days_min: u32) -> Vec<Told> {
    let needed = days_min.max(1);
    let thin = |&(month, days): &(Month, u32)| {
        let told =
            told!("{month}  {days} days with data, {needed} are needed", "{month}  มีข้อมูล {days} วัน ต้องมี {needed} วัน");
        (month, told)
    };
    let mut left_out: Vec<(Month, Told)> = monthly.thin.iter().map(thin).collect();
    let dry = monthly.levels.iter().filter(|month| month.level.is_none()).map(|month| month.month);
    left_out.extend(dry.map(|month| (month, told!("{month}  dry to an unknown depth", "{month}  แห้งโดยไม่ทราบความลึก"))));
    let known = || monthly.levels.iter().map(|month| month.month).chain(monthly.thin.iter().map(|&(month, _)| month));
    if let (Some(first), Some(last)) = (known().min(), known().max()) {
        let mut is_known: Vec<Month> = known().collect();
        is_known.sort_unstable();
        let within = (first.index()..=last.index()).map(Month::from_index);
        let absent = within.filter(|month| is_known.binary_search(month).is_err());
        left_out.extend(absent.map(|month| (month, told!("{month}  no data", "{month}  ไม่มีข้อมูล"))));
    }
    left_out.sort_by_key(|&(month, _)| month);
    left_out.into_iter().map(|(_, told)| told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(count: i64) -> Vec<Point> {
        let hour =
            |hour: i64| Point { time: Timestamp::from_secs(hour * 3600), text: format!("h{hour}"), value: hour as f64 };
        (0..count).map(hour).collect()
    }

    fn told(lines: &[Line], detail: Detail) -> Vec<&str> {
        lines.iter().filter_map(|line| line.of(Language::English, detail)).collect()
    }

    #[test]
    fn few_values_are_listed_and_many_summed_up() {
        let few = points(&hours(5), 3, 0);
        assert_eq!(told(&few, Detail::Summary), ["h0  h1  h2", "h3  h4"]);
        assert_eq!(told(&few, Detail::Full), told(&few, Detail::Summary));
        let many = points(&hours(72), 3, 0);
        assert_eq!(told(&many, Detail::Full).len(), 24);
        assert_eq!(
            told(&many, Detail::Summary),
            [
                "h0  h1  h2",
                "of 72 values (all with --full):",
                "1970-01-01  24 values from 0 to 23, mean 11.5",
                "1970-01-02  24 values from 24 to 47, mean 35.5",
                "1970-01-03  24 values from 48 to 71, mean 59.5",
                "h69  h70  h71"
            ]
        );
        for count in [24 * 300, 24 * 9000] {
            assert!(told(&points(&hours(count), 3, 0), Detail::Summary).len() <= STRETCHES_MAX + 3, "{count}");
        }
    }
}
