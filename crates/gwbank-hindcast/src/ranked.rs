//! The standing of a well's months, kept up to date month by month instead of computed anew.
//!
//! # Rules
//! 1. After each closing the standing of any month equals what [`gwbank_indicator::standings`] gives for the months known
//!    then, bit for bit; a property test holds the one against the other.
//! 2. Levels of each calendar month are kept sorted. A month that comes, changes or goes moves only its own calendar month's
//!    ranks, so of the judged months only those of that calendar month are judged again: three in 25.
//! 3. Judged are the latest 25 closed months, as in the live watch: what an open flag may look back on.

use gwbank_indicator::{Assessment, Basis};
use std::cmp::Ordering;

use gwbank_indicator::{
    DroughtClass, DroughtJudgement, DroughtRules, MonthStanding, MonthVerdict, MonthlyLevel, StandingRules, WellKind,
    judge_well, normal_quantile, standings,
};
use gwbank_model::Month;

use crate::known::{KeptLevel, Version};

/// Two years and a month, as the live watch keeps.
pub(crate) const JUDGED_MONTHS: i32 = 25;
const SLOTS: usize = JUDGED_MONTHS as usize;

/// What a judged month says, as flags and places need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct JudgedMonth {
    pub month: Month,
    pub claim: Option<Claim>,
    pub dry: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Claim {
    pub entry: DroughtClass,
    pub hold: DroughtClass,
    pub counts_for_places: bool,
}

impl Claim {
    fn of(judgement: &DroughtJudgement) -> Self {
        Self { entry: judgement.entry, hold: judgement.hold, counts_for_places: judgement.counts_for_places }
    }

    pub fn verdict(self) -> MonthVerdict {
        MonthVerdict { entry: self.entry.severity(), hold: self.hold.severity() }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    kind: WellKind,
    months: Vec<(Month, KeptLevel)>,
    /// By calendar month, ascending.
    reference: [Vec<f64>; 12],
    /// Closed months by calendar month, in the reference or not.
    counts: [u32; 12],
    lowest: f64,
    highest: f64,
    judged: [Option<JudgedMonth>; SLOTS],
    /// Calendar months whose ranks moved since the last judgement.
    moved: [bool; 12],
}

impl Ranked {
    pub fn new(kind: WellKind) -> Self {
        Self {
            kind,
            months: Vec::new(),
            reference: Default::default(),
            counts: [0; 12],
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            judged: [None; SLOTS],
            moved: [false; 12],
        }
    }

    /// Takes what became known of a month.
    pub fn take(&mut self, version: &Version, rules: &StandingRules) {
        let month = version.month;
        let calendar = calendar_index(month);
        let at = self.position(month);
        let before = match (at, version.level) {
            (Ok(at), Some(level)) => Some(std::mem::replace(&mut self.months[at].1, level)),
            (Ok(at), None) => Some(self.months.remove(at).1),
            (Err(at), Some(level)) => {
                self.months.insert(at, (month, level));
                None
            }
            (Err(_), None) => return,
        };
        self.moved[calendar] = true;
        let in_reference = is_in_reference(month, rules);
        if let Some(before) = before {
            self.counts[calendar] -= 1;
            if in_reference {
                remove_sorted(&mut self.reference[calendar], before.rank_value());
            }
            if before.level.is_some_and(|level| level <= self.lowest || level >= self.highest) {
                self.find_extremes();
            }
        }
        if let Some(now) = version.level {
            self.counts[calendar] += 1;
            if in_reference {
                insert_sorted(&mut self.reference[calendar], now.rank_value());
            }
            if let Some(level) = now.level {
                self.lowest = self.lowest.min(level);
                self.highest = self.highest.max(level);
            }
        }
    }

    /// Judges what moved since the last closing. `template` is any standing made with the same rules.
    pub fn judge(&mut self, closed_through: Month, template: &MonthStanding, rules: &Judging<'_>) {
        if !self.moved.contains(&true) {
            return;
        }
        let first = closed_through.plus(1 - JUDGED_MONTHS);
        for month in (first.index()..=closed_through.index()).map(Month::from_index) {
            if !self.moved[calendar_index(month)] {
                continue;
            }
            self.judged[slot(month)] = self.known(month).map(|level| {
                let standing = self.standing_of(month, level, template, rules.standing);
                let judgement = judge_well(self.kind, &standing, rules.drought);
                JudgedMonth { month, claim: judgement.value().map(Claim::of), dry: level.dry }
            });
        }
        self.moved = [false; 12];
    }

