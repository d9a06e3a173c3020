//! The monthly levels of one well as the watch keeps them between runs: 1,000 wells × 25 years are about 25 MB.

use gwbank_indicator::{
    Assessment, CountedDay, DayLevel, DroughtJudgement, MonthRules, MonthStanding, Monthly, MonthlyLevel, Sense,
    ValueCounts, WellKind, judge_well, monthly_levels, standings,
};
use gwbank_model::{Month, Parameter};
use gwbank_registry::Well;
use gwbank_store::DailyValue;

use crate::config::WatchConfig;
use crate::wells;

/// A level parameter that a well may be followed by.
pub(crate) const LEVEL_PARAMETERS: [Parameter; 2] = [Parameter::DepthToWater, Parameter::GroundwaterElevation];

/// Judged months kept for places and for replaying an open flag: two years and a month.
pub(crate) const JUDGED_MONTHS: i32 = 25;

#[derive(Debug, Clone)]
pub(crate) struct WellSeries {
    pub parameter: Parameter,
    pub rules: MonthRules,
    pub kind: WellKind,
    /// Another level parameter has data too: which one counts must be decided anew from all of it.
    pub has_other: bool,
    pub months: Vec<MonthlyLevel>,
    pub closed_through: Month,
    pub judged: Vec<JudgedMonth>,
}

/// A closed month of a well, as places and flags need it.
#[derive(Debug, Clone)]
pub(crate) struct JudgedMonth {
    pub month: Month,
    pub standing: MonthStanding,
    pub judgement: Assessment<DroughtJudgement>,
}

impl WellSeries {
    /// From all days of all level parameters of the well. The parameter with more days counts, of equals the depth.
    pub fn of_days(well: &Well, days: &[DailyValue], closed_through: Month, config: &WatchConfig) -> Self {
        let (parameter, sense) = level_parameter(days);
        let rules = wells::month_rules(well, sense, config);
        let monthly = months_of(days, parameter, &rules);
        let mut series = Self {
            parameter,
            rules,
            kind: wells::kind(well),
            has_other: LEVEL_PARAMETERS.into_iter().all(|parameter| days_of(days, parameter) > 0),
            months: monthly.levels,
            closed_through,
            judged: Vec::new(),
        };
        series.judge(well, closed_through, config);
        series
    }

    /// This series with the months `from..=to` replaced by what these days amount to.
    pub fn with_days(
        &self,
        well: &Well,
        days: &[DailyValue],
        (from, to): (Month, Month),
        closed_through: Month,
        config: &WatchConfig,
    ) -> Self {
        let fresh = months_of(days, self.parameter, &self.rules).levels;
        let kept = |keep: fn(Month, (Month, Month)) -> bool| {
            self.months.iter().filter(move |m| keep(m.month, (from, to))).copied()
        };
        let mut months: Vec<MonthlyLevel> = kept(|month, (from, _)| month < from).collect();
        months.extend(fresh.into_iter().filter(|m| m.month >= from && m.month <= to));
        months.extend(kept(|month, (_, to)| month > to));
        let mut series = Self { months, ..self.without_judgements() };
        series.judge(well, closed_through, config);
        series
    }

    /// This series at a later closing, or after the well was registered otherwise in what leaves its months alone.
    pub fn judged_again(&self, well: &Well, closed_through: Month, config: &WatchConfig) -> Self {
        let mut series = Self { months: self.months.clone(), ..self.without_judgements() };
        series.judge(well, closed_through, config);
        series
    }

    pub fn standings(&self, config: &WatchConfig) -> Vec<MonthStanding> {
        standings(&self.months, self.closed_through, &config.standing)
    }

    pub fn judged(&self, month: Month) -> Option<&JudgedMonth> {
        self.judged.binary_search_by_key(&month, |judged| judged.month).ok().map(|index| &self.judged[index])
    }

    pub fn month(&self, month: Month) -> Option<&MonthlyLevel> {
        self.months.binary_search_by_key(&month, |level| level.month).ok().map(|index| &self.months[index])
    }

    /// The most closed years that any calendar month has.
    pub fn record_n(&self) -> u32 {
        let mut counts = [0u32; 12];
        for month in self.months.iter().filter(|m| m.month <= self.closed_through) {
            counts[month.month.month_of_year() as usize - 1] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    }

    fn without_judgements(&self) -> Self {
        Self { months: Vec::new(), judged: Vec::new(), rules: self.rules, ..*self }
    }

    fn judge(&mut self, well: &Well, closed_through: Month, config: &WatchConfig) {
        self.closed_through = closed_through;
        self.kind = wells::kind(well);
        let kind = self.kind;
        let first = closed_through.plus(1 - JUDGED_MONTHS);
        self.judged = self
            .standings(config)
            .into_iter()
            .filter(|standing| standing.month >= first && !standing.preliminary)
            .map(|standing| JudgedMonth {
                month: standing.month,
                standing,
                judgement: judge_well(kind, &standing, &config.drought),
            })
            .collect();
    }
}

fn days_of(days: &[DailyValue], parameter: Parameter) -> usize {
    days.iter().filter(|day| day.parameter == parameter && day.count + day.dry_count > 0).count()
}

/// By which of its level parameters a well is followed.
pub(crate) fn level_parameter(days: &[DailyValue]) -> (Parameter, Sense) {
    if days_of(days, Parameter::GroundwaterElevation) > days_of(days, Parameter::DepthToWater) {
        (Parameter::GroundwaterElevation, Sense::Elevation)
    } else {
        (Parameter::DepthToWater, Sense::Depth)
    }
}

pub(crate) fn months_of(days: &[DailyValue], parameter: Parameter, rules: &MonthRules) -> Monthly {
    monthly_levels(&counted_days(days, parameter), rules)
}

pub(crate) fn counted_days(days: &[DailyValue], parameter: Parameter) -> Vec<CountedDay> {
    days.iter()
        .filter(|day| day.parameter == parameter)
        .map(|day| CountedDay {
            level: DayLevel { day: day.day, mean: day.mean, count: day.count, dry_count: day.dry_count },
            counts: ValueCounts { values: day.count, approved: day.approved_count, good: day.good_count },
        })
        .collect()
}
