//! The simulated country at rest: everything that history and live readings are asked from.

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Timestamp};
use gwbank_registry::{BankType, Well};

use crate::aquifer::{ClosedBank, OpenBank};
use crate::climate::Climate;
use crate::network::{Gateway, Network, Site, Water, well};
use crate::{Clogging, History, Live, SimConfig, SimError, Truth};

/// Days before the history in which the stores fill.
const SPIN_UP_DAYS: i32 = 4 * 365;
/// How long banks have existed.
pub(crate) const BANK_DAYS: i32 = 730;

/// A country of wells with its weather. About 50 MB for 1,001 wells and 25 years.
#[derive(Debug)]
pub struct World {
    config: SimConfig,
    first_day: Day,
    climate: Climate,
    sites: Vec<Site>,
    wells: Vec<Well>,
    gateways: Vec<Gateway>,
    /// By site: depth to water at the end of each day; empty for closed banks.
    depths_m: Vec<Vec<f32>>,
    /// By site: fills of a bank from the day on which it was built up to the start of each day; empty for wells.
    fills: Vec<Vec<u32>>,
}

impl World {
    pub fn new(config: SimConfig) -> Result<Self, SimError> {
        config.check()?;
        let (start_day, end_day) = (config.start.day(BANGKOK_OFFSET_SECONDS), config.end.day(BANGKOK_OFFSET_SECONDS));
        let first_day = Day(start_day.0 - SPIN_UP_DAYS);
        let last_day = last_day(&config);
        let climate = Climate::new(config.seed, first_day, last_day, end_day);
        let Network { sites, gateways } = Network::new(config.seed, config.wells, config.clogging);
        let months = months_of_year(first_day, last_day);
        let bank_start = Day(start_day.0.max(end_day.0 - BANK_DAYS));
        let built = (bank_start.0 - first_day.0).max(0) as usize;
        let fills: Vec<Vec<u32>> =
            sites.iter().map(|site| count_fills(site, climate.series(site.province), built)).collect();
        let depths_m: Vec<Vec<f32>> = sites
            .iter()
            .zip(&fills)
            .map(|(site, fills)| simulate(site, climate.series(site.province), &months, fills))
            .collect();
        let history = SPIN_UP_DAYS as usize..(end_day.0 - first_day.0 + 1) as usize;
        let wells = sites
            .iter()
            .zip(&depths_m)
            .map(|(site, depths)| {
                let known = depths.get(history.clone()).unwrap_or_default();
                let is_bank = !matches!(site.water, Water::Aquifer(_));
                well(site, known, if is_bank { bank_start } else { start_day })
            })
            .collect();
        Ok(World { config, first_day, climate, sites, wells, gateways, depths_m, fills })
    }

    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// The registry.
    pub fn wells(&self) -> &[Well] {
        &self.wells
    }

    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    pub fn climate(&self) -> &Climate {
        &self.climate
    }

