//! Silence: which wells do not report, and whom it concerns.
//!
//! # Rules
//! 1. A series is silent when its last reading is older than the larger of three usual intervals and 24 h. A reading that
//!    says "dry" or "no value" is one: the sensor speaks.
//! 2. The usual interval is the median step between its readings, so that an outage or a burst does not change it.
//! 3. When all wells of a gateway are silent, the gateway is, once, in the place of its wells. One well alone on its
//!    gateway is told as a well: nobody can say which of the two failed.
//! 4. A province hears of it only when more than half of its wells are silent.
//! 5. A well that never reported is neither silent nor speaking: it is counted nowhere.
//!
//! Limits are INDICATORS.md's.

use std::collections::BTreeMap;

use gwbank_model::Timestamp;
use gwbank_model::condition::{Hazard, Severity};

const HOUR: i64 = 3_600_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SilenceRules {
    pub intervals: i64,
    pub hours_min: i64,
    /// Conditions of high groundwater turn stale sooner.
    pub flood_stale_hours: i64,
    /// Share of silent wells above which a province is told.
    pub province_share: f64,
}

impl Default for SilenceRules {
    fn default() -> Self {
        Self { intervals: 3, hours_min: 24, flood_stale_hours: 6, province_share: 0.5 }
    }
}

/// The usual interval of a series.
///
/// - **Formula**: median step between distinct times; of an even number of steps the longer of the two middle ones, so that a
///   series is not called silent too soon. **Unit**: µs. **Shape**: times in any order; `None` with fewer than two.
/// - **Source, limits**: none.
/// - **Weak**: a series that changed its interval has the old one until half of its steps are new.
///
/// ```
/// use gwbank_indicator::no_data::usual_interval;
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// // Hourly, with an outage of a day and a doubled message.
/// let times = [hour(0), hour(1), hour(2), hour(26), hour(27), hour(27)];
/// assert_eq!(usual_interval(&times), Some(3_600_000_000));
/// ```
pub fn usual_interval(times: &[Timestamp]) -> Option<i64> {
    let mut times = times.to_vec();
    times.sort();
    times.dedup();
    let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1].micros_since(pair[0])).collect();
    let middle = steps.len() / 2;
    (!steps.is_empty()).then(|| *steps.select_nth_unstable(middle).1)
}

/// For how long a series may say nothing.
///
/// - **Formula**: `max(3 × interval, 24 h)`. **Unit**: µs. **Shape**: the usual interval, `None` where it is not known: 24 h then.
/// - **Source, limits**: INDICATORS.md, both in [`SilenceRules`].
/// - **Weak**: a well that is read by hand once a month may be gone for three months before anybody hears of it.
///
/// ```
/// use gwbank_indicator::no_data::{SilenceRules, allowed_silence};
/// let (hour, rules) = (3_600_000_000, SilenceRules::default());
/// assert_eq!(allowed_silence(Some(hour), &rules), 24 * hour);
/// assert_eq!(allowed_silence(Some(30 * 24 * hour), &rules), 90 * 24 * hour);
/// assert_eq!(allowed_silence(None, &rules), 24 * hour);
/// ```
pub fn allowed_silence(interval_micros: Option<i64>, rules: &SilenceRules) -> i64 {
    let of_interval = interval_micros.unwrap_or(0).saturating_mul(rules.intervals);
    of_interval.max(rules.hours_min * HOUR)
}

/// For how long a condition stays fresh without a reading.
///
/// - **Formula**: as [`allowed_silence`]; for high groundwater `max(6 h, 1.5 × interval)`, as a daily series could else never carry a
///   fresh condition. **Unit**: µs. **Shape**: as [`allowed_silence`].
/// - **Source, limits**: INDICATORS.md; the one and a half intervals are this project's.
/// - **Weak**: by the usual interval, whatever the gateway's own schedule says.
///
/// ```
/// use gwbank_indicator::no_data::{SilenceRules, fresh_for};
/// use gwbank_model::condition::Hazard;
/// let (hour, rules) = (3_600_000_000, SilenceRules::default());
/// assert_eq!(fresh_for(Hazard::Flood, Some(hour), &rules), 6 * hour);
/// assert_eq!(fresh_for(Hazard::Salinity, Some(hour), &rules), 24 * hour);
/// ```
pub fn fresh_for(hazard: Hazard, interval_micros: Option<i64>, rules: &SilenceRules) -> i64 {
    match hazard {
        Hazard::Flood => (rules.flood_stale_hours * HOUR).max(interval_micros.unwrap_or(0) / 2 * 3),
        _ => allowed_silence(interval_micros, rules),
    }
}

