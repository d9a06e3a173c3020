//! Water that rises quickly, and when it would reach the ground.
//!
//! # Rules
//! 1. Readings are depths below ground in metres, positive down, in any order; of good quality, as
//!    [`counts`](crate::flood::counts) says. What is not finite is left out, of two at one time the deeper counts.
//! 2. **Rapid change**: the rise over 6 h or over 24 h up to the latest reading lies above the larger of 0.5 m and the
//!    median of the highest such rises of the past wet seasons. A watch for the operator, never a message to a province:
//!    it may be a flood, a broken pipe, or a sensor that somebody lifted.
//! 3. **Time to ground**: the water has risen steadily for at least 6 h (at least 4 readings), stands at most 1.5 m deep
//!    and the bank is not filling: depth over rate of rise. A watch; a warning only where the water also stands at or above
//!    the well's own flood warning depth.
//!
//! Limits are INDICATORS.md's (after the Environment Agency's and Wessex Water's practice of absolute levels with a rate of
//! rise beside them); those that it leaves open say so at [`RapidRules`].

use std::collections::BTreeMap;

use gwbank_model::condition::Severity;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};

use crate::calendar::WetSeason;
use crate::robust::median;

const HOUR: i64 = 3_600_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RapidRules {
    pub offset_seconds: i32,
    pub windows_hours: [i64; 2],
    /// So much longer than its name a window may be, so that daily readings a few minutes late still have one.
    pub window_slack_minutes: i64,
    pub rise_min_m: f64,
    pub steady_hours: i64,
    pub steady_readings: usize,
    /// A reading that lies deeper than the one before by no more than that is noise. INDICATORS is silent; three times the
    /// noise of a good sensor.
    pub noise_m: f64,
    /// A smaller rise over the steady stretch is none. INDICATORS is silent; five times the noise.
    pub steady_rise_min_m: f64,
    pub ground_depth_max_m: f64,
    /// Water that needs longer to the ground raises nothing. INDICATORS is silent; no rise goes on unchanged for three days.
    pub horizon_hours: f64,
    /// So long after the last reading that met it a time to ground ends: as other conditions of high groundwater.
    pub ground_exit_hours: i64,
    /// The same of a rapid change. INDICATORS is silent; the longest of its windows.
    pub rapid_exit_hours: i64,
}

impl Default for RapidRules {
    fn default() -> Self {
        Self {
            offset_seconds: BANGKOK_OFFSET_SECONDS,
            windows_hours: [6, 24],
            window_slack_minutes: 30,
            rise_min_m: 0.5,
            steady_hours: 6,
            steady_readings: 4,
            noise_m: 0.01,
            steady_rise_min_m: 0.05,
            ground_depth_max_m: 1.5,
            horizon_hours: 72.0,
            ground_exit_hours: 6,
            rapid_exit_hours: 24,
        }
    }
}

/// The median over past wet seasons of the highest rise within each of the two windows, in metres.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct UsualRises {
    /// In the order of [`RapidRules::windows_hours`]; `None` before the first whole wet season.
    pub rises_m: [Option<f64>; 2],
    pub seasons: usize,
}

