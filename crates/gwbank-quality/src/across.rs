//! Tests across series: a well against its neighbours, a level against rain and air pressure.
//!
//! These two of the eleven QARTOD tests ("suggested" in the manual) need more than one series, so no stream can run them. A
//! batch job aligns the series, calls the function and hands what it finds to [`crate::review::object`], which marks
//! readings as suspect; which of two series is wrong, such a test does not know, so it never fails one.
//!
//! # Alignment
//! All series of a call have the same length, one value per step of a common grid (daily means are a good choice), NaN where
//! there is none. Levels point up: depths are to be negated.

use gwbank_model::QualityFlag;

use crate::compensation::METRES_PER_KPA;

/// 1 / Φ⁻¹(0.75): makes a median absolute deviation a standard deviation, for normal values.
const MAD_TO_DEVIATION: f64 = 1.482_602_218_505_602;

/// When a well departs from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeighbourRules {
    /// Smaller departures are never told; in the unit of the series.
    pub departure_min: f64,
    /// In robust standard deviations of the usual departure. 5: of well-behaved residuals one in a million.
    pub deviations: f64,
    /// Steps that a pair of wells must have in common.
    pub common_min: usize,
    /// Spearman's rank correlation from which on a well is a neighbour: 0.7 explains half of the variance.
    pub correlation_min: f64,
    /// With fewer neighbours at a step, nothing is said: of two wells, either may be wrong.
    pub neighbours_min: usize,
    /// Departures before and after of which the median is taken for usual. Wells of an aquifer wander apart over years, by
    /// pumping and its end; 180 is for days (for months, 24 say). A departure that lasts for as long is usual.
    pub wander_departures: usize,
}

impl Default for NeighbourRules {
    fn default() -> Self {
        Self {
            departure_min: 0.2,
            deviations: 5.0,
            common_min: 60,
            correlation_min: 0.7,
            neighbours_min: 2,
            wander_departures: 180,
        }
    }
}

/// QARTOD test 11: a well against others of the same aquifer.
///
/// Every neighbour whose ranks go with the well's over the whole of the series foretells the well's value: the well's median
/// plus the neighbour's deviation from its own, times the ratio of their spreads (median absolute deviations over the common
/// steps). The forecast of a step is the median over neighbours; of an even number, whatever the well says between the two
/// middle ones is foretold: of three wells the one that is off blames neither of the others. Suspect where the well departs
/// from it, beyond the median departure of `wander_departures` around, by more than `departure_min` and `deviations` robust
/// standard deviations of such departures; not evaluated where too few neighbours speak, missing where the well itself is.
///
/// One of three wells of an aquifer is off by half a metre for ten days:
///
/// ```
/// use gwbank_model::QualityFlag;
/// use gwbank_quality::across::{NeighbourRules, neighbour};
///
/// let season = |day: usize, share: f64| 10.0 + share * (day as f64 / 58.0).sin();
/// let near: Vec<f64> = (0..365).map(|day| season(day, 1.0)).collect();
/// let far: Vec<f64> = (0..365).map(|day| season(day, 0.4)).collect();
/// let mut well: Vec<f64> = (0..365).map(|day| season(day, 0.8)).collect();
/// well[200..210].iter_mut().for_each(|level| *level += 0.5);
/// let flags = neighbour(&NeighbourRules::default(), &well, &[&near, &far]);
/// assert_eq!((flags[199], flags[200], flags[209]), (QualityFlag::Pass, QualityFlag::Suspect, QualityFlag::Suspect));
/// assert_eq!(flags.iter().filter(|&&flag| flag == QualityFlag::Suspect).count(), 10);
/// let alone = neighbour(&NeighbourRules::default(), &well, &[&near]);
/// assert_eq!(alone[200], QualityFlag::NotEvaluated);
/// ```
///
/// Weaknesses: a well that is pumped departs and is told; a slow drift over the whole record is taken for the well's own
/// (see [`crate::drift`]); wells of another aquifer that happen to share the season are accepted as neighbours.
pub fn neighbour(rules: &NeighbourRules, well: &[f64], neighbours: &[&[f64]]) -> Vec<QualityFlag> {
    let forecasts: Vec<Vec<f64>> = neighbours.iter().filter_map(|neighbour| forecast(rules, well, neighbour)).collect();
    let departure = |step: usize| {
        let mut told: Vec<f64> = forecasts
            .iter()
            .filter_map(|forecast| forecast.get(step).copied())
            .filter(|value| !value.is_nan())
            .collect();
        (told.len() >= rules.neighbours_min.max(1)).then(|| beyond_middle(well[step], &mut told))
    };
    let departures: Vec<f64> = (0..well.len()).map(|step| departure(step).unwrap_or(f64::NAN)).collect();
    let unusual = beyond_usual(rules, &departures);
    let (_, deviation) = centre_and_deviation(&unusual);
    let limit = rules.departure_min.max(rules.deviations * deviation);
    let judge = |(&value, &unusual): (&f64, &f64)| match (value.is_nan(), unusual.is_nan()) {
        (true, _) => QualityFlag::Missing,
        (_, true) => QualityFlag::NotEvaluated,
        _ if unusual.abs() > limit => QualityFlag::Suspect,
        _ => QualityFlag::Pass,
    };
    well.iter().zip(&unusual).map(judge).collect()
}

