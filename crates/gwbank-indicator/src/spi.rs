//! Standardised Precipitation Index: how unusual the rain of the last k months is for the season.
//!
//! # Rules
//! 1. A sum needs all of its k months. It belongs to the calendar month in which its window ends.
//! 2. Per calendar month a two-parameter gamma distribution is fitted to the positive sums by maximum likelihood; zeros
//!    are a share p₀ of their own.
//! 3. Sums are taken in order of size with a compensated sum, so the order of data leaves no trace.
//! 4. The smaller of the two tails is computed and inverted, so that very wet months keep their digits.
//! 5. Fewer than 20 years with the calendar month give no index, but say so.

mod counted;

use std::collections::BTreeMap;

use gwbank_model::{Day, Month};

pub use counted::{CountedRain, CountedRainDay, monthly_counted_rain, spi_with_basis};

use crate::assessment::{Assessment, Basis, Why};
use crate::calendar::calendar_index;
use crate::monthly::{CompensatedSum, mean_in_order_of_size, round_to_nanometre};
use crate::normal::normal_quantile;
use crate::special::{digamma, gamma_tails, trigamma};

/// Timescales in common use, months.
pub const SPI_TIMESCALES: [u32; 4] = [1, 3, 6, 12];

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpiRules {
    /// Months summed, the present one included.
    pub timescale_months: u32,
    /// Years with a calendar month that its index takes.
    pub years_min: u32,
    /// Years of a climate normal: the n that gives full confidence.
    pub full_confidence_n: u32,
}

impl SpiRules {
    pub const fn of_timescale(timescale_months: u32) -> Self {
        Self { timescale_months, years_min: 20, full_confidence_n: 30 }
    }
}

/// Rain of one calendar month; only months with a value on every day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthlyRain {
    pub month: Month,
    pub millimetres: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MonthSpi {
    pub month: Month,
    /// Sum of the window that ends with this month, mm.
    pub sum_millimetres: f64,
    /// Of the sums of this calendar month; `None` where there is no index.
    pub fit: Option<GammaFit>,
    pub spi: Assessment<f64>,
}

/// A gamma distribution with a share of zeros.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaFit {
    pub shape: f64,
    /// In the unit of the sums.
    pub scale: f64,
    pub zero_share: f64,
}

/// Sums of the months that have a value on every day, in order of time; other months are absent, not dry.
///
/// - **Unit**: mm. **Shape**: totals of civil days in any order, each day once; negative values and NaN count as absent.
/// - **Source**: WMO-No. 1090 asks for complete months. **Weak**: one missing day costs a month, and with SPI-12 a year.
///
/// ```
/// use gwbank_indicator::monthly_rain;
/// use gwbank_model::{Day, Month};
///
/// let first = Month::new(2026, 4).first_day().0;
/// let days: Vec<(Day, f64)> = (first..first + 60).map(|day| (Day(day), 2.0)).collect();
/// let months = monthly_rain(&days);
/// assert_eq!((months.len(), months[0].millimetres), (1, 60.0), "30 days of April are there, 30 of May's 31");
/// ```
pub fn monthly_rain(days: &[(Day, f64)]) -> Vec<MonthlyRain> {
    let mut months: BTreeMap<Month, Vec<f64>> = BTreeMap::new();
    for &(day, millimetres) in days.iter().filter(|(_, millimetres)| *millimetres >= 0.0) {
        months.entry(day.month()).or_default().push(millimetres);
    }
    months
        .into_iter()
        .filter(|(month, days)| days.len() == month.days() as usize)
        .filter_map(|(month, mut days)| {
            let mean = mean_in_order_of_size(&mut days)?;
            // In nanometres of rain: sums of tenths are tenths again.
            let millimetres = round_to_nanometre(mean * days.len() as f64);
            Some(MonthlyRain { month, millimetres })
        })
        .collect()
}

