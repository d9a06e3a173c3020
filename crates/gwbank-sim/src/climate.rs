//! Daily rain of every province.
//!
//! # Model
//! - **Normals**: a yearly total by region and a share by month. Rounded from the climate normals of the Thai
//!   Meteorological Department (about 1,230 mm a year in the North, 1,400 in the Northeast, 1,270 in the Centre, 1,890 in
//!   the East, 1,740 on the southern east coast and 2,720 on its west coast). Wet season May to October; on the southern
//!   east coast October to January, under the north-east monsoon.
//! - **Wet and dry years**: each month's expected rain is multiplied by exp(σ·z), z being an AR(1) in months whose
//!   memory is about three years, smooth in space: a weighted sum of independent series at anchor points, so that
//!   neighbours share their years and far regions may have opposite ones. Stronger than in nature, so that a demo of
//!   25 years holds both a drought and high water.
//! - **Days**: a Gaussian field, correlated in space and from day to day, decides where it rains (the upper p of its
//!   distribution, p from the month's expected number of wet days) and how much (exponential amounts with a heavy tail).
//! - The noise is keyed by the number of months and days **before the end of the history**, so that the same seed gives
//!   the same recent years whatever the length of the history and the day on which a demo starts.

use gwbank_model::{Day, Month};
use gwbank_registry::places::{self, Province};

use crate::random::{Noise, normal_cdf};

/// Provinces whose wet season is that of the north-east monsoon.
pub const SOUTHERN_EAST_COAST: &[&str] = &["80", "84", "86", "90", "93", "94", "95", "96"];
const SOUTHERN_WEST_COAST: &[&str] = &["81", "82", "83", "85", "91", "92"];
/// In the lee of nothing: the wettest provinces of the mainland.
const SOUTH_EASTERN_CORNER: &[&str] = &["22", "23"];

const SHARE_INLAND: [f64; 12] = [0.006, 0.012, 0.030, 0.060, 0.145, 0.125, 0.135, 0.165, 0.185, 0.105, 0.027, 0.005];
const SHARE_WEST_COAST: [f64; 12] =
    [0.010, 0.015, 0.030, 0.065, 0.140, 0.140, 0.140, 0.150, 0.160, 0.110, 0.035, 0.005];
const SHARE_EAST_COAST: [f64; 12] =
    [0.100, 0.020, 0.025, 0.025, 0.045, 0.035, 0.035, 0.045, 0.060, 0.160, 0.270, 0.180];

/// Spread of the logarithm of a month's expected rain between years.
const ANOMALY_SIGMA: f64 = 0.42;
/// From month to month: a memory of −1/ln ρ ≈ 33 months.
const ANOMALY_PERSISTENCE: f64 = 0.97;
/// Reach of an anchor's influence on the years' anomalies.
const ANOMALY_REACH_KM: f64 = 170.0;
/// Reach of a day's weather.
const DAILY_REACH_KM: f64 = 140.0;
const DAILY_PERSISTENCE: f64 = 0.35;
/// Part of a day's variance that a province has for itself.
const DAILY_LOCAL_SHARE: f64 = 0.3;
/// Mean rain of a wet day, from which the number of wet days follows.
const WET_DAY_MM: f64 = 11.0;
/// Exponent of the heavy tail, and what it multiplies the mean by: Γ(1 + 1.3).
const TAIL_EXPONENT: f64 = 1.3;
const TAIL_MEAN: f64 = 1.166_71;

/// The wettest and driest expected month, in mm, between which anomalies are kept.
const MONTH_MM: std::ops::RangeInclusive<f64> = 0.5..=900.0;

/// Keys of the independent noises.
const KEY_ANOMALY: u64 = 1;
const KEY_DAILY: u64 = 2;
const KEY_LOCAL: u64 = 3;
const KEY_STORM: u64 = 4;

