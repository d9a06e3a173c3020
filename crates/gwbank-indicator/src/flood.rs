//! High groundwater of one well, followed through its readings.
//!
//! # Rules
//! 1. Depth ≤ warning depth: warning; ≤ danger depth: severe; at or above the ground: extreme. A well without limits:
//!    watch only, at a record high after at least three past wet seasons with depth ≤ 2 m.
//! 2. Plausibility: at danger depth (severe and up) one reading suffices if rain, a neighbour or the reading before
//!    (≤ 0.5 m away) supports it; else the second in a row, by time of measurement, at the milder of the two.
//! 3. A reading that came later than twice the usual interval (at least 3 h) writes history and raises nothing.
//! 4. An open bank rests while it fills (rain or inflow in the last 24 h); 48 h after the rain ended a level that has
//!    not fallen is a failure to recover: watch.
//! 5. A severity ends when readings over 6 h lie more than the exit margin below its limit. Silence ends nothing: the
//!    end needs a reading.
//!
//! [`follow`] replays all readings of a stretch, so the result depends on what was measured and when each was received,
//! not on how often or in which order they were evaluated.

use gwbank_model::condition::Severity;
use gwbank_model::{QcTest, QcTests, QualityFlag, Timestamp};

use crate::kind::WellKind;

const HOUR: i64 = 3_600_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloodRules {
    pub exit_margin_m: f64,
    pub exit_hours: i64,
    /// A reading before that lies no farther away supports the next one.
    pub support_step_m: f64,
    pub support_rain_mm: f64,
    /// How far back rain, inflow and neighbours count.
    pub surroundings_hours: i64,
    pub late_hours_min: i64,
    pub late_intervals: i64,
    pub record_seasons_min: usize,
    pub record_depth_max_m: f64,
    /// Rain in the last 24 h from which an open bank is filling.
    pub filling_rain_mm: f64,
    pub recovery_hours: i64,
    /// A fall smaller than that is none.
    pub recovery_fall_m: f64,
    /// A condition is stale without a reading for so long (or one and a half intervals, if that is longer).
    pub stale_hours: i64,
}

impl Default for FloodRules {
    fn default() -> Self {
        Self {
            exit_margin_m: 0.10,
            exit_hours: 6,
            support_step_m: 0.5,
            support_rain_mm: 10.0,
            surroundings_hours: 24,
            late_hours_min: 3,
            late_intervals: 2,
            record_seasons_min: 3,
            record_depth_max_m: 2.0,
            filling_rain_mm: 1.0,
            recovery_hours: 48,
            recovery_fall_m: 0.05,
            stale_hours: 6,
        }
    }
}

/// A depth reading that counts: see [`counts`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloodReading {
    pub time: Timestamp,
    /// Below ground, positive down.
    pub depth_m: f64,
    pub received_at: Timestamp,
}

/// Whether a reading of this quality may speak of floods: 1–3, except spikes and sensor faults.
/// A quick rise or an unusual height is what a flood looks like, so those tests do not silence it.
///
/// - **Source**: flags of QARTOD's water-level manual 2.1; which of them silence a flood is this project's choice.
/// - **Weak**: a sensor that drifts upwards slowly passes.
///
/// ```
/// use gwbank_indicator::flood::counts;
/// use gwbank_model::{QcTest, QcTests, QualityFlag};
///
/// let failed = |test| QcTests::default().with(test);
/// assert!(counts(QualityFlag::Suspect, failed(QcTest::RateOfChange)));
/// assert!(!counts(QualityFlag::Suspect, failed(QcTest::Spike)));
/// assert!(!counts(QualityFlag::Fail, QcTests::default()));
/// ```
pub fn counts(quality: QualityFlag, tests: QcTests) -> bool {
    let fault = [
        QcTest::Spike,
        QcTest::FlatLine,
        QcTest::AttenuatedSignal,
        QcTest::Uncompensated,
        QcTest::Location,
        QcTest::Syntax,
    ];
    matches!(quality, QualityFlag::Pass | QualityFlag::NotEvaluated | QualityFlag::Suspect)
        && !fault.into_iter().any(|test| tests.contains(test))
}

/// From which depths on the well speaks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FloodLimits {
    pub warning_depth_m: Option<f64>,
    pub danger_depth_m: Option<f64>,
    /// The smallest depth of the past wet seasons, and how many seasons there were.
    pub record: Option<(f64, usize)>,
    /// The depth that an open bank should have left when its present failure to recover was found: kept while newer
    /// rain, or none at all, gives no other.
    pub recovery_depth_m: Option<f64>,
}

