//! The salinity flag of one well, followed through its whole record.
//!
//! # Rules
//! 1. What is judged is the median of the daily medians of the last seven days, on every day with a value; three of the
//!    seven days must have one, so that no single bad sample raises anything. A well that is usually sampled more rarely
//!    is judged by the time that three of its samples take, up to four months: INDICATORS speaks of probes only, and a
//!    monthly sample by hand would never raise a flag.
//! 2. The baseline is the median of all days of the *earlier* occurrences of the same season (wet or dry), twelve at
//!    least. Without one nothing is raised: the class alone is shown.
//! 3. Watch: a rise of at least 20 % and 300 µS/cm. Warning: the next display class above that of the baseline, by at
//!    least 10 % of its limit, held for seven days. Severe: twice the baseline and at least 1,500 µS/cm; or a warning
//!    whose rise began within 30 days after recharge ("or after recharge" of INDICATORS: the bank itself may bring the
//!    salt).
//! 4. A severity ends after 14 days more than 10 % below its limit. Days without readings end nothing.
//! 5. A well whose baseline is เค็ม has always been salt: class, no flag.
//!
//! Limits of rules 3 and 4 are INDICATORS.md's; no agency's flag of this kind is known to us.
//!
//! # Known weaknesses
//! A rise over many years lifts its own baseline: that is the business of [`trend`](super::trend). Where one season is
//! always salt and the other never, each is compared with itself only.

use std::collections::VecDeque;

use gwbank_model::condition::Severity;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Month, Timestamp};

use super::baseline::{Baseline, DailyMedian, Season, by_season, daily_medians, season_of};
use super::{DisplayClass, ScienceClass, TdsFactor};
use crate::calendar::WetSeason;
use crate::robust::median;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SalinityRules {
    pub factor: TdsFactor,
    pub offset_seconds: i32,
    pub window_days: i32,
    /// Days with a value in a window that make it one.
    pub window_values_min: usize,
    /// The longest window of a well that is sampled rarely.
    pub rare_window_days_max: i32,
    pub baseline_values_min: usize,
    pub watch_rise_share: f64,
    pub watch_rise_us_cm: f64,
    /// How far beyond the limit of a class it is one for sure.
    pub class_margin_share: f64,
    pub class_hold_days: i32,
    pub severe_ratio: f64,
    pub severe_us_cm_min: f64,
    /// A rise that begins so soon after recharge comes after it.
    pub after_recharge_days: i32,
    pub exit_margin_share: f64,
    pub exit_days: i32,
}

impl Default for SalinityRules {
    fn default() -> Self {
        Self {
            factor: TdsFactor::USUAL,
            offset_seconds: BANGKOK_OFFSET_SECONDS,
            window_days: 7,
            window_values_min: 3,
            rare_window_days_max: 120,
            baseline_values_min: 12,
            watch_rise_share: 0.20,
            watch_rise_us_cm: 300.0,
            class_margin_share: 0.10,
            class_hold_days: 7,
            severe_ratio: 2.0,
            severe_us_cm_min: 1_500.0,
            after_recharge_days: 30,
            exit_margin_share: 0.10,
            exit_days: 14,
        }
    }
}

/// Which rule a severity came from, and its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SalinityMet {
    pub severity: Severity,
    /// `rise`, `class_change`, `doubled` or `after_recharge`.
    pub rule: &'static str,
    /// EC at 25 °C, µS/cm.
    pub limit_us_cm: f64,
}

/// A change of severity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SalinityStep {
    pub day: Day,
    /// The median that made it.
    pub ec_25: f64,
    pub baseline: Baseline,
    pub from: Option<Severity>,
    pub to: Option<Severity>,
    /// For raises and escalations.
    pub met: Option<SalinityMet>,
}