/// Daily rain of each province, in mm.
#[derive(Debug)]
pub struct Climate {
    noise: Noise,
    first_day: i32,
    days: usize,
    /// By province in the order of `places::provinces()`, then by day.
    rain_mm: Vec<Vec<f32>>,
}

impl Climate {
    /// `history_end` is the day from which the noise is counted.
    pub(crate) fn new(seed: u64, first_day: Day, last_day: Day, history_end: Day) -> Self {
        let noise = Noise::new(seed).key(0x00c1_1a7e);
        let days = (last_day.0 - first_day.0 + 1).max(0) as usize;
        let provinces = places::provinces();
        let anchors = anchors();
        let yearly = Weights::new(provinces, &anchors, ANOMALY_REACH_KM);
        let daily = Weights::new(provinces, &anchors, DAILY_REACH_KM);
        let normals: Vec<[f64; 12]> = provinces.iter().map(monthly_normals_mm).collect();

        let mut rain_mm: Vec<Vec<f32>> = provinces.iter().map(|_| Vec::with_capacity(days)).collect();
        let mut anomaly = vec![0.0; anchors.len()];
        let mut weather = vec![0.0; anchors.len()];
        let mut local = vec![0.0; provinces.len()];
        let mut chances: Vec<WetDays> = Vec::new();
        let mut month: Option<Month> = None;
        let end_month = history_end.month().index();
        for day in first_day.0..=last_day.0 {
            let this_month = Day(day).month();
            if month != Some(this_month) {
                let before_end = i64::from(end_month - this_month.index()) as u64;
                let key = noise.key(KEY_ANOMALY).key(before_end);
                step(&mut anomaly, key, if month.is_none() { 0.0 } else { ANOMALY_PERSISTENCE });
                month = Some(this_month);
                let month_of_year = this_month.month_of_year() as usize - 1;
                chances = (0..provinces.len())
                    .map(|province| {
                        let z = yearly.sum(province, &anomaly);
                        let factor = (ANOMALY_SIGMA * z - 0.5 * ANOMALY_SIGMA * ANOMALY_SIGMA).exp();
                        WetDays::new(normals[province][month_of_year] * factor, this_month.days())
                    })
                    .collect();
            }
            let before_end = i64::from(history_end.0 - day) as u64;
            step(&mut weather, noise.key(KEY_DAILY).key(before_end), DAILY_PERSISTENCE);
            step(&mut local, noise.key(KEY_LOCAL).key(before_end), DAILY_PERSISTENCE);
            for (province, rain) in rain_mm.iter_mut().enumerate() {
                let shared = daily.sum(province, &weather);
                let field = (1.0 - DAILY_LOCAL_SHARE).sqrt() * shared + DAILY_LOCAL_SHARE.sqrt() * local[province];
                rain.push(chances[province].rain_mm(field) as f32);
            }
        }
        Climate { noise, first_day: first_day.0, days, rain_mm }
    }

    /// Rain of a province on a day (of Bangkok), in mm; beyond the simulated days it does not rain.
    pub fn rain_mm(&self, province: usize, day: Day) -> f64 {
        let index = usize::try_from(day.0 - self.first_day).ok().filter(|index| *index < self.days);
        index.map_or(0.0, |index| f64::from(self.rain_mm[province][index]))
    }

    /// All simulated days of a province, from the first day on.
    pub(crate) fn series(&self, province: usize) -> &[f32] {
        &self.rain_mm[province]
    }

    /// When the day's storm falls, in seconds after midnight of Bangkok: afternoons and evenings.
    pub(crate) fn storm(&self, province: usize, day: Day) -> std::ops::Range<i64> {
        let noise = self.noise.key(KEY_STORM).key(province as u64).key(day.0 as u64);
        let start = noise.between(13.0, 20.0) * 3600.0;
        let length = noise.key(1).between(1.0, 3.5) * 3600.0;
        start as i64..(start + length) as i64
    }
}