/// What happened around the well. All in order of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Rain amounts, mm; `None` where nobody measures rain.
    pub rain: Option<&'a [(Timestamp, f64)]>,
    /// Recharge flow, m³/h.
    pub inflow: Option<&'a [(Timestamp, f64)]>,
    /// When a neighbouring well stood at or above its warning depth.
    pub neighbours: &'a [Timestamp],
}

/// Which rule a severity came from, and its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Met {
    pub severity: Severity,
    pub rule: &'static str,
    pub limit_m: f64,
}

/// What made a reading believable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Below danger depth none is needed.
    NotNeeded,
    Rain,
    Neighbour,
    ReadingBefore,
    SecondInARow,
}

impl Support {
    pub const fn name(self) -> &'static str {
        match self {
            Support::NotNeeded => "not_needed",
            Support::Rain => "rain",
            Support::Neighbour => "neighbour",
            Support::ReadingBefore => "reading_before",
            Support::SecondInARow => "second_in_a_row",
        }
    }
}

/// A change of severity at a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloodStep {
    pub at: Timestamp,
    pub depth_m: f64,
    pub from: Option<Severity>,
    pub to: Option<Severity>,
    /// For raises and escalations.
    pub met: Option<(Met, Support)>,
}

/// Where the readings leave the well.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FloodTrack {
    pub severity: Option<Severity>,
    pub steps: Vec<FloodStep>,
    /// The reading that completed the rule of the present condition, where it lies in the stretch.
    pub since: Option<Timestamp>,
    /// The rule and limit of the present severity, where it was met in the stretch.
    pub met: Option<(Met, Support)>,
    /// The latest reading that met a rule and could raise.
    pub last_met_at: Option<Timestamp>,
    pub latest: Option<FloodReading>,
    /// Median interval between readings, µs; `None` with fewer than two.
    pub interval_micros: Option<i64>,
    /// An open bank that fills: raises are suspended.
    pub filling: bool,
}

impl FloodTrack {
    /// Whether a condition may be raised at `now`: the reading that met the rule is not old.
    pub fn is_live(&self, now: Timestamp, rules: &FloodRules) -> bool {
        let late = late_micros(self.interval_micros, rules);
        self.last_met_at.is_some_and(|at| now.micros_since(at) <= late)
    }

    /// Whether the well has been silent too long for its condition to count as fresh.
    pub fn is_stale(&self, now: Timestamp, rules: &FloodRules) -> bool {
        let allowed = (rules.stale_hours * HOUR).max(self.interval_micros.unwrap_or(0) / 2 * 3);
        self.latest.is_none_or(|latest| now.micros_since(latest.time) > allowed)
    }
}