/// The water as it is now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SalinityNow {
    pub day: Day,
    /// Median of the window.
    pub ec_25: f64,
    pub tds_mg_l: f64,
    pub science: ScienceClass,
    pub display: DisplayClass,
    /// `None`: too few values of earlier years, nothing can be raised.
    pub baseline: Option<Baseline>,
    /// Rule 5.
    pub always_saline: bool,
}

/// Where the record leaves the well.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SalinityTrack {
    pub severity: Option<Severity>,
    pub steps: Vec<SalinityStep>,
    /// The day on which the present condition was raised.
    pub since: Option<Day>,
    /// At the last day with a value, whether or not its window had enough of them for a flag; `None` without any.
    pub now: Option<SalinityNow>,
}

/// Follows a well through its whole record: since when its water is saltier than it usually is, and how much.
///
/// - **Formula**: with m the median of the daily medians of the last seven days (or of what three samples usually take) and b
///   the [`Baseline`], the median of all days of the earlier occurrences of the same season: watch from
///   max(1.2 b, b + 300); warning from 1.1 × the EC of the upper limit of b's display class, held for seven days; severe from
///   max(2 b, 1,500), or at warning where the rise began within 30 days after a recharge. A severity ends after 14 days below
///   0.9 × its limit.
/// - **Unit**: µS/cm at 25 °C. `recharges` are the instants at which water was put in (fills of the bank, inflow).
/// - **Shape**: readings and recharges in any order; what is not finite, or negative, is left out. Pure: late readings change
///   the track as if they had come in time. [`SalinityTrack::now`] is `None` without a reading.
/// - **Source**: this project's (INDICATORS.md); no agency's flag of this kind is known to us. Display classes by
///   [`DisplayClass`], dissolved solids by [`TdsFactor`].
/// - **Limits**: those of [`SalinityRules`]: three of the seven days with a value; twelve days of earlier years for a baseline,
///   without which nothing is raised; always saline wells have a class and no flag.
/// - **Weak**: a rise over many years lifts its own baseline, and each season is compared with itself alone; a well that is
///   sampled by hand is told of months after the salt came.
///
/// ```
/// use gwbank_indicator::{WetSeason, salinity::{DisplayClass, SalinityRules, follow}};
/// use gwbank_model::{Month, condition::Severity};
///
/// // Two years at 600 µS/cm, then 2,000 in the last month.
/// let first = Month::new(2024, 1).first_day();
/// let readings: Vec<_> = (0..760)
///     .map(|day| (first.start(7 * 3600).plus_secs(day * 86_400), if day < 730 { 600.0 } else { 2000.0 }))
///     .collect();
/// let track = follow(WetSeason::MayToOctober, &readings, &[], &SalinityRules::default());
/// assert_eq!(track.severity, Some(Severity::Severe));
/// let now = track.now.unwrap();
/// assert_eq!((now.display, now.baseline.unwrap().ec_25), (DisplayClass::Brackish, 600.0));
/// assert_eq!(track.steps[0].met.unwrap().rule, "doubled");
/// ```
pub fn follow(
    wet: WetSeason,
    readings: &[(Timestamp, f64)],
    recharges: &[Timestamp],
    rules: &SalinityRules,
) -> SalinityTrack {
    let days = daily_medians(readings, rules.offset_seconds);
    let recharge_days: Vec<Day> = recharges.iter().map(|time| time.day(rules.offset_seconds)).collect();
    SalinityFollower::of_record(wet, &days, &recharge_days, None, rules).track
}

