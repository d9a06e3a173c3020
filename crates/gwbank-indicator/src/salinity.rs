//! How salt the water of a well is, and whether it becomes salter.
//!
//! ```text
//! EC at the water's temperature ─▶ EC at 25 °C ─▶ dissolved solids ─▶ class (science, and the three words of the display)
//!            EC at 25 °C ─▶ daily medians ─▶ 7-day median against the same season's baseline ─▶ flag (follow)
//!                                        └─▶ seasonal medians ─▶ trend
//! ```
//!
//! # Rules
//! 1. All judgement is on EC at 25 °C in µS/cm; dissolved solids are EC times a factor and name the class.
//! 2. A class is a fact of one value; a flag needs a change ([`follow`]): a well that has always been salt is no news.
//! 3. Values that are not finite or negative are none.
//!
//! # Known weaknesses
//! The factor from EC to dissolved solids is that of the water's ions (0.55 for chloride waters, 0.75 for sulphate and
//! bicarbonate waters): one analysis in a laboratory is worth more than the default.

mod baseline;
mod follow;

pub use baseline::{
    Baseline, DailyMedian, SalinityTrend, Season, SeasonMedian, daily_medians, season_medians, season_of, trend,
};
pub use follow::{SalinityFollower, SalinityMet, SalinityNow, SalinityRules, SalinityStep, SalinityTrack, follow};

/// Change of a natural water's conductivity per °C, relative to that at 25 °C.
///
/// Standard Methods 2510 B. **(check)** against the primary source.
pub const TEMPERATURE_COEFFICIENT: f64 = 0.0191;

/// Water temperatures for which the linear compensation is meant.
const TEMPERATURES_CEL: std::ops::RangeInclusive<f64> = -2.0..=60.0;

/// Conductivity at 25 °C from that at the water's own temperature.
///
/// - **Formula**: `EC₂₅ = EC_T / (1 + 0.0191 (T − 25))`. **Unit**: the one that came in (µS/cm, or any other); °C. **Shape**: one
///   value; `None` where one is not finite, the conductivity is negative, or the temperature is not that of liquid groundwater.
/// - **Source**: Standard Methods 2510 B **(check)** ([`TEMPERATURE_COEFFICIENT`]). **Limits**: −2 to 60 °C, this project's.
/// - **Weak**: linear; at 5 °C or in brines it is off by a few percent against non-linear tables.
///
/// ```
/// use gwbank_indicator::salinity::ec_25;
/// // 1,000 µS/cm at 30 °C would be 913 at 25 °C.
/// assert_eq!(ec_25(1000.0, 30.0).map(f64::round), Some(913.0));
/// assert_eq!(ec_25(1000.0, 25.0), Some(1000.0));
/// assert_eq!(ec_25(-1.0, 25.0), None);
/// assert_eq!([-50.0, 60.5, f64::NAN].map(|temperature| ec_25(1000.0, temperature)), [None; 3]);
/// ```
pub fn ec_25(conductivity: f64, temperature_cel: f64) -> Option<f64> {
    let meant = is_value(conductivity) && TEMPERATURES_CEL.contains(&temperature_cel);
    meant.then(|| conductivity / (1.0 + TEMPERATURE_COEFFICIENT * (temperature_cel - 25.0)))
}

