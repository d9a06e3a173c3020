//! A stationary climate like that of the wells: what they would measure if nothing ever happened.
//!
//! # Model
//! For each well, from its own months: a linear trend (removed: a stationary climate has none), the mean of each calendar month,
//! the standard deviation s of what is left, and its lag-1 autocorrelation φ over months that follow each other, with Kendall's
//! correction for short records, φ + (1 + 4φ)/n. For each province the mean correlation ρ of these anomalies over all pairs of
//! its wells and all months that they share. Then, with standard normal ε of the province and η of each well,
//!
//! ```text
//! x(t) = φ x(t−1) + √(1 − φ²) (√q ε(t) + √(1 − q) η(t))        level(t) = mean of calendar month + s · x(t), to 1 mm
//! ```
//!
//! where q is ρ over the mean of √((1−φᵢ²)(1−φⱼ²))/(1−φᵢφⱼ), so that anomalies of two wells correlate by ρ on average. Levels are
//! given at the months that the well has in truth, gaps and all, known at once. A series begins five years early, in its
//! stationary state. Seeded: the same seed gives the same levels.
//!
//! # Known weaknesses
//! - A long memory is found too short in a short record, as its slow swings go into trend and means (0.95 in thirty years: some
//!   0.91), and it is of order 1: aquifers with slow and fast parts have longer droughts.
//! - One factor a province: near wells are more alike than far ones, so districts are noisier here than in truth.
//! - Provinces are independent: over a country with one weather the share varies more than the uncertainty given.
//! - Real droughts in the record raise φ and ρ: the model's "nothing" is as variable as what was seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_indicator::{MonthlyLevel, Sense};
use gwbank_model::Month;
use gwbank_registry::Well;
use gwbank_sim::Noise;

use crate::known::WellRecord;
use crate::summary::median;

const MEMORY_MAX: f64 = 0.98;
const SHARED_MAX: f64 = 0.99;
/// Pairs of months that make an autocorrelation; wells with fewer take the median of the others.
const PAIRS_MIN: u32 = 36;
/// Months before the first one, to be stationary in everything.
const EARLY_MONTHS: i32 = 60;
/// The mean over pairs is taken over so many wells of a province at most.
const PAIRED_WELLS_MAX: usize = 150;

/// The wells' climate without trend or event.
#[derive(Debug, Clone)]
pub struct ClimateModel {
    wells: Vec<WellClimate>,
    provinces: Vec<ProvinceClimate>,
}

#[derive(Debug, Clone)]
pub struct WellClimate {
    well: Arc<Well>,
    sense: Sense,
    months: Vec<Month>,
    means: [f64; 12],
    /// Of the anomalies, m.
    pub deviation: f64,
    /// Lag-1 autocorrelation of the anomalies.
    pub memory: f64,
}

#[derive(Debug, Clone)]
pub struct ProvinceClimate {
    pub code: String,
    /// Mean correlation of the anomalies of two of its wells; `None` where no two wells share months.
    pub correlation: Option<f64>,
    /// q of the model: the share of the noise that all wells have in common.
    pub shared: f64,
    wells: Vec<usize>,
}

impl ClimateModel {
    /// Fits the model to what is known in the end.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gwbank_hindcast::{ClimateModel, WellRecord};
    /// use gwbank_indicator::{MonthlyLevel, Sense};
    /// use gwbank_model::{Month, WellId};
    /// use gwbank_registry::{BankType, Well};
    ///
    /// let well = Arc::new(Well::new(WellId::new("W1").unwrap(), "30", BankType::Observation));
    /// let level = |i: i32| MonthlyLevel::of(Month::new(1990, 1).plus(i), f64::from(i * i % 17));
    /// let months: Vec<MonthlyLevel> = (0..240).map(level).collect();
    /// let model = ClimateModel::fit(&[WellRecord::of_months(well, Sense::Depth, &months)]);
    /// let simulated = model.simulate(7);
    /// assert_eq!(simulated[0].months().len(), 240);
    /// ```
    pub fn fit(records: &[WellRecord]) -> Self {
        let anomalies: Vec<Anomalies> = records.iter().map(|record| Anomalies::of(&record.months())).collect();
        let memories: Vec<Option<f64>> = anomalies.iter().map(Anomalies::memory).collect();
        let usual = median(&mut memories.iter().copied().flatten().collect::<Vec<f64>>()).unwrap_or(0.0);
        let wells: Vec<WellClimate> = records
            .iter()
            .zip(&anomalies)
            .zip(memories)
            .map(|((record, anomalies), memory)| WellClimate {
                well: Arc::clone(record.well()),
                sense: record.sense(),
                months: anomalies.values.iter().map(|(month, _)| *month).collect(),
                means: anomalies.means,
                deviation: anomalies.deviation(),
                memory: memory.unwrap_or(usual),
            })
            .collect();
        let mut by_province: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, record) in records.iter().enumerate() {
            by_province.entry(&record.well().province_code).or_default().push(index);
        }
        let provinces = by_province
            .into_iter()
            .map(|(code, members)| {
                let correlation = correlation(&members, &anomalies);
                let factor = mean_factor(&members, &wells);
                let shared = correlation.map_or(0.0, |correlation| (correlation / factor).clamp(0.0, SHARED_MAX));
                ProvinceClimate { code: code.to_owned(), correlation, shared, wells: members }
            })
            .collect();
        Self { wells, provinces }
    }

    /// In the order of the records.
    pub fn wells(&self) -> &[WellClimate] {
        &self.wells
    }

    /// By code.
    pub fn provinces(&self) -> &[ProvinceClimate] {
        &self.provinces
    }

    /// Records of the same wells over the same months, in the same order.
    pub fn simulate(&self, seed: u64) -> Vec<WellRecord> {
        let noise = Noise::new(seed);
        let mut records: Vec<Option<WellRecord>> = vec![None; self.wells.len()];
        for (number, province) in (0u64..).zip(&self.provinces) {
            let (common, own) = (noise.key(2 * number), noise.key(2 * number + 1));
            for (place, &index) in (0u64..).zip(&province.wells) {
                let well = &self.wells[index];
                let months = well.simulate(common, own.key(place), province.shared);
                records[index] = Some(WellRecord::of_months(Arc::clone(&well.well), well.sense, &months));
            }
        }
        records.into_iter().flatten().collect()
    }
}

