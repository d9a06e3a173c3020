//! What the simulation knows and no instrument can: what an estimator is to be measured against.
//!
//! # Rules
//! 1. Wells are named by their index in [`World::wells`](crate::World::wells).
//! 2. Everything is of the same model that makes the messages; nothing here changes a byte of them.
//! 3. Recharge is the water that reached the water table, not what left the soil: that is weeks earlier.

use std::ops::Range;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Month, Timestamp};

use crate::network::Water;
use crate::sensor::{self, Defects, Level};
use crate::world::World;

const DAY_MICROS: f64 = 86_400e6;

/// The constants of a well's aquifer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AquiferFacts {
    pub specific_yield: f64,
    /// Constant of its linear reservoir.
    pub recession_days: f64,
    /// Mean residence in each of the two stores between soil and water table.
    pub lag_days: f64,
}

/// A storm that filled a bank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    pub day: Day,
    /// Share of its first infiltration that the bank still has for this fill.
    pub infiltration_left: f64,
    /// Of deep water in an open bank, m/day; `None` for a closed one.
    pub infiltration_m_per_day: Option<f64>,
    /// Time constant of the drainage of a closed bank; `None` for an open one.
    pub drain_hours: Option<f64>,
}

/// The truth of a [`World`].
#[derive(Debug, Clone, Copy)]
pub struct Truth<'w> {
    world: &'w World,
}