/// A well followed through its closed months, to be followed on through the open ones without reading them again.
///
/// - **Formula, unit, source, limits**: those of [`follow`].
/// - **Shape**: daily medians ascending by day ([`daily_medians`]), each day once: those of the closed months for
///   [`of_record`](Self::of_record), those of the open ones for [`followed_on`](Self::followed_on), which leaves the follower as
///   it is. The usual interval of the samples and the baselines are those of the closed months, so that the track of an open month
///   depends on what is stored and on which months have closed, and on nothing else.
/// - **Weak**: as [`follow`]; and baselines reach six months beyond the last closed one, later days have none.
///
/// ```
/// use gwbank_indicator::{WetSeason, salinity::{DailyMedian, SalinityFollower, SalinityRules}};
/// use gwbank_model::{Day, Month, condition::Severity};
///
/// let first = Month::new(2024, 1).first_day().0;
/// let day = |offset: i32, value| DailyMedian { day: Day(first + offset), value, count: 1 };
/// let closed: Vec<DailyMedian> = (0..731).map(|offset| day(offset, 600.0)).collect();
/// let rules = SalinityRules::default();
/// let follower = SalinityFollower::of_record(WetSeason::MayToOctober, &closed, &[], Some(Month::new(2025, 12)), &rules);
/// let track = follower.followed_on(&[day(731, 2000.0), day(732, 2000.0), day(733, 2000.0), day(734, 2000.0)], &[]);
/// assert_eq!(track.severity, Some(Severity::Severe));
/// assert_eq!(follower.followed_on(&[], &[]).severity, None, "the follower itself stays where it was");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SalinityFollower {
    wet: WetSeason,
    rules: SalinityRules,
    window_days: i64,
    /// The days that a window may still reach.
    recent: VecDeque<DailyMedian>,
    /// Of the seasons that may still come, by season and the year in which it begins.
    baselines: Vec<((Season, i32), Option<Baseline>)>,
    recharge_days: Vec<i64>,
    held: Held,
    track: SalinityTrack,
}

/// Months after the last closed one for which baselines are kept: one closes within five weeks.
const MONTHS_AHEAD: i32 = 6;

impl SalinityFollower {
    /// Follows daily medians of EC at 25 °C (µS/cm), ascending by day, of the months up to `closed_through` (`None`: of
    /// all). `recharge_days` are those on which water was put in, in any order.
    pub fn of_record(
        wet: WetSeason,
        days: &[DailyMedian],
        recharge_days: &[Day],
        closed_through: Option<Month>,
        rules: &SalinityRules,
    ) -> Self {
        let seasons = by_season(days, wet);
        let ahead = closed_through.into_iter().flat_map(|last| (1..=MONTHS_AHEAD).map(move |n| last.plus(n)));
        let mut of_seasons: Vec<(Season, i32)> =
            days.iter().map(|day| day.day.month()).chain(ahead).map(|month| season_of(wet, month)).collect();
        of_seasons.sort_unstable();
        of_seasons.dedup();
        let baseline =
            |(season, year)| ((season, year), Baseline::before(&seasons, season, year, rules.baseline_values_min));
        let mut follower = Self {
            wet,
            rules: *rules,
            window_days: window_days(days, rules),
            recent: VecDeque::new(),
            baselines: of_seasons.into_iter().map(baseline).collect(),
            recharge_days: recharge_days.iter().map(|day| i64::from(day.0)).collect(),
            held: Held::default(),
            track: SalinityTrack::default(),
        };
        days.iter().for_each(|day| follower.day(*day));
        // What lies behind is not asked for any more.
        if let Some(last) = closed_through {
            let next = season_of(wet, last.plus(1));
            let years_kept = next.1 - 1;
            follower.baselines.retain(|((_, year), _)| *year >= years_kept);
            let reach = i64::from(last.plus(1).first_day().0) - i64::from(rules.after_recharge_days);
            follower.recharge_days.retain(|day| *day >= reach);
            follower.recharge_days.shrink_to_fit();
        }
        follower
    }

    /// The track after the days of the open months, ascending, and the recharges of these.
    pub fn followed_on(&self, days: &[DailyMedian], recharge_days: &[Day]) -> SalinityTrack {
        let mut follower = self.clone();
        follower.recharge_days.extend(recharge_days.iter().map(|day| i64::from(day.0)));
        days.iter().for_each(|day| follower.day(*day));
        follower.track
    }

    /// The track through the closed months.
    pub fn track(&self) -> &SalinityTrack {
        &self.track
    }