/// A well as far as silence goes. Names are the caller's; equal names are the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard<'a> {
    pub well: &'a str,
    /// `None`: it speaks for itself.
    pub gateway: Option<&'a str>,
    pub province: &'a str,
    /// Of any series of the well, by time of measurement. `None`: it never reported.
    pub last: Option<Timestamp>,
    /// Of its most frequent series.
    pub interval_micros: Option<i64>,
}

impl Heard<'_> {
    /// Since when it has been silent at `now`, which is its last reading; `None` while it speaks. A reading of the future
    /// (a wrong clock) counts as one of now.
    pub fn silent_since(&self, now: Timestamp, rules: &SilenceRules) -> Option<Timestamp> {
        let allowed = allowed_silence(self.interval_micros, rules);
        self.last.filter(|last| now.micros_since(*last) > allowed)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentWell<'a> {
    pub well: &'a str,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentGateway<'a> {
    pub gateway: &'a str,
    /// The last reading of any of its wells.
    pub since: Timestamp,
    /// By name.
    pub wells: Vec<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvinceSilence<'a> {
    pub province: &'a str,
    pub silent: usize,
    /// Wells that ever reported.
    pub wells: usize,
    /// More than half are silent: the province hears of it.
    pub told: bool,
}

/// All silence at an instant, each kind by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Silence<'a> {
    pub gateways: Vec<SilentGateway<'a>>,
    /// Those that no silent gateway stands for.
    pub wells: Vec<SilentWell<'a>>,
    /// All that have a well that ever reported.
    pub provinces: Vec<ProvinceSilence<'a>>,
}

impl Silence<'_> {
    /// A watch, whatever its extent: it says nothing of the water.
    pub const SEVERITY: Severity = Severity::Watch;
}

