//! What is told of a number of a well's record: the number of its row, made of what is listed; and why there is none.

use gwbank_indicator::explain::number;
use gwbank_model::{Day, Month, Parameter};
use gwbank_registry::{AquiferCondition, BankType, Sampling, Well};
use gwbank_store::IndicatorRow;
use gwbank_watch::{Detail, Language, RecordExplanation, RecordIndicator, Watch};

use crate::record::{CLOSED, NOW, days, fill, fills, pond, recharge_well};
use crate::support::{World, at, id, well};

async fn explain(watch: &Watch, well: &str, indicator: &str, month: Option<Month>) -> RecordExplanation {
    let indicator = RecordIndicator::from_name(indicator).expect("an indicator");
    watch.explain_record(&id(well), month, indicator).await.unwrap().expect("a well")
}

/// The latest row of each indicator of a well.
async fn latest_rows(world: &World, well: &str) -> Vec<IndicatorRow> {
    let mut rows: Vec<_> = world.indicators().await.into_iter().filter(|row| row.place == well).collect();
    rows.sort_by(|a, b| (&a.indicator, a.period).cmp(&(&b.indicator, b.period)));
    rows.reverse();
    rows.dedup_by(|a, b| a.indicator == b.indicator);
    rows.retain(|row| RecordIndicator::from_name(&row.indicator).is_some());
    rows
}

/// Latin words of more than three letters that a Thai text may have: names that are typed, and symbols.
const TYPED: [&str; 22] = [
    "gwbank",
    "readings",
    "import",
    "quality",
    "report",
    "well",
    "full",
    "root",
    "indicators",
    "influenced",
    "aquifer",
    "condition",
    "specific",
    "yield",
    "depth",
    "ground",
    "elevation",
    "bank",
    "area",
    "volume",
    "comparison",
    "recharge",
];
const TYPED_MORE: [&str; 5] = ["evaporation", "flow", "beside", "bare", "unsurveyed"];

/// A summary is short, Thai is Thai, and nobody reads a declaration or the digits of a machine.
fn is_readable(found: &RecordExplanation) {
    const LINES_MAX: usize = 150;
    for language in Language::ALL {
        let summary = found.told(language, Detail::Summary);
        assert!(summary.lines().count() <= LINES_MAX, "{summary}");
        let full = found.told(language, Detail::Full);
        let numbers = full.split(|c: char| !c.is_ascii_digit() && c != '.');
        let digits = |number: &str| number.trim_start_matches(['0', '.']).chars().filter(char::is_ascii_digit).count();
        assert_eq!(numbers.filter(|number| digits(number) > 10).collect::<Vec<_>>(), Vec::<&str>::new(), "{full}");
    }
    let thai = found.told(Language::Thai, Detail::Full).replace(&found.well, "");
    assert!(thai.contains("ผลการประเมิน"), "{thai}");
    assert!(!["ประกาศ", "เตือนภัย", "ภัยพิบัติ"].iter().any(|word| thai.contains(word)), "{thai}");
    let is_typed = |word: &str| TYPED.contains(&word) || TYPED_MORE.contains(&word);
    let words = thai.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 3);
    assert_eq!(words.filter(|word| !is_typed(word)).collect::<Vec<_>>(), Vec::<&str>::new(), "{thai}");
}

/// Each number is explained by itself: value, class and basis are the row's, and a formula ends in the value.
pub async fn every_number_is_told(world: &World, watch: &Watch, well: &str) -> Vec<String> {
    let rows = latest_rows(world, well).await;
    for row in &rows {
        let found = explain(watch, well, &row.indicator, None).await;
        let text = found.to_string();
        assert_eq!((found.value, found.class), (row.value, row.class.as_deref()), "{text}");
        assert_eq!(found.period, Some(row.period), "{text}");
        assert_eq!(found.basis.map(|basis| basis.n as i32), row.n, "{text}");
        assert_eq!(found.basis.map(|basis| basis.confidence), row.confidence, "{text}");
        match row.value {
            Some(value) => assert!(text.contains(&format!("= {}", number(value))), "{value}\n{text}"),
            None => assert_eq!(found.missing().map(|missing| missing.reason), row.class.as_deref(), "{text}"),
        }
        is_readable(&found);
    }
    rows.into_iter().map(|row| row.indicator).rev().collect()
}