/// Follows the readings of a stretch (in order of time, only those that count) from the severity at its beginning.
///
/// - **Formula**: the rules at the head of this module: depth ≤ limit, worst first, believed, in time, and not filling.
/// - **Unit**: depths below ground in m, rain in mm, inflow in m³/h. **Shape**: readings, rain and inflow in order of time; time of
///   measurement decides, time of receipt only whether a reading is too late to raise.
/// - **Source**: absolute levels with a plausibility rule beside them, as the Environment Agency's groundwater flood alerts have
///   them. **Limits**: depths are each well's own ([`FloodLimits`]); hours, margins and the 0.5 m of support are this project's, all
///   in [`FloodRules`]; 0 m is the ground itself.
/// - **Weak**: a well without limits has only its record, which says nothing of the damage; a sensor that was lifted looks like
///   a rise, and its second reading is believed.
///
/// ```
/// use gwbank_indicator::flood::{FloodLimits, FloodReading, FloodRules, Support, Surroundings, follow};
/// use gwbank_indicator::{Bank, WellKind};
/// use gwbank_model::{Timestamp, condition::Severity};
///
/// let well = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
/// let limits = FloodLimits { warning_depth_m: Some(1.0), danger_depth_m: Some(0.5), ..FloodLimits::default() };
/// let hourly = |depths: &[f64]| -> Vec<FloodReading> {
///     let at = |hour: usize| Timestamp::from_secs(hour as i64 * 3600);
///     depths.iter().enumerate().map(|(i, &depth_m)| FloodReading { time: at(i), depth_m, received_at: at(i) }).collect()
/// };
/// let severity = |depths: &[f64]| {
///     let track = follow(well, None, &hourly(depths), &limits, &Surroundings::default(), &FloodRules::default());
///     (track.severity, track.met.map(|(_, support)| support))
/// };
/// assert_eq!(severity(&[1.4, 1.0]), (Some(Severity::Warning), Some(Support::NotNeeded)));
/// assert_eq!(severity(&[0.9, 0.5]), (Some(Severity::Severe), Some(Support::ReadingBefore)));
/// assert_eq!(severity(&[3.0, 0.2]), (None, None), "a jump alone is not believed");
/// assert_eq!(severity(&[3.0, 0.2, 0.9]), (Some(Severity::Warning), Some(Support::NotNeeded)));
/// ```
pub fn follow(
    kind: WellKind,
    initial: Option<Severity>,
    readings: &[FloodReading],
    limits: &FloodLimits,
    surroundings: &Surroundings<'_>,
    rules: &FloodRules,
) -> FloodTrack {
    let interval = usual_interval(readings);
    let mut track = FloodTrack { severity: initial, interval_micros: interval, ..FloodTrack::default() };
    if !kind.speaks_of_flood() {
        track.severity = None;
        return track;
    }
    // Since when the readings have lain beyond the exit limit of each severity, by code.
    let mut beyond: [Option<Timestamp>; Severity::ALL.len() + 1] = Default::default();
    let mut met_before: Option<Met> = None;
    for (index, &reading) in readings.iter().enumerate() {
        let seen = &readings[..=index];
        let filling = kind.fills_by_design() && is_filling(seen, surroundings, rules);
        let not_recovered = if kind.fills_by_design() {
            recovery_limit(seen, surroundings, rules).or(limits.recovery_depth_m)
        } else {
            None
        };
        let ladder = ladder(limits, not_recovered, rules);
        let met = ladder.iter().copied().find(|step| reading.depth_m <= step.limit_m);

        for step in &ladder {
            let since = &mut beyond[usize::from(step.severity.code())];
            if reading.depth_m > step.limit_m + rules.exit_margin_m {
                since.get_or_insert(reading.time);
            } else {
                *since = None;
            }
        }

        let before = index.checked_sub(1).map(|i| readings[i]);
        let believed = met.and_then(|met| believe(met, met_before, reading, before, surroundings, rules));
        let in_time = came_in_time(reading, interval, rules);
        if let Some((met, support)) = believed.filter(|_| in_time && !filling) {
            track.last_met_at = Some(reading.time);
            if Some(met.severity) > track.severity {
                track.change(reading, Some(met.severity), Some((met, support)));
            }
        }
        if let Some(present) = track.severity {
            let over = |severity: Severity| {
                beyond[usize::from(severity.code())]
                    .is_some_and(|since| reading.time.micros_since(since) >= rules.exit_hours * HOUR)
            };
            // A severity that the ladder no longer has (limits were changed) is left by the readings alone.
            let known = ladder.iter().any(|step| step.severity == present);
            if over(present) || (!known && met.is_none_or(|met| met.severity < present)) {
                let next = ladder.iter().map(|s| s.severity).find(|&s| s < present && !over(s));
                track.change(reading, next, None);
            }
        }
        met_before = met;
        track.latest = Some(reading);
        track.filling = filling;
    }
    track
}

impl FloodTrack {
    fn change(&mut self, reading: FloodReading, to: Option<Severity>, met: Option<(Met, Support)>) {
        let step = FloodStep { at: reading.time, depth_m: reading.depth_m, from: self.severity, to, met };
        if self.severity.is_none() {
            self.since = Some(reading.time);
        }
        if to.is_none() {
            self.since = None;
        }
        self.met = if to > self.severity { met } else { None };
        self.severity = to;
        self.steps.push(step);
    }
}

/// The limits of a well, worst first.
///
/// - **Unit**: depths below ground, m. **Source, limits**: rule 1 at the head of this module.
/// - **Weak**: of the two registered depths nobody checks here that danger lies above warning.
///
/// ```
/// use gwbank_indicator::flood::{FloodLimits, FloodRules, ladder};
///
/// let record = FloodLimits { record: Some((0.8, 3)), ..FloodLimits::default() };
/// let steps = ladder(&record, None, &FloodRules::default());
/// assert_eq!((steps.len(), steps[0].rule, steps[0].limit_m), (1, "record_high", 0.8));
/// ```
pub fn ladder(limits: &FloodLimits, not_recovered: Option<f64>, rules: &FloodRules) -> Vec<Met> {
    let mut steps = Vec::with_capacity(4);
    let mut push = |severity, rule, limit_m| steps.push(Met { severity, rule, limit_m });
    if limits.warning_depth_m.is_some() || limits.danger_depth_m.is_some() {
        push(Severity::Extreme, "above_ground", 0.0);
        if let Some(limit) = limits.danger_depth_m {
            push(Severity::Severe, "danger_depth", limit);
        }
        if let Some(limit) = limits.warning_depth_m {
            push(Severity::Warning, "warning_depth", limit);
        }
    } else if let Some((record, seasons)) = limits.record
        && seasons >= rules.record_seasons_min
    {
        push(Severity::Watch, "record_high", record.min(rules.record_depth_max_m));
    }
    if let Some(limit) = not_recovered
        && steps.last().is_none_or(|last| last.severity > Severity::Watch)
    {
        steps.push(Met { severity: Severity::Watch, rule: "failure_to_recover", limit_m: limit });
    }
    steps
}

