//! Whether recharge makes the groundwater worse.
//!
//! # Method
//! For each recharge: the median of the two weeks before against the median of the two weeks after it began, three values
//! on each side at least. It is harm where the rise is at least a share *and* an amount: conductivity 20 % and 300 µS/cm
//! (the salinity rule of INDICATORS), turbidity twofold and 5 NTU (the limit of Thai and WHO drinking water) **(check)**.
//! A comparison well that rose as well takes its rise off: then the weather did it, not the bank.
//!
//! # Known weaknesses
//! Recharges less than two weeks apart share their values: the second one's "before" is the first one's "after", and slow
//! harm by many small recharges is a trend ([`salinity::trend`](crate::salinity::trend)), not a jump.

use gwbank_model::Timestamp;

use super::NotMeasurable;
use crate::robust::median;
use crate::salinity::is_value;

const DAY_MICROS: i64 = 86_400_000_000;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Substance {
    /// EC at 25 °C, µS/cm.
    Conductivity,
    /// NTU.
    Turbidity,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HarmRules {
    pub days: i64,
    pub values_min: usize,
    pub conductivity_share: f64,
    pub conductivity_us_cm: f64,
    pub turbidity_share: f64,
    pub turbidity_ntu: f64,
}

impl Default for HarmRules {
    fn default() -> Self {
        Self {
            days: 14,
            values_min: 3,
            conductivity_share: 0.20,
            conductivity_us_cm: 300.0,
            turbidity_share: 1.0,
            turbidity_ntu: 5.0,
        }
    }
}

impl HarmRules {
    fn limits(&self, substance: Substance) -> (f64, f64) {
        match substance {
            Substance::Conductivity => (self.conductivity_share, self.conductivity_us_cm),
            Substance::Turbidity => (self.turbidity_share, self.turbidity_ntu),
        }
    }
}

/// The water before and after one recharge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harm {
    pub recharge: Timestamp,
    pub before: f64,
    pub after: f64,
    /// Of the comparison well over the same weeks, where that has enough values.
    pub comparison_rise: Option<f64>,
    /// After − before, less what the comparison well rose (if it rose).
    pub rise: f64,
    pub is_harm: bool,
}

/// Judges one recharge by the values of a well, and of its comparison well where there is one.
///
/// - **Formula**: rise = median of the two weeks from the recharge on − median of the two weeks before it − what the comparison
///   well rose (never less than 0); harm where rise ≥ share · before and rise ≥ amount.
/// - **Unit**: µS/cm at 25 °C, or NTU. **Shape**: values in any order, negative and not finite ones left out; three on each side,
///   else `TooFewReadings`; an empty comparison is none.
/// - **Source**: the salinity rule of INDICATORS.md (20 % and 300 µS/cm); 5 NTU of the Thai and WHO drinking-water limit
///   **(check)**; twofold, two weeks and three values are this project's. **Limits**: all in [`HarmRules`].
/// - **Weak**: recharges less than two weeks apart share their values; a comparison well with too few values takes nothing off.
///
/// ```
/// use gwbank_indicator::bank::{HarmRules, Substance, quality_harm};
/// use gwbank_model::Timestamp;
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let values: Vec<_> = (-14..14).map(|d| (day(d), if d < 2 { 600.0 } else { 1100.0 })).collect();
/// let rules = HarmRules::default();
/// let found = quality_harm(Substance::Conductivity, &values, day(0), &[], &rules).unwrap();
/// assert_eq!((found.before, found.after, found.is_harm), (600.0, 1100.0, true));
/// // The comparison well did the same.
/// let found = quality_harm(Substance::Conductivity, &values, day(0), &values, &rules).unwrap();
/// assert!(!found.is_harm);
/// ```
pub fn quality_harm(
    substance: Substance,
    values: &[(Timestamp, f64)],
    recharge: Timestamp,
    comparison: &[(Timestamp, f64)],
    rules: &HarmRules,
) -> Result<Harm, NotMeasurable> {
    let (before, after) = around(values, recharge, rules)?;
    let comparison_rise = around(comparison, recharge, rules).ok().map(|(before, after)| after - before);
    let rise = after - before - comparison_rise.unwrap_or(0.0).max(0.0);
    let (share, amount) = rules.limits(substance);
    let is_harm = rise >= amount && rise >= share * before;
    Ok(Harm { recharge, before, after, comparison_rise, rise, is_harm })
}

/// Medians before and from a recharge on.
fn around(values: &[(Timestamp, f64)], recharge: Timestamp, rules: &HarmRules) -> Result<(f64, f64), NotMeasurable> {
    let reach = rules.days.saturating_mul(DAY_MICROS);
    let within = |from: Timestamp, to: Timestamp| {
        let mut found: Vec<f64> = values
            .iter()
            .filter(|(time, value)| *time >= from && *time < to && is_value(*value))
            .map(|(_, value)| *value)
            .collect();
        let too_few = NotMeasurable::TooFewReadings { found: found.len(), needed: rules.values_min };
        median(&mut found).filter(|_| found.len() >= rules.values_min).ok_or(too_few)
    };
    let before = within(recharge.plus_micros(-reach), recharge)?;
    Ok((before, within(recharge, recharge.plus_micros(reach))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(d: i64) -> Timestamp {
        Timestamp::from_secs(d * 86_400)
    }

    fn turbidity(before: f64, after: f64) -> bool {
        let values: Vec<_> = (-5..5).map(|d| (day(d), if d < 0 { before } else { after })).collect();
        quality_harm(Substance::Turbidity, &values, day(0), &[], &HarmRules::default()).unwrap().is_harm
    }

    #[test]
    fn harm_is_a_share_and_an_amount() {
        assert!(turbidity(3.0, 8.0) && turbidity(0.0, 5.0));
        assert!(!turbidity(1.0, 4.0), "fourfold, but clear");
        assert!(!turbidity(20.0, 30.0), "10 NTU more, but it was muddy before");
        assert!(!turbidity(20.0, 1.0));
    }

    #[test]
    fn few_values_say_nothing() {
        let values = [(day(-1), 500.0), (day(-2), 500.0), (day(1), 900.0), (day(2), 900.0), (day(3), 900.0)];
        let found = quality_harm(Substance::Conductivity, &values, day(0), &[], &HarmRules::default());
        assert_eq!(found, Err(NotMeasurable::TooFewReadings { found: 2, needed: 3 }));
        let found = quality_harm(Substance::Conductivity, &[], day(0), &[], &HarmRules::default());
        assert_eq!(found.unwrap_err().name(), "insufficient_readings");
    }

    proptest! {
        #[test]
        fn salter_after_is_never_less_harm_in_any_order(
            mut values in proptest::collection::vec((-13i64..14, prop_oneof![Just(f64::NAN), 0.0f64..3000.0], any::<u32>()), 0..40),
            more in 1.0f64..3.0,
        ) {
            let of = |values: &[(i64, f64, u32)], more: f64| {
                let values: Vec<_> =
                    values.iter().map(|v| (day(v.0), if v.0 < 0 { v.1 } else { v.1 * more })).collect();
                quality_harm(Substance::Conductivity, &values, day(0), &[], &HarmRules::default())
            };
            let before = of(&values, 1.0);
            if let (Ok(plain), Ok(salter)) = (before, of(&values, more)) {
                prop_assert!(plain.is_harm <= salter.is_harm);
            }
            values.sort_by_key(|v| v.2);
            prop_assert_eq!(before, of(&values, 1.0));
        }
    }
}