/// When a level does not go with rain or goes with the air too well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MultiVariateRules {
    /// A rise from one step to the next from which on rain is asked for, in metres.
    pub rise_min: f64,
    /// Rain over `rain_steps` up to the rise that may explain it, in mm. 5 mm wet the litter and no more.
    pub rain_min: f64,
    pub rain_steps: usize,
    /// Steps of a window in which level and air pressure are compared.
    pub air_steps: usize,
    /// Of changes of level and air within a window; 0.9 leaves a fifth of the variance to the aquifer.
    pub air_correlation: f64,
    /// A level that *rises* with the air by this share of its weight (0.102 m per kPa) and more is not compensated. The true
    /// one of a well falls, by its barometric efficiency, or stands: a share of 1 less the efficiency is left without
    /// compensation, a quarter in the most efficient aquifers.
    pub uncompensated_share: f64,
    /// A level that *falls* by this share and more is compensated twice, or is of a vented sensor that needed none. The
    /// efficiency of confined aquifers is 0.2 to 0.75 (Freeze & Cherry 1979 (check)), to which compensation adds 1.
    pub overcompensated_share: f64,
}

impl Default for MultiVariateRules {
    fn default() -> Self {
        Self {
            rise_min: 0.3,
            rain_min: 5.0,
            rain_steps: 3,
            air_steps: 30,
            air_correlation: 0.9,
            uncompensated_share: 0.25,
            overcompensated_share: 0.95,
        }
    }
}

/// QARTOD test 9: a level (up) against rain (mm per step) and air pressure (kPa), each of which may be empty.
///
/// - **Rise without rain**: a rise of at least `rise_min` in one step while less than `rain_min` fell over the `rain_steps`
///   steps up to it is suspect. Where rain is missing in those steps the rise is not judged.
/// - **Air in the water**: over windows of `air_steps`, changes of the level that follow those of the air with a correlation
///   beyond ± `air_correlation`, and by more of its weight than an aquifer does: the sensor is not compensated (rising with
///   the air) or compensated twice (falling). All readings of the window are suspect.
///
/// A jump of 40 cm on a dry day, and a like one after a storm:
///
/// ```
/// use gwbank_model::QualityFlag;
/// use gwbank_quality::across::{MultiVariateRules, multi_variate};
///
/// let level = [2.0, 2.4, 2.4, 2.4, 2.4, 2.4, 2.8, 2.8];
/// let rain = [0.0, 0.0, 0.0, 0.0, 0.0, 38.0, 2.0, 0.0];
/// let flags = multi_variate(&MultiVariateRules::default(), &level, &rain, &[]);
/// assert_eq!((flags[1], flags[6]), (QualityFlag::Suspect, QualityFlag::Pass));
/// ```
///
/// Weaknesses: rain at a gauge is not rain at the well; recharge by a river, a canal or a bank rises without rain, so wells
/// beside water and banks themselves are to be left out; snow melts on dry days.
pub fn multi_variate(rules: &MultiVariateRules, level: &[f64], rain: &[f64], air_kpa: &[f64]) -> Vec<QualityFlag> {
    let mut flags: Vec<QualityFlag> = level
        .iter()
        .map(|value| if value.is_nan() { QualityFlag::Missing } else { QualityFlag::NotEvaluated })
        .collect();
    let mut find = |step: usize, found: QualityFlag| {
        if let Some(flag) = flags.get_mut(step).filter(|flag| **flag != QualityFlag::Missing) {
            *flag = flag.worst(found);
        }
    };
    if rain.len() == level.len() {
        for step in 1..level.len() {
            if let Some(found) = rise_without_rain(rules, level, rain, step) {
                find(step, found);
            }
        }
    }
    if air_kpa.len() == level.len() && rules.air_steps > 2 {
        for (window, (levels, air)) in level.chunks(rules.air_steps).zip(air_kpa.chunks(rules.air_steps)).enumerate() {
            let Some(found) = air_in_the_water(rules, levels, air) else { continue };
            let start = window * rules.air_steps;
            (start..start + levels.len()).for_each(|step| find(step, found));
        }
    }
    flags
}