/// Whether a number can be a conductivity or concentration at all.
pub(crate) fn is_value(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// mg/L of dissolved solids per µS/cm at 25 °C: 0.55 to 0.75 in natural waters (Hem 1985, USGS WSP 2254), 0.64 where
/// nobody has analysed the water **(check)**.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct TdsFactor(f64);

impl TdsFactor {
    pub const USUAL: TdsFactor = TdsFactor(0.64);

    /// `None` outside of what natural waters have.
    ///
    /// ```
    /// use gwbank_indicator::salinity::TdsFactor;
    /// assert!(TdsFactor::try_new(0.7).is_some());
    /// assert!(TdsFactor::try_new(1.2).is_none());
    /// ```
    pub fn try_new(factor: f64) -> Option<Self> {
        (0.55..=0.75).contains(&factor).then_some(Self(factor))
    }

    pub const fn value(self) -> f64 {
        self.0
    }

    /// Dissolved solids of water with this conductivity.
    ///
    /// - **Formula**: `TDS = factor · EC₂₅`. **Unit**: mg/L from µS/cm at 25 °C. **Shape**: `None` for what is no conductivity.
    /// - **Source**: Hem 1985 (USGS WSP 2254); 0.64 **(check)**. **Limits**: factors from 0.55 to 0.75.
    /// - **Weak**: of one kind of ions: see the head of this module.
    ///
    /// ```
    /// use gwbank_indicator::salinity::TdsFactor;
    /// assert_eq!(TdsFactor::USUAL.tds_mg_l(1000.0), Some(640.0));
    /// ```
    pub fn tds_mg_l(self, ec_25: f64) -> Option<f64> {
        is_value(ec_25).then_some(self.0 * ec_25)
    }

    /// The conductivity at 25 °C that so many dissolved solids have.
    pub fn ec_25_of(self, tds_mg_l: f64) -> f64 {
        tds_mg_l / self.0
    }
}

impl Default for TdsFactor {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Classes of hydrogeology by dissolved solids (of the USGS, after Winslow and Kister 1956, WSP 1365 **(check)**; other
/// textbooks say brackish from 1,000 to 10,000 mg/L and saline above).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScienceClass {
    /// Below 1,000 mg/L.
    Fresh,
    /// From 1,000 mg/L.
    SlightlySaline,
    /// From 3,000 mg/L.
    ModeratelySaline,
    /// From 10,000 mg/L.
    VerySaline,
    /// From 35,000 mg/L: salter than the sea.
    Brine,
}

impl ScienceClass {
    /// The class of a concentration.
    ///
    /// - **Formula**: below 1,000, 3,000, 10,000, 35,000, and from there; a limit belongs to the class above it. **Unit**: mg/L.
    ///   **Shape**: `None` for what is no concentration.
    /// - **Source, limits**: of the USGS, after Winslow & Kister 1956 (WSP 1365) **(check)**.
    /// - **Weak**: from conductivity it is as good as the factor: near a limit the class may be either.
    ///
    /// ```
    /// use gwbank_indicator::salinity::ScienceClass;
    /// assert_eq!(ScienceClass::of_tds(999.9), Some(ScienceClass::Fresh));
    /// assert_eq!(ScienceClass::of_tds(1000.0), Some(ScienceClass::SlightlySaline));
    /// assert_eq!(ScienceClass::of_tds(f64::NAN), None);
    /// ```
    pub fn of_tds(tds_mg_l: f64) -> Option<Self> {
        is_value(tds_mg_l).then_some(match tds_mg_l {
            tds if tds < 1_000.0 => ScienceClass::Fresh,
            tds if tds < 3_000.0 => ScienceClass::SlightlySaline,
            tds if tds < 10_000.0 => ScienceClass::ModeratelySaline,
            tds if tds < 35_000.0 => ScienceClass::VerySaline,
            _ => ScienceClass::Brine,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            ScienceClass::Fresh => "fresh",
            ScienceClass::SlightlySaline => "slightly_saline",
            ScienceClass::ModeratelySaline => "moderately_saline",
            ScienceClass::VerySaline => "very_saline",
            ScienceClass::Brine => "brine",
        }
    }
}

/// The three words on Thai maps: จืด below 500 mg/L, กร่อย to 1,500, เค็ม above **(check)**.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DisplayClass {
    Fresh,
    Brackish,
    Saline,
}

impl DisplayClass {
    const BRACKISH_FROM_MG_L: f64 = 500.0;
    const BRACKISH_THROUGH_MG_L: f64 = 1_500.0;

    /// The word of a concentration.
    ///
    /// - **Formula**: below 500 จืด, through 1,500 กร่อย (both ends), above เค็ม. **Unit**: mg/L. **Shape**: `None` for what is no
    ///   concentration.
    /// - **Source, limits**: usage of Thai maps **(check)**.
    /// - **Weak**: as [`ScienceClass::of_tds`]; these are not the limits of drinking water.
    ///
    /// ```
    /// use gwbank_indicator::salinity::DisplayClass;
    /// let class = DisplayClass::of_tds(640.0).unwrap();
    /// assert_eq!((class, class.thai()), (DisplayClass::Brackish, "กร่อย"));
    /// ```
    pub fn of_tds(tds_mg_l: f64) -> Option<Self> {
        is_value(tds_mg_l).then_some(if tds_mg_l < Self::BRACKISH_FROM_MG_L {
            DisplayClass::Fresh
        } else if tds_mg_l <= Self::BRACKISH_THROUGH_MG_L {
            DisplayClass::Brackish
        } else {
            DisplayClass::Saline
        })
    }

    /// Dissolved solids from which water is no longer of this class; `None` for the last one.
    pub const fn upper_limit_mg_l(self) -> Option<f64> {
        match self {
            DisplayClass::Fresh => Some(Self::BRACKISH_FROM_MG_L),
            DisplayClass::Brackish => Some(Self::BRACKISH_THROUGH_MG_L),
            DisplayClass::Saline => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            DisplayClass::Fresh => "fresh",
            DisplayClass::Brackish => "brackish",
            DisplayClass::Saline => "saline",
        }
    }

    pub const fn thai(self) -> &'static str {
        match self {
            DisplayClass::Fresh => "จืด",
            DisplayClass::Brackish => "กร่อย",
            DisplayClass::Saline => "เค็ม",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_of_the_display() {
        let of = |tds| DisplayClass::of_tds(tds).map(DisplayClass::thai);
        assert_eq!([499.9, 500.0, 1500.0, 1500.1].map(of), [Some("จืด"), Some("กร่อย"), Some("กร่อย"), Some("เค็ม")]);
        assert_eq!([f64::NAN, -1.0, f64::INFINITY].map(of), [None; 3]);
    }

    #[test]
    fn names_are_distinct_and_in_order() {
        let found = [0.0, 1e3, 3e3, 1e4, 3.5e4].map(|tds| ScienceClass::of_tds(tds).map(ScienceClass::name));
        let expected = ["fresh", "slightly_saline", "moderately_saline", "very_saline", "brine"];
        assert_eq!(found, expected.map(Some));
    }

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>(), 0.0f64..80_000.0]
    }

    proptest! {
        #[test]
        fn higher_conductivity_is_never_fresher(a in any_number(), b in any_number(), factor in 0.55f64..=0.75) {
            let factor = TdsFactor::try_new(factor).unwrap();
            let science = |ec| factor.tds_mg_l(ec).and_then(ScienceClass::of_tds);
            let display = |ec| factor.tds_mg_l(ec).and_then(DisplayClass::of_tds);
            if let (Some(_), Some(_)) = (science(a), science(b)) {
                let (low, high) = (a.min(b), a.max(b));
                prop_assert!(science(low) <= science(high) && display(low) <= display(high));
            }
        }

        /// In mS/cm the same water has the same conductivity at 25 °C.
        #[test]
        fn compensation_knows_no_unit(ec in 1.0f64..100_000.0, temperature in 0.0f64..45.0) {
            let (micro, milli) = (ec_25(ec, temperature).unwrap(), ec_25(ec / 1000.0, temperature).unwrap());
            prop_assert!((micro / 1000.0 - milli).abs() <= 1e-12 * milli);
        }

        #[test]
        fn warmer_water_conducts_more(ec in any_number(), a in any::<f64>(), b in -2.0f64..60.0) {
            if let (Some(at_a), Some(at_b)) = (ec_25(ec, a), ec_25(ec, b)) {
                prop_assert!((a <= b) == (at_a >= at_b) || at_a == at_b);
            }
        }
    }
}
