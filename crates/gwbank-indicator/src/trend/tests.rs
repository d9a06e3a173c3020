use gwbank_model::Month;
use proptest::prelude::*;

use super::*;
use crate::{MonthlyLevel, Why};

const ALL: &[TrendTest] = TrendTest::ALL;

#[test]
fn too_few_values_and_constants() {
    for &test in ALL {
        assert_eq!(mann_kendall(&[], test), None);
        assert_eq!(mann_kendall(&[1.0], test), None);
        assert_eq!(mann_kendall(&[f64::NAN; 40], test), None);
        let constant = mann_kendall(&[3.0; 36], test).unwrap();
        assert_eq!((constant.s, constant.z, constant.p, constant.slope), (0, Some(0.0), Some(1.0), 0.0), "{test}");
        assert_eq!((constant.direction, constant.intercept), (TrendDirection::NoTrend, 3.0), "{test}");
    }
    assert!(mann_kendall(&[1.0, 2.0, 3.0], TrendTest::HamedRao).is_none());
    assert!(mann_kendall(&[1.0; 12], TrendTest::Seasonal).is_none(), "one year has no pairs");
}

#[test]
fn a_negative_variance_leaves_no_significance() {
    let wave: Vec<f64> =
        (0..60).map(|i| f64::from(i % 2) + 0.001 * f64::from(i * i % 7) + 0.0005 * f64::from(i)).collect();
    let trend = mann_kendall(&wave, TrendTest::YueWangLag1).unwrap();
    assert!(trend.variance < 0.0 && trend.s != 0, "{trend:?}");
    assert_eq!((trend.z, trend.p, trend.direction), (None, None, TrendDirection::NoTrend));
}

#[test]
fn far_out_the_tail_is_no_zero() {
    let rising: Vec<f64> = (0..200).map(f64::from).collect();
    let p = mann_kendall(&rising, TrendTest::Original).unwrap().p.unwrap();
    assert!(p > 0.0 && p < 1e-90, "{p:e}");
}

#[test]
fn the_product_rule() {
    let first = Month::new(2000, 1);
    let months: Vec<MonthlyLevel> = (0..120).map(|i| MonthlyLevel::of(first.plus(i), f64::from(i % 7))).collect();
    let last = first.plus(119);
    let why = |months: &[MonthlyLevel], through| well_trend(months, through, &TrendRules::default()).why().copied();
    assert_eq!(why(&months, last), None);
    assert_eq!(why(&months, first.plus(118)), Some(Why::FewYears { years: 9, needed: 10 }));
    assert_eq!(why(&[], last), Some(Why::NoLevel));
    // The 40th to 69th month out: exactly a quarter is missing.
    let gap: Vec<MonthlyLevel> = months[..40].iter().chain(&months[70..]).copied().collect();
    assert_eq!(why(&gap, last), Some(Why::ManyMissing { missing: 0.25, allowed: 0.25 }));
    let smaller: Vec<MonthlyLevel> = months[..40].iter().chain(&months[69..]).copied().collect();
    assert_eq!(why(&smaller, last), None);
    let rules = TrendRules { test: TrendTest::Original, ..TrendRules::default() };
    let found = well_trend(&months, last, &rules);
    let trend = found.value().unwrap();
    assert_eq!(trend.slope_per_year, 12.0 * trend.trend.slope);
    assert_eq!((found.basis().n, found.basis().years), (10, 10.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Upside down: S, z and slope change their sign. A power of two as unit changes nothing but the slope.
    #[test]
    fn sign_and_unit(values in proptest::collection::vec(-400i32..400, 24..120)) {
        let up: Vec<f64> = values.iter().map(|&x| f64::from(x) / 64.0).collect();
        let down: Vec<f64> = up.iter().map(|x| -x).collect();
        let large: Vec<f64> = up.iter().map(|x| x * 1024.0).collect();
        for &test in ALL {
            let (a, b, c) = (mann_kendall(&up, test).unwrap(), mann_kendall(&down, test).unwrap(), mann_kendall(&large, test).unwrap());
            prop_assert_eq!((a.s, a.slope, a.z), (-b.s, -b.slope, b.z.map(|z| -z)), "{}", test);
            prop_assert_eq!((a.s, a.z, a.slope * 1024.0), (c.s, c.z, c.slope), "{}", test);
        }
    }

    /// A tilt upwards never lowers S or the slope.
    #[test]
    fn a_tilt_shows(values in proptest::collection::vec(-400i32..400, 24..120), tilt in 0i32..50) {
        let plain: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let tilted: Vec<f64> = plain.iter().enumerate().map(|(i, x)| x + f64::from(tilt) * i as f64).collect();
        for test in [TrendTest::Original, TrendTest::Seasonal] {
            let (a, b) = (mann_kendall(&plain, test).unwrap(), mann_kendall(&tilted, test).unwrap());
            prop_assert!(b.s >= a.s && b.slope >= a.slope);
        }
    }

    #[test]
    fn no_number_makes_it_panic(values in proptest::collection::vec(prop_oneof![any::<f64>(), -1.0f64..1.0], 0..170)) {
        for &test in ALL {
            mann_kendall(&values, test);
        }
        sen_slope(&values);
    }

    /// One more value above all before it: it rises against each of them, and more is known.
    #[test]
    fn a_new_record_high_adds_n(values in proptest::collection::vec(-400i32..400, 2..120)) {
        let mut levels: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let before = mann_kendall(&levels, TrendTest::Original).unwrap();
        levels.push(1000.0);
        let after = mann_kendall(&levels, TrendTest::Original).unwrap();
        prop_assert_eq!(after.s, before.s + i64::from(before.n));
        prop_assert!(after.variance > before.variance);
    }

    #[test]
    fn order_of_months_is_of_no_consequence(keys in proptest::collection::vec((-90i32..90, any::<u32>()), 130..150)) {
        let first = Month::new(2001, 5);
        let mut months: Vec<(u32, MonthlyLevel)> =
            keys.iter().enumerate().map(|(i, k)| (k.1, MonthlyLevel::of(first.plus(i as i32), f64::from(k.0)))).collect();
        let of = |months: &[(u32, MonthlyLevel)]| {
            let months: Vec<MonthlyLevel> = months.iter().map(|m| m.1).collect();
            well_trend(&months, first.plus(500), &TrendRules::default())
        };
        let before = of(&months);
        months.sort_by_key(|m| m.0);
        prop_assert_eq!(before, of(&months));
    }

    /// Gaps before and after a series tell nothing.
    #[test]
    fn gaps_at_the_ends(values in proptest::collection::vec(-40i32..40, 30..80), before in 0usize..3, after in 0usize..30) {
        let plain: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let mut padded = vec![f64::NAN; before * PERIOD];
        padded.extend(&plain);
        padded.extend(vec![f64::NAN; after]);
        for test in [TrendTest::Original, TrendTest::HamedRao, TrendTest::YueWangLag1, TrendTest::Seasonal] {
            let (a, b) = (mann_kendall(&plain, test).unwrap(), mann_kendall(&padded, test).unwrap());
            prop_assert_eq!((a.s, a.slope, a.n), (b.s, b.slope, b.n));
        }
    }
}
