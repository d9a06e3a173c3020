//! Volumes of water put into the ground, in m³.
//!
//! # Method
//! - **By meter**: the inflow (m³/h) integrated over time by trapezoids. Steps longer than allowed are left out; where they
//!   are too large a part of the time, there is no volume.
//! - **By stage**: `V = Σ pores · ∫ area dh − evaporation · area · time` over the steps of the falls, the area by stage
//!   from a table of the survey (straight lines between its rows), pores 1 for an open pond.
//!
//! # Known weaknesses
//! By stage, water that seeps away while the bank fills or while it rains is not in the volume: it is a lower bound. A meter that runs in
//! puffs shorter than its reading interval is integrated wrongly either way.

use gwbank_model::Timestamp;

use super::NotMeasurable;
use super::infiltration::{FillEvent, in_order};

const HOUR_MICROS: f64 = 3_600e6;

/// Area of the water by its height above the floor.
#[derive(Debug, Clone, PartialEq)]
pub struct StageArea {
    /// Ascending heights (m), areas (m²).
    rows: Vec<(f64, f64)>,
}

impl StageArea {
    /// Rows in any order. `None` without rows, with a height twice, with areas that are negative or shrink upwards (no
    /// bank has an overhanging wall), or with anything that is not finite.
    ///
    /// ```
    /// use gwbank_indicator::bank::StageArea;
    /// let table = StageArea::try_new(&[(2.0, 300.0), (0.0, 100.0)]).unwrap();
    /// assert_eq!(table.area_m2(1.0), 200.0);
    /// assert_eq!(table.area_m2(5.0), 300.0, "the walls above the table are upright");
    /// assert!(StageArea::try_new(&[(0.0, 300.0), (2.0, 100.0)]).is_none());
    /// ```
    pub fn try_new(rows: &[(f64, f64)]) -> Option<Self> {
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let are_values = rows.iter().all(|(height, area)| height.is_finite() && area.is_finite() && *area >= 0.0);
        let widen = rows.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        (!rows.is_empty() && are_values && widen).then_some(Self { rows })
    }

    /// Upright walls: the one area that the registry has.
    pub fn upright(area_m2: f64) -> Option<Self> {
        Self::try_new(&[(0.0, area_m2)])
    }

    /// Below the first and above the last row the area stays as there.
    pub fn area_m2(&self, height_m: f64) -> f64 {
        let next = self.rows.partition_point(|(height, _)| *height <= height_m);
        match (next.checked_sub(1).and_then(|before| self.rows.get(before)), self.rows.get(next)) {
            (Some(below), Some(above)) => below.1 + (above.1 - below.1) * (height_m - below.0) / (above.0 - below.0),
            (Some(row), None) | (None, Some(row)) => row.1,
            (None, None) => 0.0,
        }
    }

    /// Volume between two heights, negative where `to` is the lower.
    fn between_m3(&self, from: f64, to: f64) -> f64 {
        let (low, high) = (from.min(to), from.max(to));
        let knees = self.rows.iter().map(|(height, _)| *height).filter(|height| *height > low && *height < high);
        let mut volume = 0.0;
        let mut below = low;
        for height in knees.chain([high]) {
            // Between two rows the area is a line, so its mean is that of its ends; at a row it has one value.
            volume += (self.area_m2(below) / 2.0 + self.area_m2(height) / 2.0) * (height - below);
            below = height;
        }
        if from <= to { volume } else { -volume }
    }
}