/// One step of an AR(1) with unit variance at every anchor. A persistence of 0 draws the start.
fn step(state: &mut [f64], noise: Noise, persistence: f64) {
    let innovation = (1.0 - persistence * persistence).sqrt();
    for (anchor, value) in state.iter_mut().enumerate() {
        *value = persistence * *value + innovation * noise.key(anchor as u64).normal();
    }
}

/// How a month's expected rain falls on its days.
struct WetDays {
    /// Of a day to be wet.
    chance: f64,
    mean_mm: f64,
}

impl WetDays {
    fn new(expected_mm: f64, days: u32) -> Self {
        let expected_mm = expected_mm.clamp(*MONTH_MM.start(), *MONTH_MM.end());
        let days = f64::from(days);
        let chance = (expected_mm / WET_DAY_MM / days).clamp(0.02, 0.8);
        WetDays { chance, mean_mm: expected_mm / (chance * days) }
    }

    fn rain_mm(&self, field: f64) -> f64 {
        let rank = normal_cdf(field);
        let dry = 1.0 - self.chance;
        if rank <= dry {
            return 0.0;
        }
        let within_wet = ((rank - dry) / self.chance).min(1.0 - 1e-6);
        self.mean_mm * (-(1.0 - within_wet).ln()).powf(TAIL_EXPONENT) / TAIL_MEAN
    }
}

fn monthly_normals_mm(province: &Province) -> [f64; 12] {
    let (yearly_mm, share) = if SOUTHERN_EAST_COAST.contains(&province.code) {
        (1740.0, SHARE_EAST_COAST)
    } else if SOUTHERN_WEST_COAST.contains(&province.code) {
        (2720.0, SHARE_WEST_COAST)
    } else if SOUTH_EASTERN_CORNER.contains(&province.code) {
        (3000.0, SHARE_INLAND)
    } else {
        let yearly_mm = match province.region {
            "Northern" => 1230.0,
            "Northeastern" => 1400.0,
            "Eastern" => 1600.0,
            "Western" => 1150.0,
            _ => 1270.0,
        };
        (yearly_mm, SHARE_INLAND)
    };
    share.map(|part| part * yearly_mm)
}

/// A grid of points over the country, about 160 km apart.
fn anchors() -> Vec<(f64, f64)> {
    const SPACING_DEGREES: f64 = 1.5;
    let mut anchors = Vec::new();
    for row in 0..10 {
        for column in 0..6 {
            let point = (5.8 + SPACING_DEGREES * f64::from(row), 97.8 + SPACING_DEGREES * f64::from(column));
            let nearest = places::provinces()
                .iter()
                .map(|province| distance_km(point, (province.latitude, province.longitude)))
                .fold(f64::INFINITY, f64::min);
            if nearest < 160.0 {
                anchors.push(point);
            }
        }
    }
    anchors
}

/// Kilometres between two points (latitude, longitude); flat is good enough within a country.
pub(crate) fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    const KM_PER_DEGREE: f64 = 111.2;
    let north = (a.0 - b.0) * KM_PER_DEGREE;
    let east = (a.1 - b.1) * KM_PER_DEGREE * ((a.0 + b.0) / 2.0).to_radians().cos();
    north.hypot(east)
}

/// For each province the influence of each anchor, of unit length, so that sums have unit variance.
struct Weights {
    by_province: Vec<Vec<(usize, f64)>>,
}

impl Weights {
    /// Influence below which an anchor is left out.
    const SMALLEST: f64 = 0.02;

    fn new(provinces: &[Province], anchors: &[(f64, f64)], reach_km: f64) -> Self {
        let by_province = provinces
            .iter()
            .map(|province| {
                let here = (province.latitude, province.longitude);
                let mut weights: Vec<(usize, f64)> = anchors
                    .iter()
                    .enumerate()
                    .map(|(index, anchor)| (index, (-0.5 * (distance_km(here, *anchor) / reach_km).powi(2)).exp()))
                    .filter(|(_, weight)| *weight > Self::SMALLEST)
                    .collect();
                let length = weights.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
                weights.iter_mut().for_each(|(_, weight)| *weight /= length);
                weights
            })
            .collect();
        Weights { by_province }
    }

