//! What may be configured, with the defaults of the definitions.

use std::time::Duration;

use gwbank_indicator::flood::FloodRules;
use gwbank_indicator::no_data::SilenceRules;
use gwbank_indicator::rapid::RapidRules;
use gwbank_indicator::{DroughtRules, FloodPlaceRules, MonthClosing, MonthRules, PlaceRules, StandingRules};

use gwbank_model::condition::Hazard;

use crate::fleet::FleetRules;
use crate::record::RecordRules;

#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// When a month closes, and the calendar's offset from UTC.
    pub closing: MonthClosing,
    /// Quality flags whose values count in level statistics.
    pub qualities: Vec<u8>,
    /// Days with values that make a month, by how the series is taken.
    pub days_min_logger: u32,
    pub days_min_manual: u32,
    pub standing: StandingRules,
    pub drought: DroughtRules,
    pub places: PlaceRules,
    pub flood: FloodRules,
    pub flood_places: FloodPlaceRules,
    pub record: RecordRules,
    pub rapid: RapidRules,
    pub silence: SilenceRules,
    /// How often silent wells and gateways are looked for.
    pub silence_interval: Duration,
    /// How many of the last closed months are looked at a second time.
    pub second_look_months: u32,
    /// For how long that holds up the evaluation of months, about.
    pub second_look_time: Duration,
    pub contacts: Contacts,
    pub fleet: FleetRules,
    pub stands_at_least: StandsAtLeast,
    /// A message that could not be delivered for so long is not worth telling any more.
    pub message_age_max: Duration,
    /// How often dirty months are looked for: long enough that a burst of readings is one recomputation.
    pub monthly_interval: Duration,
    /// How often open flood flags are looked at for silence.
    pub stale_interval: Duration,
    /// Wells whose whole history is read at once: 64 wells × 25 years of days are about 50 MB.
    pub wells_per_batch: usize,
    /// Indicator rows in one transaction: long ones would hold up the ingest's.
    pub rows_per_commit: usize,
    /// Only so many of a well's latest months get indicator rows; `None` is all of them.
    pub indicator_months_max: Option<u32>,
    /// Closed months for which places get indicator rows.
    pub place_months: u32,
    /// Recent readings that the flood rule looks at.
    pub flood_lookback_hours: u32,
    /// The same for open banks, whose recovery takes days.
    pub bank_lookback_hours: u32,
    /// Recent readings of so many wells are read at a time.
    pub concurrent_reads: usize,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            closing: MonthClosing::default(),
            qualities: vec![1, 2],
            days_min_logger: MonthRules::DAYS_MIN_LOGGER,
            days_min_manual: MonthRules::DAYS_MIN_MANUAL,
            standing: StandingRules::default(),
            drought: DroughtRules::default(),
            places: PlaceRules::default(),
            flood: FloodRules::default(),
            flood_places: FloodPlaceRules::default(),
            record: RecordRules::default(),
            rapid: RapidRules::default(),
            silence: SilenceRules::default(),
            silence_interval: Duration::from_secs(600),
            second_look_months: 60,
            second_look_time: Duration::from_secs(10),
            contacts: Contacts::default(),
            fleet: FleetRules::default(),
            stands_at_least: StandsAtLeast::default(),
            message_age_max: Duration::from_secs(72 * 3600),
            monthly_interval: Duration::from_secs(10),
            stale_interval: Duration::from_secs(60),
            wells_per_batch: 64,
            rows_per_commit: 20_000,
            indicator_months_max: None,
            place_months: 12,
            flood_lookback_hours: 72,
            bank_lookback_hours: 7 * 24,
            concurrent_reads: 8,
        }
    }
}

/// Whom a message asks its reader to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contacts {
    pub drought_en: String,
    pub drought_th: String,
    pub flood_en: String,
    pub flood_th: String,
    /// Who looks after sensors and gateways.
    pub operator_en: String,
    pub operator_th: String,
}

impl Default for Contacts {
    fn default() -> Self {
        Self {
            drought_en: "the regional office of the Department of Groundwater Resources".into(),
            drought_th: "สำนักทรัพยากรน้ำบาดาลเขตในพื้นที่".into(),
            flood_en: "the provincial disaster prevention and mitigation office, telephone 1784".into(),
            flood_th: "สำนักงาน ปภ. จังหวัด โทร 1784".into(),
            operator_en: "the operator of the wells".into(),
            operator_th: "ผู้ดูแลระบบบ่อ".into(),
        }
    }
}

/// How long what got worse does not get better again: a flag is no flicker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandsAtLeast {
    pub drought: Duration,
    pub flood: Duration,
    pub salinity: Duration,
    pub rapid_change: Duration,
    pub no_data: Duration,
}

impl Default for StandsAtLeast {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        // Silence has lasted a day before it is raised, and a reading ends it.
        let no_data = Duration::ZERO;
        Self { drought: hours(24), flood: hours(1), salinity: hours(24), rapid_change: hours(1), no_data }
    }
}

impl StandsAtLeast {
    pub fn of(&self, hazard: Hazard) -> Duration {
        match hazard {
            Hazard::Drought => self.drought,
            Hazard::Flood => self.flood,
            Hazard::Salinity => self.salinity,
            Hazard::RapidChange => self.rapid_change,
            Hazard::NoData => self.no_data,
        }
    }
}