/// SPI of every month whose window is complete, in order of time.
///
/// - **Formula**: p = p₀ + (1 − p₀)·G(x) for x > 0 and p = p₀ for x = 0; SPI = Φ⁻¹(p), with the fit of [`fit_gamma`].
/// - **Unit**: standard deviations; ≤ −1 moderately, ≤ −1.5 severely, ≤ −2 extremely dry. **Shape**: months in any order, each
///   once.
/// - **Source**: McKee, Doesken & Kleist 1993; WMO-No. 1090 (2012), *Standardized Precipitation Index User Guide*. The 20
///   years are this project's minimum, 30 are WMO's wish.
/// - **Weak**: in dry-season months with many zeros p₀ bounds the index from below and SPI-1 says little there: take 3 months
///   and more. No allowance is made for a trend of the rain.
///
/// ```
/// use gwbank_indicator::{MonthlyRain, SpiRules, spi};
/// use gwbank_model::Month;
///
/// let rain: Vec<MonthlyRain> =
///     (1..=20).map(|year| MonthlyRain { month: Month::new(2000 + year, 6), millimetres: f64::from(year * 10) }).collect();
/// let found = spi(&rain, &SpiRules::of_timescale(1));
/// let driest = *found[0].spi.value().unwrap();
/// assert!((driest + 2.326).abs() < 1e-3, "{driest}");
/// assert!(spi(&rain[1..], &SpiRules::of_timescale(1))[0].spi.value().is_none(), "19 years");
/// ```
pub fn spi(rain: &[MonthlyRain], rules: &SpiRules) -> Vec<MonthSpi> {
    let sums = window_sums(rain, rules.timescale_months.max(1));
    let mut groups: [Vec<f64>; 12] = Default::default();
    for &(month, sum) in &sums {
        groups[calendar_index(month)].push(sum);
    }
    let years = sums.len() as f64 / 12.0;
    let fits = groups.map(|sums| {
        let n = u32::try_from(sums.len()).unwrap_or(u32::MAX);
        let confidence = (f64::from(n) / f64::from(rules.full_confidence_n.max(1))).min(1.0);
        let basis = Basis { n, years, confidence, ..Basis::NOTHING };
        if n < rules.years_min {
            return Assessment::Insufficient { why: Why::ShortRecord { n, needed: rules.years_min }, basis };
        }
        match fit_gamma(&sums) {
            Some(value) => Assessment::Given { value, basis },
            None => Assessment::Insufficient { why: Why::Constant, basis },
        }
    });
    sums.into_iter()
        .map(|(month, sum)| MonthSpi {
            month,
            sum_millimetres: sum,
            fit: fits[calendar_index(month)].value().copied(),
            spi: fits[calendar_index(month)].clone().map(|fit| fit.spi(sum)),
        })
        .collect()
}

/// Gamma distribution of the positive values by maximum likelihood, with the share of zeros.
///
/// - **Formula**: ln α − ψ(α) = ln(mean) − mean(ln x), scale β = mean/α, p₀ = zeros/n; Newton's method from Minka's start.
/// - **Shape**: values ≥ 0 in any order. `None` where fewer than two positive values differ, or one is negative or NaN.
/// - **Source**: Thom 1958, *Monthly Weather Review* 86, 117–122 (likelihood equations); Choi & Wette 1969 (Newton).
/// - **Weak**: the shape has an upward bias of some 3α/n in short samples; none is taken off, as in the peers.
///
/// ```
/// let fit = gwbank_indicator::fit_gamma(&[0.0, 10.0, 20.0, 30.0]).unwrap();
/// assert_eq!((fit.zero_share, fit.shape * fit.scale), (0.25, 20.0));
/// assert!((fit.shape - 5.4).abs() < 0.1);
/// ```
pub fn fit_gamma(values: &[f64]) -> Option<GammaFit> {
    let mut positive: Vec<f64> = values.iter().copied().filter(|&value| value > 0.0).collect();
    let zeros = values.iter().filter(|&&value| value == 0.0).count();
    if positive.len() + zeros != values.len() {
        return None;
    }
    positive.sort_by(f64::total_cmp);
    if positive.first() == positive.last() {
        return None;
    }
    let n = positive.len() as f64;
    let (mut sum, mut log_sum) = (CompensatedSum::default(), CompensatedSum::default());
    for &value in &positive {
        sum.add(value);
        log_sum.add(value.ln());
    }
    let mean = sum.total() / n;
    let shape = shape_of(mean.ln() - log_sum.total() / n)?;
    Some(GammaFit { shape, scale: mean / shape, zero_share: zeros as f64 / values.len() as f64 })
}