/// Water that a bank put into the ground over the falls of these events, m³.
///
/// - **Formula**: `V = Σ (pores · ∫ area dh − evaporation · time · area)` over the steps of the falls that count.
/// - **Unit**: m³; evaporation in mm/day, heights in m, areas in m². **Shape**: events in any order; `area` is `None` where none is
///   registered; `pores` the share of pores of the fill (1 for an open pond), `None` where that of a closed bank is not known.
/// - **Source**: a water balance; no standard. **Limits**: those of the steps ([`FillRules`](super::FillRules)).
/// - **Weak**: a lower bound, as what seeps away while the bank fills or while it rains is in no step.
///
/// ```
/// use gwbank_indicator::bank::*;
/// use gwbank_model::Timestamp;
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let stage = [(day(0), 0.0), (day(1), 2.0), (day(2), 1.5), (day(3), 1.0)];
/// let events = fill_events(&Pond { stage_m: &stage, ..Pond::default() }, &FillRules::default());
/// let upright = StageArea::upright(400.0);
/// // 1 m of fall less twice 5 mm of evaporation.
/// assert_eq!(volume_by_stage(&events, upright.as_ref(), Some(5.0), Some(1.0)), Ok(396.0));
/// assert_eq!(volume_by_stage(&events, None, Some(5.0), Some(1.0)), Err(NotMeasurable::NoBankArea));
/// assert_eq!(volume_by_stage(&events, upright.as_ref(), Some(0.0), None), Err(NotMeasurable::NoFillMaterial));
/// ```
pub fn volume_by_stage(
    events: &[FillEvent],
    area: Option<&StageArea>,
    evaporation_mm_per_day: Option<f64>,
    pores: Option<f64>,
) -> Result<f64, NotMeasurable> {
    let area = area.ok_or(NotMeasurable::NoBankArea)?;
    let evaporation = evaporation_mm_per_day.ok_or(NotMeasurable::NoEvaporation)?;
    let pores = pores.filter(|share| (0.0..=1.0).contains(share)).ok_or(NotMeasurable::NoFillMaterial)?;
    let steps = events.iter().flat_map(|event| &event.steps);
    Ok(steps
        .map(|step| {
            let (high, low) = (step.stage_m + step.fall_m / 2.0, step.stage_m - step.fall_m / 2.0);
            let evaporated = evaporation / 1000.0 * step.days() * area.area_m2(step.stage_m);
            pores * area.between_m3(low, high) - evaporated
        })
        .sum())
}

/// A volume by the inflow meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeteredVolume {
    pub m3: f64,
    /// Share of the time between the first and the last reading that the readings cover.
    pub covered: f64,
    /// Steps that were integrated, and those left out as they are longer than `step_hours_max`.
    pub steps: usize,
    pub steps_left_out: usize,
    pub step_hours_max: f64,
    /// How often the bank was filled with that much: m³ over the bank's volume.
    pub fills: Result<f64, NotMeasurable>,
}

/// Shares of time that must be covered, and how long a step may be.
const COVERED_MIN: f64 = 0.9;
const STEP_INTERVALS_MAX: i64 = 3;

