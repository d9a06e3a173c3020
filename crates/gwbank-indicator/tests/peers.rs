//! Statistics of simulated series against what established packages make of them.
//!
//! The tables in `tests/golden` are made by `scripts/golden/indicator_statistics.py`, whose head says what each holds and
//! with which versions.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gwbank_indicator::{
    BAND_PERCENTILES, DayLevel, DroughtEventRules, Fill, GxgKind, GxgRules, MonthlyLevel, MonthlyRain, Sense,
    SgiScores, SpiRules, ThresholdRules, TrendTest, drought_events, gxg, mann_kendall, percentile_thresholds, spi,
};
use gwbank_model::{Month, Timestamp};
use support::{Table, agree, months_by_well};

fn golden(name: &str) -> Table {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    Table::read(&folder.join(name))
}

fn wells() -> BTreeMap<String, Vec<MonthlyLevel>> {
    months_by_well(&golden("levels.csv"), "level")
}

/// On a full index from one month to another, NaN for gaps.
fn on_index(months: &[MonthlyLevel], from: Month, to: Month) -> Vec<f64> {
    let mut levels = vec![f64::NAN; (to.index() - from.index() + 1) as usize];
    for month in months {
        levels[(month.month.index() - from.index()) as usize] = month.level.unwrap();
    }
    levels
}

/// `first` year's January to `last` year's December.
fn in_full_years(months: &[MonthlyLevel]) -> Vec<f64> {
    let (first, last) = (months[0].month, months[months.len() - 1].month);
    on_index(months, Month::new(first.year(), 1), Month::new(last.year(), 12))
}

#[test]
fn trends_equal_pymannkendall() {
    let wells = wells();
    let table = golden("trend.csv");
    let (mut compared, mut without_z) = (0, 0);
    for row in table.rows() {
        let months = &wells[row.text("well_id")];
        let test = TrendTest::from_name(row.text("test")).unwrap();
        let length = row.number("n_input") as usize;
        let compact: Vec<f64> = months.iter().map(|month| month.level.unwrap()).collect();
        let input = match test {
            TrendTest::Seasonal => in_full_years(months),
            _ if length > compact.len() => on_index(months, months[0].month, months[months.len() - 1].month),
            _ => compact[..length].to_vec(),
        };
        let at = format!("{} {test} {length}", row.text("well_id"));
        assert_eq!(input.len(), length, "{at}");
        let found = mann_kendall(&input, test).unwrap();
        assert_eq!(f64::from(found.n), row.number("n_valid"), "{at}");
        assert_eq!(found.direction.name(), row.text("trend"), "{at}");
        assert_eq!(found.s as f64, row.number("s"), "{at}: S");
        agree(found.variance, row.number("var_s"), 1e-9, &format!("{at}: variance"));
        agree(found.tau, row.number("tau"), 1e-12, &format!("{at}: tau"));
        agree(found.slope, row.number("slope"), 1e-12, &format!("{at}: slope"));
        agree(found.intercept, row.number("intercept"), 1e-12, &format!("{at}: intercept"));
        agree(found.z.unwrap_or(f64::NAN), row.number("z"), 1e-9, &format!("{at}: z"));
        let (p, expected) = (found.p.unwrap_or(f64::NAN), row.number("p"));
        assert!(p.is_nan() && expected.is_nan() || (p - expected).abs() <= 1e-12, "{at}: p {p} {expected}");
        compared += 1;
        without_z += usize::from(found.z.is_none());
    }
    assert_eq!((compared, without_z), (48, 2));
}

#[test]
fn sgi_equals_pastas_where_nothing_is_tied() {
    let table = golden("levels.csv");
    let expected: BTreeMap<(&str, &str), f64> =
        table.rows().map(|row| ((row.text("well_id"), row.text("month")), row.number("sgi"))).collect();
    let mut scores = SgiScores::default();
    let mut compared = 0;
    for (well, months) in wells() {
        let first = Month::new(months[0].month.year(), 1);
        for (at, found) in scores.of_series(&in_full_years(&months)).into_iter().enumerate() {
            let month = first.plus(at as i32).to_string();
            let Some(&expected) = expected.get(&(well.as_str(), month.as_str())) else {
                assert!(found.is_nan(), "{well} {month}: a gap");
                continue;
            };
            if !expected.is_nan() {
                assert!((found - expected).abs() <= 1e-13, "{well} {month}: {found} {expected}");
                compared += 1;
            }
        }
    }
    assert!(compared > 600, "{compared}");
}

#[test]
fn thresholds_equal_hyswap() {
    let wells = wells();
    let table = golden("thresholds.csv");
    for row in table.rows() {
        let month = row.number("calendar_month") as u32;
        let months = percentile_thresholds(&wells[row.text("well_id")], &BAND_PERCENTILES, &ThresholdRules::HYSWAP);
        let found = months.iter().find(|found| found.month_of_year == month).unwrap();
        let at = format!("{} month {month}", row.text("well_id"));
        assert_eq!(f64::from(found.n), row.number("n"), "{at}");
        let mut masked: Vec<String> = Vec::new();
        for threshold in found.thresholds.value().unwrap() {
            let name = format!("p{:02}", threshold.percentile);
            assert_eq!(threshold.level, row.number(&name), "{at}: {name}");
            if !threshold.in_range {
                masked.push(name);
            }
        }
        assert_eq!(masked.join(" "), row.text("masked"), "{at}");
    }
    assert_eq!(table.rows().count(), 48);
}