/// How probable a sum is. The smaller one has all of its digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SumProbability {
    pub at_most: f64,
    pub more: f64,
}

impl GammaFit {
    /// Φ⁻¹ of the probability of at most this sum.
    pub fn spi(&self, sum: f64) -> f64 {
        let SumProbability { at_most, more } = self.probability(sum);
        if sum > 0.0 && more < 0.5 { -normal_quantile(more) } else { normal_quantile(at_most) }
    }

    pub fn probability(&self, sum: f64) -> SumProbability {
        let positive = 1.0 - self.zero_share;
        if sum <= 0.0 {
            return SumProbability { at_most: self.zero_share, more: positive };
        }
        let tails = gamma_tails(self.shape, sum / self.scale);
        SumProbability { at_most: self.zero_share + positive * tails.lower, more: positive * tails.upper }
    }
}

/// Solves ln α − ψ(α) = s for s > 0; the left side falls from ∞ to 0, so there is one solution.
fn shape_of(s: f64) -> Option<f64> {
    // Newton converges quadratically from a start that is off by 1.5 % at most; some five steps are taken.
    const STEPS_MAX: u32 = 50;
    if s.is_nan() || s <= 0.0 {
        return None;
    }
    let mut shape = (3.0 - s + ((s - 3.0) * (s - 3.0) + 24.0 * s).sqrt()) / (12.0 * s);
    for _ in 0..STEPS_MAX {
        let step = (shape.ln() - digamma(shape) - s) / (1.0 / shape - trigamma(shape));
        // Half-way to zero at most: the logarithm needs a positive shape.
        let next = if step < shape { shape - step } else { shape / 2.0 };
        if !next.is_finite() {
            return None;
        }
        let settled = (next - shape).abs() <= 1e-15 * shape;
        shape = next;
        if settled {
            break;
        }
    }
    Some(shape)
}