fn believe(
    met: Met,
    met_before: Option<Met>,
    reading: FloodReading,
    before: Option<FloodReading>,
    surroundings: &Surroundings<'_>,
    rules: &FloodRules,
) -> Option<(Met, Support)> {
    if met.severity < Severity::Severe {
        return Some((met, Support::NotNeeded));
    }
    if before.is_some_and(|before| (before.depth_m - reading.depth_m).abs() <= rules.support_step_m) {
        return Some((met, Support::ReadingBefore));
    }
    let from = reading.time.plus_micros(-rules.surroundings_hours * HOUR);
    let rain_mm = sum_between(surroundings.rain.unwrap_or_default(), from, reading.time);
    if rain_mm >= rules.support_rain_mm {
        return Some((met, Support::Rain));
    }
    let neighbours = surroundings.neighbours;
    let first = neighbours.partition_point(|&time| time <= from);
    if neighbours.get(first).is_some_and(|&time| time <= reading.time) {
        return Some((met, Support::Neighbour));
    }
    let before = met_before.filter(|before| before.severity >= Severity::Severe)?;
    Some((if before.severity < met.severity { before } else { met }, Support::SecondInARow))
}

/// Whether each reading was taken while its open bank filled; of other wells none was.
///
/// - **Formula**: at least 1 mm of rain, or any inflow, in the last 24 h; where nobody measures either, a rise of at least 5 cm in
///   them. **Unit**: depths in m, rain in mm, inflow in m³/h. **Shape**: all in order of time; one answer a reading.
/// - **Source**: INDICATORS.md (rain or inflow in the last 24 h). **Limits**: the millimetre and the 5 cm are this project's
///   ([`FloodRules`]).
/// - **Weak**: where nobody measures rain, a flood that rises through the bank looks like a fill.
///
/// ```
/// use gwbank_indicator::flood::{FloodReading, FloodRules, Surroundings, filling_at};
/// use gwbank_indicator::{Bank, WellKind};
/// use gwbank_model::Timestamp;
///
/// let at = |hour: i64| Timestamp::from_secs(hour * 3600);
/// let readings = [0, 30].map(|hour| FloodReading { time: at(hour), depth_m: 2.0, received_at: at(hour) });
/// let rain = [(at(0), 4.0)];
/// let around = Surroundings { rain: Some(&rain), ..Surroundings::default() };
/// let kind = |bank| WellKind { bank, represents_aquifer: false, influenced: false };
/// assert_eq!(filling_at(kind(Bank::Open), &readings, &around, &FloodRules::default()), [true, false]);
/// assert_eq!(filling_at(kind(Bank::Observation), &readings, &around, &FloodRules::default()), [false, false]);
/// ```
pub fn filling_at(
    kind: WellKind,
    readings: &[FloodReading],
    surroundings: &Surroundings<'_>,
    rules: &FloodRules,
) -> Vec<bool> {
    let fills = |index: usize| kind.fills_by_design() && is_filling(&readings[..=index], surroundings, rules);
    (0..readings.len()).map(fills).collect()
}

/// Whether a reading came so soon that it may raise a live condition.
///
/// - **Formula**: receipt − measurement ≤ [`late_micros`]. **Unit**: µs. **Shape**: the usual interval of its series.
/// - **Source, limits**: as there. **Weak**: a clock that is ahead makes every reading come in time.
///
/// ```
/// use gwbank_indicator::flood::{FloodReading, FloodRules, came_in_time};
/// use gwbank_model::Timestamp;
///
/// let hour = 3_600_000_000;
/// let after = |hours| FloodReading { time: Timestamp::MIN, depth_m: 1.0, received_at: Timestamp::MIN.plus_micros(hours * hour) };
/// let rules = FloodRules::default();
/// assert!(came_in_time(after(3), Some(hour), &rules) && !came_in_time(after(4), Some(hour), &rules));
/// ```
pub fn came_in_time(reading: FloodReading, interval_micros: Option<i64>, rules: &FloodRules) -> bool {
    reading.received_at.micros_since(reading.time) <= late_micros(interval_micros, rules)
}

