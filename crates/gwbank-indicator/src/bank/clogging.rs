//! Clogging: whether a bank takes water more slowly than it did.
//!
//! # Method
//! 1. Water that stands higher goes down faster, so only falls at like height are compared. The height is that above the
//!    water table beside the bank where the bank reaches it (the comparison well), else above the floor. It is cut into
//!    strata, each a quarter higher than the one before.
//! 2. Of each fill and stratum the rate of infiltration (mm/day, without evaporation) is one value. Its logarithm is taken,
//!    so that the slope is a percentage.
//! 3. The decline is the median slope of all pairs of fills within a stratum (Sen 1968; strata in the place of the seasons
//!    of Hirsch, Slack and Smith 1982): per fill, and per year of time.
//! 4. Sure is what Mann–Kendall's test over the strata says. The strata of one fill are not independent, so the variance
//!    is multiplied by their mean number: the test errs to "not seen".
//!
//! # Known weaknesses
//! Cleaning of a bank within the stretch is a step, not a slope: hand in the fills since the last cleaning. Colder water is
//! more viscous (2 % per °C): over a year of the tropics that is noise, not decline.

use std::collections::BTreeMap;

use gwbank_model::Timestamp;

use super::NotMeasurable;
use super::infiltration::{FillEvent, in_order};
use crate::normal::normal_quantile;
use crate::robust::{Blocked, BlockedSlope, blocked_slope};

const YEAR_MICROS: f64 = 365.25 * 86_400e6;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CloggingRules {
    /// Fills with a rate that a trend needs: with fewer Mann–Kendall's test cannot be significant or its normal form fails.
    pub events_min: usize,
    /// Height of a stratum's top over its bottom.
    pub stratum_ratio: f64,
    /// Water so near to the table or the floor drives too little.
    pub head_min_m: f64,
    /// Smaller rates are noise, and have no logarithm.
    pub rate_min_mm_per_day: f64,
}

impl Default for CloggingRules {
    fn default() -> Self {
        Self { events_min: 10, stratum_ratio: 1.25, head_min_m: 0.10, rate_min_mm_per_day: 1.0 }
    }
}

/// The water table beside the bank.
#[derive(Debug, Clone, Copy)]
pub enum WaterTable<'a> {
    /// The bank lies above the table, as a closed bank does by design.
    Below,
    /// Height of the water in the comparison well above the bank's floor, m (negative below it), in any order.
    Measured(&'a [(Timestamp, f64)]),
    /// The bank may reach the table, and nobody measures it.
    Unknown,
}

/// How sure it is that the rate changes at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    NotSeen,
    /// At 90 %.
    Likely,
    /// At 99 %.
    Sure,
}

impl Sureness {
    fn of(z: f64) -> Self {
        // Two-sided.
        let limit = |confidence: f64| normal_quantile(0.5 + confidence / 2.0);
        match z.abs() {
            z if z >= limit(0.99) => Sureness::Sure,
            z if z >= limit(0.90) => Sureness::Likely,
            _ => Sureness::NotSeen,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Sureness::NotSeen => "not_seen",
            Sureness::Likely => "likely",
            Sureness::Sure => "sure",
        }
    }
}

/// A change with the ends of its 90 % interval; negative is a decline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PercentChange {
    pub percent: f64,
    pub low: f64,
    pub high: f64,
}

