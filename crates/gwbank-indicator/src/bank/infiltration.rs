//! Fills of a pond, pit or mound, and how fast the water goes into the ground afterwards.
//!
//! # Method
//! 1. A fill is a rise of at least [`FillRules::rise_min_m`] above the lowest water since the last peak. It goes on until
//!    the water has fallen by [`FillRules::fall_min_m`]; of equal peaks the first counts. The fall begins at the peak and
//!    ends where the next fill begins, or with the readings.
//! 2. Of the fall those steps between neighbouring readings count that are short enough, saw no rain, and do not end at
//!    the floor (a dry sensor says only "at least so far").
//! 3. `rate = fall / time − evaporation`, mm/day, over all steps that count; of a step alike. m³ = rate · time · area.
//!
//! # Known weaknesses
//! Where nobody measures rain, steps with a rise are left out, but rain that only slowed a fall is not seen: the rate comes
//! out too small. Side walls take part of the water: a rate per area of the bottom is that of bottom and walls together.

use gwbank_model::Timestamp;

use super::NotMeasurable;

const DAY_MICROS: f64 = 86_400e6;
const HOUR_MICROS: i64 = 3_600_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FillRules {
    pub rise_min_m: f64,
    /// Until it has fallen by so much, the water may go on to rise as the same fill: several times a sensor's noise.
    pub fall_min_m: f64,
    /// A longer step between two readings hides too much.
    pub step_hours_max: i64,
    /// Rain within a step from which it does not count.
    pub rain_mm_min: f64,
    /// Water below which the sensor is dry.
    pub floor_m: f64,
}

impl Default for FillRules {
    fn default() -> Self {
        Self { rise_min_m: 0.10, fall_min_m: 0.02, step_hours_max: 72, rain_mm_min: 0.5, floor_m: 0.03 }
    }
}

/// What is known of a bank and its water. All in any order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pond<'a> {
    /// Height of the water above the bank's floor, m; of a mound, above the table before. Dry is 0.
    pub stage_m: &'a [(Timestamp, f64)],
    /// Amounts since the reading before, mm; `None` where nobody measures rain.
    pub rain_mm: Option<&'a [(Timestamp, f64)]>,
    /// 0 for a covered pit; `None` where it is not known.
    pub evaporation_mm_per_day: Option<f64>,
    pub area_m2: Option<f64>,
}

/// Part of a fall between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FallStep {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Mean height of the water.
    pub stage_m: f64,
    /// Evaporation is in it.
    pub fall_m: f64,
}

impl FallStep {
    pub fn days(&self) -> f64 {
        self.to.micros_since(self.from) as f64 / DAY_MICROS
    }

    pub fn middle(&self) -> Timestamp {
        self.from.plus_micros(self.to.micros_since(self.from) / 2)
    }
}

/// Steps of a fall that do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepsLeftOut {
    /// Longer than a step may be.
    pub long: usize,
    /// With rain; without a rain gauge, with a rise.
    pub disturbed: usize,
    /// They end at the floor.
    pub at_floor: usize,
}

/// A fill and the fall after it.
#[derive(Debug, Clone, PartialEq)]
pub struct FillEvent {
    /// Of the lowest water before.
    pub began: Timestamp,
    pub before_m: f64,
    pub peak_at: Timestamp,
    pub peak_m: f64,
    /// The last reading of its fall.
    pub until: Timestamp,
    /// Steps that count, in order of time.
    pub steps: Vec<FallStep>,
    pub left_out: StepsLeftOut,
    /// Of all steps together, evaporation included. `None` where no step counts.
    pub fall_mm_per_day: Option<f64>,
    pub infiltration_mm_per_day: Result<f64, NotMeasurable>,
    /// Over the steps that count, not over the whole fall.
    pub infiltrated_m3: Result<f64, NotMeasurable>,
}