    /// The messages of the past in the order in which they were sent.
    pub fn history(&self) -> History<'_> {
        History::new(self)
    }

    /// Messages from now on: see [`Live`].
    pub fn live(&self, started: Timestamp, speed: f64) -> Live<'_> {
        Live::new(self, started, speed)
    }

    /// What nobody can measure: see [`Truth`].
    pub fn truth(&self) -> Truth<'_> {
        Truth::new(self)
    }

    /// The true depth to water of the well of that index, in metres; `None` where it is dry.
    pub fn depth_m(&self, well: usize, at: Timestamp) -> Option<f64> {
        if let Water::Closed(bank) = self.sites[well].water {
            let water = self.closed_bank_water_m(well, &bank, at);
            return (water >= ClosedBank::DRY_BELOW_M).then_some(bank.depth_m - water);
        }
        Some(self.between_days(&self.depths_m[well], at))
    }

    /// The kind of hole of the well of that index.
    pub fn bank_type(&self, well: usize) -> BankType {
        self.wells[well].bank_type
    }

    pub(crate) fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Month of the year (0 to 11) of every simulated day.
    pub(crate) fn months_of_year(&self) -> Vec<u8> {
        months_of_year(self.first_day, last_day(&self.config))
    }

    /// The day of index 0 of what is simulated by day.
    pub(crate) fn first_day(&self) -> Day {
        self.first_day
    }

    /// By day from [`World::first_day`] on: of an aquifer or pond at the end of the day.
    pub(crate) fn depths_m(&self, well: usize) -> &[f32] {
        &self.depths_m[well]
    }

    /// By day: of a bank up to the start of the day.
    pub(crate) fn fills(&self, well: usize) -> &[u32] {
        &self.fills[well]
    }

    /// A level by day, at an instant between two ends of days.
    pub(crate) fn between_days(&self, depths: &[f32], at: Timestamp) -> f64 {
        let local = at.as_secs() + i64::from(BANGKOK_OFFSET_SECONDS) - i64::from(self.first_day.0) * 86_400;
        let last = depths.len().saturating_sub(1) as i64;
        let day = local.div_euclid(86_400).clamp(1, last) as usize;
        let part = (local as f64 / 86_400.0 - day as f64).clamp(0.0, 1.0);
        let (before, after) = (f64::from(depths[day - 1]), f64::from(depths[day]));
        before + (after - before) * part
    }

    fn closed_bank_water_m(&self, well: usize, bank: &ClosedBank, at: Timestamp) -> f64 {
        // The last days whose water may still be there.
        let days = match self.config.clogging {
            Clogging::Never | Clogging::SomeOpenBanks => 2,
            Clogging::ByFills => 8,
        };
        let province = self.sites[well].province;
        let today = at.day(BANGKOK_OFFSET_SECONDS);
        (0..days)
            .map(|ago| {
                let day = Day(today.0 - ago);
                let storm = self.climate.storm(province, day);
                let seconds_after = at.as_secs() - day.start(BANGKOK_OFFSET_SECONDS).as_secs() - storm.end;
                let fills = &self.fills[well];
                let before = usize::try_from(day.0 - self.first_day.0).ok().and_then(|index| fills.get(index));
                let fills = before.or(fills.last()).copied().unwrap_or(0);
                bank.water_m(self.climate.rain_mm(province, day), seconds_after as f64 / 3600.0, fills)
            })
            .fold(0.0, f64::max)
    }

    /// Rain between two instants, in mm: each day's falls evenly within its storm.
    pub fn rain_mm_between(&self, province: usize, from: Timestamp, to: Timestamp) -> f64 {
        let (first, last) = (from.day(BANGKOK_OFFSET_SECONDS), to.day(BANGKOK_OFFSET_SECONDS));
        let mut sum = 0.0;
        for day in (first.0..=last.0).map(Day) {
            let rain_mm = self.climate.rain_mm(province, day);
            if rain_mm == 0.0 {
                continue;
            }
            let storm = self.climate.storm(province, day);
            let midnight = day.start(BANGKOK_OFFSET_SECONDS).as_secs();
            let begin = from.as_secs().max(midnight + storm.start);
            let end = to.as_secs().min(midnight + storm.end);
            sum += rain_mm * (end - begin).max(0) as f64 / (storm.end - storm.start) as f64;
        }
        sum
    }
}

fn simulate(site: &Site, rain_mm: &[f32], months: &[u8], fills: &[u32]) -> Vec<f32> {
    match site.water {
        Water::Aquifer(aquifer) => aquifer.depths_m(rain_mm, months),
        Water::Open(aquifer, bank) => bank.depths_m(rain_mm, &aquifer.depths_m(rain_mm, months), fills),
        Water::Closed(_) => Vec::new(),
    }
}

fn last_day(config: &SimConfig) -> Day {
    Day(config.end.day(BANGKOK_OFFSET_SECONDS).0 + config.live_days as i32 + 1)
}

fn months_of_year(first: Day, last: Day) -> Vec<u8> {
    (first.0..=last.0).map(|day| Day(day).month().month_of_year() as u8 - 1).collect()
}

/// Fills of a bank that was built on the day of that index.
fn count_fills(site: &Site, rain_mm: &[f32], built: usize) -> Vec<u32> {
    let is_fill = match site.water {
        Water::Aquifer(_) => return Vec::new(),
        Water::Open(..) => OpenBank::is_fill,
        Water::Closed(_) => ClosedBank::is_fill,
    };
    let mut count = 0;
    let by_day = rain_mm.iter().enumerate().map(|(day, rain_mm)| {
        let before = count;
        count += u32::from(day >= built && is_fill(*rain_mm));
        before
    });
    by_day.collect()
}
