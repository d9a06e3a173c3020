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
    /// Climates in which there was anything to take a share of.
    pub climates: u32,
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
    /// `flagged` by the median years of the province's wells: by the first year of each of [`RECORD_BANDS`].
    pub by_record: BTreeMap<u32, Flagged>,
    /// `flagged` by the province's eligible wells: by the first count of each of [`WELL_BANDS`].
    pub by_wells: BTreeMap<u32, Flagged>,
}

/// Below 15 years nothing may be severe, below 22 nothing extreme.
pub const RECORD_BANDS: [u32; 4] = [0, 15, 22, 30];
/// Of few wells a few make a share by chance.
pub const WELL_BANDS: [u32; 5] = [0, 10, 20, 50, 100];

/// Judged province-months, and those of them with a flag at warning or worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flagged {
    pub flagged: u64,
    pub judged: u64,
}

impl Flagged {
    fn add(&mut self, flagged: bool) {
        self.judged += 1;
        self.flagged += u64::from(flagged);
    }

    pub fn share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.flagged as f64 / self.judged as f64)
    }
}

/// The first number of the band that this one lies in.
fn band_of(bands: &[u32], number: f64) -> u32 {
    bands.iter().copied().rev().find(|&first| f64::from(first) <= number).unwrap_or(0)
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
        by_record: BTreeMap::new(),
        by_wells: BTreeMap::new(),
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
            let basis = month.drought.judged.basis();
            self.by_record.entry(band_of(&RECORD_BANDS, basis.years)).or_default().add(flagged);
            self.by_wells.entry(band_of(&WELL_BANDS, f64::from(basis.n))).or_default().add(flagged);
        }
    }
}

/// 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom.
const STUDENT: [f64; 10] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];

impl Share {
    /// Half of the 95 % interval of the mean, by Student's t; `None` with fewer than two climates.
    pub fn half_width(&self) -> Option<f64> {
        let freedom = self.climates.checked_sub(1).filter(|freedom| *freedom > 0)?;
        // Beyond the table within 0.01.
        let student = STUDENT.get(freedom as usize - 1).copied().unwrap_or(1.96 + 2.55 / f64::from(freedom));
        self.standard_error.map(|error| error * student)
    }

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
            climates: shares.len() as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gwbank_indicator::{MonthlyLevel, Sense};
    use gwbank_registry::Well;
    use gwbank_sim::Noise;

    use super::*;
    use crate::testing::well;

    const FIRST: Month = Month::new(1991, 1);

    /// Wells in two districts over thirty years, which have this share of their noise in common.
    fn records(wells: u64, common: f64) -> Vec<WellRecord> {
        let noise = Noise::new(5);
        let record = |index: u64| {
            let level = |month: i32| {
                let own = noise.key(1 + index).key(month as u64).normal();
                let shared = noise.key(0).key(month as u64).normal();
                MonthlyLevel::of(FIRST.plus(month), common.sqrt() * shared + (1.0 - common).sqrt() * own)
            };
            let months: Vec<MonthlyLevel> = (0..360).map(level).collect();
            let district = if index.is_multiple_of(2) { "3001" } else { "3002" };
            let well: Arc<Well> = well(&format!("W{index}"), "30", district);
            WellRecord::of_months(well, Sense::Depth, &months)
        };
        (0..wells).map(record).collect()
    }

    fn found(wells: u64, common: f64, climates: u32) -> NormalClimate {
        let rules = NormalClimateRules { climates, ..NormalClimateRules::default() };
        let span = (FIRST, FIRST.plus(359));
        normal_climate(&records(wells, common), span, &HindcastConfig::default(), &rules)
    }

    #[test]
    fn many_wells_that_share_no_weather_are_never_low_together_and_few_are_by_chance() {
        let share = |of: &NormalClimate| of.flagged.map(|share| share.mean).unwrap();
        let (many, few) = (found(40, 0.0, 2), found(8, 0.0, 4));
        assert!(many.is_within_aim() && share(&many) < 0.005, "{many}");
        assert!(share(&few) > 2.0 * share(&many) && share(&few) > 0.005, "{few}");
        assert_eq!(few.by_wells.keys().copied().collect::<Vec<u32>>(), [0]);
        assert_eq!(many.by_wells.keys().copied().collect::<Vec<u32>>(), [20]);
    }

    #[test]
    fn wells_that_share_their_weather_are_low_as_often_as_one_of_them() {
        let found = found(40, 0.9, 3);
        let share = found.flagged.unwrap();
        assert!((0.02..0.20).contains(&share.mean), "{found}");
        assert!(found.claimed.unwrap().mean <= share.mean);
        assert_eq!(found.by_record[&0].flagged, 0, "a short record claims nothing severe");
        assert_eq!(found.judged, found.by_record.values().map(|of| of.judged).sum::<u64>());
        assert!((0.0..0.2).contains(&share.half_width().unwrap()));
    }

    #[test]
    fn the_seed_decides_and_one_climate_has_no_uncertainty() {
        assert_eq!(found(8, 0.5, 2), found(8, 0.5, 2));
        assert_eq!(found(8, 0.5, 1).flagged.unwrap().half_width(), None);
        assert_eq!(
            (band_of(&RECORD_BANDS, 14.9), band_of(&RECORD_BANDS, 15.0), band_of(&WELL_BANDS, 500.0)),
            (0, 15, 100)
        );
    }
}
