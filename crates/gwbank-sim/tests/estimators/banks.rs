//! Infiltration, drain-down and clogging of banks against what they truly have.

use gwbank_indicator::bank::{
    Clogging, CloggingRules, DrainDownRules, FillEvent, FillRules, Pond, WaterTable, clogging, drain_downs, fill_events,
};
use gwbank_model::Timestamp;
use gwbank_registry::{BankType, places};
use gwbank_sim::{Clogging as Simulated, Fill, SimConfig, World};

use super::{Errors, NOW, WORLD, day_of, is_good, judged, print_head, quantile};

/// How long the simulated banks have existed.
const BANK_DAYS: i32 = 730;
/// Of open water in the simulation.
const EVAPORATION_MM_PER_DAY: f64 = 4.0;

/// The same country with banks that stay as they were built.
fn without_clogging() -> World {
    let config = SimConfig { clogging: Simulated::Never, ..*WORLD.config() };
    World::new(config).expect("a good configuration")
}

/// Height of the water above the floor, as the server has it.
fn stage(world: &World, bank: usize, hours: i64) -> Vec<(Timestamp, f64)> {
    let depth = world.wells()[bank].depth.expect("a bank has a depth");
    let today = day_of(NOW);
    let first = gwbank_model::Day(today.0 - BANK_DAYS + 1);
    let readings = judged(world, bank, first, today, hours);
    let height = |depth_m: Option<f64>, dry: bool| if dry { Some(0.0) } else { depth_m.map(|below| depth - below) };
    readings
        .iter()
        .filter(|reading| reading.dry || is_good(reading))
        .filter_map(|reading| height(reading.depth_m, reading.dry).map(|height| (reading.time, height)))
        .collect()
}

/// The simulated pond moves evenly over the day on which it rains, so rain is told at both ends of its day.
fn rain(world: &World, bank: usize) -> Vec<(Timestamp, f64)> {
    let code = &world.wells()[bank].province_code;
    let province = places::provinces().iter().position(|province| province.code == code).expect("a province");
    let today = day_of(NOW).0;
    (today - BANK_DAYS..=today)
        .flat_map(|day| {
            let midnight = gwbank_model::Day(day).start(gwbank_model::BANGKOK_OFFSET_SECONDS);
            let mm = world.climate().rain_mm(province, gwbank_model::Day(day));
            [(midnight.plus_secs(1), mm), (midnight.plus_secs(86_399), mm)]
        })
        .collect()
}

/// What is left of the bank's infiltration at an instant.
fn left_at(fills: &[Fill], at: Timestamp) -> f64 {
    let day = day_of(at);
    let past = fills.iter().rfind(|fill| fill.day <= day);
    past.or(fills.first()).map_or(1.0, |fill| fill.infiltration_left)
}

/// True change per year over the fills that were seen: the middle of all pairs, as for the estimate.
fn true_percent_per_year(fills: &[Fill], events: &[FillEvent]) -> f64 {
    let mut slopes = Vec::new();
    for (index, first) in events.iter().enumerate() {
        for second in &events[index + 1..] {
            let years = second.peak_at.micros_since(first.peak_at) as f64 / (365.25 * 86_400e6);
            slopes.push((left_at(fills, second.peak_at) / left_at(fills, first.peak_at)).ln() / years);
        }
    }
    100.0 * quantile(&slopes, 0.5).exp_m1()
}

fn banks(world: &World, bank_type: BankType) -> impl Iterator<Item = usize> {
    world.wells().iter().enumerate().filter(move |(_, well)| well.bank_type == bank_type).map(|(index, _)| index)
}

/// Of one open bank: its clogging, its fills, and the relative error of each fill's rate.
fn open_bank(world: &World, bank: usize) -> Option<(Clogging, Vec<FillEvent>, Vec<f64>)> {
    let (stage, rain) = (stage(world, bank, 24), rain(world, bank));
    let pond = Pond {
        stage_m: &stage,
        rain_mm: Some(&rain),
        evaporation_mm_per_day: Some(EVAPORATION_MM_PER_DAY),
        area_m2: world.wells()[bank].bank_area,
    };
    let events = fill_events(&pond, &FillRules::default());
    let depth = world.wells()[bank].depth?;
    let table = world.truth().water_table_m(bank)?;
    let weekly: Vec<(Timestamp, f64)> = (0..=BANK_DAYS / 7)
        .map(|week| NOW.plus_secs(-86_400 * 7 * i64::from(week)))
        .map(|at| (at, depth - table.depth_m(at)))
        .collect();
    let found = clogging(&events, WaterTable::Measured(&weekly), &CloggingRules::default()).ok()?;
    let fills = world.truth().fills(bank);
    let first = fills.first()?.infiltration_m_per_day?;
    let rates = events.iter().filter_map(|event| {
        // The pond's law: slower as the head above the table becomes small.
        let true_m = |step: &gwbank_indicator::bank::FallStep| {
            let head = (step.stage_m - (depth - table.depth_m(step.middle())).max(0.0)).max(0.0);
            first * left_at(&fills, event.peak_at) * head / (head + 0.5) * step.days()
        };
        let days: f64 = event.steps.iter().map(|step| step.days()).sum();
        let truth = 1000.0 * event.steps.iter().map(true_m).sum::<f64>() / days;
        (truth > 20.0).then(|| event.infiltration_mm_per_day.ok().map(|rate| rate / truth - 1.0)).flatten()
    });
    let rates = rates.collect();
    Some((found, events, rates))
}