/// Inflow integrated from the first to the last reading.
///
/// - **Formula**: trapezoids, `Σ (q₁ + q₂)/2 · Δt`; fills = volume over the bank's.
/// - **Unit**: m³/h in, m³ out. **Shape**: readings in any order; negative ones are none. A step longer than three usual intervals is
///   left out, and where less than nine tenths of the time is covered there is no volume.
/// - **Source**: plain integration. **Limits**: the three intervals and nine tenths are this project's.
/// - **Weak**: a meter that runs in puffs shorter than its interval is integrated wrongly either way; a meter's own error is not in it.
///
/// ```
/// use gwbank_indicator::bank::metered_volume;
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// let flow: Vec<_> = (0..25).map(|h| (hour(h), 2.5)).collect();
/// let found = metered_volume(&flow, Some(120.0)).unwrap();
/// assert_eq!((found.m3, found.covered, found.fills), (60.0, 1.0, Ok(0.5)));
/// ```
pub fn metered_volume(
    inflow_m3_per_hour: &[(Timestamp, f64)],
    bank_volume_m3: Option<f64>,
) -> Result<MeteredVolume, NotMeasurable> {
    let mut flow = in_order(inflow_m3_per_hour);
    flow.retain(|(_, flow)| *flow >= 0.0);
    let times: Vec<Timestamp> = flow.iter().map(|(time, _)| *time).collect();
    let too_few = NotMeasurable::TooFewReadings { found: flow.len(), needed: 2 };
    let interval = crate::no_data::usual_interval(&times).ok_or(too_few)?;
    let (first, last) = (times.first().copied().ok_or(too_few)?, times.last().copied().ok_or(too_few)?);
    let longest = interval.saturating_mul(STEP_INTERVALS_MAX);
    let (mut m3, mut covered_micros, mut steps) = (0.0, 0.0, 0);
    for pair in flow.windows(2) {
        let micros = pair[1].0.micros_since(pair[0].0);
        if micros <= longest {
            m3 += (pair[0].1 / 2.0 + pair[1].1 / 2.0) * (micros as f64 / HOUR_MICROS);
            covered_micros += micros as f64;
            steps += 1;
        }
    }
    let covered = covered_micros / last.micros_since(first) as f64;
    if covered < COVERED_MIN {
        return Err(NotMeasurable::LowCoverage { covered, needed: COVERED_MIN });
    }
    let fills = bank_volume_m3.filter(|volume| *volume > 0.0).map(|volume| m3 / volume);
    Ok(MeteredVolume {
        m3,
        covered,
        steps,
        steps_left_out: flow.len() - 1 - steps,
        step_hours_max: longest as f64 / HOUR_MICROS,
        fills: fills.ok_or(NotMeasurable::NoBankVolume),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hour(h: i64) -> Timestamp {
        Timestamp::from_secs(h * 3600)
    }

    #[test]
    fn a_cone_has_its_volume() {
        // Area in proportion to the height: half of the top's area times the height.
        let table = StageArea::try_new(&[(0.0, 0.0), (1.0, 100.0), (2.0, 200.0)]).unwrap();
        assert_eq!(table.between_m3(0.0, 2.0), 200.0);
        assert_eq!(table.between_m3(1.5, 0.5), -100.0);
        assert_eq!(StageArea::try_new(&[]), None);
        assert_eq!(StageArea::try_new(&[(0.0, f64::NAN)]), None);
    }

    #[test]
    fn a_meter_that_was_away_has_no_volume() {
        let flow: Vec<_> = (0..10).chain(40..50).map(|h| (hour(h), 1.0)).collect();
        assert_eq!(metered_volume(&flow, None).unwrap_err().name(), "insufficient_coverage");
        assert_eq!(metered_volume(&flow[..1], None), Err(NotMeasurable::TooFewReadings { found: 1, needed: 2 }));
        assert_eq!(metered_volume(&flow[..10], None).unwrap().fills, Err(NotMeasurable::NoBankVolume));
    }

    proptest! {
        #[test]
        fn volumes_add_up(a in 0.0f64..3.0, b in 0.0f64..3.0, c in 0.0f64..3.0) {
            let table = StageArea::try_new(&[(0.5, 50.0), (1.0, 80.0), (2.5, 400.0)]).unwrap();
            let sum = table.between_m3(a, b) + table.between_m3(b, c);
            prop_assert!((sum - table.between_m3(a, c)).abs() < 1e-9);
        }

        #[test]
        fn more_flow_is_more_water_in_any_order(mut flow in proptest::collection::vec((0i64..60, 0.0f64..9.0, any::<u32>()), 2..60)) {
            let of = |flow: &[(i64, f64, u32)], more: f64| {
                let flow: Vec<_> = flow.iter().map(|f| (hour(f.0), f.1 * more)).collect();
                metered_volume(&flow, None).map(|volume| volume.m3)
            };
            let before = of(&flow, 1.0);
            if let (Ok(less), Ok(more)) = (before, of(&flow, 2.0)) {
                prop_assert!(less <= more);
            }
            flow.sort_by_key(|f| f.2);
            prop_assert_eq!(before, of(&flow, 1.0));
        }

        #[test]
        fn nothing_panics(flow in proptest::collection::vec((any::<i64>(), any::<f64>()), 0..30), rows in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..6)) {
            let flow: Vec<_> = flow.iter().map(|f| (Timestamp::from_micros(f.0), f.1)).collect();
            let _ = metered_volume(&flow, Some(1.0));
            if let Some(table) = StageArea::try_new(&rows) {
                table.between_m3(-1.0, 5.0);
            }
        }
    }
}
