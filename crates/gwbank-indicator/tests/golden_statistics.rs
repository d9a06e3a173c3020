//! Trend, drought events, percentile thresholds and SPI of the real series against the golden files.
//!
//! The files lie in the folder named by `GWBANK_SHARED`, else in `../shared` beside the project; without them the tests say
//! so and pass. What travels with the project is compared in `peers.rs`.

mod support;

use std::collections::BTreeMap;

use gwbank_indicator::{
    ANNUAL_MONTHS_MIN, BAND_PERCENTILES, DroughtEventRules, MonthlyLevel, MonthlyRain, SpiRules, ThresholdRules,
    TrendTest, YearStart, annual_levels, drought_events, mann_kendall, monthly_rain, percentile_thresholds, spi,
};
use gwbank_model::{Day, Month, Timestamp};
use support::{Table, agree, months_by_well, shared};

/// The level of every month of the golden wells, from the monthly golden file (which `golden.rs` compares).
fn levels() -> Option<BTreeMap<String, Vec<MonthlyLevel>>> {
    Some(months_by_well(&Table::read(&shared()?.join("golden/monthly.csv.gz")), "level"))
}

/// On a full index from one month to another, NaN for gaps.
fn on_index(months: &[MonthlyLevel], from: Month, to: Month) -> Vec<f64> {
    let mut levels = vec![f64::NAN; (to.index() - from.index() + 1) as usize];
    for month in months {
        levels[(month.month.index() - from.index()) as usize] = month.level.unwrap();
    }
    levels
}

#[test]
fn trends_equal_pymannkendall() {
    let Some(levels) = levels() else { return };
    let table = Table::read(&shared().unwrap().join("golden/trend.csv"));
    let mut compared = 0;
    for row in table.rows() {
        let (well, name) = (row.text("well_id"), row.text("test"));
        let months = &levels[well];
        let (first, last) = (months[0].month, months[months.len() - 1].month);
        let compact = || months.iter().map(|m| m.level.unwrap()).collect::<Vec<f64>>();
        let input = match name {
            "original_monthly_gaps" => on_index(months, first, last),
            "seasonal_monthly_full" => on_index(months, Month::new(first.year(), 1), Month::new(last.year(), 12)),
            annual if annual.ends_with("_annual") => {
                annual_levels(months, YearStart::January, ANNUAL_MONTHS_MIN).iter().map(|year| year.level).collect()
            }
            _ => compact(),
        };
        let test = match name {
            _ if name.starts_with("original") => TrendTest::Original,
            _ if name.starts_with("seasonal") => TrendTest::Seasonal,
            _ if name.starts_with("hamed_rao_lag3") => TrendTest::HamedRaoLag3,
            _ if name.starts_with("hamed_rao") => TrendTest::HamedRao,
            _ if name.starts_with("yue_wang") => TrendTest::YueWangLag1,
            _ if name.starts_with("tfpw") => TrendTest::TrendFreePreWhitening,
            _ => panic!("unknown test {name}"),
        };
        let at = format!("{well} {name}");
        assert_eq!(input.len(), row.number("n_input") as usize, "{at}");
        let found = mann_kendall(&input, test).unwrap();
        assert_eq!(f64::from(found.n), row.number("n_valid"), "{at}");
        assert_eq!(found.direction.name(), row.text("trend"), "{at}");
        assert_eq!((found.direction.code() != 2) as u8 as f64, row.number("h"), "{at}");
        assert_eq!(found.s as f64, row.number("s"), "{at}: S");
        agree(found.variance, row.number("var_s"), 1e-9, &format!("{at}: variance"));
        agree(found.tau, row.number("tau"), 1e-9, &format!("{at}: tau"));
        agree(found.slope, row.number("slope"), 1e-9, &format!("{at}: slope"));
        agree(found.intercept, row.number("intercept"), 1e-9, &format!("{at}: intercept"));
        agree(found.z.unwrap_or(f64::NAN), row.number("z"), 1e-9, &format!("{at}: z"));
        let (p, expected) = (found.p.unwrap_or(f64::NAN), row.number("p"));
        assert!(p.is_nan() && expected.is_nan() || (p - expected).abs() <= 1e-12, "{at}: p {p} {expected}");
        compared += 1;
    }
    assert_eq!(compared, 918);
}