    fn sum(&self, province: usize, anchors: &[f64]) -> f64 {
        self.by_province[province].iter().map(|(anchor, weight)| anchors[*anchor] * weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climate(years: i32) -> Climate {
        let end = Day(20_000);
        Climate::new(11, Day(end.0 - 365 * years), end, end)
    }

    fn monthly(climate: &Climate, province: usize) -> Vec<(u32, f64)> {
        let mut months: Vec<(Month, f64)> = Vec::new();
        for (index, rain) in climate.series(province).iter().enumerate() {
            let month = Day(climate.first_day + index as i32).month();
            match months.last_mut() {
                Some((last, sum)) if *last == month => *sum += f64::from(*rain),
                _ => months.push((month, f64::from(*rain))),
            }
        }
        months.into_iter().map(|(month, sum)| (month.month_of_year(), sum)).collect()
    }

    #[test]
    fn rain_falls_in_its_season() {
        let climate = climate(20);
        for (index, province) in places::provinces().iter().enumerate() {
            let months = monthly(&climate, index);
            let total: f64 = months.iter().map(|(_, mm)| mm).sum();
            let east_coast = SOUTHERN_EAST_COAST.contains(&province.code);
            let is_wet = |month: u32| if east_coast { month >= 10 || month == 1 } else { (5..=10).contains(&month) };
            let wet: f64 = months.iter().filter(|(month, _)| is_wet(*month)).map(|(_, mm)| mm).sum();
            // The east coast also has rain in the other monsoon; in nature its share is about two thirds.
            let least = if east_coast { 0.6 } else { 0.75 };
            assert!(wet / total > least, "{}: {:.2}", province.name_en, wet / total);
            let yearly = total / 20.0;
            assert!((600.0..4500.0).contains(&yearly), "{}: {yearly:.0} mm", province.name_en);
        }
    }

    #[test]
    fn neighbours_share_their_weather_and_years() {
        let climate = climate(25);
        let provinces = places::provinces();
        // Of yearly sums relative to the province's mean.
        let yearly: Vec<Vec<f64>> = (0..provinces.len())
            .map(|province| climate.series(province).chunks(365).map(|year| year.iter().sum::<f32>() as f64).collect())
            .collect();
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for (i, a) in provinces.iter().enumerate() {
            for (j, b) in provinces.iter().enumerate().skip(i + 1) {
                let km = distance_km((a.latitude, a.longitude), (b.latitude, b.longitude));
                if km < 80.0 {
                    near.push(correlation(&yearly[i], &yearly[j]));
                } else if km > 600.0 {
                    far.push(correlation(&yearly[i], &yearly[j]));
                }
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!(mean(&near) > 0.7, "{:.2}", mean(&near));
        assert!(mean(&far).abs() < 0.4, "{:.2}", mean(&far));
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let covariance: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
        let variance = |values: &[f64], m: f64| values.iter().map(|x| (x - m).powi(2)).sum::<f64>();
        covariance / (variance(a, ma) * variance(b, mb)).sqrt()
    }

    #[test]
    fn recent_years_do_not_depend_on_the_length_of_the_history() {
        let (long, short) = (climate(30), climate(15));
        let last_year = |climate: &Climate| climate.series(20).iter().rev().take(365).sum::<f32>();
        let (a, b) = (last_year(&long), last_year(&short));
        assert!((a - b).abs() / a < 0.05, "{a} {b}");
    }

    #[test]
    fn storms_lie_within_reach_of_their_day() {
        let climate = climate(1);
        for day in 19_700..19_900 {
            let storm = climate.storm(5, Day(day));
            assert!(storm.start >= 13 * 3600 && storm.end < 24 * 3600 && storm.start < storm.end);
        }
    }
}