    /// Days that a judged median reaches back: seven, or what three samples of the well usually take.
    pub fn window_days(&self) -> i64 {
        self.window_days
    }

    fn day(&mut self, day: DailyMedian) {
        let from = i64::from(day.day.0) - self.window_days;
        while self.recent.front().is_some_and(|first| i64::from(first.day.0) <= from) {
            self.recent.pop_front();
        }
        self.recent.push_back(day);
        let mut values: Vec<f64> = self.recent.iter().map(|other| other.value).collect();
        let enough = values.len() >= self.rules.window_values_min;
        let Some(ec_25) = median(&mut values) else { return };
        let season = season_of(self.wet, day.day.month());
        let known = self.baselines.binary_search_by_key(&season, |(season, _)| *season);
        let baseline = known.ok().and_then(|index| self.baselines[index].1);
        let Some(now) = state(day.day, ec_25, baseline, &self.rules) else { return };
        self.track.now = Some(now);
        let Some(baseline) = baseline.filter(|_| enough) else { return };
        if now.always_saline {
            self.track.change(day.day, ec_25, baseline, None, None);
        } else {
            let limits = Limits::of(baseline, &self.rules);
            self.held.see(&now, &limits, &self.recharge_days, self.window_days, &self.rules);
            self.track.judge(&now, baseline, &limits, &self.held, &self.rules);
        }
    }
}

/// Seven days, or what three samples usually take.
fn window_days(days: &[DailyMedian], rules: &SalinityRules) -> i64 {
    let mut steps: Vec<i64> = days.windows(2).map(|pair| days_between(pair[0].day, pair[1].day)).collect();
    let middle = steps.len() / 2;
    let usual = if steps.is_empty() { 1 } else { *steps.select_nth_unstable(middle).1 };
    let of_samples = usual.saturating_mul(rules.window_values_min as i64).min(i64::from(rules.rare_window_days_max));
    of_samples.max(i64::from(rules.window_days))
}

fn state(day: Day, ec_25: f64, baseline: Option<Baseline>, rules: &SalinityRules) -> Option<SalinityNow> {
    let tds_mg_l = rules.factor.tds_mg_l(ec_25)?;
    let of_baseline =
        baseline.and_then(|baseline| rules.factor.tds_mg_l(baseline.ec_25)).and_then(DisplayClass::of_tds);
    Some(SalinityNow {
        day,
        ec_25,
        tds_mg_l,
        science: ScienceClass::of_tds(tds_mg_l)?,
        display: DisplayClass::of_tds(tds_mg_l)?,
        baseline,
        always_saline: of_baseline == Some(DisplayClass::Saline),
    })
}

/// From which conductivity on the well speaks.
struct Limits {
    rise: f64,
    /// `None` where no class lies above that of the baseline.
    class_change: Option<f64>,
    doubled: f64,
}

impl Limits {
    fn of(baseline: Baseline, rules: &SalinityRules) -> Self {
        let usual = baseline.ec_25;
        let class_limit = rules
            .factor
            .tds_mg_l(usual)
            .and_then(DisplayClass::of_tds)
            .and_then(DisplayClass::upper_limit_mg_l)
            .map(|tds| rules.factor.ec_25_of(tds));
        Self {
            rise: (usual * (1.0 + rules.watch_rise_share)).max(usual + rules.watch_rise_us_cm),
            class_change: class_limit.map(|limit| limit * (1.0 + rules.class_margin_share)),
            doubled: (usual * rules.severe_ratio).max(rules.severe_us_cm_min),
        }
    }

    /// The limit of a severity; of a class change after recharge, that of the class.
    fn of_severity(&self, severity: Severity, after_recharge: bool) -> f64 {
        let class_change = self.class_change.unwrap_or(f64::INFINITY);
        match severity {
            Severity::Watch => self.rise,
            Severity::Warning => class_change,
            Severity::Severe | Severity::Extreme if after_recharge => class_change.min(self.doubled),
            Severity::Severe | Severity::Extreme => self.doubled,
        }
    }
}