/// Rain, inflow, or, where nobody measures either, a rise over the last 24 h.
fn is_filling(seen: &[FloodReading], surroundings: &Surroundings<'_>, rules: &FloodRules) -> bool {
    let Some(reading) = seen.last() else { return false };
    let from = reading.time.plus_micros(-rules.surroundings_hours * HOUR);
    if surroundings.rain.is_none() && surroundings.inflow.is_none() {
        let first = seen.partition_point(|r| r.time <= from);
        let deepest = seen[first..].iter().map(|r| r.depth_m).fold(f64::NEG_INFINITY, f64::max);
        return deepest - reading.depth_m >= rules.recovery_fall_m;
    }
    let rain_mm = sum_between(surroundings.rain.unwrap_or_default(), from, reading.time);
    let inflow = surroundings.inflow.unwrap_or_default();
    let flows = inflow.iter().any(|&(time, flow)| time > from && time <= reading.time && flow > 0.0);
    rain_mm >= rules.filling_rain_mm || flows
}

/// The depth that an open bank should have left by now: its depth when the rain ended, less a real fall. `None` sooner
/// than 48 h after the rain, and where no rain is known.
fn recovery_limit(seen: &[FloodReading], surroundings: &Surroundings<'_>, rules: &FloodRules) -> Option<f64> {
    let reading = seen.last()?;
    let ended = |events: &[(Timestamp, f64)]| {
        events.iter().rev().find(|&&(time, amount)| time <= reading.time && amount > 0.0).map(|&(time, _)| time)
    };
    let rain_end = ended(surroundings.rain.unwrap_or_default());
    let end = rain_end.max(ended(surroundings.inflow.unwrap_or_default()))?;
    if reading.time.micros_since(end) < rules.recovery_hours * HOUR {
        return None;
    }
    let at_end = seen.partition_point(|r| r.time <= end).checked_sub(1)?;
    Some(seen[at_end].depth_m + rules.recovery_fall_m)
}

fn sum_between(amounts: &[(Timestamp, f64)], after: Timestamp, through: Timestamp) -> f64 {
    let first = amounts.partition_point(|&(time, _)| time <= after);
    amounts[first..].iter().take_while(|&&(time, _)| time <= through).map(|&(_, amount)| amount).sum()
}

/// The usual interval of a series of depths.
///
/// - **Formula**: median step between readings; of an even number the longer of the two middle ones. **Unit**: µs. **Shape**:
///   readings in order of time; `None` with fewer than two.
/// - **Source, limits**: none. **Weak**: two readings of one time are a step of nothing, other than for
///   [`no_data::usual_interval`](crate::no_data::usual_interval).
///
/// ```
/// use gwbank_indicator::flood::{FloodReading, usual_interval};
/// use gwbank_model::Timestamp;
///
/// let at = |minute: i64| Timestamp::from_secs(minute * 60);
/// let readings = [0, 15, 30, 90].map(|minute| FloodReading { time: at(minute), depth_m: 2.0, received_at: at(minute) });
/// assert_eq!(usual_interval(&readings), Some(15 * 60_000_000));
/// ```
pub fn usual_interval(readings: &[FloodReading]) -> Option<i64> {
    let mut intervals: Vec<i64> = readings.windows(2).map(|pair| pair[1].time.micros_since(pair[0].time)).collect();
    let middle = intervals.len() / 2;
    (!intervals.is_empty()).then(|| *intervals.select_nth_unstable(middle).1)
}

/// How old a reading may be to raise a live condition.
///
/// - **Formula**: `max(3 h, 2 × interval)`. **Unit**: µs. **Shape**: the usual interval, `None` where it is not known: 3 h then.
/// - **Source, limits**: INDICATORS.md, both in [`FloodRules`].
/// - **Weak**: a well that is read once a day may raise a flood that is two days old.
///
/// ```
/// use gwbank_indicator::flood::{FloodRules, late_micros};
///
/// let (hour, rules) = (3_600_000_000, FloodRules::default());
/// assert_eq!([None, Some(hour), Some(24 * hour)].map(|of| late_micros(of, &rules) / hour), [3, 3, 48]);
/// ```
pub fn late_micros(interval: Option<i64>, rules: &FloodRules) -> i64 {
    (rules.late_hours_min * HOUR).max(interval.unwrap_or(0).saturating_mul(rules.late_intervals))
}

#[cfg(test)]
mod tests;