    /// One of the latest 25 closed months, where it has a level or was dry.
    pub fn judged(&self, month: Month) -> Option<&JudgedMonth> {
        self.judged[slot(month)].as_ref().filter(|judged| judged.month == month)
    }

    /// Standing and judgement of a closed month in full.
    pub fn standing(&self, month: Month, rules: &Judging<'_>) -> Option<(MonthStanding, Assessment<DroughtJudgement>)> {
        let level = self.known(month)?;
        // The position needs lowest and highest only, so two months of any calendar stand for the record.
        let mark = |before: i32, level: f64| {
            KeptLevel { level: Some(level), highest: None, dry: false }.at(month.plus(before))
        };
        let record = [mark(-2, self.lowest), mark(-1, self.highest), level.at(month)];
        let known = if self.lowest <= self.highest { &record[..] } else { &record[2..] };
        let template = standings(known, month, rules.standing).pop()?;
        let standing = self.standing_of(month, level, &template, rules.standing);
        Some((standing, judge_well(self.kind, &standing, rules.drought)))
    }

    /// The most closed years that any calendar month has.
    pub fn record_n(&self) -> u32 {
        self.counts.into_iter().max().unwrap_or(0)
    }

    fn known(&self, month: Month) -> Option<KeptLevel> {
        self.position(month).ok().map(|at| self.months[at].1)
    }

    /// Where the month stands, or belongs. Months are distinct, so it lies no farther from the end than it is old: without
    /// gaps the first place looked at is the one.
    fn position(&self, month: Month) -> Result<usize, usize> {
        let Some((last, _)) = self.months.last() else { return Err(0) };
        let Ok(age) = usize::try_from(last.index() - month.index()) else { return Err(self.months.len()) };
        let first = self.months.len().saturating_sub(1 + age);
        match self.months[first].0.cmp(&month) {
            Ordering::Equal => Ok(first),
            _ => {
                let found = self.months[first..].binary_search_by_key(&month, |(month, _)| *month);
                found.map(|at| first + at).map_err(|at| first + at)
            }
        }
    }

    fn standing_of(
        &self,
        month: Month,
        level: KeptLevel,
        template: &MonthStanding,
        rules: &StandingRules,
    ) -> MonthStanding {
        let levels = &self.reference[calendar_index(month)];
        let value = level.rank_value();
        let added = usize::from(!is_in_reference(month, rules));
        let below = levels.partition_point(|&other| other < value);
        let equal = levels[below..].iter().take_while(|&&other| other <= value).count();
        let n = levels.len() + added;
        let rank = (below + 1 + below + equal + added) as f64 / 2.0;
        let n_count = u32::try_from(n).unwrap_or(u32::MAX);
        let full = f64::from(rules.full_confidence_n.max(1));
        let closed: u32 = self.counts.iter().sum();
        let basis = Basis {
            n: n_count,
            years: f64::from(closed) / 12.0,
            confidence: (f64::from(n_count) / full).min(1.0),
            ..Basis::NOTHING
        };
        // Of a standing only its author knows rules and position; everything else is replaced.
        let mut standing = *template;
        standing.month = month;
        standing.level = level.level;
        standing.dry = level.dry;
        standing.preliminary = false;
        standing.basis = basis;
        standing.rank = rank;
        standing.sgi_raw = normal_quantile((rank - 0.5) / n as f64);
        standing.percentile_raw = (100.0 * rank) / (n as f64 + 1.0);
        standing
    }

    fn find_extremes(&mut self) {
        let levels = || self.months.iter().filter_map(|(_, kept)| kept.level);
        self.lowest = levels().fold(f64::INFINITY, f64::min);
        self.highest = levels().fold(f64::NEG_INFINITY, f64::max);
    }
}

/// The rules that a well's month is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judging<'a> {
    pub standing: &'a StandingRules,
    pub drought: &'a DroughtRules,
}