/// What the well's past wet seasons had as their highest rises.
///
/// - **Formula**: for each window the median over the seasons of the largest `max(depth over the window) − depth`. **Unit**: m.
///   **Shape**: depths below ground, m, in any order; the season of the latest reading is left out.
/// - **Source, limits**: INDICATORS.md; windows of 6 and 24 h ([`RapidRules`]).
/// - **Weak**: one past season is its own median; a season with a gap at its storm looks calm.
///
/// ```
/// use gwbank_indicator::{WetSeason, rapid::{RapidRules, usual_rises}};
/// use gwbank_model::Timestamp;
/// let at = |text| Timestamp::parse_rfc3339(text).unwrap();
/// let readings = [
///     (at("2024-08-01T00:00:00+07:00"), 4.0),
///     (at("2024-08-01T06:00:00+07:00"), 3.2),
///     (at("2025-08-01T00:00:00+07:00"), 4.0),
/// ];
/// let usual = usual_rises(WetSeason::MayToOctober, &readings, &RapidRules::default());
/// assert_eq!(usual.seasons, 1);
/// assert!((usual.rises_m[0].unwrap() - 0.8).abs() < 1e-12);
/// ```
pub fn usual_rises(wet: WetSeason, readings: &[(Timestamp, f64)], rules: &RapidRules) -> UsualRises {
    let readings = in_order(readings);
    let Some(&(latest, _)) = readings.last() else { return UsualRises::default() };
    let present = wet.present_season_year(latest.month(rules.offset_seconds));
    let mut seasons: BTreeMap<i32, [Option<f64>; 2]> = BTreeMap::new();
    for (index, &(time, _)) in readings.iter().enumerate() {
        let Some(year) = wet.season_year(time.month(rules.offset_seconds)).filter(|year| *year < present) else {
            continue;
        };
        let highest = seasons.entry(year).or_default();
        for (highest, hours) in highest.iter_mut().zip(rules.windows_hours) {
            if let Some(rise) = rise_over(&readings[..=index], hours, rules) {
                *highest = Some(highest.map_or(rise, |h| h.max(rise)));
            }
        }
    }
    let of_window = |window: usize| {
        let mut highest: Vec<f64> = seasons.values().filter_map(|rises| rises[window]).collect();
        median(&mut highest)
    };
    UsualRises { rises_m: [of_window(0), of_window(1)], seasons: seasons.len() }
}

/// A rise that the well does not usually have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RapidChange {
    pub at: Timestamp,
    pub hours: i64,
    pub rise_m: f64,
    pub limit_m: f64,
}

impl RapidChange {
    /// To the operator.
    pub const SEVERITY: Severity = Severity::Watch;
}

/// Whether the latest reading completes a rapid change.
///
/// - **Formula**: `max(depth over the window) − depth now > max(0.5 m, usual)`, over the last 6 h, else over the last 24 h.
/// - **Unit**: m. **Shape**: depths below ground in any order; `None` where it does not.
/// - **Source**: absolute levels with a rate of rise beside them, as the Environment Agency and Wessex Water have. **Limits**:
///   INDICATORS.md, in [`RapidRules`].
/// - **Weak**: a sensor that was lifted looks the same; the reading after it does not take it back.
///
/// ```
/// use gwbank_indicator::rapid::{RapidRules, UsualRises, rapid_change};
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// let readings = [(hour(0), 4.1), (hour(3), 3.8), (hour(6), 3.4)];
/// let found = rapid_change(&readings, &UsualRises::default(), &RapidRules::default()).unwrap();
/// assert_eq!((found.hours, found.limit_m), (6, 0.5));
/// let usual = UsualRises { rises_m: [Some(0.9), Some(1.2)], seasons: 5 };
/// assert_eq!(rapid_change(&readings, &usual, &RapidRules::default()), None);
/// ```
pub fn rapid_change(readings: &[(Timestamp, f64)], usual: &UsualRises, rules: &RapidRules) -> Option<RapidChange> {
    change(&in_order(readings), usual, rules)
}

/// Readings in order of time.
fn change(readings: &[(Timestamp, f64)], usual: &UsualRises, rules: &RapidRules) -> Option<RapidChange> {
    let &(at, _) = readings.last()?;
    rules.windows_hours.into_iter().zip(usual.rises_m).find_map(|(hours, usual)| {
        let limit_m = usual.map_or(rules.rise_min_m, |usual| usual.max(rules.rise_min_m));
        let rise_m = rise_over(readings, hours, rules)?;
        (rise_m > limit_m).then_some(RapidChange { at, hours, rise_m, limit_m })
    })
}

/// How far the last reading lies above the deepest of the window that ends with it; `None` where it is alone.
fn rise_over(readings: &[(Timestamp, f64)], hours: i64, rules: &RapidRules) -> Option<f64> {
    let (&(time, depth), before) = readings.split_last()?;
    let from = time.plus_micros(-(hours * HOUR + rules.window_slack_minutes * (HOUR / 60)));
    let deepest = before.iter().rev().take_while(|(other, _)| *other >= from).map(|(_, other)| *other);
    deepest.reduce(f64::max).map(|deepest| deepest - depth)
}