/// Of one closed bank, with hourly readings: its clogging, its fills, and the relative error of each drainage constant.
fn closed_bank(world: &World, bank: usize) -> Option<(Clogging, Vec<FillEvent>, Vec<f64>)> {
    let stage = stage(world, bank, 1);
    // Covered with stones: nothing evaporates.
    let pond = Pond { stage_m: &stage, evaporation_mm_per_day: Some(0.0), ..Pond::default() };
    let events = fill_events(&pond, &FillRules::default());
    let found = clogging(&events, WaterTable::Below, &CloggingRules::default()).ok()?;
    let fills = world.truth().fills(bank);
    let first = fills.first()?.drain_hours?;
    let constants = drain_downs(&stage, world.wells()[bank].depth, &DrainDownRules::default())
        .iter()
        .filter_map(|drain| Some((drain.peak_at, drain.constant_hours.ok()?)))
        .map(|(at, hours)| hours / (first / left_at(&fills, at)) - 1.0)
        .collect();
    Some((found, events, constants))
}

type Judge = fn(&World, usize) -> Option<(Clogging, Vec<FillEvent>, Vec<f64>)>;

struct Judged {
    /// Percent per year, estimated less true.
    difference: Vec<f64>,
    /// Relative, of the decline of banks that truly lose at least a tenth a year.
    decline: Vec<f64>,
    rates: Vec<f64>,
    /// Those that lose at least a tenth a year, and of these the found ones.
    clogging: (usize, usize),
    covered: usize,
}

fn judge(world: &World, bank_type: BankType, of: Judge) -> Judged {
    let mut result = Judged { difference: vec![], decline: vec![], rates: vec![], clogging: (0, 0), covered: 0 };
    for bank in banks(world, bank_type) {
        let Some((found, events, rates)) = of(world, bank) else { continue };
        let truth = true_percent_per_year(&world.truth().fills(bank), &events);
        result.difference.push(found.per_year.percent - truth);
        result.covered += usize::from((found.per_year.low..=found.per_year.high).contains(&truth));
        if truth <= -10.0 {
            result.decline.push(found.per_year.percent / truth - 1.0);
            result.clogging.0 += 1;
            result.clogging.1 += usize::from(found.is_clogging());
        }
        result.rates.extend(rates);
    }
    result
}

fn false_alarms(world: &World, bank_type: BankType, of: Judge) -> (usize, usize) {
    let found: Vec<bool> =
        banks(world, bank_type).filter_map(|bank| of(world, bank)).map(|(found, _, _)| found.is_clogging()).collect();
    (found.iter().filter(|alarm| **alarm).count(), found.len())
}

#[test]
fn clogging_and_infiltration_are_found() {
    let unclogged = without_clogging();
    print_head("banks");
    for (name, bank_type, of) in [
        ("open banks, daily readings", BankType::Open, open_bank as Judge),
        ("closed banks, hourly readings", BankType::Closed, closed_bank as Judge),
    ] {
        let result = judge(&WORLD, bank_type, of);
        let (rates, decline) = (Errors::of(&result.rates), Errors::of(&result.decline));
        rates.print(&format!("{name}: rate of a fill"));
        decline.print(&format!("{name}: decline a year"));
        let difference = Errors::of(&result.difference);
        let (banks, sure) = result.clogging;
        let (alarms, sound) = false_alarms(&unclogged, bank_type, of);
        println!(
            "{name}: change a year off by {:+.1} points (middle; {:.1} of nine in ten), truth in the 90 % interval of {} of \
             {}, clogging seen in {sure} of {banks}, and in {alarms} of {sound} that do not clog",
            difference.bias, difference.nine_of_ten, result.covered, difference.wells
        );
        assert!(rates.wells > 200 && rates.bias.abs() < 0.10 && rates.size < 0.10, "{name}: rates");
        assert!(decline.wells >= 20 && decline.bias.abs() < 0.15 && decline.size < 0.20, "{name}: declines");
        assert!(difference.bias.abs() < 3.0 && difference.nine_of_ten < 15.0, "{name}: change a year, points");
        // The interval is one of 90 %, and wider on purpose.
        assert!(result.covered * 10 >= difference.wells * 8, "{name}: interval");
        assert!(sure * 10 >= banks * 6 && alarms * 20 <= sound, "{name}: detection");
    }
}