fn rise_without_rain(rules: &MultiVariateRules, level: &[f64], rain: &[f64], step: usize) -> Option<QualityFlag> {
    let rise = level[step] - level[step - 1];
    if rise.is_nan() {
        return None;
    }
    if rise < rules.rise_min {
        return Some(QualityFlag::Pass);
    }
    let fallen: f64 = rain[(step + 1).saturating_sub(rules.rain_steps.max(1))..=step].iter().sum();
    match fallen {
        fallen if fallen.is_nan() => None,
        fallen if fallen < rules.rain_min => Some(QualityFlag::Suspect),
        _ => Some(QualityFlag::Pass),
    }
}

fn air_in_the_water(rules: &MultiVariateRules, level: &[f64], air: &[f64]) -> Option<QualityFlag> {
    const PAIRS_MIN: usize = 10;
    let change = |values: &[f64], step: usize| values[step] - values[step - 1];
    let changes: Vec<(f64, f64)> = (1..level.len())
        .map(|step| (change(air, step), change(level, step)))
        .filter(|(air, level)| !air.is_nan() && !level.is_nan())
        .collect();
    if changes.len() < PAIRS_MIN {
        return None;
    }
    let count = changes.len() as f64;
    let mean_air = changes.iter().map(|(air, _)| air).sum::<f64>() / count;
    let mean_level = changes.iter().map(|(_, level)| level).sum::<f64>() / count;
    let (mut aa, mut al, mut ll) = (0.0, 0.0, 0.0);
    for (air, level) in &changes {
        let (air, level) = (air - mean_air, level - mean_level);
        aa += air * air;
        al += air * level;
        ll += level * level;
    }
    if aa <= 0.0 || ll <= 0.0 {
        return Some(QualityFlag::Pass); // one of them stands still: not this test's business
    }
    let correlation = al / (aa * ll).sqrt();
    let share = al / aa / METRES_PER_KPA;
    let is_wrong = share >= rules.uncompensated_share || share <= -rules.overcompensated_share;
    let follows = correlation.abs() >= rules.air_correlation && is_wrong;
    Some(if follows { QualityFlag::Suspect } else { QualityFlag::Pass })
}

/// By how much a value is beyond the median of what is told, or beyond both middle ones of an even number. Sorts.
fn beyond_middle(value: f64, told: &mut [f64]) -> f64 {
    told.sort_by(f64::total_cmp);
    let (low, high) = (told[(told.len() - 1) / 2], told[told.len() / 2]);
    // NaN stays what it is.
    value - value.clamp(low, high)
}

