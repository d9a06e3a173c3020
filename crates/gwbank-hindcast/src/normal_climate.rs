//! How often the rules flag a drought where there is none.

use std::collections::BTreeMap;

use gwbank_indicator::DroughtClass;
use gwbank_model::Month;
use gwbank_model::condition::{Scope, Severity};

use crate::climate::ClimateModel;
use crate::config::HindcastConfig;
use crate::hindcast::{Hindcast, MonthReport};
use crate::known::WellRecord;

/// The aim of the definitions: province-months at warning or worse in a normal climate.
pub const NORMAL_CLIMATE_SHARE_MAX: f64 = 0.05;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormalClimateRules {
    pub seed: u64,
    /// Climates that are simulated. Their spread gives the uncertainty, so at least two.
    pub climates: u32,
}

impl Default for NormalClimateRules {
    fn default() -> Self {
        Self { seed: 20_261_127, climates: 20 }
    }
}

/// A share over all climates. The standard error is that of the mean of the climates' shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub mean: f64,
    /// `None` with fewer than two climates.
    pub standard_error: Option<f64>,
    pub lowest: f64,
    pub highest: f64,
}

/// What the rules say of a climate in which nothing happens. Shares are of judged province-months.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalClimate {
    pub climates: u32,
    /// Judged province-months of all climates.
    pub judged: u64,
    pub not_judged: BTreeMap<&'static str, u64>,
    /// With a flag at warning or worse: what an office sees, to be at most [`NORMAL_CLIMATE_SHARE_MAX`].
    pub flagged: Option<Share>,
    /// Of these, months that claim warning or worse themselves; the rest are kept up by the exit rules.
    pub claimed: Option<Share>,
    /// With a flag of any severity, watch included.
    pub flagged_at_all: Option<Share>,
    /// Judged province-months that claim a severity, by that severity: which rule drives the share.
    pub claims: BTreeMap<Severity, u64>,
    /// Shares of wells' judged months at severe or worse, the rule beneath.
    pub wells_severe: Option<Share>,
    /// The same as `flagged` by the median n of the province's wells: below 15 nothing may be severe, below 22 nothing extreme.
    pub flagged_by_record: BTreeMap<RecordLength, (u64, u64)>,
}

/// By the median of the wells' years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordLength {
    Below15,
    From15To21,
    From22To29,
    From30,
}

impl RecordLength {
    fn of(years: f64) -> Self {
        match years {
            n if n < 15.0 => Self::Below15,
            n if n < 22.0 => Self::From15To21,
            n if n < 30.0 => Self::From22To29,
            _ => Self::From30,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Tally {
    judged: u64,
    flagged: u64,
    claimed: u64,
    flagged_at_all: u64,
    wells: u64,
    wells_severe: u64,
}

/// Replays simulated climates that are like the records' but have neither trend nor event.
///
/// - **Formula**: share of judged province-months with a drought flag at warning or worse, over climates of
///   [`ClimateModel`]. **Unit**: shares from 0 to 1, with the standard error over climates.
/// - **Limit**: at most 5 % ([`NORMAL_CLIMATE_SHARE_MAX`], INDICATORS.md).
/// - **Weak**: those of [`ClimateModel`]; a memory of order 1 makes fewer long droughts than nature does, so the share is
///   rather a lower bound.
///
/// ```
/// use gwbank_hindcast::{HindcastConfig, NormalClimateRules, normal_climate};
/// use gwbank_model::Month;
///
/// let span = (Month::new(2001, 1), Month::new(2020, 12));
/// let found = normal_climate(&[], span, &HindcastConfig::default(), &NormalClimateRules::default());
/// assert_eq!((found.judged, found.flagged), (0, None));
/// ```
pub fn normal_climate(
    records: &[WellRecord],
    (from, to): (Month, Month),
    config: &HindcastConfig,
    rules: &NormalClimateRules,
) -> NormalClimate {
    let model = ClimateModel::fit(records);
    let mut found = NormalClimate {
        climates: rules.climates,
        judged: 0,
        not_judged: BTreeMap::new(),
        flagged: None,
        claimed: None,
        flagged_at_all: None,
        claims: BTreeMap::new(),
        wells_severe: None,
        flagged_by_record: BTreeMap::new(),
    };
    let mut tallies = Vec::new();
    for climate in 0..rules.climates {
        let simulated = model.simulate(rules.seed.wrapping_add(u64::from(climate)));
        let mut hindcast = Hindcast::new(&simulated, from, to, config);
        let mut tally = Tally::default();
        while let Some(report) = hindcast.next() {
            found.take(&report, &hindcast, &mut tally);
        }
        tallies.push(tally);
    }
    found.judged = tallies.iter().map(|tally| tally.judged).sum();
    let share = |part: fn(&Tally) -> u64, of: fn(&Tally) -> u64| Share::of(&tallies, part, of);
    found.flagged = share(|tally| tally.flagged, |tally| tally.judged);
    found.claimed = share(|tally| tally.claimed, |tally| tally.judged);
    found.flagged_at_all = share(|tally| tally.flagged_at_all, |tally| tally.judged);
    found.wells_severe = share(|tally| tally.wells_severe, |tally| tally.wells);
    found
}

impl NormalClimate {
    /// Whether the share of flagged province-months is at most the aim; true where nothing could be judged.
    pub fn is_within_aim(&self) -> bool {
        self.flagged.is_none_or(|share| share.mean <= NORMAL_CLIMATE_SHARE_MAX)
    }

    fn take(&mut self, report: &MonthReport, hindcast: &Hindcast<'_>, tally: &mut Tally) {
        for well in &report.wells {
            if let Some(judgement) = well.judgement.value() {
                tally.wells += 1;
                tally.wells_severe += u64::from(judgement.entry >= DroughtClass::Severe);
            }
        }
        for month in &report.places {
            if hindcast.places()[month.place].scope() != Scope::Province {
                continue;
            }
            let Some(verdict) = month.drought.judged.value() else {
                if let Some(why) = month.drought.judged.why() {
                    *self.not_judged.entry(why.name()).or_default() += 1;
                }
                continue;
            };
            let flagged = month.flag >= Some(Severity::Warning);
            tally.judged += 1;
            tally.flagged += u64::from(flagged);
            tally.claimed += u64::from(verdict.entry >= Some(Severity::Warning));
            tally.flagged_at_all += u64::from(month.flag.is_some());
            if let Some(severity) = verdict.entry {
                *self.claims.entry(severity).or_default() += 1;
            }
            let length = RecordLength::of(month.drought.judged.basis().years);
            let (of_length, all) = self.flagged_by_record.entry(length).or_default();
            *of_length += u64::from(flagged);
            *all += 1;
        }
    }
}

impl Share {
    fn of(tallies: &[Tally], part: fn(&Tally) -> u64, of: fn(&Tally) -> u64) -> Option<Self> {
        let shares: Vec<f64> =
            tallies.iter().filter(|tally| of(tally) > 0).map(|tally| part(tally) as f64 / of(tally) as f64).collect();
        if shares.is_empty() {
            return None;
        }
        let n = shares.len() as f64;
        let mean = shares.iter().sum::<f64>() / n;
        let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
        Some(Self {
            mean,
            standard_error: (shares.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt()),
            lowest: shares.iter().copied().fold(f64::INFINITY, f64::min),
            highest: shares.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}
