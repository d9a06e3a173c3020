//! From daily rain to the depth to water of a well, and the water in banks.
//!
//! # Model of an aquifer
//! Rain fills a soil store; evapotranspiration empties it (all of it down to 60 % of its capacity, then in proportion).
//! What the soil cannot hold drains: the well's share of it, at most [`RECHARGE_MM_PER_DAY_MAX`], becomes recharge, the
//! rest runs off. Recharge passes two equal linear stores (together a gamma response of shape 2: a lag of weeks to
//! months) into the aquifer, which is a linear reservoir with the well's recession constant. The head above its mean,
//! over the specific yield, is the rise of the water table. Near the ground the table bends off: seepage drains it.
//!
//! # Model of banks
//! An open bank is a pond dug to the water-bearing layer: storms bring the runoff of a catchment many times its area, it
//! seeps and evaporates, and it never stands below the water table. A closed bank is a pit of stones above the water
//! table: a storm fills it, it drains with a time constant of hours, and is dry otherwise. Where banks clog, every fill
//! leaves a share less of the infiltration of a bank: the next storm finds it slower.

/// Infiltration capacity of a farmed soil over a day.
pub(crate) const RECHARGE_MM_PER_DAY_MAX: f64 = 18.0;

/// Potential evapotranspiration by month of year, mm a day: between 3.5 and 5.4 all over the country.
const PET_MM_PER_DAY: [f64; 12] = [3.8, 4.4, 5.0, 5.4, 4.8, 4.3, 4.1, 3.9, 3.8, 3.7, 3.6, 3.5];

/// What distinguishes one well's aquifer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aquifer {
    pub soil_capacity_mm: f64,
    /// Part of what drains from the soil that becomes recharge.
    pub recharge_share: f64,
    /// Mean residence in each of the two stores between soil and aquifer.
    pub lag_days: f64,
    pub recession_days: f64,
    pub specific_yield: f64,
    pub mean_depth_m: f64,
}

/// What an aquifer does over time, by day.
pub(crate) struct AquiferDays {
    /// At the end of the day.
    pub depths_m: Vec<f32>,
    /// Water that reached the water table.
    pub recharge_mm: Vec<f32>,
}

impl Aquifer {
    /// Depth to water at the end of each day. `month_of_year` (0 to 11) of day `i` is `months[i]`.
    pub fn depths_m(&self, rain_mm: &[f32], months: &[u8]) -> Vec<f32> {
        self.days(rain_mm, months).depths_m
    }

    /// Depth to water and recharge of each day.
    pub fn days(&self, rain_mm: &[f32], months: &[u8]) -> AquiferDays {
        let mut soil_mm = 0.5 * self.soil_capacity_mm;
        let (mut first, mut second, mut head_mm) = (0.0, 0.0, 0.0);
        let release = 1.0 - (-1.0 / self.lag_days).exp();
        let recession = (-1.0 / self.recession_days).exp();
        let mut rises: Vec<f32> = Vec::with_capacity(rain_mm.len());
        let mut recharge_mm: Vec<f32> = Vec::with_capacity(rain_mm.len());
        let mut sum = 0.0;
        for (rain, month) in rain_mm.iter().zip(months) {
            let recharge = self.recharge_mm(&mut soil_mm, f64::from(*rain), usize::from(*month));
            first += recharge;
            let passed = first * release;
            first -= passed;
            second += passed;
            let arrived = second * release;
            second -= arrived;
            recharge_mm.push(arrived as f32);
            head_mm = head_mm * recession + arrived;
            let rise_m = head_mm / self.specific_yield / 1000.0;
            sum += rise_m;
            rises.push(rise_m as f32);
        }
        let mean_rise = sum / rises.len().max(1) as f64;
        let depth_m = |rise: &f32| bend_near_ground(self.mean_depth_m - (f64::from(*rise) - mean_rise)) as f32;
        AquiferDays { depths_m: rises.iter().map(depth_m).collect(), recharge_mm }
    }

    fn recharge_mm(&self, soil_mm: &mut f64, rain_mm: f64, month: usize) -> f64 {
        *soil_mm += rain_mm;
        let wetness = (*soil_mm / (0.6 * self.soil_capacity_mm)).min(1.0);
        *soil_mm = (*soil_mm - PET_MM_PER_DAY[month] * wetness).max(0.0);
        let drained = (*soil_mm - self.soil_capacity_mm).max(0.0);
        *soil_mm -= drained;
        (drained * self.recharge_share).min(RECHARGE_MM_PER_DAY_MAX)
    }
}

/// Above 1 m the table rises ever slower and stands at most 0.3 m above the ground.
fn bend_near_ground(depth_m: f64) -> f64 {
    const FROM_M: f64 = 1.0;
    const HIGHEST_M: f64 = -0.3;
    if depth_m >= FROM_M {
        return depth_m;
    }
    let room = FROM_M - HIGHEST_M;
    FROM_M - room * (1.0 - (-(FROM_M - depth_m) / room).exp())
}

/// A pond dug to the water-bearing layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenBank {
    pub depth_m: f64,
    /// Catchment over bank area.
    pub catchment_ratio: f64,
    /// Of deep water, when the bank is new.
    pub infiltration_m_per_day: f64,
    /// Share of the infiltration that a fill takes.
    pub clogging_per_fill: f64,
}

impl OpenBank {
    const RUNOFF_FROM_MM: f64 = 15.0;

    /// Whether a day's rain fills the bank.
    pub fn is_fill(rain_mm: f32) -> bool {
        f64::from(rain_mm) > Self::RUNOFF_FROM_MM
    }