/// Whether water is being put into the well's bank: then it rises by design. The field
/// [`filling`](crate::flood::FloodTrack::filling) tells it of open banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    No,
    Yes,
}

/// Water on its way to the ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeToGround {
    pub at: Timestamp,
    pub depth_m: f64,
    pub rise_m_per_hour: f64,
    /// Zero where the water stands at the ground already.
    pub hours: f64,
    pub severity: Severity,
}

/// When the water reaches the ground if it goes on as over its steady rise.
///
/// - **Formula**: `hours = depth / rate`, the rate being the median slope of all pairs of readings of the rise. **Unit**: m, m/h, h.
///   **Shape**: depths below ground in any order; `None` where it does not rise steadily, lies too deep, is put in, or needs
///   longer than the horizon.
/// - **Source**: Sen 1968 for the slope. **Limits**: 6 h, 4 readings and 1.5 m of INDICATORS.md; noise, least rise and the horizon
///   of 72 h are this project's ([`RapidRules`]).
/// - **Weak**: near the ground water rises slower (it spreads, and the pores are larger), so the true time is later; it errs to
///   the safe side.
///
/// ```
/// use gwbank_indicator::rapid::{Filling, RapidRules, time_to_ground};
/// use gwbank_model::{Timestamp, condition::Severity};
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// let readings = [(hour(0), 1.4), (hour(2), 1.3), (hour(4), 1.2), (hour(6), 1.1)];
/// let rules = RapidRules::default();
/// let found = time_to_ground(&readings, Filling::No, None, &rules).unwrap();
/// assert_eq!((found.hours.round(), found.severity), (22.0, Severity::Watch));
/// let found = time_to_ground(&readings, Filling::No, Some(1.2), &rules).unwrap();
/// assert_eq!(found.severity, Severity::Warning);
/// assert_eq!(time_to_ground(&readings, Filling::Yes, Some(1.2), &rules), None);
/// ```
pub fn time_to_ground(
    readings: &[(Timestamp, f64)],
    filling: Filling,
    flood_warning_depth_m: Option<f64>,
    rules: &RapidRules,
) -> Option<TimeToGround> {
    to_ground(&in_order(readings), filling, flood_warning_depth_m, rules)
}

/// Readings in order of time.
fn to_ground(
    readings: &[(Timestamp, f64)],
    filling: Filling,
    flood_warning_depth_m: Option<f64>,
    rules: &RapidRules,
) -> Option<TimeToGround> {
    let &(at, depth_m) = readings.last()?;
    if filling == Filling::Yes || depth_m > rules.ground_depth_max_m {
        return None;
    }
    let rise = steady_rise(readings, rules)?;
    let rise_m_per_hour = median_rise_per_hour(rise)?;
    if rise_m_per_hour <= 0.0 {
        return None;
    }
    let hours = depth_m.max(0.0) / rise_m_per_hour;
    let is_warning = flood_warning_depth_m.is_some_and(|limit| depth_m <= limit);
    let severity = if is_warning { Severity::Warning } else { Severity::Watch };
    (hours <= rules.horizon_hours).then_some(TimeToGround { at, depth_m, rise_m_per_hour, hours, severity })
}