#[test]
fn yearly_means_equal_the_golden_file() {
    let Some(levels) = levels() else { return };
    let table = Table::read(&shared().unwrap().join("golden/annual.csv"));
    let mut expected: BTreeMap<&str, Vec<(i32, f64)>> = BTreeMap::new();
    for row in table.rows() {
        expected.entry(row.text("well_id")).or_default().push((row.number("year") as i32, row.number("level")));
    }
    let mut compared = 0;
    for (well, years) in expected {
        let found = annual_levels(&levels[well], YearStart::January, ANNUAL_MONTHS_MIN);
        assert_eq!(found.len(), years.len(), "{well}");
        for (found, (year, level)) in found.iter().zip(years) {
            assert_eq!(found.year, year, "{well}");
            agree(found.level, level, 1e-12, &format!("{well} {year}"));
            compared += 1;
        }
    }
    assert_eq!(compared, 2303);
}

#[test]
fn drought_events_equal_the_golden_file() {
    let Some(levels) = levels() else { return };
    let table = Table::read(&shared().unwrap().join("golden/drought_events.csv"));
    let mut wells: BTreeMap<(&str, u32), Vec<_>> = BTreeMap::new();
    for row in table.rows() {
        wells.entry((row.text("well_id"), row.number("pooling_months") as u32)).or_default().push(row);
    }
    let mut compared = 0;
    for ((well, pooling_months), rows) in wells {
        let rules = DroughtEventRules { pooling_months, ..DroughtEventRules::default() };
        let found = drought_events(&levels[well], &rules).events;
        assert_eq!(found.len(), rows.len(), "{well} pooling {pooling_months}");
        for (event, row) in found.iter().zip(rows) {
            let at = format!("{well} pooling {pooling_months} {}", row.text("start"));
            assert_eq!(event.start.to_string(), row.text("start"), "{at}");
            assert_eq!(event.end.to_string(), row.text("end"), "{at}");
            assert_eq!(f64::from(event.duration_months()), row.number("duration_months"), "{at}");
            assert_eq!(f64::from(event.months_below), row.number("months_below"), "{at}");
            assert_eq!(f64::from(event.left_censored as u8), row.number("left_censored"), "{at}: left");
            assert_eq!(f64::from(event.right_censored as u8), row.number("right_censored"), "{at}: right");
            agree(event.deficit, row.number("deficit_m_months"), 1e-12, &format!("{at}: deficit"));
            agree(event.deepest, row.number("max_deficit_m"), 1e-12, &format!("{at}: deepest"));
            compared += 1;
        }
    }
    assert_eq!(compared, 2470);
}