/// Departures less the median of those around.
fn beyond_usual(rules: &NeighbourRules, departures: &[f64]) -> Vec<f64> {
    let known: Vec<usize> = (0..departures.len()).filter(|&step| !departures[step].is_nan()).collect();
    let values: Vec<f64> = known.iter().map(|&step| departures[step]).collect();
    let mut unusual = vec![f64::NAN; departures.len()];
    // Those around, in order of size: each step brings one and takes one away.
    let mut around: Vec<f64> = Vec::with_capacity(2 * rules.wander_departures + 1);
    let place_of = |around: &[f64], value: f64| around.partition_point(|other| other.total_cmp(&value).is_lt());
    let mut next = 0;
    for (place, &step) in known.iter().enumerate() {
        let to = (place + rules.wander_departures + 1).min(values.len());
        for &value in &values[next..to] {
            around.insert(place_of(&around, value), value);
        }
        next = to;
        if let Some(gone) = place.checked_sub(rules.wander_departures + 1) {
            around.remove(place_of(&around, values[gone]));
        }
        unusual[step] = values[place] - middle(&around);
    }
    unusual
}

/// What a neighbour says of the well at every step; `None` where it is no neighbour.
fn forecast(rules: &NeighbourRules, well: &[f64], neighbour: &[f64]) -> Option<Vec<f64>> {
    let common: Vec<(f64, f64)> = well
        .iter()
        .copied()
        .zip(neighbour.iter().copied())
        .filter(|(well, neighbour)| !well.is_nan() && !neighbour.is_nan())
        .collect();
    if common.len() < rules.common_min.max(3) {
        return None;
    }
    let (own, other): (Vec<f64>, Vec<f64>) = common.into_iter().unzip();
    if pearson(&ranks(&own), &ranks(&other)) < rules.correlation_min {
        return None;
    }
    let (own_centre, own_deviation) = centre_and_deviation(&own);
    let (other_centre, other_deviation) = centre_and_deviation(&other);
    let ratio = own_deviation / other_deviation;
    ratio.is_finite().then(|| neighbour.iter().map(|value| own_centre + ratio * (value - other_centre)).collect())
}

/// Average ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = from as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|&index| ranks[index] = rank);
        from += equal.len();
    }
    ranks
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let covariance: f64 = a.iter().zip(b).map(|(x, y)| (x - mean_a) * (y - mean_b)).sum();
    let squares = |values: &[f64], mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    covariance / (squares(a, mean_a) * squares(b, mean_b)).sqrt()
}

/// Median and robust standard deviation of what is there.
fn centre_and_deviation(values: &[f64]) -> (f64, f64) {
    let mut present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let centre = median(&mut present);
    present.iter_mut().for_each(|value| *value = (*value - centre).abs());
    (centre, MAD_TO_DEVIATION * median(&mut present))
}

/// Sorts; NaN of nothing.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    middle(values)
}