    /// After so many fills.
    pub fn infiltration_after(&self, fills: u32) -> f64 {
        self.infiltration_m_per_day * (1.0 - self.clogging_per_fill).powf(f64::from(fills))
    }

    /// Depth to water at the end of each day, given the depth of the water table beside it and the fills up to the start
    /// of each day.
    pub fn depths_m(&self, rain_mm: &[f32], table_m: &[f32], fills: &[u32]) -> Vec<f32> {
        const RUNOFF_SHARE: f64 = 0.35;
        const EVAPORATION_M: f64 = 0.004;
        let mut water_m: f64 = 0.0;
        rain_mm
            .iter()
            .zip(table_m)
            .zip(fills)
            .map(|((rain, table), fills)| {
                let rain = f64::from(*rain);
                let runoff = (rain - Self::RUNOFF_FROM_MM).max(0.0) * RUNOFF_SHARE * self.catchment_ratio;
                let from_below = (self.depth_m - f64::from(*table)).max(0.0);
                let above_table = (water_m - from_below).max(0.0);
                let seepage = self.infiltration_after(*fills) * above_table / (above_table + 0.5);
                let after_storm = water_m + (rain + runoff) / 1000.0 - seepage - EVAPORATION_M;
                water_m = after_storm.max(from_below).clamp(0.0, self.depth_m);
                (self.depth_m - water_m) as f32
            })
            .collect()
    }
}

/// A pit of stones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClosedBank {
    pub depth_m: f64,
    /// Metres of water in the pit per millimetre of rain above the threshold.
    pub fill_m_per_mm: f64,
    /// When the bank is new.
    pub drain_hours: f64,
    /// Share of the infiltration that a fill takes.
    pub clogging_per_fill: f64,
}

impl ClosedBank {
    /// Rain that the ground around takes up before any reaches the pit.
    const RAIN_FROM_MM: f64 = 12.0;
    /// Less water than this is below the sensor: dry.
    pub const DRY_BELOW_M: f64 = 0.03;

    /// Whether a day's rain fills the bank.
    pub fn is_fill(rain_mm: f32) -> bool {
        f64::from(rain_mm) > Self::RAIN_FROM_MM
    }

    /// After so many fills.
    pub fn drain_hours_after(&self, fills: u32) -> f64 {
        self.drain_hours / (1.0 - self.clogging_per_fill).powf(f64::from(fills))
    }

    /// Water in the pit so many hours after the end of a storm, the so-manieth fill.
    pub fn water_m(&self, storm_mm: f64, hours_after: f64, fills: u32) -> f64 {
        let filled = ((storm_mm - Self::RAIN_FROM_MM).max(0.0) * self.fill_m_per_mm).min(self.depth_m);
        if hours_after < 0.0 { 0.0 } else { filled * (-hours_after / self.drain_hours_after(fills)).exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AQUIFER: Aquifer = Aquifer {
        soil_capacity_mm: 110.0,
        recharge_share: 0.4,
        lag_days: 20.0,
        recession_days: 200.0,
        specific_yield: 0.08,
        mean_depth_m: 5.0,
    };

    #[test]
    fn a_wet_season_raises_the_table_weeks_later() {
        let mut rain = vec![0.0f32; 365 * 6];
        let months: Vec<u8> = (0..rain.len()).map(|day| (day % 365 / 31) as u8).collect();
        for year in 0..6 {
            (year * 365 + 150..year * 365 + 270).for_each(|day| rain[day] = 12.0);
        }
        let depths = AQUIFER.depths_m(&rain, &months);
        let year = &depths[365 * 5..];
        let highest = (0..365).min_by(|a, b| year[*a].total_cmp(&year[*b])).unwrap();
        assert!((250..340).contains(&highest), "highest on day {highest}");
        assert!(year[highest] < year[150] - 0.5, "rises more than half a metre");
    }

    #[test]
    fn the_table_never_stands_far_above_the_ground() {
        assert_eq!(bend_near_ground(3.0), 3.0);
        assert!(bend_near_ground(-50.0) > -0.301);
        assert!(bend_near_ground(0.5) < 0.7 && bend_near_ground(0.5) > 0.5);
    }

    #[test]
    fn an_open_bank_fills_with_a_storm_and_recedes() {
        let bank =
            OpenBank { depth_m: 6.0, catchment_ratio: 15.0, infiltration_m_per_day: 0.2, clogging_per_fill: 0.02 };
        let mut rain = vec![0.0f32; 40];
        rain[10] = 90.0;
        let depths = bank.depths_m(&rain, &[9.0; 40], &[0; 40]);
        assert_eq!(depths[9], 6.0);
        assert!(depths[10] < 5.7);
        assert!(depths[39] > depths[10] + 0.3);
        assert!(bank.depths_m(&rain, &[4.0; 40], &[0; 40]).iter().all(|depth| *depth <= 4.0), "never below the table");
        let clogged = bank.depths_m(&rain, &[9.0; 40], &[60; 40]);
        assert!(clogged[15] < depths[15] - 0.1, "sixty fills later it holds its water");
    }

    #[test]
    fn a_closed_bank_is_dry_a_day_after_a_storm() {
        let bank = ClosedBank { depth_m: 1.5, fill_m_per_mm: 0.03, drain_hours: 6.0, clogging_per_fill: 0.01 };
        assert_eq!(bank.water_m(10.0, 0.0, 0), 0.0);
        assert!(bank.water_m(60.0, 0.0, 0) > 1.0);
        assert!(bank.water_m(60.0, 24.0, 0) < ClosedBank::DRY_BELOW_M);
        assert_eq!(bank.water_m(60.0, -1.0, 0), 0.0);
        assert!(bank.water_m(60.0, 24.0, 120) > ClosedBank::DRY_BELOW_M, "clogged");
    }
}