impl PercentChange {
    fn of(slope: &BlockedSlope) -> Self {
        let percent = |logarithm: f64| 100.0 * logarithm.exp_m1();
        Self { percent: percent(slope.slope), low: percent(slope.low), high: percent(slope.high) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clogging {
    pub per_event: PercentChange,
    pub per_year: PercentChange,
    pub sureness: Sureness,
    /// Mann–Kendall's z of the rates over the fills.
    pub z: f64,
    /// Fills with a rate.
    pub events: usize,
}

impl Clogging {
    /// Whether the bank takes water more slowly, and that is at least likely.
    pub fn is_clogging(&self) -> bool {
        self.per_event.percent < 0.0 && self.sureness >= Sureness::Likely
    }
}

/// The decline of the infiltration rate over the fills of a bank.
///
/// - **Formula**: ln(rate) of each fill and stratum of height; slope = median of the slopes of all pairs of fills within a stratum;
///   change = 100 · (eˢˡᵒᵖᵉ − 1); sureness by Mann–Kendall's z summed over the strata, its variance times the strata a fill.
/// - **Unit**: rates in mm/day; percent a fill and percent a year of 365.25 days, negative being a decline, with the ends of the
///   90 % interval. **Shape**: fills of [`fill_events`](super::fill_events) in any order, since the last cleaning.
/// - **Source**: Sen 1968; Hirsch, Slack & Smith 1982 for the blocks. Strata of height are this project's.
/// - **Limits**: ten fills with a rate, heights from 0.10 m, rates from 1 mm/day, strata a quarter higher each
///   ([`CloggingRules`]); likely from 90 %, sure from 99 %, two-sided.
/// - **Weak**: a cleaning within the stretch is a step, not a slope; the water's temperature is not taken off.
///
/// ```
/// use gwbank_indicator::bank::*;
/// use gwbank_model::Timestamp;
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// // A fill every ten days; each time the bank takes 3 % less than before.
/// let mut stage = vec![(day(0), 0.0)];
/// for fill in 0..20 {
///     let rate = 0.20 * 0.97f64.powi(fill);
///     for after in 1..10 {
///         stage.push((day(10 * i64::from(fill) + after), 2.0 - rate * (after - 1) as f64));
///     }
/// }
/// let pond = Pond { stage_m: &stage, evaporation_mm_per_day: Some(0.0), ..Pond::default() };
/// let events = fill_events(&pond, &FillRules::default());
/// let found = clogging(&events, WaterTable::Below, &CloggingRules::default()).unwrap();
/// assert!((found.per_event.percent + 3.0).abs() < 0.1, "{found:?}");
/// assert_eq!(found.sureness, Sureness::Sure);
/// let unknown = clogging(&events, WaterTable::Unknown, &CloggingRules::default());
/// assert_eq!(unknown, Err(NotMeasurable::NoComparisonWell));
/// ```
pub fn clogging(events: &[FillEvent], table: WaterTable<'_>, rules: &CloggingRules) -> Result<Clogging, NotMeasurable> {
    let fills = fill_rates(events, table, rules)?;
    let (mut by_event, mut by_year) = (Vec::new(), Vec::new());
    let with_rate = fills.len();
    let origin = fills.first().map_or(Timestamp::MIN, |fill| fill.peak_at);
    for (fill, number) in fills.iter().zip(0u32..) {
        for &StratumRate { stratum: block, rate_mm_per_day, .. } in &fill.strata {
            let y = rate_mm_per_day.ln();
            by_event.push(Blocked { block, x: f64::from(number), y });
            by_year.push(Blocked { block, x: fill.peak_at.micros_since(origin) as f64 / YEAR_MICROS, y });
        }
    }
    let too_few = NotMeasurable::TooFewEvents { found: with_rate, needed: rules.events_min };
    if with_rate < rules.events_min {
        return Err(too_few);
    }
    let strata_per_event = by_event.len() as f64 / with_rate as f64;
    let per_event = blocked_slope(&by_event, strata_per_event).ok_or(too_few)?;
    let per_year = blocked_slope(&by_year, strata_per_event).ok_or(too_few)?;
    Ok(Clogging {
        per_event: PercentChange::of(&per_event),
        per_year: PercentChange::of(&per_year),
        sureness: Sureness::of(per_event.z()),
        z: per_event.z(),
        events: with_rate,
    })
}

/// The infiltration rate of a fill in one stratum of head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StratumRate {
    pub stratum: i64,
    /// Head from which the stratum goes, m; the next one begins where it ends.
    pub from_m: f64,
    pub rate_mm_per_day: f64,
}

/// What the decline is found from: a fill with a rate in one stratum at least.
#[derive(Debug, Clone, PartialEq)]
pub struct FillRates {
    pub peak_at: Timestamp,
    /// In order of head.
    pub strata: Vec<StratumRate>,
}

/// The fills (in any order) that have a rate, in order of time.
///
/// - **Formula**: fall/time − evaporation over the steps whose head lies in a stratum. **Unit**: mm a day, m of head.
/// - **Source, limits, weaknesses**: those of [`clogging`], which finds the decline from them.
pub fn fill_rates(
    events: &[FillEvent],
    table: WaterTable<'_>,
    rules: &CloggingRules,
) -> Result<Vec<FillRates>, NotMeasurable> {
    let table = match table {
        WaterTable::Below => None,
        WaterTable::Unknown => return Err(NotMeasurable::NoComparisonWell),
        WaterTable::Measured([]) => return Err(NotMeasurable::NoComparisonWell),
        WaterTable::Measured(heights) => Some(in_order(heights)),
    };
    let mut events: Vec<&FillEvent> = events.iter().collect();
    events.sort_by_key(|event| event.peak_at);
    let mut fills = Vec::new();
    for event in events {
        let evaporation = match (event.fall_mm_per_day, event.infiltration_mm_per_day) {
            (Some(fall), Ok(infiltration)) => fall - infiltration,
            (None, _) => continue,
            (_, Err(why)) => return Err(why),
        };
        let strata = rates_by_stratum(event, table.as_deref(), evaporation, rules);
        if !strata.is_empty() {
            fills.push(FillRates { peak_at: event.peak_at, strata });
        }
    }
    Ok(fills)
}

fn rates_by_stratum(
    event: &FillEvent,
    table: Option<&[(Timestamp, f64)]>,
    evaporation_mm_per_day: f64,
    rules: &CloggingRules,
) -> Vec<StratumRate> {
    let mut strata: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for step in &event.steps {
        let below = match table {
            None => 0.0,
            Some(table) => match height_at(table, step.middle()) {
                Some(height) => height.max(0.0),
                None => continue,
            },
        };
        let head_m = step.stage_m - below;
        if head_m >= rules.head_min_m {
            let stratum = (head_m.ln() / rules.stratum_ratio.ln()).floor() as i64;
            let (fall_mm, days) = strata.entry(stratum).or_default();
            *fall_mm += step.fall_m * 1000.0;
            *days += step.days();
        }
    }
    strata
        .into_iter()
        .map(|(stratum, (fall_mm, days))| StratumRate {
            stratum,
            from_m: rules.stratum_ratio.powf(stratum as f64),
            rate_mm_per_day: fall_mm / days - evaporation_mm_per_day,
        })
        .filter(|found| found.rate_mm_per_day >= rules.rate_min_mm_per_day)
        .collect()
}

/// The height between the readings on both sides, at most a month apart: a water table moves slowly, and comparison wells
/// are often read by hand.
fn height_at(table: &[(Timestamp, f64)], at: Timestamp) -> Option<f64> {
    const APART_MICROS_MAX: i64 = 31 * 86_400_000_000;
    let next = table.partition_point(|(time, _)| *time < at);
    let after = table.get(next)?;
    if after.0 == at {
        return Some(after.1);
    }
    let before = table.get(next.checked_sub(1)?)?;
    let apart = after.0.micros_since(before.0);
    let part = at.micros_since(before.0) as f64 / apart as f64;
    (apart <= APART_MICROS_MAX).then_some(before.1 * (1.0 - part) + after.1 * part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{FillRules, Pond, fill_events};
    use proptest::prelude::*;

    fn day(d: i64) -> Timestamp {
        Timestamp::from_secs(d * 86_400)
    }

    /// A fill every ten days to heights between 1 and 2 m, falling in proportion to the head.
    fn events(fills: i32, factor: f64, evaporation: Option<f64>) -> Vec<FillEvent> {
        let mut stage = vec![(day(0), 0.3)];
        for fill in 0..fills {
            let share = (-0.1 * factor.powi(fill)).exp();
            let mut height = 1.0 + f64::from(fill * 7 % 10) / 10.0;
            for after in 1..10 {
                stage.push((day(10 * i64::from(fill) + after), height));
                height *= share;
            }
        }
        let pond = Pond { stage_m: &stage, evaporation_mm_per_day: evaporation, ..Pond::default() };
        fill_events(&pond, &FillRules::default())
    }

    fn of(events: &[FillEvent]) -> Result<Clogging, NotMeasurable> {
        clogging(events, WaterTable::Below, &CloggingRules::default())
    }

    #[test]
    fn heights_of_the_fills_are_no_clogging() {
        let found = of(&events(30, 1.0, Some(0.0))).unwrap();
        assert_eq!(found.sureness, Sureness::NotSeen, "{found:?}");
        assert!(found.per_event.percent.abs() < 0.2 && !found.is_clogging());
        let found = of(&events(30, 0.98, Some(0.0))).unwrap();
        assert!((found.per_event.percent + 2.0).abs() < 0.3 && found.is_clogging(), "{found:?}");
        assert!(found.per_event.low <= found.per_event.percent && found.per_event.percent <= found.per_event.high);
        // 36.5 fills a year.
        assert!((found.per_year.percent + 52.0).abs() < 5.0, "{found:?}");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(of(&events(5, 0.98, Some(0.0))), Err(NotMeasurable::TooFewEvents { found: 5, needed: 10 }));
        assert_eq!(of(&events(20, 0.98, None)), Err(NotMeasurable::NoEvaporation));
        assert_eq!(of(&[]), Err(NotMeasurable::TooFewEvents { found: 0, needed: 10 }));
    }

    #[test]
    fn a_table_between_its_readings() {
        let table = [(day(0), 1.0), (day(10), 2.0), (day(60), 3.0)];
        assert_eq!(height_at(&table, day(5)), Some(1.5));
        assert_eq!(height_at(&table, day(60)), Some(3.0));
        assert_eq!([day(-1), day(30), day(61)].map(|at| height_at(&table, at)), [None; 3]);
    }

    proptest! {
        // A case has years of days.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn order_of_events_is_of_no_consequence(keys in proptest::collection::vec(any::<u32>(), 20)) {
            let plain = events(20, 0.97, Some(3.0));
            let mut mixed: Vec<_> = plain.iter().cloned().zip(keys).collect();
            mixed.sort_by_key(|(_, key)| *key);
            let mixed: Vec<FillEvent> = mixed.into_iter().map(|(event, _)| event).collect();
            prop_assert_eq!(of(&plain), of(&mixed));
        }

        #[test]
        fn nothing_panics(
            stage in proptest::collection::vec((0i64..400, prop_oneof![any::<f64>(), 0.0f64..3.0]), 0..120),
            table in proptest::collection::vec((0i64..400, any::<f64>()), 0..20),
            evaporation in any::<f64>(),
        ) {
            let stage: Vec<_> = stage.iter().map(|s| (day(s.0), s.1)).collect();
            let table: Vec<_> = table.iter().map(|t| (day(t.0), t.1)).collect();
            let pond = Pond { stage_m: &stage, evaporation_mm_per_day: Some(evaporation), ..Pond::default() };
            let events = fill_events(&pond, &FillRules::default());
            let rules = CloggingRules { events_min: 1, ..CloggingRules::default() };
            let _ = clogging(&events, WaterTable::Measured(&table), &rules);
            let _ = clogging(&events, WaterTable::Below, &rules);
        }

        #[test]
        fn faster_clogging_is_a_steeper_decline(factor in 0.95f64..1.0, less in 0.97f64..0.995) {
            let percent = |factor| of(&events(25, factor, Some(0.0))).unwrap().per_event.percent;
            prop_assert!(percent(factor * less) < percent(factor));
        }
    }
}