#[test]
fn drought_events_equal_a_second_implementation() {
    let table = golden("events.csv");
    let mut expected: BTreeMap<(&str, u32), Vec<_>> = BTreeMap::new();
    for row in table.rows() {
        expected.entry((row.text("well_id"), row.number("pooling_months") as u32)).or_default().push(row);
    }
    let wells = wells();
    for ((well, pooling_months), rows) in expected {
        let rules = DroughtEventRules { pooling_months, ..DroughtEventRules::default() };
        let found = drought_events(&wells[well], &rules).events;
        assert_eq!(found.len(), rows.len(), "{well} pooling {pooling_months}");
        for (event, row) in found.iter().zip(rows) {
            let at = format!("{well} pooling {pooling_months} {}", row.text("start"));
            assert_eq!(
                (event.start.to_string().as_str(), event.end.to_string().as_str()),
                (row.text("start"), row.text("end")),
                "{at}"
            );
            assert_eq!(f64::from(event.months_below), row.number("months_below"), "{at}");
            assert_eq!(u8::from(event.left_censored).to_string(), row.text("left_censored"), "{at}");
            assert_eq!(u8::from(event.right_censored).to_string(), row.text("right_censored"), "{at}");
            agree(event.deficit, row.number("deficit"), 1e-12, &format!("{at}: deficit"));
            agree(event.deepest, row.number("deepest"), 1e-12, &format!("{at}: deepest"));
        }
    }
}

#[test]
fn spi_equals_scipy_at_all_timescales() {
    let rain: Vec<MonthlyRain> = golden("rain.csv")
        .rows()
        .map(|row| MonthlyRain {
            month: Month::parse(row.text("month")).unwrap(),
            millimetres: row.number("millimetres"),
        })
        .collect();
    let table = golden("spi.csv");
    let mut compared = 0;
    for timescale in [1, 3, 6, 12] {
        let found: BTreeMap<String, (f64, f64)> = spi(&rain, &SpiRules::of_timescale(timescale))
            .into_iter()
            .map(|month| (month.month.to_string(), (month.sum_millimetres, *month.spi.value().unwrap())))
            .collect();
        for row in table.rows().filter(|row| row.number("timescale") == f64::from(timescale)) {
            let at = format!("{} {timescale}", row.text("month"));
            let (sum, spi) = found[row.text("month")];
            assert!((sum - row.number("sum")).abs() <= 1e-9, "{at}: sum {sum}");
            assert!((spi - row.number("spi")).abs() <= 1e-8, "{at}: {spi} {}", row.number("spi"));
            compared += 1;
        }
    }
    assert_eq!(compared, 4 * 300 - 2 - 5 - 11);
}

#[test]
fn gxg_equals_pastas() {
    let mut series: BTreeMap<String, Vec<DayLevel>> = BTreeMap::new();
    for row in golden("days.csv").rows() {
        let day = Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", row.text("day"))).unwrap().day(0);
        let level = DayLevel { day, mean: Some(row.number("level")), count: 1, dry_count: 0 };
        series.entry(row.text("series").to_owned()).or_default().push(level);
    }
    let table = golden("gxg.csv");
    let mut given = 0;
    for row in table.rows() {
        let at = format!("{} {} {} {}", row.text("series"), row.text("kind"), row.text("fill"), row.text("levels_min"));
        let kind = [GxgKind::Highest, GxgKind::Lowest, GxgKind::Spring];
        let kind = kind.into_iter().find(|kind| kind.name() == row.text("kind")).unwrap();
        let mut rules = GxgRules::of(kind);
        let (method, days) = row.text("fill").split_once(' ').unwrap_or((row.text("fill"), "0"));
        let days: u32 = days.parse().unwrap();
        rules.fill = match method {
            "default" => rules.fill,
            "none" => Fill::None,
            "nearest_once" => Fill::NearestOnce,
            "nearest" => Fill::Nearest { days },
            "ffill" => Fill::Forward { days },
            "bfill" => Fill::Backward { days },
            "linear" => Fill::Linear { days },
            _ => panic!("unknown fill {method}"),
        };
        if row.text("levels_min") == "1" {
            (rules.levels_min, rules.years_min) = (1, 3);
        }
        let found = gxg(&series[row.text("series")], Sense::Elevation, kind, &rules);
        let years: Vec<f64> = match row.text("years") {
            "" => Vec::new(),
            text => text.split(' ').map(|year| year.parse().unwrap_or(f64::NAN)).collect(),
        };
        assert_eq!(found.years.len(), years.len(), "{at}: years");
        for (found, expected) in found.years.iter().zip(years) {
            agree(found.level.unwrap_or(f64::NAN), expected, 1e-12, &format!("{at}: {}", found.year));
        }
        agree(found.mean.value().copied().unwrap_or(f64::NAN), row.number("mean"), 1e-12, &at);
        given += usize::from(found.mean.value().is_some());
    }
    assert_eq!(table.rows().count(), 132);
    assert!(given > 70, "{given}");
}