/// Sums over the last k months, all present.
fn window_sums(rain: &[MonthlyRain], timescale_months: u32) -> Vec<(Month, f64)> {
    let length = usize::try_from(timescale_months).unwrap_or(usize::MAX);
    let mut months: Vec<(i32, f64)> = rain.iter().map(|month| (month.month.index(), month.millimetres)).collect();
    // Of a month that comes twice the later one counts.
    months.sort_by_key(|(month, _)| *month);
    months = months.chunk_by(|a, b| a.0 == b.0).filter_map(|same| same.last().copied()).collect();
    // One after the other of what is there: a window is complete where its months follow each other.
    let complete = |window: &[(i32, f64)]| {
        window.first().zip(window.last()).is_some_and(|(a, b)| b.0 as i64 - a.0 as i64 + 1 == window.len() as i64)
    };
    months
        .windows(length)
        .filter(|window| complete(window))
        .filter_map(|window| {
            let &(end, _) = window.last()?;
            Some((Month::from_index(end), window.iter().fold(0.0, |sum, (_, millimetres)| sum + millimetres)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn junes(sums: &[f64]) -> Vec<MonthlyRain> {
        sums.iter()
            .enumerate()
            .map(|(i, &millimetres)| MonthlyRain { month: Month::new(1990 + i as i32, 6), millimetres })
            .collect()
    }

    #[test]
    fn windows_are_complete_or_absent() {
        let rain: Vec<MonthlyRain> = [1, 2, 3, 5, 6, 7]
            .map(|month| MonthlyRain { month: Month::new(2020, month), millimetres: f64::from(month) })
            .into();
        assert_eq!(window_sums(&rain, 3), vec![(Month::new(2020, 3), 6.0), (Month::new(2020, 7), 18.0)]);
        assert_eq!(window_sums(&rain, 1).len(), 6);
    }

    #[test]
    fn the_fit_solves_its_equation() {
        for s in [1e-6, 1e-3, 0.1, 0.7, 3.0, 20.0] {
            let shape = shape_of(s).unwrap();
            assert!((shape.ln() - digamma(shape) - s).abs() <= 1e-12 * s.max(1.0), "{s}: {shape}");
        }
        assert_eq!((shape_of(0.0), shape_of(f64::NAN)), (None, None));
    }

    #[test]
    fn no_fit_without_two_different_positive_sums() {
        for sums in [&[][..], &[0.0, 0.0], &[5.0, 5.0], &[0.0, 5.0], &[-1.0, 2.0, 3.0], &[f64::NAN, 2.0, 3.0]] {
            assert_eq!(fit_gamma(sums), None, "{sums:?}");
        }
        let found = spi(&junes(&[0.0; 25]), &SpiRules::of_timescale(1));
        assert_eq!(found[0].spi.why(), Some(&Why::Constant));
        let found = spi(&junes(&[1.0, 2.0, 3.0]), &SpiRules::of_timescale(1));
        assert_eq!(found[0].spi.why(), Some(&Why::ShortRecord { n: 3, needed: 20 }));
    }

    #[test]
    fn zeros_have_the_index_of_their_share() {
        let sums: Vec<f64> = (0..40).map(|i| if i < 10 { 0.0 } else { f64::from(i) }).collect();
        let found = spi(&junes(&sums), &SpiRules::of_timescale(1));
        assert!((found[0].spi.value().unwrap() - normal_quantile(0.25)).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn no_number_makes_it_panic(sums in proptest::collection::vec(any::<f64>(), 0..50), timescale in any::<u32>()) {
            let rules = SpiRules { years_min: 1, ..SpiRules::of_timescale(timescale) };
            spi(&junes(&sums), &rules);
            if let Some(fit) = fit_gamma(&sums) {
                prop_assert!(fit.shape > 0.0 && (0.0..1.0).contains(&fit.zero_share));
            }
        }

        /// Another year of rain changes no sum, and the fit only of its own calendar month.
        #[test]
        fn more_junes_leave_july_alone(junes_added in 1i32..9, sums in proptest::collection::vec(0.1f64..300.0, 25)) {
            let julys = sums.iter().zip(0..).map(|(&millimetres, i)| MonthlyRain { month: Month::new(1990 + i, 7), millimetres });
            let mut rain: Vec<MonthlyRain> = julys.collect();
            let before = spi(&rain, &SpiRules::of_timescale(1));
            rain.extend((0..junes_added).map(|i| MonthlyRain { month: Month::new(1990 + i, 6), millimetres: f64::from(i) }));
            let after: Vec<MonthSpi> =
                spi(&rain, &SpiRules::of_timescale(1)).into_iter().filter(|m| m.month.month_of_year() == 7).collect();
            for (a, b) in before.iter().zip(&after) {
                prop_assert_eq!((a.month, a.spi.value()), (b.month, b.spi.value()));
            }
        }

        #[test]
        fn unit_and_order_are_of_no_consequence_and_drier_is_lower(
            mut sums in proptest::collection::vec((0.0f64..400.0, any::<u32>()), 20..60),
        ) {
            let of = |sums: &[(f64, u32)], unit: f64| {
                let plain: Vec<f64> = sums.iter().map(|s| s.0 * unit).collect();
                let mut found: Vec<(f64, f64)> = spi(&junes(&plain), &SpiRules::of_timescale(1))
                    .iter()
                    .filter_map(|m| m.spi.value().map(|&spi| (m.sum_millimetres / unit, spi)))
                    .collect();
                found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
                found
            };
            let millimetres = of(&sums, 1.0);
            for (a, b) in millimetres.iter().zip(of(&sums, 0.0393700787)) {
                prop_assert!((a.1 - b.1).abs() < 1e-7, "{a:?} {b:?}");
            }
            for pair in millimetres.windows(2) {
                prop_assert!(pair[0].1 <= pair[1].1 + 1e-12, "{pair:?}");
            }
            sums.sort_by_key(|s| s.1);
            prop_assert_eq!(millimetres, of(&sums, 1.0));
        }
    }
}