#[tokio::test]
async fn numbers_of_a_long_record_are_told() {
    let compared = Well { comparison_well_id: Some(id("beside")), ..recharge_well("W1") };
    let world = World::new(vec![compared, recharge_well("beside")], NOW);
    for parameter in [Parameter::DepthToWater, Parameter::Rainfall, Parameter::SpecificConductance] {
        fill(&world, "W1", parameter, Month::new(2004, 1), CLOSED).await;
    }
    fill(&world, "beside", Parameter::DepthToWater, Month::new(2015, 1), CLOSED).await;
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let told = every_number_is_told(&world, &watch, "W1").await;
    assert_eq!(
        told,
        [
            "carry_over",
            "carry_over_beyond",
            "drought_deficit",
            "drought_duration",
            "ghg",
            "glg",
            "gvg",
            "recharge_wtf",
            "salinity_class",
            "salinity_trend_dry",
            "salinity_trend_wet",
            "spi_1",
            "spi_12",
            "spi_3",
            "spi_6",
            "threshold_drought",
            "threshold_p10",
            "threshold_p25",
            "threshold_p75",
            "threshold_p90",
            "trend"
        ]
    );

    // An earlier month is asked for by its name.
    for (indicator, month) in [("spi_3", Month::new(2010, 3)), ("recharge_wtf", Month::new(2012, 8))] {
        let row = world.indicator("W1", indicator, month).await.expect("a row");
        let found = explain(&watch, "W1", indicator, Some(month)).await;
        assert_eq!((found.value, found.month), (row.value, month), "{found}");
        assert!(found.to_string().contains(&format!("= {}", number(row.value.unwrap()))), "{found}");
    }
    let none = explain(&watch, "W1", "trend", Some(Month::new(2010, 3))).await;
    assert_eq!(none.missing().map(|missing| missing.reason), Some("no_row"), "{none}");
    assert!(none.to_string().contains("the last: 2026-10"), "{none}");
}

#[tokio::test]
async fn the_terms_of_a_deficit_add_up() {
    let world = World::new(vec![well("W1")], NOW);
    fill(&world, "W1", Parameter::DepthToWater, Month::new(2004, 1), CLOSED).await;
    let found = explain(&world.open().await, "W1", "drought_deficit", None).await;
    let text = found.to_string();
    let formula = text.lines().find(|line| line.contains("deficit = ")).expect("a formula");
    let (_, terms) = formula.split_once("deficit = ").unwrap();
    let (terms, _) = terms.split_once(" = ").unwrap();
    let sum: f64 = terms.split(" + ").map(|term| term.parse::<f64>().unwrap()).sum();
    let value = found.value.expect("a deficit");
    assert!((sum - value).abs() < 1e-8 * value, "{sum} {value}\n{text}");
}

#[tokio::test]
async fn numbers_of_an_open_bank_are_told() {
    let comparison = Well { ground_elevation: Some(100.0), ..well("beside") };
    let mut world = World::new(vec![pond("P1"), comparison], NOW);
    world.config.record.evaporation_mm_per_day = Some(4.0);
    let end = fills(&world, "P1", 24);
    for hour in 0..600 {
        world.read_at("P1", Parameter::RechargeFlow, end.plus_secs((hour - 700) * 3600), 2.5 + 0.01 * hour as f64);
    }
    let months = || days(Month::new(2026, 1), CLOSED);
    world.set_days("beside", Parameter::DepthToWater, months().map(|day| (day, 6.0))).await;
    for (parameter, before, after) in
        [(Parameter::SpecificConductance, 600.0, 1100.0), (Parameter::Turbidity, 1.0, 12.0)]
    {
        let value = |day: Day| if day.0 % 20 < 10 { before } else { after };
        world.set_days("P1", parameter, months().map(|day| (day, value(day)))).await;
    }
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let told = every_number_is_told(&world, &watch, "P1").await;
    for indicator in [
        "infiltration_rate",
        "infiltrated_volume",
        "clogging",
        "recharge_volume",
        "quality_harm_conductivity",
        "quality_harm_turbidity",
    ] {
        assert!(told.iter().any(|own| own == indicator), "{indicator} of {told:?}");
    }
    // Several fills of a month are listed.
    let found = explain(&watch, "P1", "infiltration_rate", Some(Month::new(2026, 3))).await;
    assert!(found.to_string().contains(" in 2026-03; the last one is explained"), "{found}");
}