/// All fills of a bank, in order of time.
///
/// - **Formula**: rate = Σ fall / Σ time − evaporation over the steps of the fall that count; m³ = rate · Σ time · area.
/// - **Unit**: heights in m, rates in mm/day (positive into the ground), volume in m³. **Shape**: readings in any order, of two at
///   one time the lower; what is not known is `None` and makes the figure [`NotMeasurable`].
/// - **Source**: a water balance of the pond; no standard. **Limits**: a fill from 0.10 m, its end after a fall of 0.02 m, steps of
///   at most 72 h with less than 0.5 mm of rain, water above 0.03 m ([`FillRules`]); all this project's.
/// - **Weak**: without a rain gauge, rain that only slowed a fall makes the rate too small; walls take water, too, so the rate per
///   area of the bottom is that of both; what seeps away during the fill is in no step.
///
/// ```
/// use gwbank_indicator::bank::{FillRules, NotMeasurable, Pond, fill_events};
/// use gwbank_model::Timestamp;
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// // Filled from 0.5 to 2.0 m on day 1, it falls by 0.2 m a day.
/// let stage = [(day(0), 0.5), (day(1), 2.0), (day(2), 1.8), (day(3), 1.6), (day(4), 1.4)];
/// let pond = Pond { stage_m: &stage, evaporation_mm_per_day: Some(5.0), area_m2: Some(400.0), ..Pond::default() };
/// let events = fill_events(&pond, &FillRules::default());
/// assert_eq!(events.len(), 1);
/// assert_eq!(events[0].infiltration_mm_per_day.unwrap().round(), 195.0);
/// assert_eq!(events[0].infiltrated_m3.unwrap().round(), 234.0);
/// let unknown = fill_events(&Pond { area_m2: None, ..pond }, &FillRules::default());
/// assert_eq!(unknown[0].infiltrated_m3, Err(NotMeasurable::NoBankArea));
/// ```
pub fn fill_events(pond: &Pond<'_>, rules: &FillRules) -> Vec<FillEvent> {
    let stage = in_order(pond.stage_m);
    let rain = pond.rain_mm.map(in_order);
    let fills = fills(&stage, rules);
    let ends = fills.iter().skip(1).map(|next| next.low).chain([stage.len().saturating_sub(1)]);
    fills
        .iter()
        .zip(ends)
        .map(|(fill, end)| {
            let fall = stage.get(fill.peak..=end).unwrap_or_default();
            event(&stage, fill, end, steps(fall, rain.as_deref(), rules), pond)
        })
        .collect()
}

fn event(
    stage: &[(Timestamp, f64)],
    fill: &Fill,
    end: usize,
    (steps, left_out): (Vec<FallStep>, StepsLeftOut),
    pond: &Pond<'_>,
) -> FillEvent {
    let fall_mm: f64 = steps.iter().map(|step| step.fall_m * 1000.0).sum();
    let days: f64 = steps.iter().map(FallStep::days).sum();
    let fall_mm_per_day = (days > 0.0).then(|| fall_mm / days);
    let too_few = NotMeasurable::TooFewReadings { found: stage[fill.peak..=end].len(), needed: 2 };
    let infiltration_mm_per_day = match (fall_mm_per_day, pond.evaporation_mm_per_day) {
        (None, _) => Err(too_few),
        (_, None) => Err(NotMeasurable::NoEvaporation),
        (Some(fall), Some(evaporation)) => Ok(fall - evaporation),
    };
    let infiltrated_m3 = infiltration_mm_per_day.and_then(|rate| {
        let area_m2 = pond.area_m2.ok_or(NotMeasurable::NoBankArea)?;
        Ok(rate / 1000.0 * days * area_m2)
    });
    FillEvent {
        began: stage[fill.low].0,
        before_m: stage[fill.low].1,
        peak_at: stage[fill.peak].0,
        peak_m: stage[fill.peak].1,
        until: stage[end].0,
        steps,
        left_out,
        fall_mm_per_day,
        infiltration_mm_per_day,
        infiltrated_m3,
    }
}

/// Indices of the lowest water before a fill, and of its peak.
struct Fill {
    low: usize,
    peak: usize,
}

fn fills(stage: &[(Timestamp, f64)], rules: &FillRules) -> Vec<Fill> {
    let mut fills: Vec<Fill> = Vec::new();
    // The lowest water since the last peak; of equal ones the latest: the fill began when the water left it.
    let mut low = 0;
    // Of a fill that may still go on.
    let mut peak: Option<usize> = None;
    for (index, &(_, height)) in stage.iter().enumerate() {
        if let Some(at) = peak
            && height > stage[at].1
        {
            if let Some(fill) = fills.last_mut() {
                fill.peak = index;
            }
            (peak, low) = (Some(index), index);
            continue;
        }
        if height <= stage[low].1 {
            low = index;
        }
        if peak.is_some_and(|at| stage[at].1 - height >= rules.fall_min_m) {
            peak = None;
        }
        if peak.is_none() && height - stage[low].1 >= rules.rise_min_m {
            fills.push(Fill { low, peak: index });
            (peak, low) = (Some(index), index);
        }
    }
    fills
}

/// The steps of a fall that count, and how many do not.
fn steps(
    fall: &[(Timestamp, f64)],
    rain: Option<&[(Timestamp, f64)]>,
    rules: &FillRules,
) -> (Vec<FallStep>, StepsLeftOut) {
    let (mut steps, mut left_out) = (Vec::new(), StepsLeftOut::default());
    for pair in fall.windows(2) {
        let ((from, high), (to, low)) = (pair[0], pair[1]);
        match () {
            () if to.micros_since(from) > rules.step_hours_max * HOUR_MICROS => left_out.long += 1,
            () if !is_undisturbed(pair, rain, rules) => left_out.disturbed += 1,
            () if low <= rules.floor_m => left_out.at_floor += 1,
            () => steps.push(FallStep { from, to, stage_m: high / 2.0 + low / 2.0, fall_m: high - low }),
        }
    }
    (steps, left_out)
}