/// How fast the water rises.
///
/// - **Formula**: median slope of all pairs of readings of the shortest stretch up to the latest that has at least 6 h and 4
///   readings. **Unit**: m/h, negative where it falls. **Shape**: depths below ground in any order; `None` without such a stretch,
///   or with a gap in it.
/// - **Source**: Sen 1968. **Limits**: as [`time_to_ground`].
/// - **Weak**: over a stretch that first rises and then falls it is near zero.
///
/// ```
/// use gwbank_indicator::rapid::{RapidRules, rate_of_rise};
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// let readings = [(hour(0), 2.0), (hour(2), 2.1), (hour(4), 2.2), (hour(6), 2.3)];
/// let found = rate_of_rise(&readings, &RapidRules::default()).unwrap();
/// assert!((found + 0.05).abs() < 1e-12);
/// assert_eq!(rate_of_rise(&readings[1..], &RapidRules::default()), None);
/// ```
pub fn rate_of_rise(readings: &[(Timestamp, f64)], rules: &RapidRules) -> Option<f64> {
    let readings = in_order(readings);
    median_rise_per_hour(latest_stretch(&readings, rules)?)
}

/// A reading as far as a rise goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiseReading {
    pub time: Timestamp,
    /// Below ground, positive down.
    pub depth_m: f64,
    /// It came in time: late ones write history and raise nothing.
    pub in_time: bool,
    /// Water was being put into the well's bank.
    pub filling: Filling,
}

/// A rule that stands at the latest reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise<T> {
    /// The reading that completed the rule first.
    pub since: Timestamp,
    /// As the latest reading that met it has it.
    pub last: T,
}

/// The time to ground through a stretch of readings, in any order: it stands from a reading that meets [`time_to_ground`]
/// until a reading comes six hours after the last that did.
///
/// - **Formula, unit**: as [`time_to_ground`]. **Shape**: `None` where it does not stand at the latest reading.
/// - **Source, limits**: this project's: the six hours of the flood rules' end.
/// - **Weak**: silence ends nothing, as only a reading can.
///
/// ```
/// use gwbank_indicator::rapid::{Filling, RapidRules, RiseReading, follow_time_to_ground};
/// use gwbank_model::Timestamp;
/// let reading = |hour: i64, depth_m| RiseReading {
///     time: Timestamp::from_secs(hour * 3600), depth_m, in_time: true, filling: Filling::No,
/// };
/// let mut readings = vec![reading(0, 1.4), reading(2, 1.3), reading(4, 1.2), reading(6, 1.1), reading(8, 1.15)];
/// let rules = RapidRules::default();
/// let found = follow_time_to_ground(&readings, None, &rules).unwrap();
/// assert_eq!((found.since, found.last.at), (readings[3].time, readings[3].time), "it stands for six hours more");
/// readings.extend([reading(10, 1.2), reading(13, 1.3)]);
/// assert_eq!(follow_time_to_ground(&readings, None, &rules), None);
/// ```
pub fn follow_time_to_ground(
    readings: &[RiseReading],
    flood_warning_depth_m: Option<f64>,
    rules: &RapidRules,
) -> Option<Rise<TimeToGround>> {
    follow(readings, rules.ground_exit_hours, |seen, reading| {
        to_ground(seen, reading.filling, flood_warning_depth_m, rules)
    })
}

/// Rapid change through a stretch of readings, in any order: it stands from a reading that meets [`rapid_change`] until a
/// reading comes 24 hours after the last that did.
///
/// - **Formula, unit**: as [`rapid_change`]; not while water is put in. **Shape**: `None` where it does not stand at the latest
///   reading.
/// - **Source, limits**: this project's: the longer of the two windows.
/// - **Weak**: silence ends nothing, as only a reading can.
///
/// ```
/// use gwbank_indicator::rapid::{Filling, RapidRules, RiseReading, UsualRises, follow_rapid_change};
/// use gwbank_model::Timestamp;
/// let reading = |hour: i64, depth_m| RiseReading {
///     time: Timestamp::from_secs(hour * 3600), depth_m, in_time: true, filling: Filling::No,
/// };
/// let mut readings = vec![reading(0, 4.1), reading(3, 3.8), reading(6, 3.4)];
/// let (usual, rules) = (UsualRises::default(), RapidRules::default());
/// assert_eq!(follow_rapid_change(&readings, &usual, &rules).unwrap().since, readings[2].time);
/// readings.push(reading(40, 3.4));
/// assert_eq!(follow_rapid_change(&readings, &usual, &rules), None);
/// ```
pub fn follow_rapid_change(
    readings: &[RiseReading],
    usual: &UsualRises,
    rules: &RapidRules,
) -> Option<Rise<RapidChange>> {
    follow(readings, rules.rapid_exit_hours, |seen, reading| {
        (reading.filling == Filling::No).then(|| change(seen, usual, rules)).flatten()
    })
}

