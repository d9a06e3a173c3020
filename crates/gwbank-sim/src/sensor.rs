//! What sensors make of the truth.
//!
//! Shares are those of a well-kept telemetry network: a logger is out for some 2 % of its days, one reading in 2,000 is a
//! spike, one block of two months in a hundred holds a flat line, one logger in thirty drifts until it is cleaned each year.

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Month, Timestamp};

use crate::network::{Kind, Site};
use crate::random::Noise;
use crate::world::World;

const NOISE_M: f64 = 0.003;
/// A tape read by hand, rounded to the centimetre.
const MANUAL_NOISE_M: f64 = 0.01;
const SPIKE_SHARE: f64 = 0.000_5;
const MISSING_SHARE: f64 = 0.000_4;
const OUTAGE_SHARE: f64 = 0.1;
const FLAT_SHARE: f64 = 0.01;
const DRIFTING_SHARE: f64 = 0.03;
const DRIFT_M_PER_YEAR: f64 = 0.06;
/// Days of which an outage or a flat line takes a part.
const BLOCK_DAYS: i32 = 60;
const INTRUDED_SHARE: f64 = 0.06;

const KEY_OUTAGE: u64 = 31;
const KEY_FLAT: u64 = 32;
const KEY_DRIFT: u64 = 33;
const KEY_READING: u64 = 34;
const KEY_MANUAL: u64 = 35;
const KEY_CONDUCTIVITY: u64 = 36;

/// A level reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// Nothing was sent.
    Absent,
    /// Sent without a value.
    Missing,
    /// No water down to the bottom.
    Dry,
    Depth(f64),
}

/// What is wrong with a sensor at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Defects {
    /// It sends nothing.
    pub outage: bool,
    /// It repeats what it saw at the start of that day.
    pub flat_since: Option<Day>,
    /// It sends no value.
    pub missing: bool,
    /// Metres too deep, growing over a year.
    pub drift_m: f64,
    /// Metres beside the truth, this once.
    pub spike_m: Option<f64>,
}

impl Defects {
    pub fn is_none(&self) -> bool {
        *self == Defects::default()
    }
}

/// Part of a block of days that an event takes: `None` where the block has none.
fn event(site: &Site, key: u64, day: Day, share: f64, length_max: u64) -> Option<std::ops::Range<i32>> {
    let block = day.0.div_euclid(BLOCK_DAYS);
    let noise = site.noise.key(key).key(block as u64);
    if !noise.chance(share) {
        return None;
    }
    let length = 2 + noise.key(1).below(length_max) as i32;
    let start = block * BLOCK_DAYS + noise.key(2).below((BLOCK_DAYS - length.min(BLOCK_DAYS - 1)) as u64) as i32;
    Some(start..start + length)
}

/// Of a well's level sensor. A spike or a missing value is that of a reading at exactly this instant.
pub(crate) fn defects(site: &Site, at: Timestamp) -> Defects {
    let day = at.day(BANGKOK_OFFSET_SECONDS);
    let outage = event(site, KEY_OUTAGE, day, OUTAGE_SHARE, 20).is_some_and(|outage| outage.contains(&day.0));
    let flat_since =
        event(site, KEY_FLAT, day, FLAT_SHARE, 12).filter(|flat| flat.contains(&day.0)).map(|flat| Day(flat.start));
    let noise = reading_noise(site, at, flat_since);
    let drifts = site.noise.key(KEY_DRIFT).chance(DRIFTING_SHARE);
    let drift_m = if drifts { DRIFT_M_PER_YEAR * f64::from(day.0.rem_euclid(365)) / 365.0 } else { 0.0 };
    let spike = noise.key(2);
    let spike_m = spike.chance(SPIKE_SHARE).then(|| {
        let size = spike.key(1).between(0.8, 5.0);
        if spike.key(2).chance(0.5) { size } else { -size }
    });
    Defects { outage, flat_since, missing: noise.key(1).chance(MISSING_SHARE), drift_m, spike_m }
}

fn seen_at(at: Timestamp, flat_since: Option<Day>) -> Timestamp {
    flat_since.map_or(at, |start| start.start(BANGKOK_OFFSET_SECONDS))
}