/// Groups the silence of wells, so that whoever can mend it hears of it once.
///
/// - **Formula**: the rules at the head of this module. **Unit**: instants of the last readings; counts of wells. **Shape**: wells in
///   any order, each once; every list of the result is by name.
/// - **Source, limits**: INDICATORS.md: more than half of a province's wells ([`SilenceRules`]).
/// - **Weak**: why a well is silent is not told apart: battery, network, theft and a dry well whose sensor stops look alike.
///
/// ```
/// use gwbank_indicator::no_data::{Heard, SilenceRules, silence};
/// use gwbank_model::Timestamp;
/// let hour = |h: i64| Timestamp::from_secs(h * 3600);
/// let heard = |well, gateway, last| Heard {
///     well, gateway: Some(gateway), province: "30", last: Some(hour(last)), interval_micros: Some(3_600_000_000),
/// };
/// let wells = [heard("a", "g1", 10), heard("b", "g1", 12), heard("c", "g2", 90), heard("d", "g2", 11)];
/// let found = silence(&wells, hour(100), &SilenceRules::default());
/// assert_eq!((found.gateways[0].gateway, found.gateways[0].since), ("g1", hour(12)));
/// assert_eq!(found.wells[0].well, "d");
/// assert!(found.provinces[0].told, "three of four");
/// ```
pub fn silence<'a>(wells: &[Heard<'a>], now: Timestamp, rules: &SilenceRules) -> Silence<'a> {
    let mut known: Vec<&Heard<'a>> = wells.iter().filter(|well| well.last.is_some()).collect();
    known.sort_by_key(|well| well.well);
    let mut by_gateway: BTreeMap<&'a str, Vec<&Heard<'a>>> = BTreeMap::new();
    let mut by_province: BTreeMap<&'a str, (usize, usize)> = BTreeMap::new();
    for well in &known {
        if let Some(gateway) = well.gateway {
            by_gateway.entry(gateway).or_default().push(well);
        }
        let (silent, all) = by_province.entry(well.province).or_default();
        *silent += usize::from(well.silent_since(now, rules).is_some());
        *all += 1;
    }

    let mut found = Silence::default();
    let is_silent =
        |wells: &Vec<&Heard<'a>>| wells.len() > 1 && wells.iter().all(|well| well.silent_since(now, rules).is_some());
    by_gateway.retain(|_, wells| is_silent(wells));
    for (gateway, wells) in &by_gateway {
        if let Some(since) = wells.iter().filter_map(|well| well.last).max() {
            found.gateways.push(SilentGateway { gateway, since, wells: wells.iter().map(|well| well.well).collect() });
        }
    }
    for well in known {
        let spoken_for = well.gateway.is_some_and(|gateway| by_gateway.contains_key(gateway));
        if let Some(since) = well.silent_since(now, rules).filter(|_| !spoken_for) {
            found.wells.push(SilentWell { well: well.well, since });
        }
    }
    found.provinces = by_province
        .into_iter()
        .map(|(province, (silent, wells))| {
            let told = silent as f64 > rules.province_share * wells as f64;
            ProvinceSilence { province, silent, wells, told }
        })
        .collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hour(h: i64) -> Timestamp {
        Timestamp::from_secs(h * 3600)
    }

    fn heard<'a>(well: &'a str, gateway: Option<&'a str>, last: Option<i64>) -> Heard<'a> {
        Heard { well, gateway, province: "30", last: last.map(hour), interval_micros: Some(HOUR) }
    }

    #[test]
    fn exactly_a_day_is_no_silence() {
        let well = heard("a", None, Some(0));
        assert_eq!(well.silent_since(hour(24), &SilenceRules::default()), None);
        assert_eq!(well.silent_since(hour(24).plus_micros(1), &SilenceRules::default()), Some(hour(0)));
        let future = heard("a", None, Some(1000));
        assert_eq!(future.silent_since(hour(24), &SilenceRules::default()), None);
    }

    #[test]
    fn one_well_on_a_gateway_is_a_well() {
        let wells = [heard("a", Some("g"), Some(0)), heard("never", Some("g"), None)];
        let found = silence(&wells, hour(50), &SilenceRules::default());
        assert!(found.gateways.is_empty());
        assert_eq!(found.wells, [SilentWell { well: "a", since: hour(0) }]);
        assert_eq!(found.provinces, [ProvinceSilence { province: "30", silent: 1, wells: 1, told: true }]);
    }

    #[test]
    fn half_of_a_province_is_not_more_than_half() {
        let wells = [heard("a", None, Some(0)), heard("b", None, Some(49))];
        let told = |wells: &[Heard<'_>]| silence(wells, hour(50), &SilenceRules::default()).provinces[0].told;
        assert!(!told(&wells));
        assert!(told(&[wells[0], wells[1], heard("c", None, Some(1))]));
    }

    #[test]
    fn conditions_of_high_water_go_stale_first() {
        let rules = SilenceRules::default();
        assert_eq!(fresh_for(Hazard::Flood, Some(HOUR), &rules), 6 * HOUR);
        assert_eq!(fresh_for(Hazard::Flood, Some(24 * HOUR), &rules), 36 * HOUR);
        assert_eq!(fresh_for(Hazard::Salinity, Some(24 * HOUR), &rules), 72 * HOUR);
    }

    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    proptest! {
        #[test]
        fn order_is_of_no_consequence_and_every_silent_well_is_told_once(
            states in proptest::collection::vec((proptest::option::of(0i64..60), 0usize..3, any::<u32>()), 6),
        ) {
            let mut wells: Vec<(u32, Heard<'_>)> = states
                .iter()
                .zip(NAMES)
                .map(|(state, name)| (state.2, heard(name, (state.1 > 0).then(|| ["", "g", "h"][state.1]), state.0)))
                .collect();
            let of = |wells: &[(u32, Heard<'static>)]| {
                let wells: Vec<Heard<'static>> = wells.iter().map(|(_, well)| *well).collect();
                silence(&wells, hour(60), &SilenceRules::default())
            };
            let found = of(&wells);
            wells.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(&found, &of(&wells));
            let told = found.wells.len() + found.gateways.iter().map(|g| g.wells.len()).sum::<usize>();
            prop_assert_eq!(told, found.provinces.iter().map(|p| p.silent).sum::<usize>());
        }

        #[test]
        fn usual_interval_is_a_step(mut times in proptest::collection::vec(any::<i64>(), 0..40)) {
            let of = |times: &[i64]| usual_interval(&times.iter().map(|t| Timestamp::from_micros(*t)).collect::<Vec<_>>());
            let before = of(&times);
            times.reverse();
            prop_assert_eq!(before, of(&times));
            prop_assert!(before.is_none_or(|step| step > 0));
        }
    }
}