fn is_undisturbed(pair: &[(Timestamp, f64)], rain: Option<&[(Timestamp, f64)]>, rules: &FillRules) -> bool {
    let ((from, high), (to, low)) = (pair[0], pair[1]);
    let Some(rain) = rain else { return low <= high };
    let first = rain.partition_point(|(time, _)| *time <= from);
    let within = rain[first..].iter().take_while(|(time, _)| *time <= to);
    within.map(|(_, amount)| amount.max(0.0)).sum::<f64>() < rules.rain_mm_min
}

/// By time, each once, finite; of two at one time the lower.
pub(super) fn in_order(values: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let mut sorted: Vec<_> = values.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    sorted.dedup_by_key(|(time, _)| *time);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(d: f64) -> Timestamp {
        Timestamp::from_secs((d * 86_400.0) as i64)
    }

    fn daily(heights: &[f64]) -> Vec<(Timestamp, f64)> {
        heights.iter().enumerate().map(|(index, height)| (day(index as f64), *height)).collect()
    }

    fn events(heights: &[f64]) -> Vec<FillEvent> {
        fill_events(&Pond { stage_m: &daily(heights), ..Pond::default() }, &FillRules::default())
    }

    #[test]
    fn a_fill_over_days_is_one_and_noise_is_none() {
        let found = events(&[1.0, 0.98, 1.0, 1.3, 1.7, 1.6, 1.64, 1.5]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].began, found[0].before_m), (day(1.0), 0.98));
        assert_eq!((found[0].peak_at, found[0].peak_m, found[0].until), (day(4.0), 1.7, day(7.0)));
        let fell: Vec<f64> = found[0].steps.iter().map(|step| step.from.as_secs() as f64 / 86_400.0).collect();
        assert_eq!(fell, [4.0, 6.0], "the step with a rise does not count");
        assert!(events(&[1.0, 1.05, 1.0, 1.09, 1.0]).is_empty());
        assert!(events(&[]).is_empty());
    }

    #[test]
    fn a_slow_fill_with_noise_is_one() {
        let heights: Vec<f64> = (0..200).map(|h| 0.004 * f64::from(h) + if h % 2 == 0 { 0.005 } else { 0.0 }).collect();
        assert_eq!(events(&heights).len(), 1);
        assert_eq!(events(&heights)[0].peak_at, day(198.0));
    }

    #[test]
    fn the_next_fill_ends_the_fall() {
        let found = events(&[0.0, 2.0, 1.5, 1.2, 3.0, 2.9]);
        assert_eq!(
            found.iter().map(|event| (event.peak_m, event.until)).collect::<Vec<_>>(),
            [(2.0, day(3.0)), (3.0, day(5.0))]
        );
        assert_eq!(found[0].fall_mm_per_day.map(f64::round), Some(400.0));
    }

    #[test]
    fn rain_long_steps_and_the_floor_do_not_count() {
        let stage = daily(&[0.0, 1.0, 0.8, 0.6, 0.3, 0.0]);
        let rain = [(day(2.5), 20.0), (day(3.5), 0.2)];
        let pond = Pond { stage_m: &stage, rain_mm: Some(&rain), evaporation_mm_per_day: Some(4.0), area_m2: None };
        let found = fill_events(&pond, &FillRules::default());
        let steps: Vec<f64> = found[0].steps.iter().map(|step| (step.fall_m * 10.0).round()).collect();
        assert_eq!(steps, [2.0, 3.0], "not that of the rain, nor the one that ends dry");
        let gap = [(day(0.0), 0.0), (day(1.0), 1.0), (day(5.0), 0.5)];
        let found = fill_events(&Pond { stage_m: &gap, ..Pond::default() }, &FillRules::default());
        assert_eq!(found[0].infiltration_mm_per_day.unwrap_err().name(), "insufficient_readings");
    }

    #[test]
    fn without_evaporation_there_is_a_fall_but_no_infiltration() {
        let found = &events(&[0.0, 2.0, 1.5])[0];
        assert_eq!(
            (found.fall_mm_per_day, found.infiltration_mm_per_day),
            (Some(500.0), Err(NotMeasurable::NoEvaporation))
        );
    }

    proptest! {
        #[test]
        fn order_is_of_no_consequence_and_nothing_panics(
            mut stage in proptest::collection::vec((0i32..60, prop_oneof![any::<f64>(), 0.0f64..3.0], any::<u32>()), 0..50),
        ) {
            let of = |stage: &[(i32, f64, u32)]| {
                let stage: Vec<_> = stage.iter().map(|s| (day(f64::from(s.0)), s.1)).collect();
                format!("{:?}", fill_events(&Pond { stage_m: &stage, ..Pond::default() }, &FillRules::default()))
            };
            let before = of(&stage);
            stage.sort_by_key(|s| s.2);
            prop_assert_eq!(before, of(&stage));
        }

        /// Falls lie between their peak and the next fill, and peaks above what was before.
        #[test]
        fn events_do_not_overlap(heights in proptest::collection::vec(0.0f64..2.0, 0..60)) {
            let found = events(&heights);
            for event in &found {
                prop_assert!(event.peak_m - event.before_m >= 0.1 && event.began < event.peak_at);
                prop_assert!(event.peak_at <= event.until);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].until == pair[1].began));
        }
    }
}
