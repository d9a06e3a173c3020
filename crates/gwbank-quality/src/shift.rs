//! Sensors that were moved, and sensors that crept away: jumps that stay, and what they say of the stretch before.
//!
//! # What a series shows by itself
//! An aquifer answers slowly; a sensor that slips on its cable, is hung back differently or is exchanged jumps from one
//! reading to the next and stays. So the search starts at **jumps that stay**, far beyond the steps that the series usually
//! makes, and then asks what the jump explains:
//!
//! 1. **Offset**: a later jump goes back by about as much. Between them the sensor stood elsewhere.
//! 2. **Ramp**: before the jump the series left its level in a straight line, as it does on neither side of it, and the jump
//!    leads back to that level. So
//!    drift looks that ends when somebody cleans or recalibrates the sensor. A recession that a storm ends bends and does
//!    not return to where it began, and hardly ever within one reading; what is told here is suspect, not failed.
//! 3. **In air**: absolute pressure falls from above what air can weigh to what air does weigh: the sensor was drawn out of
//!    the water, or the water fell below it, until it rises again above.
//! 4. **Step**: neither. Which side is right, the series cannot know: the readings on both sides of the jump are marked,
//!    and the report asks to compare with a manual reading.
//!
//! And one for what does not stay: **drawdown**, a sudden fall of the water that recovers within days. Nature lifts a water
//! table within hours; what lowers it within one reading is a pump, a bailer or a sensor in somebody's hand.
//!
//! # Rules
//! - Only usable readings count that no other test calls a spike or out of range; the flags of a series come from the whole
//!   series and its limits alone. This is for batches: a stream cannot know what comes back later.
//! - A pump without a status makes offsets, too. They are as suspect: the level was not the aquifer's.
//! - A drift that never ends in a jump, or is slower than the well's own seasons, is invisible here. Compare with a
//!   reference: [`crate::drift`].

use gwbank_model::{Parameter, QualityFlag, Timestamp};

use crate::WellFacts;
use crate::config::{MICROS_PER_DAY, SeriesConfig, Span};
use crate::strict::{Detail, Point, objects};

/// What counts as a jump, and how far what it explains may reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftLimits {
    /// In the unit of the series; smaller jumps are never told.
    pub jump_min: f64,
    /// A jump is so many times the step that one step in a hundred of the series exceeds. Steps of wells are heavy-tailed;
    /// five times their 99th percentile is beyond what rain does between two readings of a logger.
    pub jump_to_usual_steps: f64,
    /// Medians of so many readings on each side say whether it stays. Odd and small: a jump back after that is an offset.
    pub readings_beside: usize,
    /// Offsets and ramps longer than this are taken for the well's own.
    pub duration_max_micros: i64,
    /// Across a longer silence a difference is no jump.
    pub gap_max_micros: i64,
    /// Which way a falling water table moves the values; `None` where the series says nothing of one.
    pub falling: Option<Falling>,
    /// What the air alone weighs at the site, for absolute pressure.
    pub air: Option<Span>,
}

/// The sign of a falling water table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Falling {
    /// Elevations, heights, pressures.
    Down,
    /// Depths.
    Up,
}

impl ShiftLimits {
    /// From the limits that the series has: a jump is at least what would be a suspect spike.
    pub fn for_series(parameter: Parameter, config: &SeriesConfig, facts: &WellFacts) -> Option<Self> {
        let spike = config.spike.as_ref().filter(|spike| spike.suspect > 0.0)?;
        let (falling, air) = match parameter {
            Parameter::DepthToWater | Parameter::DistanceToWater => (Some(Falling::Up), None),
            Parameter::WaterPressureAbsolute => (Some(Falling::Down), Some(air_pressure(facts.ground_elevation))),
            Parameter::GroundwaterElevation | Parameter::WaterHeightAboveSensor | Parameter::WaterPressureGauge => {
                (Some(Falling::Down), None)
            }
            _ => (None, None),
        };
        Some(Self {
            jump_min: spike.suspect,
            jump_to_usual_steps: 5.0,
            readings_beside: 5,
            duration_max_micros: 120 * MICROS_PER_DAY,
            gap_max_micros: 2 * MICROS_PER_DAY,
            falling,
            air,
        })
    }
}

