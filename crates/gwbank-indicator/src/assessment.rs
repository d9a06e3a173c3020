//! What every result carries, and how "not enough" is said.

use std::fmt;

/// What a result rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis {
    /// Years that have this calendar month, the judged one included; for a place, its eligible wells.
    pub n: u32,
    /// Months with a level, divided by twelve; for a place, the median of its wells' n.
    pub years: f64,
    /// From 0 to 1. For a well n/30 (a climate normal), halved while the month is preliminary; for a place times its
    /// coverage.
    pub confidence: f64,
    /// Share of approved values among those used, from 0 to 1; `None` where nobody counted them, which is not 0.
    pub approved_share: Option<f64>,
    /// Share of values with quality 1 (pass) among those used; `None` where nobody counted them.
    pub quality_share: Option<f64>,
}

impl Basis {
    pub const NOTHING: Basis = Basis { n: 0, years: 0.0, confidence: 0.0, approved_share: None, quality_share: None };

    /// Of one calendar month (or of years) on its own: confidence n/30, as for a well's month.
    pub(crate) fn of_years(n: usize, months: usize) -> Self {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let confidence = (f64::from(n) / f64::from(CLIMATE_NORMAL_YEARS)).min(1.0);
        Self { n, years: months as f64 / 12.0, confidence, ..Self::NOTHING }
    }

    /// With the shares of the values that were used.
    #[must_use]
    pub fn resting_on(self, values: ValueCounts) -> Self {
        Self { approved_share: values.approved_share(), quality_share: values.quality_share(), ..self }
    }
}

/// How many of some values are approved, and how many passed all tests. Only of values that somebody counted: a day
/// without counts has no part in it.
///
/// ```
/// use gwbank_indicator::ValueCounts;
///
/// let days = [ValueCounts { values: 24, approved: 24, good: 20 }, ValueCounts { values: 24, approved: 0, good: 24 }];
/// let month = days.into_iter().fold(ValueCounts::NONE, ValueCounts::union);
/// assert_eq!(month.approved_share(), Some(0.5));
/// assert_eq!(ValueCounts::NONE.approved_share(), None, "not known, which is not nothing");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValueCounts {
    pub values: u32,
    /// With approval `approved`.
    pub approved: u32,
    /// With quality 1.
    pub good: u32,
}

impl ValueCounts {
    pub const NONE: ValueCounts = ValueCounts { values: 0, approved: 0, good: 0 };

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            values: self.values.saturating_add(other.values),
            approved: self.approved.saturating_add(other.approved),
            good: self.good.saturating_add(other.good),
        }
    }

    pub fn approved_share(self) -> Option<f64> {
        self.share(self.approved)
    }

    pub fn quality_share(self) -> Option<f64> {
        self.share(self.good)
    }

    fn share(self, part: u32) -> Option<f64> {
        (self.values > 0).then(|| (f64::from(part) / f64::from(self.values)).min(1.0))
    }
}

/// Years that give full confidence.
pub(crate) const CLIMATE_NORMAL_YEARS: u32 = 30;

/// A result, or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Assessment<T> {
    Given { value: T, basis: Basis },
    Insufficient { why: Why, basis: Basis },
}

impl<T> Assessment<T> {
    pub fn value(&self) -> Option<&T> {
        match self {
            Assessment::Given { value, .. } => Some(value),
            Assessment::Insufficient { .. } => None,
        }
    }
    pub fn basis(&self) -> Basis {
        match self {
            Assessment::Given { basis, .. } | Assessment::Insufficient { basis, .. } => *basis,
        }
    }
    pub fn why(&self) -> Option<&Why> {
        match self {
            Assessment::Given { .. } => None,
            Assessment::Insufficient { why, .. } => Some(why),
        }
    }
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Assessment<U> {
        match self {
            Assessment::Given { value, basis } => Assessment::Given { value: f(value), basis },
            Assessment::Insufficient { why, basis } => Assessment::Insufficient { why, basis },
        }
    }
}

/// Why there is no result. Each carries the count that was found and the count that is needed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Why {
    /// Fewer years with this calendar month than the claim needs.
    ShortRecord { n: u32, needed: u32 },
    /// The record from first to last month is too short.
    FewYears { years: u32, needed: u32 },
    /// Too large a share of its months (or days) is missing.
    ManyMissing { missing: f64, allowed: f64 },
    /// The month has no level: no readings that count, or on too few days.
    NoLevel,
    /// The whole series has one value.
    Constant,
    /// The well may not speak of this hazard by what it is.
    NotCapable,
    /// The month has not closed.
    Open,
    /// Fewer wells with a long enough record than any judgement of a place needs.
    PlaceRecordShort { wells: u32, needed: u32 },
    /// Fewer eligible wells than the roll-up needs.
    FewWells { wells: u32, needed: u32 },
    /// The eligible wells lie in too few parts (districts of a province, subdistricts of a district).
    FewParts { parts: u32, needed: u32 },
    /// Too small a share of the wells that could speak did so.
    LowCoverage { coverage: f64, needed: f64 },
}

impl Why {
    /// A fixed word for tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Why::ShortRecord { .. } => "insufficient_record",
            Why::FewYears { .. } => "insufficient_record",
            Why::ManyMissing { .. } => "insufficient_coverage",
            Why::NoLevel => "no_level",
            Why::Constant => "constant",
            Why::NotCapable => "not_applicable",
            Why::Open => "preliminary",
            Why::PlaceRecordShort { .. } => "insufficient_record",
            Why::FewWells { .. } => "insufficient_wells",
            Why::FewParts { .. } => "insufficient_spread",
            Why::LowCoverage { .. } => "insufficient_coverage",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Why::ShortRecord { n, needed } => write!(f, "{n} years with this calendar month, {needed} are needed"),
            Why::FewYears { years, needed } => write!(f, "a record of {years} years, {needed} are needed"),
            Why::ManyMissing { missing, allowed } => {
                write!(
                    f,
                    "{:.0} % of the months are missing, less than {:.0} % may be",
                    missing * 100.0,
                    allowed * 100.0
                )
            }
            Why::NoLevel => f.write_str("no level in this month"),
            Why::Constant => f.write_str("the whole series has one value"),
            Why::NotCapable => f.write_str("this well does not speak of this hazard"),
            Why::Open => f.write_str("the month has not closed"),
            Why::PlaceRecordShort { wells, needed } => {
                write!(f, "{wells} wells with 10 or more years, {needed} are needed")
            }
            Why::FewWells { wells, needed } => write!(f, "{wells} eligible wells, {needed} are needed"),
            Why::FewParts { parts, needed } => write!(f, "eligible wells in {parts} parts, {needed} are needed"),
            Why::LowCoverage { coverage, needed } => {
                write!(f, "{:.0} % of the wells have a value, {:.0} % are needed", coverage * 100.0, needed * 100.0)
            }
        }
    }
}