/// Of sorted values; NaN of nothing.
fn middle(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => f64::NAN,
        Some(&upper) if sorted.len() % 2 == 1 => upper,
        Some(&upper) => (sorted[middle - 1] + upper) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    fn wave(days: usize, share: f64, seed: f64) -> Vec<f64> {
        let day = |day: usize| {
            let t = day as f64;
            10.0 + share * ((t / 58.0).sin() + 0.3 * (t / 9.0).sin()) + 0.01 * (t * seed).sin()
        };
        (0..days).map(day).collect()
    }

    #[test]
    fn a_stranger_is_no_neighbour() {
        let well = wave(365, 1.0, 12.9);
        let stranger: Vec<f64> = (0..365).map(|day| (day as f64 * 7.77).sin()).collect();
        let flags = neighbour(&NeighbourRules::default(), &well, &[&stranger, &stranger, &wave(365, 0.5, 4.1)]);
        assert!(flags.iter().all(|&flag| flag == QualityFlag::NotEvaluated), "one true neighbour is not enough");
    }

    #[test]
    fn gaps_are_missing_or_not_evaluated() {
        let mut well = wave(200, 1.0, 12.9);
        let (mut a, b) = (wave(200, 2.0, 4.1), wave(200, 0.5, 5.3));
        well[10] = NAN;
        a[20] = NAN;
        let flags = neighbour(&NeighbourRules::default(), &well, &[&a, &b]);
        assert_eq!(
            (flags[10], flags[20], flags[21]),
            (QualityFlag::Missing, QualityFlag::NotEvaluated, QualityFlag::Pass)
        );
        assert!(neighbour(&NeighbourRules::default(), &[], &[]).is_empty());
    }

    #[test]
    fn a_wrong_neighbour_does_not_blame_the_well() {
        let well = wave(365, 1.0, 12.9);
        let mut wrong = wave(365, 1.0, 4.1);
        wrong[100..120].iter_mut().for_each(|level| *level += 3.0);
        let flags = neighbour(&NeighbourRules::default(), &well, &[&wrong, &wave(365, 0.7, 5.3), &wave(365, 1.4, 7.7)]);
        assert!(flags.iter().all(|&flag| flag == QualityFlag::Pass));
    }

    #[test]
    fn of_three_wells_the_one_that_is_off_blames_none() {
        let wells = [wave(365, 1.0, 12.9), wave(365, 0.7, 5.3), wave(365, 1.4, 7.7)];
        let mut off = wells.clone();
        off[1][100..120].iter_mut().for_each(|level| *level -= 1.0);
        let flags = |of: usize| {
            let others: Vec<&[f64]> = (0..3).filter(|&other| other != of).map(|other| off[other].as_slice()).collect();
            neighbour(&NeighbourRules::default(), &off[of], &others)
        };
        for (well, suspect) in [(0, 0), (1, 20), (2, 0)] {
            assert_eq!(
                flags(well).iter().filter(|&&flag| flag == QualityFlag::Suspect).count(),
                suspect,
                "well {well}"
            );
        }
    }

    #[test]
    fn what_is_usual_is_the_median_of_the_departures_around() {
        let rules = NeighbourRules { wander_departures: 3, ..NeighbourRules::default() };
        let departures: Vec<f64> =
            (0..40).map(|step| if step % 7 == 3 { NAN } else { f64::from(step * step % 11) }).collect();
        let known: Vec<f64> = departures.iter().copied().filter(|value| !value.is_nan()).collect();
        let around = |place: usize| median(&mut known[place.saturating_sub(3)..(place + 4).min(known.len())].to_vec());
        let plain: Vec<f64> = known.iter().enumerate().map(|(place, value)| value - around(place)).collect();
        let told = beyond_usual(&rules, &departures);
        assert_eq!(told.into_iter().filter(|value| !value.is_nan()).collect::<Vec<_>>(), plain);
    }

    #[test]
    fn a_level_that_weighs_the_air_is_found_and_a_confined_one_is_not() {
        let air: Vec<f64> =
            (0..90).map(|step| 100.0 + (f64::from(step) * 0.7).sin() + 0.4 * (f64::from(step) * 1.9).cos()).collect();
        let rules = MultiVariateRules::default();
        let with_share =
            |share: f64| -> Vec<f64> { air.iter().map(|kpa| 5.0 + share * 0.101_971_621_3 * kpa).collect() };
        let all = |level: Vec<f64>, expected| {
            let flags = multi_variate(&rules, &level, &[], &air);
            assert!(flags.iter().all(|&flag| flag == expected), "{expected}");
        };
        all(with_share(1.0), QualityFlag::Suspect);
        all(with_share(0.4), QualityFlag::Suspect);
        all(with_share(-1.4), QualityFlag::Suspect);
        all(with_share(-0.7), QualityFlag::Pass);
        all(vec![NAN; 90], QualityFlag::Missing);
    }

    #[test]
    fn unknown_rain_does_not_judge() {
        let flags = multi_variate(&MultiVariateRules::default(), &[1.0, 2.0, 2.0, 2.0], &[NAN, 0.0, 0.0, 0.0], &[]);
        assert_eq!(flags[..3], [QualityFlag::NotEvaluated, QualityFlag::NotEvaluated, QualityFlag::Pass]);
        let none = multi_variate(&MultiVariateRules::default(), &[1.0, 2.0], &[], &[]);
        assert_eq!(none, [QualityFlag::NotEvaluated; 2], "without rain and air");
    }
}