/// A standing made with these rules, whose numbers are to be replaced.
pub(crate) fn template(rules: &StandingRules) -> Option<MonthStanding> {
    let month = Month::new(2000, 1);
    standings(&[MonthlyLevel::of(month, 0.0)], month, rules).pop()
}

fn calendar_index(month: Month) -> usize {
    month.month_of_year() as usize - 1
}

fn slot(month: Month) -> usize {
    month.index().rem_euclid(JUDGED_MONTHS) as usize
}

fn is_in_reference(month: Month, rules: &StandingRules) -> bool {
    rules.baseline.is_none_or(|(from, to)| month >= from && month <= to)
}

fn insert_sorted(levels: &mut Vec<f64>, value: f64) {
    let at = levels.partition_point(|other| other.total_cmp(&value).is_lt());
    levels.insert(at, value);
}

fn remove_sorted(levels: &mut Vec<f64>, value: f64) {
    let at = levels.partition_point(|other| other.total_cmp(&value).is_lt());
    if levels.get(at).is_some_and(|found| found.total_cmp(&value).is_eq()) {
        levels.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_indicator::Bank;
    use proptest::prelude::*;

    const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
    const FIRST: Month = Month::new(1990, 1);

    /// Whole centimetres, so that there are ties; now and then dry to an unknown depth.
    fn any_level() -> impl Strategy<Value = Option<KeptLevel>> {
        prop_oneof![
            8 => (-40i32..40).prop_map(|cm| Some(Some(f64::from(cm) / 100.0))),
            1 => Just(Some(None)),
            1 => Just(None),
        ]
        .prop_map(|level| level.map(|level| KeptLevel { level, highest: None, dry: level.is_none() }))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn equals_the_plain_computation_at_every_closing(
            in_time in proptest::collection::vec(any_level(), 1..320),
            late in proptest::collection::vec((any::<prop::sample::Index>(), 0i32..60, any_level()), 0..40),
            baseline in proptest::option::of((0i32..100, 100i32..300)),
        ) {
            let mut versions: Vec<Version> = in_time
                .iter()
                .zip(0..)
                .map(|(&level, i)| Version { closing: FIRST.plus(i), month: FIRST.plus(i), level })
                .collect();
            versions.extend(late.iter().map(|(of, delay, level)| {
                let month = FIRST.plus(of.index(in_time.len()) as i32);
                Version { closing: month.plus(*delay), month, level: *level }
            }));
            versions.sort_by_key(|version| (version.closing, version.month));
            let standing = StandingRules {
                baseline: baseline.map(|(from, to)| (FIRST.plus(from), FIRST.plus(to))),
                ..StandingRules::default()
            };
            let drought = DroughtRules::default();
            let rules = Judging { standing: &standing, drought: &drought };
            let template = template(&standing).unwrap();
            let mut ranked = Ranked::new(WELL);
            let mut known = std::collections::BTreeMap::new();
            let mut next = 0;
            for closing in (0..in_time.len() as i32 + 70).map(|i| FIRST.plus(i)) {
                while let Some(version) = versions.get(next).filter(|version| version.closing == closing) {
                    ranked.take(version, &standing);
                    match version.level {
                        Some(level) => known.insert(version.month, level),
                        None => known.remove(&version.month),
                    };
                    next += 1;
                }
                ranked.judge(closing, &template, &rules);
                let months: Vec<MonthlyLevel> = known.iter().map(|(month, level)| level.at(*month)).collect();
                let plain = standings(&months, closing, &standing);
                let first = closing.plus(1 - JUDGED_MONTHS);
                for month in (first.index()..=closing.index()).map(Month::from_index) {
                    let expected = plain.iter().find(|standing| standing.month == month);
                    let found = ranked.standing(month, &rules).map(|(standing, _)| standing);
                    prop_assert_eq!(found.as_ref(), expected);
                    let judged = expected.map(|expected| JudgedMonth {
                        month,
                        claim: judge_well(WELL, expected, &drought).value().map(Claim::of),
                        dry: expected.dry,
                    });
                    prop_assert_eq!(ranked.judged(month), judged.as_ref());
                }
            }
        }
    }
}
