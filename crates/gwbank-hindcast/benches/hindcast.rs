//! A whole country's history replayed: months × wells a second, and what the plain computation would take.
//!
//! `GWBANK_BENCH_ROUNDS` (default 3), `GWBANK_BENCH_WELLS` (default 10,801: all monitoring wells of Thailand's Department of
//! Groundwater Resources), `GWBANK_BENCH_CLIMATES` (default 4). The plain computation, all standings anew at every closing,
//! runs on `PLAIN_WELLS` of the wells and is compared a well-month.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use gwbank_hindcast::{Hindcast, HindcastConfig, KnownDay, NormalClimateRules, Summary, WellRecord, normal_climate};
use gwbank_indicator::{Bank, DayLevel, MonthlyLevel, Sense, WellKind, judge_well, standings};
use gwbank_model::{Day, Month, WellId};
use gwbank_registry::{BankType, Well, places};

const MONTHS: i32 = 360;
const PLAIN_WELLS: usize = 100;
const DAILY_WELLS: usize = 200;
const FIRST: Month = Month::new(1996, 1);

type Error = Box<dyn std::error::Error>;

/// Season, memory of the months before, weather of the province; in millimetres, so that there are some ties.
fn simulated(index: usize) -> Result<WellRecord, Error> {
    let mut uniform = generator(index as u64 + 1_000);
    let district = places::districts().get(index * 7 % places::districts().len()).ok_or("no districts")?;
    let province: u64 = district.province_code().parse()?;
    let mut weather = generator(province);
    let mut well = Well::new(WellId::new(&format!("W{index}"))?, district.province_code(), BankType::Observation);
    well.district_code = Some(district.code.to_owned());
    well.subdistrict_code =
        places::subdistricts_of(district.code).get(index / 7 % 3).map(|place| place.code.to_owned());
    let mut anomaly = 0.0;
    let months: Vec<MonthlyLevel> = (0..MONTHS)
        .map(|month| {
            let shared = weather() + weather() + weather();
            anomaly = 0.85 * anomaly + 0.3 * shared + 0.3 * (uniform() + uniform() + uniform());
            let season = (f64::from(month) * std::f64::consts::TAU / 12.0).sin();
            MonthlyLevel::of(FIRST.plus(month), ((-4.0 + season + anomaly) * 1000.0).round() / 1000.0)
        })
        .collect();
    Ok(WellRecord::of_months(Arc::new(well), Sense::Depth, &months))
}

fn generator(seed: u64) -> impl FnMut() -> f64 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed + 1);
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    }
}

/// Seconds, and what the replay says.
fn replay(records: &[WellRecord], config: &HindcastConfig) -> (f64, Summary) {
    let began = Instant::now();
    let to = FIRST.plus(MONTHS - 1);
    let mut hindcast = Hindcast::new(records, FIRST, to, config);
    let mut summary = Summary::default();
    while let Some(report) = hindcast.next() {
        summary.add_month(black_box(&report), hindcast.places());
    }
    summary.add_flags(hindcast.episodes(), to);
    (began.elapsed().as_secs_f64(), summary)
}

/// Seconds of all standings and the latest judgement anew at every closing.
fn plainly(records: &[WellRecord], config: &HindcastConfig) -> f64 {
    let kind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
    let months: Vec<Vec<MonthlyLevel>> = records.iter().map(WellRecord::months).collect();
    let began = Instant::now();
    for closing in (0..MONTHS).map(|month| FIRST.plus(month)) {
        for months in &months {
            let known = months.partition_point(|month| month.month <= closing);
            let found = standings(black_box(&months[..known]), closing, &config.standing);
            black_box(found.last().map(|standing| judge_well(kind, standing, &config.drought)));
        }
    }
    began.elapsed().as_secs_f64()
}

/// Seconds of records made of days, one in a hundred of which came a year late.
fn from_days(config: &HindcastConfig) -> Result<f64, Error> {
    let mut uniform = generator(1);
    let first = FIRST.first_day().0;
    let end = FIRST.plus(MONTHS).first_day().0;
    let days: Vec<KnownDay> = (first..end)
        .map(|day| {
            let level = DayLevel { day: Day(day), mean: Some(4.0 + uniform()), count: 24, dry_count: 0 };
            let late = uniform() > 0.49;
            KnownDay { level, received_at: late.then(|| Day(day + 365).start(0)) }
        })
        .collect();
    let well = Arc::new(Well::new(WellId::new("DAYS")?, "30", BankType::Observation));
    let began = Instant::now();
    for _ in 0..DAILY_WELLS {
        black_box(WellRecord::of_days(Arc::clone(&well), Sense::Depth, black_box(&days), config));
    }
    Ok(began.elapsed().as_secs_f64())
}

fn main() -> Result<(), Error> {
    let number = |name: &str, default: usize| std::env::var(name).map_or(Ok(default), |text| text.parse());
    let (rounds, wells) = (number("GWBANK_BENCH_ROUNDS", 3)?, number("GWBANK_BENCH_WELLS", 10_801)?);
    let climates = number("GWBANK_BENCH_CLIMATES", 4)?;
    let records = (0..wells).map(simulated).collect::<Result<Vec<WellRecord>, Error>>()?;
    let config = HindcastConfig::default();

    let mut ours = Vec::new();
    let mut plain = Vec::new();
    let mut summary = Summary::default();
    // In turn, so that whatever else the machine does falls on both.
    for _ in 0..rounds.max(1) {
        let (seconds, found) = replay(&records, &config);
        ours.push(seconds);
        summary = found;
        plain.push(plainly(&records[..PLAIN_WELLS.min(wells)], &config));
    }
    let well_months = (wells as i32 * MONTHS) as f64;
    let (ours, plain) = (median(ours), median(plain));
    let plain_micros = plain * 1e6 / (PLAIN_WELLS.min(wells) as f64 * f64::from(MONTHS));
    println!("{wells} wells x {MONTHS} months, one thread, medians of {rounds} rounds");
    println!("replay {ours:>8.2} s   {:>12.0} months x wells a second", well_months / ours);
    println!(
        "a well-month {:.2} us with places and flags; plain standings alone {plain_micros:.2} us, {:.0} times",
        ours * 1e6 / well_months,
        plain_micros / (ours * 1e6 / well_months)
    );
    for ((hazard, scope), kind) in &summary.kinds {
        println!(
            "{} of {:<9} {:>7} flags, median {:.0} months, longest {}, flapping {:.1} %, median lead {:?} months",
            hazard.name(),
            scope.name(),
            kind.flags,
            kind.median_months,
            kind.longest_months,
            kind.flapping_share * 100.0,
            kind.median_lead_months
        );
    }
    let seconds = from_days(&config)?;
    println!(
        "{DAILY_WELLS} wells of {MONTHS} months of days into records: {:.0} us a well",
        seconds * 1e6 / DAILY_WELLS as f64
    );
    let began = Instant::now();
    let rules = NormalClimateRules { climates: climates as u32, ..NormalClimateRules::default() };
    let normal = normal_climate(&records, (FIRST, FIRST.plus(MONTHS - 1)), &config, &rules);
    println!("normal climate, {climates} climates in {:.1} s\n{normal}", began.elapsed().as_secs_f64());
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