#[tokio::test]
async fn numbers_of_a_closed_bank_are_told() {
    let pit = Well { bank_type: BankType::Closed, depth: Some(2.0), ..well("pit") };
    let world = World::new(vec![pit], NOW);
    fills(&world, "pit", 3);
    let watch = world.open().await;
    watch.run_monthly_once().await.unwrap();
    let told = every_number_is_told(&world, &watch, "pit").await;
    for indicator in ["drain_down_hours", "overflow_hours", "infiltration_rate", "infiltrated_volume", "clogging"] {
        assert!(told.iter().any(|own| own == indicator), "{indicator} of {told:?}");
    }
}

#[tokio::test]
async fn a_rise_is_told_while_it_goes_on_and_when_it_is_over() {
    let start = "2026-08-01T00:00:00+07:00";
    let world = World::new(vec![Well { flood_warning_depth: Some(0.8), ..well("W1") }, well("calm")], start);
    let watch = world.open().await;
    for hour in 0..9 {
        let time = at(start).plus_secs(hour * 3600).to_rfc3339(crate::support::OFFSET);
        world.depth(&watch, "W1", &time, 1.4 - 0.05 * hour as f64).await;
    }
    assert_eq!(every_number_is_told(&world, &watch, "W1").await, ["hours_to_ground", "rate_of_rise"]);
    let calm = explain(&watch, "calm", "rate_of_rise", None).await;
    assert_eq!(calm.missing().map(|missing| missing.reason), Some("no_event"), "{calm}");

    // It falls, and weeks pass: told is the rise on record, of the readings of then.
    for hour in 9..30 {
        let time = at(start).plus_secs(hour * 3600).to_rfc3339(crate::support::OFFSET);
        world.depth(&watch, "W1", &time, 1.0 + 0.02 * (hour - 9) as f64).await;
    }
    world.set_now("2026-08-28T00:00:00+07:00");
    assert_eq!(every_number_is_told(&world, &watch, "W1").await, ["hours_to_ground", "rate_of_rise"]);
    let over = explain(&watch, "W1", "rate_of_rise", Some(Month::new(2026, 8))).await;
    let text = over.to_string();
    assert!(text.contains("the rise is over") && text.contains("2026-08-01T08:00:00+07:00 1"), "{text}");
    let july = explain(&watch, "W1", "rate_of_rise", Some(Month::new(2026, 7))).await;
    assert_eq!(july.missing().map(|missing| missing.reason), Some("no_event"), "{july}");

    // Readings that it was made of are corrected: what is stored is told as such.
    for hour in 4..9 {
        let time = at(start).plus_secs(hour * 3600).to_rfc3339(crate::support::OFFSET);
        world.read("W1", Parameter::DepthToWater, &time, 1.4);
    }
    let stored = explain(&watch, "W1", "hours_to_ground", None).await;
    assert!(stored.value.is_some() && stored.to_string().contains("as stored at"), "{stored}");
    is_readable(&stored);
}