/// 95 to 105 kPa at sea level, which weather leaves hardly ever; thinner by the barometric formula with 8.4 km. Where the
/// ground's height is not known, sea level is taken: nothing is told then of a well high above it.
fn air_pressure(ground_elevation: Option<f64>) -> Span {
    let thinner = (-ground_elevation.unwrap_or(0.0) / 8_400.0).exp();
    Span::new(95.0 * thinner, 105.0 * thinner)
}

/// What a jump means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShiftKind {
    /// The series stood elsewhere from `from` to `to`.
    Offset,
    /// The series crept away from `from` to `to`, and jumped back.
    Ramp,
    /// The sensor weighed air from `from` to `to`.
    InAir,
    /// The water was drawn down from `from` to `to`.
    Drawdown,
    /// The series stands elsewhere since `to`; `from` is the last reading before.
    Step,
}

/// A shift, with the readings that it makes suspect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    pub kind: ShiftKind,
    /// Of the first and the last suspect reading.
    pub from: Timestamp,
    pub to: Timestamp,
    /// By how much the sensor stood elsewhere (ramp: at its end), in the unit of the series, with its sign.
    pub size: f64,
}

/// Finds jumps that stay and what they explain, in order of time. `details` are the judgements of the same readings by
/// [`crate::assess_detailed`]; readings beyond the shorter of the two are not looked at.
///
/// Empty where the series has fewer than 30 usable readings: nothing can be called usual then.
///
/// A sensor hung 40 cm too high for two days:
///
/// ```
/// use gwbank_model::{Parameter, Timestamp};
/// use gwbank_quality::shift::{ShiftKind, ShiftLimits, shifts};
/// use gwbank_quality::{Point, SeriesConfig, WellFacts, assess_detailed};
///
/// let config = SeriesConfig::default_for(Parameter::DepthToWater);
/// let limits = ShiftLimits::for_series(Parameter::DepthToWater, &config, &WellFacts::default()).unwrap();
/// let points: Vec<Point> = (0..24 * 30)
///     .map(|hour| {
///         let depth = 5.0 + f64::from(hour % 24) * 0.001;
///         let value = if (240..288).contains(&hour) { depth - 0.4 } else { depth };
///         Point { time: Timestamp::from_secs(i64::from(hour) * 3600), value: Some(value), site_status: None }
///     })
///     .collect();
/// let found = shifts(&limits, &points, &assess_detailed(&config, &points));
/// assert_eq!(found.len(), 1);
/// assert_eq!((found[0].kind, found[0].from, found[0].to), (ShiftKind::Offset, points[240].time, points[287].time));
/// assert!((found[0].size + 0.4).abs() < 0.03);
/// ```
pub fn shifts(limits: &ShiftLimits, points: &[Point], details: &[Detail]) -> Vec<Shift> {
    let series = usable(points, details);
    let Some(threshold) = threshold(limits, &series) else { return Vec::new() };
    let jumps = jumps(limits, threshold, &series);
    let mut shifts: Vec<Shift> = Vec::new();
    let mut explained_before = 0;
    for (number, jump) in jumps.iter().enumerate() {
        if jump.at < explained_before {
            continue;
        }
        let (shift, next) = if let Some(end) = end_of_air(limits, &series, jump) {
            (shift_of(ShiftKind::InAir, &series, jump.at, end - 1, jump.size), end + 1)
        } else if let Some(back) = way_back(limits, &series, &jumps, number) {
            (shift_of(ShiftKind::Offset, &series, jump.at, back.at - 1, jump.size), back.at + 1)
        } else if let Some(start) =
            ramp_before(limits, &series, jump, explained_before).filter(|&start| !creeps_anyway(&series, start, jump))
        {
            (shift_of(ShiftKind::Ramp, &series, start, jump.at - 1, -jump.size), jump.at + 1)
        } else {
            (shift_of(ShiftKind::Step, &series, jump.at - 1, jump.at, jump.size), jump.at + 1)
        };
        shifts.push(shift);
        explained_before = next;
    }
    shifts.extend(drawdowns(limits, threshold, &levels_with_spikes(points, details)));
    shifts.sort_by_key(|shift| shift.from);
    shifts
}