fn reading_noise(site: &Site, at: Timestamp, flat_since: Option<Day>) -> Noise {
    site.noise.key(KEY_READING).key(seen_at(at, flat_since).as_secs() as u64)
}

pub(crate) fn level(world: &World, index: usize, at: Timestamp) -> Level {
    let site = &world.sites()[index];
    let defects = defects(site, at);
    if defects.outage {
        return Level::Absent;
    }
    if defects.missing {
        return Level::Missing;
    }
    let Some(truth) = world.depth_m(index, seen_at(at, defects.flat_since)) else {
        return Level::Dry;
    };
    let well = &world.wells()[index];
    if well.depth.is_some_and(|bottom| truth >= bottom) {
        return Level::Dry;
    }
    let noise = reading_noise(site, at, defects.flat_since).rough_normal();
    Level::Depth(truth + NOISE_M * noise + defects.drift_m + defects.spike_m.unwrap_or(0.0))
}

/// When a manual well is read in a month, and what is read; `None` where nobody came.
pub(crate) fn manual_visit(world: &World, index: usize, month: Month) -> Option<(Timestamp, Level)> {
    let site = &world.sites()[index];
    let noise = site.noise.key(KEY_MANUAL).key(month.index() as u64);
    if noise.chance(0.04) {
        return None;
    }
    let day = Day(month.first_day().0 + 3 + noise.key(1).below(22) as i32);
    let minutes = 9 * 60 + noise.key(2).below(180) as i64;
    let at = day.start(BANGKOK_OFFSET_SECONDS).plus_secs(minutes * 60);
    let truth = world.depth_m(index, at)?;
    if world.wells()[index].depth.is_some_and(|bottom| truth >= bottom) {
        return Some((at, Level::Dry));
    }
    let read = truth + MANUAL_NOISE_M * noise.key(3).rough_normal();
    Some((at, Level::Depth((read * 100.0).round() / 100.0)))
}

/// Groundwater lies near the mean temperature of the year and follows it a little.
pub(crate) fn temperature_cel(site: &Site, at: Timestamp) -> f64 {
    let year = at.as_secs() as f64 / (365.25 * 86_400.0);
    let season = (std::f64::consts::TAU * (year - 0.4)).sin();
    let noise = site.noise.key(KEY_READING).key(at.as_secs() as u64).key(7).rough_normal();
    27.3 + site.noise.key(40).between(-1.0, 1.0) + 0.6 * season + 0.05 * noise
}

/// Fresh and steady, but for a few wells into which salt water moves over the last three months before `end`.
pub(crate) fn specific_conductance(site: &Site, at: Timestamp, end: Timestamp) -> f64 {
    let noise = site.noise.key(KEY_CONDUCTIVITY);
    let base = 250.0 * noise.between(0.0, 1.5).exp();
    let wobble = 1.0 + 0.01 * noise.key(at.as_secs() as u64).rough_normal();
    base * wobble + intrusion_us_cm(site, at, end)
}

/// What the salt water adds.
pub(crate) fn intrusion_us_cm(site: &Site, at: Timestamp, end: Timestamp) -> f64 {
    let days_before_end = (end.as_secs() - at.as_secs()) as f64 / 86_400.0;
    let is_intruded = site.noise.key(KEY_CONDUCTIVITY).key(1).chance(INTRUDED_SHARE);
    if is_intruded { 2500.0 * (1.0 - days_before_end / 90.0).clamp(0.0, 1.0) } else { 0.0 }
}

pub(crate) fn battery_volts(site: &Site, at: Timestamp) -> f64 {
    let hour = (at.as_secs() + i64::from(BANGKOK_OFFSET_SECONDS)).rem_euclid(86_400) as f64 / 3600.0;
    let charge = (std::f64::consts::TAU * (hour - 10.0) / 24.0).sin();
    3.62 + 0.12 * charge + 0.01 * site.noise.key(at.as_secs() as u64).rough_normal()
}

/// Whether a logger or bank sends by itself.
pub(crate) fn is_automatic(site: &Site) -> bool {
    site.kind != Kind::Manual
}