/// Since when the water has been on one side of each limit.
#[derive(Debug, Clone, PartialEq, Default)]
struct Held {
    last: Option<Day>,
    class_change_since: Option<Day>,
    after_recharge: bool,
    /// By code of the severity.
    beyond_exit_since: [Option<Day>; Severity::ALL.len() + 1],
}

impl Held {
    fn see(
        &mut self,
        now: &SalinityNow,
        limits: &Limits,
        recharge_days: &[i64],
        window_days: i64,
        rules: &SalinityRules,
    ) {
        // Nobody knows what the water did while nobody looked.
        if self.last.is_some_and(|last| days_between(last, now.day) > window_days) {
            *self = Held::default();
        }
        self.last = Some(now.day);
        if limits.class_change.is_none_or(|limit| now.ec_25 < limit) {
            self.class_change_since = None;
            self.after_recharge = false;
        } else if self.class_change_since.is_none() {
            self.class_change_since = Some(now.day);
            let began = i64::from(now.day.0);
            let soon = began - i64::from(rules.after_recharge_days)..=began;
            self.after_recharge = recharge_days.iter().any(|day| soon.contains(day));
        }
        for severity in Severity::ALL {
            let limit = limits.of_severity(*severity, self.after_recharge);
            let since = &mut self.beyond_exit_since[usize::from(severity.code())];
            if now.ec_25 < limit * (1.0 - rules.exit_margin_share) {
                since.get_or_insert(now.day);
            } else {
                *since = None;
            }
        }
    }

    fn has_left(&self, severity: Severity, today: Day, rules: &SalinityRules) -> bool {
        self.beyond_exit_since[usize::from(severity.code())]
            .is_some_and(|since| days_between(since, today) >= i64::from(rules.exit_days))
    }

    fn met(&self, now: &SalinityNow, limits: &Limits, rules: &SalinityRules) -> Option<SalinityMet> {
        let met = |severity, rule, limit_us_cm| Some(SalinityMet { severity, rule, limit_us_cm });
        if now.ec_25 >= limits.doubled {
            return met(Severity::Severe, "doubled", limits.doubled);
        }
        let changed = self
            .class_change_since
            .is_some_and(|since| days_between(since, now.day) >= i64::from(rules.class_hold_days));
        match limits.class_change.filter(|_| changed) {
            Some(limit) if self.after_recharge => met(Severity::Severe, "after_recharge", limit),
            Some(limit) => met(Severity::Warning, "class_change", limit),
            None if now.ec_25 >= limits.rise => met(Severity::Watch, "rise", limits.rise),
            None => None,
        }
    }
}

impl SalinityTrack {
    fn judge(&mut self, now: &SalinityNow, baseline: Baseline, limits: &Limits, held: &Held, rules: &SalinityRules) {
        let met = held.met(now, limits, rules);
        if met.is_some_and(|met| Some(met.severity) > self.severity) {
            self.change(now.day, now.ec_25, baseline, met.map(|met| met.severity), met);
        }
        if let Some(present) = self.severity
            && held.has_left(present, now.day, rules)
        {
            let below = Severity::ALL.iter().rev().copied().filter(|severity| *severity < present);
            let next = below.into_iter().find(|severity| !held.has_left(*severity, now.day, rules));
            self.change(now.day, now.ec_25, baseline, next, None);
        }
    }

    fn change(&mut self, day: Day, ec_25: f64, baseline: Baseline, to: Option<Severity>, met: Option<SalinityMet>) {
        if to == self.severity {
            return;
        }
        self.steps.push(SalinityStep { day, ec_25, baseline, from: self.severity, to, met });
        self.since = if to.is_none() { None } else { self.since.or(Some(day)) };
        self.severity = to;
    }
}

fn days_between(from: Day, to: Day) -> i64 {
    i64::from(to.0) - i64::from(from.0)
}

#[cfg(test)]
mod tests;