impl WellClimate {
    fn simulate(&self, common: Noise, own: Noise, shared: f64) -> Vec<MonthlyLevel> {
        let (Some(first), Some(last)) = (self.months.first(), self.months.last()) else { return Vec::new() };
        let (of_all, of_one) = (shared.sqrt(), (1.0 - shared).sqrt());
        let renewal = (1.0 - self.memory * self.memory).sqrt();
        let mut wanted = self.months.iter().peekable();
        let mut levels = Vec::with_capacity(self.months.len());
        let mut anomaly = None;
        for month in (first.index() - EARLY_MONTHS..=last.index()).map(Month::from_index) {
            let key = month.index() as u64;
            let fresh = of_all * common.key(key).normal() + of_one * own.key(key).normal();
            let now = anomaly.map_or(fresh, |before: f64| self.memory * before + renewal * fresh);
            anomaly = Some(now);
            if wanted.next_if(|wanted| **wanted == month).is_some() {
                let level = self.means[calendar_index(month)] + self.deviation * now;
                levels.push(MonthlyLevel::of(month, (level * 1000.0).round() / 1000.0));
            }
        }
        levels
    }
}

/// A well's months less calendar month and trend. Months without a level (dry to an unknown depth) count as at their mean.
struct Anomalies {
    values: Vec<(Month, f64)>,
    means: [f64; 12],
}

impl Anomalies {
    fn of(months: &[MonthlyLevel]) -> Self {
        let mut levels: Vec<(Month, f64)> =
            months.iter().filter_map(|m| m.level.map(|level| (m.month, level))).collect();
        // First the trend: within a year it would look like a season.
        remove_slope(&mut levels);
        let mut sums = [(0.0, 0u32); 12];
        for (month, level) in &levels {
            let (sum, count) = &mut sums[calendar_index(*month)];
            *sum += level;
            *count += 1;
        }
        let means = sums.map(|(sum, count)| if count == 0 { 0.0 } else { sum / f64::from(count) });
        let mut levels = levels.into_iter().peekable();
        let anomaly = |month: &MonthlyLevel| {
            let level = levels.next_if(|(of, _)| *of == month.month).map(|(_, level)| level);
            (month.month, level.map_or(0.0, |level| level - means[calendar_index(month.month)]))
        };
        Self { values: months.iter().map(anomaly).collect(), means }
    }

    fn deviation(&self) -> f64 {
        let n = self.values.len().max(1) as f64;
        (self.values.iter().map(|(_, value)| value * value).sum::<f64>() / n).sqrt()
    }

    fn memory(&self) -> Option<f64> {
        let variance = self.deviation().powi(2);
        let (mut product, mut pairs) = (0.0, 0u32);
        for pair in self.values.windows(2).filter(|pair| pair[1].0.index() - pair[0].0.index() == 1) {
            product += pair[0].1 * pair[1].1;
            pairs += 1;
        }
        if pairs < PAIRS_MIN || variance <= 0.0 {
            return None;
        }
        let found = product / f64::from(pairs) / variance;
        Some((found + (1.0 + 4.0 * found) / f64::from(pairs)).clamp(0.0, MEMORY_MAX))
    }
}