/// A usable reading.
#[derive(Debug, Clone, Copy)]
struct Level {
    time: Timestamp,
    value: f64,
}

/// From the reading before `at` to the one at `at`.
#[derive(Debug, Clone, Copy)]
struct Jump {
    at: usize,
    size: f64,
}

fn shift_of(kind: ShiftKind, series: &[Level], from: usize, to: usize, size: f64) -> Shift {
    Shift { kind, from: series[from].time, to: series[to].time, size }
}

fn usable(points: &[Point], details: &[Detail]) -> Vec<Level> {
    levels(points, details, |detail| !objects(detail.flags.spike))
}

/// What recovers within a few readings may look like a spike.
fn levels_with_spikes(points: &[Point], details: &[Detail]) -> Vec<Level> {
    levels(points, details, |_| true)
}

fn levels(points: &[Point], details: &[Detail], wanted: impl Fn(&Detail) -> bool) -> Vec<Level> {
    let is_usable = |point: &Point, detail: &Detail| {
        wanted(detail) && detail.flags.gross_range != QualityFlag::Fail && !point.is_disturbed()
    };
    let levels = points.iter().zip(details).filter(|(point, detail)| is_usable(point, detail));
    levels
        .filter_map(|(point, _)| Some(Level { time: point.time, value: point.present()? }))
        .filter(|level| level.value.is_finite())
        .collect()
}

/// From where on a step is a jump; `None` where there is too little to know what is usual.
fn threshold(limits: &ShiftLimits, series: &[Level]) -> Option<f64> {
    const READINGS_MIN: usize = 30;
    if series.len() < READINGS_MIN {
        return None;
    }
    let mut steps: Vec<f64> = series.windows(2).map(|pair| (pair[1].value - pair[0].value).abs()).collect();
    let rank = steps.len() * 99 / 100;
    let usual = *steps.select_nth_unstable_by(rank, f64::total_cmp).1;
    Some(limits.jump_min.max(limits.jump_to_usual_steps * usual))
}

fn jumps(limits: &ShiftLimits, threshold: f64, series: &[Level]) -> Vec<Jump> {
    /// Of the readings on either side, so that the ends of a series, where a sensor is lowered and drawn, tell nothing.
    const BESIDE_MIN: usize = 3;
    let beside = limits.readings_beside.max(BESIDE_MIN);
    let step = |at: usize| series[at].value - series[at - 1].value;
    let mut jumps = Vec::new();
    for at in BESIDE_MIN..(series.len() + 1).saturating_sub(BESIDE_MIN) {
        let size = step(at);
        if size.abs() <= threshold || series[at].time.micros_since(series[at - 1].time) > limits.gap_max_micros {
            continue;
        }
        // A flood rises over several readings, a sensor jumps in one.
        let is_single = step(at - 1).abs() <= 0.5 * size.abs() && step(at + 1).abs() <= 0.5 * size.abs();
        let after = median(&series[at..(at + beside).min(series.len())]);
        let stays = after - median(&series[at.saturating_sub(beside)..at]);
        // Most of it is still there: no spike of several readings.
        if is_single && stays * size > 0.0 && stays.abs() >= 0.7 * size.abs() {
            jumps.push(Jump { at, size });
        }
    }
    jumps
}