#[test]
fn thresholds_equal_hyswap_bit_for_bit() {
    let Some(levels) = levels() else { return };
    let folder = shared().unwrap();
    let table = Table::read(&folder.join("golden/percentile_thresholds.csv.gz"));
    let mut compared = 0;
    for row in table.rows() {
        let (well, month) = (row.text("well_id"), row.number("calendar_month") as u32);
        let months = percentile_thresholds(&levels[well], &BAND_PERCENTILES, &ThresholdRules::HYSWAP);
        let found = months.iter().find(|found| found.month_of_year == month).unwrap();
        let at = format!("{well} month {month}");
        assert_eq!(f64::from(found.n), row.number("n"), "{at}");
        assert_eq!((found.lowest, found.highest), (row.number("min"), row.number("max")), "{at}");
        let mut masked: Vec<String> = Vec::new();
        for threshold in found.thresholds.value().unwrap() {
            let name = format!("p{:02}", threshold.percentile);
            assert_eq!(threshold.level, row.number(&name), "{at}: {name}");
            if !threshold.in_range {
                masked.push(name);
            }
        }
        assert_eq!(masked.join(" "), row.text("hyswap_masked"), "{at}");
        compared += 1;
    }
    assert_eq!(compared, 1236);

    let rules = ThresholdRules { n_min: 2, small_positive_is_zero: false };
    let by_well: BTreeMap<&String, _> =
        levels.iter().map(|(well, months)| (well, percentile_thresholds(months, &BAND_PERCENTILES, &rules))).collect();
    let classes = Table::read(&folder.join("golden/percentile.csv.gz"));
    let mut compared = 0;
    for row in classes.rows().filter(|row| !row.text("class_threshold").is_empty()) {
        let month = Month::parse(row.text("month")).unwrap();
        let months = &by_well[&row.text("well_id").to_owned()];
        let found = months.iter().find(|found| found.month_of_year == month.month_of_year()).unwrap();
        let class = found.classify(row.number("level")).unwrap();
        assert_eq!(f64::from(class.code()), row.number("class_threshold"), "{} {month}", row.text("well_id"));
        compared += 1;
    }
    assert!(compared > 30_000, "{compared}");
}

#[test]
fn spi_equals_the_maximum_likelihood_column() {
    let Some(folder) = shared() else { return };
    let table = Table::read(&folder.join("golden/spi.csv.gz"));
    let mut rain: BTreeMap<&str, Vec<MonthlyRain>> = BTreeMap::new();
    for row in table.rows().filter(|row| row.number("timescale") == 1.0) {
        let month = Month::parse(row.text("month")).unwrap();
        rain.entry(row.text("station"))
            .or_default()
            .push(MonthlyRain { month, millimetres: row.number("precip_sum_mm") });
    }
    let mut compared = 0;
    for (&station, rain) in &rain {
        for timescale in [1, 3, 12] {
            let rules = SpiRules { years_min: 1, ..SpiRules::of_timescale(timescale) };
            let found = spi(rain, &rules);
            let of_station = table
                .rows()
                .filter(|row| row.text("station") == station && row.number("timescale") == f64::from(timescale));
            for (found, row) in found.iter().zip(of_station) {
                let at = format!("{station} {} {timescale}", row.text("month"));
                assert_eq!(found.month.to_string(), row.text("month"), "{at}");
                agree(found.sum_millimetres, row.number("precip_sum_mm"), 1e-9, &at);
                let (spi, expected) = (*found.spi.value().unwrap(), row.number("spi_gamma2"));
                assert!((spi - expected).abs() <= 1e-8, "{at}: {spi} {expected}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 6138);
}

#[test]
fn monthly_sums_of_daily_rain_equal_the_golden_file() {
    let Some(folder) = shared() else { return };
    let table = Table::read(&folder.join("golden/spi.csv.gz"));
    let mut compared = 0;
    for station in ["MET-NB1", "MET-OUDENBOSCH", "NL-B11C0329"] {
        let days: Vec<(Day, f64)> = Table::read(&folder.join(format!("data/series/{station}.csv.gz")))
            .rows()
            .filter(|row| row.text("parameter") == "precipitation")
            .map(|row| {
                let millimetres = row.number("value") * if row.text("unit") == "m/d" { 1000.0 } else { 1.0 };
                (Timestamp::parse_rfc3339(row.text("time")).unwrap().day(0), millimetres)
            })
            .collect();
        let found = monthly_rain(&days);
        let expected: Vec<_> =
            table.rows().filter(|row| row.text("station") == station && row.number("timescale") == 1.0).collect();
        assert_eq!(found.len(), expected.len(), "{station}");
        for (found, row) in found.iter().zip(expected) {
            assert_eq!(found.month.to_string(), row.text("month"), "{station}");
            let sum = row.number("precip_sum_mm");
            assert!((found.millimetres - sum).abs() <= 1e-6, "{station} {}: {} {sum}", found.month, found.millimetres);
            compared += 1;
        }
    }
    assert!(compared > 2_000, "{compared}");
}