impl<'w> Truth<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Truth { world }
    }

    /// Of an observation well, or the aquifer beside an open bank; `None` for closed banks.
    pub fn aquifer(&self, well: usize) -> Option<AquiferFacts> {
        match self.world.sites()[well].water {
            Water::Aquifer(aquifer) | Water::Open(aquifer, _) => Some(AquiferFacts {
                specific_yield: aquifer.specific_yield,
                recession_days: aquifer.recession_days,
                lag_days: aquifer.lag_days,
            }),
            Water::Closed(_) => None,
        }
    }

    /// Recharge of the whole months of the history, mm; empty for closed banks.
    ///
    /// ```
    /// use gwbank_model::Timestamp;
    /// use gwbank_sim::{SimConfig, World};
    /// let end = Timestamp::from_secs(1_795_403_700);
    /// let config = SimConfig { wells: 77, start: end.plus_secs(-3 * 366 * 86_400), ..SimConfig::demo(end) };
    /// let world = World::new(config).unwrap();
    /// let months = world.truth().recharge_mm(0);
    /// let yearly = months.iter().map(|(_, mm)| mm).sum::<f64>() / 3.0;
    /// assert!(months.len() == 35 && (20.0..800.0).contains(&yearly), "{yearly}");
    /// ```
    pub fn recharge_mm(&self, well: usize) -> Vec<(Month, f64)> {
        let site = &self.world.sites()[well];
        let (Water::Aquifer(aquifer) | Water::Open(aquifer, _)) = site.water else { return Vec::new() };
        let rain_mm = self.world.climate().series(site.province);
        let first_day = self.world.first_day();
        let days = aquifer.days(rain_mm, &self.world.months_of_year());
        let config = self.world.config();
        // A month that begins after the start, and ends before the end.
        let first = Day(config.start.day(BANGKOK_OFFSET_SECONDS).0 - 1).month().plus(1);
        let end = config.end.month(BANGKOK_OFFSET_SECONDS);
        (first.index()..end.index())
            .map(Month::from_index)
            .map(|month| {
                let from = (month.first_day().0 - first_day.0) as usize;
                let of_month = days.recharge_mm.iter().skip(from).take(month.days() as usize);
                (month, of_month.map(|mm| f64::from(*mm)).sum())
            })
            .collect()
    }

    /// Depth of the water table beside an open bank (or in a well), which a comparison well would show; `None` for closed
    /// banks.
    pub fn water_table_m(&self, well: usize) -> Option<WaterTable<'w>> {
        let site = &self.world.sites()[well];
        let (Water::Aquifer(aquifer) | Water::Open(aquifer, _)) = site.water else { return None };
        let rain_mm = self.world.climate().series(site.province);
        let depths_m = aquifer.depths_m(rain_mm, &self.world.months_of_year());
        Some(WaterTable { world: self.world, depths_m })
    }

    /// The storms that filled a bank between its construction and the end of the history; empty for observation wells.
    pub fn fills(&self, well: usize) -> Vec<Fill> {
        let counts = self.world.fills(well);
        let end = self.world.config().end.day(BANGKOK_OFFSET_SECONDS);
        let first_day = self.world.first_day();
        let known = counts.len().min((end.0 - first_day.0 + 2).max(0) as usize);
        let filled = counts[..known].windows(2).enumerate().filter(|(_, pair)| pair[1] > pair[0]);
        filled
            .map(|(index, pair)| {
                let day = Day(first_day.0 + index as i32);
                match self.world.sites()[well].water {
                    Water::Open(_, bank) => Fill {
                        day,
                        infiltration_left: bank.infiltration_after(pair[0]) / bank.infiltration_m_per_day,
                        infiltration_m_per_day: Some(bank.infiltration_after(pair[0])),
                        drain_hours: None,
                    },
                    Water::Closed(bank) => Fill {
                        day,
                        infiltration_left: bank.drain_hours / bank.drain_hours_after(pair[0]),
                        infiltration_m_per_day: None,
                        drain_hours: Some(bank.drain_hours_after(pair[0])),
                    },
                    // Has no fills.
                    Water::Aquifer(_) => {
                        Fill { day, infiltration_left: 1.0, infiltration_m_per_day: None, drain_hours: None }
                    }
                }
            })
            .collect()
    }

    /// When the water truly stood at or above a depth, within the days from `from` to `to`, in order of time; empty for
    /// closed banks, which are full when they work.
    pub fn high_water(&self, well: usize, depth_m: f64, from: Day, to: Day) -> Vec<Range<Timestamp>> {
        let mut found: Vec<Range<Timestamp>> = Vec::new();
        let depths = self.world.depths_m(well);
        let index_of = |day: Day| (day.0 - self.world.first_day().0).max(1) as usize;
        // Straight lines between the ends of days.
        for index in index_of(from)..index_of(to).min(depths.len()) {
            let (before, after) = (f64::from(depths[index - 1]), f64::from(depths[index]));
            let midnight = Day(self.world.first_day().0 + index as i32).start(BANGKOK_OFFSET_SECONDS);
            let crossing = midnight.plus_micros(((before - depth_m) / (before - after) * DAY_MICROS) as i64);
            let high = match (before <= depth_m, after <= depth_m) {
                (true, true) => midnight..midnight.plus_secs(86_400),
                (true, false) => midnight..crossing,
                (false, true) => crossing..midnight.plus_secs(86_400),
                (false, false) => continue,
            };
            match found.last_mut() {
                Some(last) if last.end == high.start => last.end = high.end,
                _ => found.push(high),
            }
        }
        found
    }

    /// What was wrong with the level sensor of a well at the instant of a reading.
    pub fn defects(&self, well: usize, at: Timestamp) -> Defects {
        sensor::defects(&self.world.sites()[well], at)
    }

    /// What the level sensor shows at an instant, defects and noise included: what a message of that instant would say.
    pub fn sensed(&self, well: usize, at: Timestamp) -> Level {
        sensor::level(self.world, well, at)
    }

    /// What the conductivity probe shows, µS/cm at 25 °C; `None` where the well has none.
    pub fn sensed_conductance(&self, well: usize, at: Timestamp) -> Option<f64> {
        let site = &self.world.sites()[well];
        site.has_conductivity.then(|| sensor::specific_conductance(site, at, self.world.config().end))
    }

    /// How much of a well's conductivity is salt water that moved in, µS/cm.
    pub fn intrusion_us_cm(&self, well: usize, at: Timestamp) -> f64 {
        sensor::intrusion_us_cm(&self.world.sites()[well], at, self.world.config().end)
    }
}

/// The water table of a place, at any instant.
#[derive(Debug)]
pub struct WaterTable<'w> {
    world: &'w World,
    depths_m: Vec<f32>,
}

impl WaterTable<'_> {
    pub fn depth_m(&self, at: Timestamp) -> f64 {
        self.world.between_days(&self.depths_m, at)
    }
}