/// The later jump that undoes this one: the other way and about as far (a quarter is left to the aquifer, which went on
/// meanwhile), unless a still later one fits that jump better.
fn way_back<'a>(limits: &ShiftLimits, series: &[Level], jumps: &'a [Jump], number: usize) -> Option<&'a Jump> {
    let misfit = |one: &Jump, other: &Jump| (one.size + other.size).abs();
    let is_in_time = |one: &Jump, other: &Jump| {
        series[other.at].time.micros_since(series[one.at].time) <= limits.duration_max_micros
    };
    let undoes = |one: &Jump, other: &Jump| misfit(one, other) <= 0.25 * one.size.abs();
    let jump = &jumps[number];
    let later = jumps.iter().enumerate().skip(number + 1).take_while(|(_, later)| is_in_time(jump, later));
    let (place, back) = later.into_iter().find(|(_, later)| undoes(jump, later))?;
    let mut still_later = jumps[place + 1..].iter().take_while(|later| is_in_time(back, later));
    let fits_better = |later: &Jump| undoes(back, later) && misfit(back, later) < misfit(jump, back);
    (!still_later.any(fits_better)).then_some(back)
}

/// Where the sensor is in water again (or the series ends), if this jump took it into the air.
fn end_of_air(limits: &ShiftLimits, series: &[Level], jump: &Jump) -> Option<usize> {
    let air = limits.air?;
    let (before, after) = (series[jump.at - 1].value, series[jump.at].value);
    if before <= air.max || !air.contains(after) {
        return None;
    }
    let end = series[jump.at..].iter().position(|level| level.value > air.max);
    Some(end.map_or(series.len(), |length| jump.at + length))
}

/// Sudden falls of the water over two readings and more that recover by nine tenths within a week, fast at first as the
/// water of a well does. (A single reading is a spike.)
fn drawdowns(limits: &ShiftLimits, threshold: f64, series: &[Level]) -> Vec<Shift> {
    const RECOVERY_MAX_MICROS: i64 = 7 * MICROS_PER_DAY;
    const RECOVERED: f64 = 0.9;
    let Some(falling) = limits.falling else { return Vec::new() };
    let fallen = |from: f64, to: &Level| match falling {
        Falling::Down => from - to.value,
        Falling::Up => to.value - from,
    };
    let beside = limits.readings_beside.max(1);
    let mut found = Vec::new();
    let mut at = 1;
    while at < series.len() {
        let (start, before) = (at, series[at - 1]);
        at += 1;
        let size = fallen(before.value, &series[start]);
        if size <= threshold || series[start].time.micros_since(before.time) > limits.gap_max_micros {
            continue;
        }
        // From the level of the well, not from the top of a spike.
        let is_level = (median(&series[start.saturating_sub(beside)..start]) - before.value).abs() <= 0.25 * size;
        let within = |level: &&Level| level.time.micros_since(before.time) <= RECOVERY_MAX_MICROS;
        let rest = |level: &Level| fallen(before.value, level) / size;
        let later = series[start..].iter().take_while(within);
        let Some(length) = later.into_iter().position(|level| rest(level) <= 1.0 - RECOVERED) else { continue };
        let recovery = &series[start..start + length];
        let rises = recovery.windows(2).all(|pair| rest(&pair[1]) - rest(&pair[0]) <= 0.1);
        let is_fast_at_first = recovery.get(length.div_ceil(2)).is_none_or(|halfway| rest(halfway) <= 0.5);
        if is_level && length >= 2 && rises && is_fast_at_first {
            let size = series[start].value - before.value;
            found.push(shift_of(ShiftKind::Drawdown, series, start, start + length - 1, size));
            at = start + length + 1;
        }
    }
    found
}