/// Turns the least-squares line level, about the middle of the record.
fn remove_slope(values: &mut [(Month, f64)]) {
    let n = values.len() as f64;
    if values.len() < 3 {
        return;
    }
    let middle = values.iter().map(|(month, _)| f64::from(month.index())).sum::<f64>() / n;
    let mean = values.iter().map(|(_, value)| value).sum::<f64>() / n;
    let (mut with, mut spread) = (0.0, 0.0);
    for (month, value) in values.iter() {
        let time = f64::from(month.index()) - middle;
        with += time * (value - mean);
        spread += time * time;
    }
    for (month, value) in values {
        *value -= with / spread * (f64::from(month.index()) - middle);
    }
}

/// Over all pairs of wells and the months that they share: Σ((Σx)² − Σx²) / Σ k(k − 1), of anomalies with variance 1.
fn correlation(members: &[usize], anomalies: &[Anomalies]) -> Option<f64> {
    let mut by_month: BTreeMap<Month, (f64, f64, f64)> = BTreeMap::new();
    for &index in members {
        let deviation = anomalies[index].deviation();
        if deviation <= 0.0 {
            continue;
        }
        for (month, value) in &anomalies[index].values {
            let (sum, squares, count) = by_month.entry(*month).or_default();
            *sum += value / deviation;
            *squares += (value / deviation).powi(2);
            *count += 1.0;
        }
    }
    let (mut products, mut pairs, mut squares, mut values) = (0.0, 0.0, 0.0, 0.0);
    for (sum, of_squares, count) in by_month.into_values().filter(|(_, _, count)| *count >= 2.0) {
        products += sum * sum - of_squares;
        pairs += count * (count - 1.0);
        squares += of_squares;
        values += count;
    }
    (pairs > 0.0 && squares > 0.0).then(|| (products / pairs) / (squares / values))
}

/// How much of the noise's correlation two wells of different memory keep, on average; 1 where they are alike.
fn mean_factor(members: &[usize], wells: &[WellClimate]) -> f64 {
    let memories: Vec<f64> = members.iter().take(PAIRED_WELLS_MAX).map(|&index| wells[index].memory).collect();
    let (mut sum, mut pairs) = (0.0, 0u32);
    for (at, a) in memories.iter().enumerate() {
        for b in &memories[..at] {
            sum += ((1.0 - a * a) * (1.0 - b * b)).sqrt() / (1.0 - a * b);
            pairs += 1;
        }
    }
    if pairs == 0 { 1.0 } else { sum / f64::from(pairs) }
}

fn calendar_index(month: Month) -> usize {
    month.month_of_year() as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::well;

    fn simulated(memory: f64, shared: f64) -> Vec<WellRecord> {
        let first = Month::new(1950, 1);
        let noise = Noise::new(3);
        let climate = |index: usize| WellClimate {
            well: well(&format!("W{index}"), "30", "3001"),
            sense: Sense::Depth,
            months: (0..720).filter(|month| month % 50 != 7).map(|month| first.plus(month)).collect(),
            means: std::array::from_fn(|month| month as f64),
            deviation: 0.5,
            memory,
        };
        let months = |index: usize| climate(index).simulate(noise.key(0), noise.key(1).key(index as u64), shared);
        (0..12).map(|index| WellRecord::of_months(climate(index).well, Sense::Depth, &months(index))).collect()
    }

    #[test]
    fn the_fit_finds_what_the_model_was_given() {
        let records = simulated(0.8, 0.6);
        let model = ClimateModel::fit(&records);
        let of = |value: fn(&WellClimate) -> f64| {
            median(&mut model.wells().iter().map(value).collect::<Vec<f64>>()).unwrap()
        };
        assert!((of(|well| well.memory) - 0.8).abs() < 0.05, "{}", of(|well| well.memory));
        assert!((of(|well| well.deviation) - 0.5).abs() < 0.05, "{}", of(|well| well.deviation));
        let province = &model.provinces()[0];
        let found = province.correlation.unwrap();
        assert!((found - 0.6).abs() < 0.12 && (province.shared - found).abs() < 0.02, "{province:?}");
        assert_eq!(model.simulate(1)[3].months().len(), records[3].months().len());
        assert_eq!(model.simulate(1)[3].months(), model.simulate(1)[3].months());
        assert_ne!(model.simulate(1)[3].months(), model.simulate(2)[3].months());
    }

    #[test]
    fn a_trend_is_no_memory() {
        let months: Vec<MonthlyLevel> = (0..240)
            .map(|i| MonthlyLevel::of(Month::new(1990, 1).plus(i), f64::from(i) + f64::from(i * i % 7)))
            .collect();
        let model = ClimateModel::fit(&[WellRecord::of_months(well("W", "30", "3001"), Sense::Depth, &months)]);
        assert!(model.wells()[0].memory < 0.3, "{}", model.wells()[0].memory);
        assert_eq!(model.provinces()[0].correlation, None);
    }
}