fn follow<T: Copy>(
    readings: &[RiseReading],
    exit_hours: i64,
    met: impl Fn(&[(Timestamp, f64)], &RiseReading) -> Option<T>,
) -> Option<Rise<T>> {
    let mut sorted: Vec<&RiseReading> = readings.iter().filter(|reading| reading.depth_m.is_finite()).collect();
    sorted.sort_by(|a, b| a.time.cmp(&b.time).then(b.depth_m.total_cmp(&a.depth_m)));
    sorted.dedup_by_key(|reading| reading.time);
    let depths: Vec<(Timestamp, f64)> = sorted.iter().map(|reading| (reading.time, reading.depth_m)).collect();
    let mut stands: Option<(Rise<T>, Timestamp)> = None;
    for (index, reading) in sorted.iter().enumerate() {
        let found = if reading.in_time { met(&depths[..=index], reading) } else { None };
        stands = match (found, stands) {
            (Some(last), Some((rise, _))) => Some((Rise { last, ..rise }, reading.time)),
            (Some(last), None) => Some((Rise { since: reading.time, last }, reading.time)),
            (None, Some((_, at))) if reading.time.micros_since(at) >= exit_hours * HOUR => None,
            (None, stands) => stands,
        };
    }
    stands.map(|(rise, _)| rise)
}

/// The latest stretch, where none of its steps falls.
fn steady_rise<'a>(readings: &'a [(Timestamp, f64)], rules: &RapidRules) -> Option<&'a [(Timestamp, f64)]> {
    let stretch = latest_stretch(readings, rules)?;
    let rises = stretch.windows(2).all(|pair| pair[1].1 <= pair[0].1 + rules.noise_m);
    let rise_m = stretch.first()?.1 - stretch.last()?.1;
    (rises && rise_m >= rules.steady_rise_min_m).then_some(stretch)
}

/// The shortest stretch up to the latest reading that is long enough; `None` where a gap lies in it.
fn latest_stretch<'a>(readings: &'a [(Timestamp, f64)], rules: &RapidRules) -> Option<&'a [(Timestamp, f64)]> {
    let &(latest, _) = readings.last()?;
    let is_enough = |start: usize| {
        latest.micros_since(readings[start].0) >= rules.steady_hours * HOUR
            && readings.len() - start >= rules.steady_readings
    };
    let start = (0..readings.len()).rev().find(|start| is_enough(*start))?;
    let stretch = &readings[start..];
    // A reading of yesterday and three of the last hour are no rise over a day.
    let longest_gap = 2 * rules.steady_hours * HOUR / 3;
    let is_dense = stretch.windows(2).all(|pair| pair[1].0.micros_since(pair[0].0) <= longest_gap);
    is_dense.then_some(stretch)
}

fn median_rise_per_hour(stretch: &[(Timestamp, f64)]) -> Option<f64> {
    // Minutely readings of six hours would have 65,000 pairs: a sixtieth of the stretch is fine enough.
    const POINTS_MAX: usize = 60;
    let step = stretch.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<_> = stretch.iter().rev().step_by(step).collect();
    let mut slopes = Vec::new();
    for (index, later) in points.iter().enumerate() {
        for earlier in &points[index + 1..] {
            let hours = later.0.micros_since(earlier.0) as f64 / HOUR as f64;
            slopes.push((earlier.1 - later.1) / hours);
        }
    }
    median(&mut slopes)
}

/// By time, each once, finite.
fn in_order(readings: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let mut sorted: Vec<_> = readings.iter().copied().filter(|(_, depth)| depth.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    sorted.dedup_by_key(|(time, _)| *time);
    sorted
}

#[cfg(test)]
mod tests;