/// Where a ramp began that this jump ended, if it did.
/// Whether the series moves like the ramp on either side of it, too: a recession that a step ends is no drift, and none of its
/// readings is at fault.
fn creeps_anyway(series: &[Level], start: usize, jump: &Jump) -> bool {
    /// Share of the ramp that a neighbouring stretch of its length may cover the same way.
    const SHARE_MAX: f64 = 0.5;
    let (first, last) = (series[start], series[jump.at - 1]);
    let length = last.time.micros_since(first.time);
    let ramp = last.value - first.value;
    // What a stretch would cover in the time of the ramp; one of less than half its length says nothing.
    let covers = |from: Level, to: Level| {
        let time = to.time.micros_since(from.time);
        (2 * time >= length).then(|| (to.value - from.value) * (length as f64 / time as f64))
    };
    let place = |time: Timestamp| series.partition_point(|level| level.time < time);
    let before = series.get(place(first.time.plus_micros(-length)));
    let after = series.get(place(last.time.plus_micros(length)).min(series.len() - 1));
    let sides = [before.and_then(|from| covers(*from, first)), after.and_then(|to| covers(series[jump.at], *to))];
    sides.into_iter().flatten().any(|covered| covered * ramp > 0.0 && covered.abs() > SHARE_MAX * ramp.abs())
}

fn ramp_before(limits: &ShiftLimits, series: &[Level], jump: &Jump, not_before: usize) -> Option<usize> {
    const READINGS_MIN: usize = 20;
    /// Share of the variance that the straight line explains.
    const STRAIGHT: f64 = 0.9;
    /// What of the jump may be left unexplained, at its end and at the level to which it returns.
    const REST: f64 = 0.25;
    /// Beginnings are tried at lengths that differ by this part, so that the time does not grow with the square.
    const FINENESS: usize = 64;
    let end = jump.at;
    let beside = limits.readings_beside.max(1);
    let returned_to = median(&series[end..(end + beside).min(series.len())]);
    let earliest = series[end - 1].time.plus_micros(-limits.duration_max_micros);
    let mut sums = LineSums::from_origin(series[end - 1]);
    let mut best: Option<(usize, f64)> = None;
    let mut candidate = READINGS_MIN;
    for start in (not_before..end).rev() {
        let level = series[start];
        if level.time < earliest {
            break;
        }
        sums.add(level);
        let length = end - start;
        if length < candidate {
            continue;
        }
        candidate = length + 1 + length / FINENESS;
        let Some(line) = sums.line() else { continue };
        let rise = line.slope * (series[end - 1].time.micros_since(level.time) as f64);
        let away = -jump.size;
        let undoes = (rise - away).abs() <= REST * away.abs();
        if !undoes || line.explained < STRAIGHT {
            continue;
        }
        let base = median(&series[start.saturating_sub((length / 4).max(beside))..=start]);
        if (base - returned_to).abs() <= REST * away.abs()
            && best.is_none_or(|(_, explained)| line.explained >= explained)
        {
            best = Some((start, line.explained));
        }
    }
    best.map(|(start, _)| start)
}

/// Sums of a straight line by least squares, times relative to its end.
struct LineSums {
    origin: Level,
    count: f64,
    t: f64,
    x: f64,
    tt: f64,
    tx: f64,
    xx: f64,
}

struct Line {
    /// Per microsecond.
    slope: f64,
    explained: f64,
}

impl LineSums {
    fn from_origin(origin: Level) -> Self {
        Self { origin, count: 0.0, t: 0.0, x: 0.0, tt: 0.0, tx: 0.0, xx: 0.0 }
    }

    fn add(&mut self, level: Level) {
        let t = level.time.micros_since(self.origin.time) as f64;
        let x = level.value - self.origin.value;
        self.count += 1.0;
        self.t += t;
        self.x += x;
        self.tt += t * t;
        self.tx += t * x;
        self.xx += x * x;
    }

    fn line(&self) -> Option<Line> {
        let var_t = self.tt - self.t * self.t / self.count;
        let var_x = self.xx - self.x * self.x / self.count;
        let cov = self.tx - self.t * self.x / self.count;
        (var_t > 0.0 && var_x > 0.0).then(|| Line { slope: cov / var_t, explained: cov * cov / (var_t * var_x) })
    }
}

fn median(levels: &[Level]) -> f64 {
    let mut values: Vec<f64> = levels.iter().map(|level| level.value).collect();
    if values.is_empty() {
        return f64::NAN;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