#[tokio::test]
async fn salinity_tells_baseline_and_the_medians_around_the_last_change() {
    let world = World::new(vec![well("W1"), well("warm")], NOW);
    // 600 µS/cm for years, 2,000 from the middle of the last closed month on.
    let salt = CLOSED.first_day().0 + 14;
    let value = |day: Day| if day.0 < salt { 600.0 } else { 2000.0 };
    let all = days(Month::new(2012, 1), CLOSED);
    world.set_days("W1", Parameter::SpecificConductance, all.map(|day| (day, value(day)))).await;
    let watch = world.open().await;
    let found = explain(&watch, "W1", "salinity_class", None).await;
    let text = found.to_string();
    for told in [
        "flags follow the median of the last 7 days: 2000 on 2026-10-31",
        "baseline: median of 2576 days of the earlier wet seasons, 2012-05-01 to 2025-10-31 = 600",
        "rise against it = 100 (2000/600 - 1) = 233.3333333 %",
        "last change of severity: none to severe on 2026-10-18, median 2000, limit 1500",
        "2026-10-17 600  2026-10-18 2000",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    is_readable(&found);

    // Years of conductivity at the water's own, unknown temperature: a line a month, and of these the first and last.
    let all = days(Month::new(2012, 1), CLOSED);
    world.set_days("warm", Parameter::ElectricalConductivity, all.map(|day| (day, 600.0))).await;
    let found = explain(&watch, "warm", "salinity_class", Some(CLOSED)).await;
    let text = found.to_string();
    assert!(text.contains("2012-01  31 days from 2012-01-01 on: electrical_conductivity without"), "{text}");
    assert!(text.contains("more, all of them with --full"), "{text}");
    is_readable(&found);
}

/// Daily values of a parameter, the same each day.
async fn constant(world: &World, name: &str, parameter: Parameter, (first, last): (Month, Month), value: f64) {
    world.set_days(name, parameter, days(first, last).map(|day| (day, value))).await;
}

/// Rain, stage or level that is not there, and wells that are registered too thinly.
async fn thin_world() -> World {
    let logger = |name| Well { sampling: Sampling::Logger, ..recharge_well(name) };
    let bank = |name: &str| Well { comparison_well_id: None, ..pond(name) };
    let wells = vec![
        logger("short"),
        logger("flat"),
        Well { aquifer_condition: None, ..logger("no_condition") },
        Well { aquifer_condition: Some(AquiferCondition::Confined), ..logger("confined") },
        Well { specific_yield: None, ..logger("no_yield") },
        Well { influenced: true, ..logger("influenced") },
        Well { comparison_well_id: Some(id("bare")), ..logger("compared") },
        well("bare"),
        bank("open"),
        Well { depth: None, ..bank("unsurveyed") },
        Well { bank_area: None, ..bank("no_area") },
        Well { bank_type: BankType::Closed, ..bank("pit") },
    ];
    let mut world = World::new(wells, NOW);
    world.config.record.evaporation_mm_per_day = Some(4.0);
    for name in ["short", "no_condition", "confined", "no_yield", "influenced"] {
        fill(&world, name, Parameter::DepthToWater, Month::new(2026, 1), CLOSED).await;
    }
    fill(&world, "compared", Parameter::DepthToWater, Month::new(2022, 1), CLOSED).await;
    fill(&world, "short", Parameter::SpecificConductance, Month::new(2024, 1), CLOSED).await;
    fill(&world, "short", Parameter::Rainfall, Month::new(2024, 1), CLOSED).await;
    constant(&world, "flat", Parameter::DepthToWater, (Month::new(2014, 1), CLOSED), 5.0).await;
    constant(&world, "flat", Parameter::Rainfall, (Month::new(2004, 1), CLOSED), 1.0).await;
    // Half of the years have no level: the trend may not be told.
    let gaps = days(Month::new(2016, 1), Month::new(2022, 12));
    world.take_days("flat", Parameter::DepthToWater, gaps).await;
    for name in ["open", "unsurveyed", "no_area", "pit"] {
        fills(&world, name, 2);
    }
    world
}

#[tokio::test]
async fn why_there_is_no_number_is_told_with_what_mends_it() {
    let world = thin_world().await;
    let watch = world.open().await;
    let month = |year, month| Some(Month::new(year, month));
    for (well, indicator, month, reason, told) in [
        ("bare", "trend", None, "no_level", "no closed month has a level"),
        ("bare", "spi_3", None, "not_measured", "measures no rain"),
        ("bare", "salinity_class", None, "not_measured", "no conductivity"),
        ("bare", "clogging", None, "not_applicable", "this is an observation well"),
        ("pit", "trend", None, "not_applicable", "dry by design"),
        ("short", "trend", None, "insufficient_record", "a record of 0 years, 10 are needed"),
        ("short", "ghg", None, "insufficient_record", "8 are needed"),
        ("short", "drought_deficit", None, "insufficient_record", "1 years with this calendar month, 10 are needed"),
        ("short", "spi_1", None, "insufficient_record", "20 are needed"),
        ("short", "threshold_p10", None, "insufficient_record", "1 years with this calendar month, 10 are needed"),
        ("short", "threshold_p90", month(2020, 6), "no_row", "there are 10 months"),
        ("influenced", "threshold_drought", None, "not_applicable", "does not speak"),
        ("short", "spi_12", month(2024, 6), "insufficient_coverage", "6 of 12 months of rain are whole"),
        ("short", "salinity_trend_wet", None, "insufficient_record", "3 seasons, 10 are needed"),
        ("short", "salinity_class", month(2020, 6), "no_data", "no day of 2020-06"),
        ("short", "carry_over", month(2026, 8), "preliminary", "must close first"),
        ("short", "recharge_wtf", None, "insufficient_recessions", "are needed"),
        ("flat", "trend", None, "insufficient_coverage", "of the months are missing"),
        ("flat", "spi_1", month(2026, 10), "constant", "one value"),
        ("flat", "carry_over", month(2024, 8), "no_rise", "did not rise"),
        ("flat", "carry_over", month(2018, 8), "insufficient_readings", "0 readings, 6 are needed"),
        ("influenced", "recharge_wtf", None, "influenced", "pumping"),
        ("influenced", "drought_deficit", None, "not_applicable", "does not speak"),
        ("no_condition", "recharge_wtf", None, "no_aquifer_condition", "register `aquifer_condition`"),
        ("confined", "recharge_wtf", None, "confined", "not unconfined"),
        ("no_yield", "recharge_wtf", None, "no_specific_yield", "register `specific_yield`"),
        ("compared", "carry_over_beyond", None, "no_comparison_well", "the comparison well bare"),
        ("flat", "carry_over_beyond", month(2024, 8), "no_rise", "did not rise"),
        ("open", "clogging", None, "no_comparison_well", "register `comparison_well_id`"),
        ("open", "recharge_volume", None, "not_measured", "recharge_flow"),
        ("open", "quality_harm_turbidity", None, "not_measured", "turbidity"),
        ("open", "drain_down_hours", None, "not_applicable", "closed bank"),
        ("open", "infiltration_rate", month(2026, 8), "no_row", "there are 2 on record"),
        ("unsurveyed", "infiltration_rate", None, "no_depth", "register `depth`"),
        ("no_area", "infiltrated_volume", None, "no_bank_area", "register `bank_area`"),
        ("pit", "infiltrated_volume", None, "no_fill_material", "inflow meter"),
        ("pit", "clogging", None, "insufficient_events", "2 events, 10 are needed"),
        ("pit", "hours_to_ground", None, "not_applicable", "high groundwater"),
    ] {
        let found = explain(&watch, well, indicator, month).await;
        let text = found.to_string();
        assert_eq!(found.value, None, "{well} {indicator}\n{text}");
        assert_eq!(found.missing().map(|missing| missing.reason), Some(reason), "{well} {indicator}\n{text}");
        assert!(text.contains("how to mend it") && text.contains(told), "{well} {indicator}: {told}\n{text}");
        assert!(found.told(Language::Thai, Detail::Full).contains("ยังประเมินไม่ได้"), "{well} {indicator}");
        is_readable(&found);
    }
    assert!(
        watch
            .explain_record(&id("nobody"), None, RecordIndicator::from_name("trend").unwrap())
            .await
            .unwrap()
            .is_none()
    );
    let mut dry = World::new(vec![pond("P1")], NOW);
    dry.config.record.evaporation_mm_per_day = None;
    fills(&dry, "P1", 2);
    let found = explain(&dry.open().await, "P1", "infiltration_rate", None).await;
    assert_eq!(found.missing().map(|missing| missing.reason), Some("no_evaporation"), "{found}");
}

#[tokio::test]
async fn months_of_too_few_days_are_named_with_their_days() {
    let world = World::new(vec![recharge_well("W1")], NOW);
    fill(&world, "W1", Parameter::DepthToWater, Month::new(2014, 1), CLOSED).await;
    fill(&world, "W1", Parameter::Rainfall, Month::new(2004, 1), CLOSED).await;
    let most = |month: Month| (month.first_day().0 + 4..month.plus(1).first_day().0).map(Day);
    for parameter in [Parameter::DepthToWater, Parameter::Rainfall] {
        world.take_days("W1", parameter, most(Month::new(2020, 5))).await;
    }
    let watch = world.open().await;
    for (indicator, told) in [("trend", "2020-05  4 days with data, 15 are needed"), ("spi_1", "2020-05  4 of 31 days")]
    {
        let found = explain(&watch, "W1", indicator, None).await;
        assert!(found.value.is_some() && found.to_string().contains(told), "{told}\n{found}");
    }
    let found = explain(&watch, "W1", "recharge_wtf", Some(Month::new(2020, 5))).await;
    assert_eq!(found.missing().map(|missing| missing.reason), Some("insufficient_coverage"), "{found}");
}
