//! All indicators of a national network made anew, and what one late reading costs.
//!
//! 10,801 wells × 30 years of daily means (118 million well-days) are made up in a cheap, repeatable way, well by well, so
//! that memory stays small; making them up is timed apart and is no part of the sum. Each of two threads takes every other well.
//! `GWBANK_BENCH_WELLS` (default 10,801), `GWBANK_BENCH_ROUNDS` (default 3), `GWBANK_BENCH_THREADS` (default 2).

use std::hint::black_box;
use std::time::{Duration, Instant};

use gwbank_indicator::bank::{
    CarryOverRules, Confinement, RechargeRules, SpecificYield, WtfWell, carry_over, recharge,
};
use gwbank_indicator::{
    Bank, DayLevel, DroughtClass, DroughtEventRules, DroughtRules, GxgKind, GxgRules, MonthRules, MonthlyLevel,
    MonthlyRain, PlaceRules, PlaceWell, SPI_TIMESCALES, Sense, SpiRules, StandingRules, TrendRules, WellKind,
    WetSeason, drought_events, gxg, judge_place, judge_well, monthly_levels, spi, standings, well_trend,
};
use gwbank_model::{Day, Month};

const YEARS: i32 = 30;
const FIRST: Month = Month::new(1996, 1);
const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
const RULES: MonthRules =
    MonthRules { sense: Sense::Depth, days_min: MonthRules::DAYS_MIN_LOGGER, dry_level: None, dry_share: 0.5 };
const PLACE_WELLS: usize = 200;

type Error = Box<dyn std::error::Error>;

/// In the order in which they are taken.
const STAGES: [&str; 11] = [
    "(making up the days)",
    "monthly levels",
    "standings",
    "classes and position index",
    "drought judgements",
    "trend",
    "drought events",
    "GHG, GLG, GVG",
    "carry-over",
    "recharge",
    "SPI of four timescales",
];

#[derive(Debug, Clone, Copy, Default)]
struct Times([Duration; STAGES.len()]);

impl Times {
    fn time<T>(&mut self, stage: usize, run: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let made = black_box(run());
        self.0[stage] += began.elapsed();
        made
    }

    fn add(&mut self, other: &Times) {
        self.0.iter_mut().zip(other.0).for_each(|(all, time)| *all += time);
    }
}

/// Season, memory of the days before, a little trend; in millimetres. A day in forty is missing, and so is a month in fifty.
fn make_up(well: usize, days: &mut Vec<DayLevel>) {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(well as u64 + 1);
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    days.clear();
    let trend = uniform() * 0.04;
    let mut anomaly = 0.0;
    for at in 0..YEARS * 12 {
        let month = FIRST.plus(at);
        let season = f64::from((month.month_of_year() as i32 - 4).rem_euclid(12) - 6).abs() / 3.0;
        let is_missing = uniform() > 0.48;
        for day in month.first_day().0..month.plus(1).first_day().0 {
            let noise = uniform();
            anomaly = 0.99 * anomaly + 0.1 * noise;
            if is_missing || noise > 0.475 {
                continue;
            }
            let depth = 6.0 + season + anomaly + trend * f64::from(at) / 12.0;
            let mean = Some((depth * 1000.0).round() / 1000.0);
            days.push(DayLevel { day: Day(day), mean, count: 24, dry_count: 0 });
        }
    }
}

/// Everything that is made from one well's days. What is made is folded into one number, so that nothing is optimised away
/// and two rounds can be held against each other.
fn recompute(days: &[DayLevel], unconfined: &WtfWell, closed_through: Month, times: &mut Times) -> u64 {
    let months = times.time(1, || monthly_levels(days, &RULES).levels);
    let found = times.time(2, || standings(&months, closed_through, &StandingRules::default()));
    let mut mixed = 0u64;
    let mut mix = |bits: u64| mixed = (mixed ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    times.time(3, || {
        for standing in &found {
            let percentile = standing.percentile_class().value().map_or(0, |class| u64::from(class.code()));
            let ips = standing.ips().value().map_or(0, |class| u64::from(class.code()));
            let sgi = standing.sgi_class().value().map_or(0, |class| u64::from(class.code()));
            mix(percentile << 16 | ips << 8 | sgi);
            mix(standing.position_index().value().map_or(0, |position| position.to_bits()));
            mix(standing.sgi_raw.to_bits());
        }
    });
    times.time(4, || {
        for standing in &found {
            let judged = judge_well(WELL, standing, &DroughtRules::default());
            mix(judged.value().map_or(9, |judgement| judgement.entry as u64 * 8 + judgement.hold as u64));
        }
    });
    let trend = times.time(5, || well_trend(&months, closed_through, &TrendRules::default()));
    mix(trend.value().map_or(0, |trend| trend.slope_per_year.to_bits()));
    let events = times.time(6, || drought_events(&months, &DroughtEventRules::default()));
    events.events.iter().for_each(|event| mix(event.deficit.to_bits()));
    times.time(7, || {
        for kind in [GxgKind::Highest, GxgKind::Lowest, GxgKind::Spring] {
            let found = gxg(days, Sense::Depth, kind, &GxgRules::of(kind));
            mix(found.mean.value().map_or(0, |level| level.to_bits()));
        }
    });
    times.time(8, || {
        for year in 0..YEARS - 1 {
            let around = months.iter().skip_while(|m| m.month < FIRST.plus(12 * year)).take(36).copied();
            let around: Vec<MonthlyLevel> = around.collect();
            let year = FIRST.year() + year + 1;
            let left = carry_over(WetSeason::MayToOctober, &around, year, 4, &CarryOverRules::default());
            mix(left.map_or(0, |found| found.left.to_bits()));
        }
    });
    times.time(9, || {
        let levels: Vec<(Day, f64)> = days.iter().filter_map(|day| Some((day.day, -day.mean?))).collect();
        let found = recharge(unconfined, &levels, &RechargeRules::default());
        mix(found.map_or(0, |found| found.months.iter().map(|month| month.mm).sum::<f64>().to_bits()));
    });
    times.time(10, || {
        // Rain of a monsoon climate, as skewed as that is: the work is that of the fits.
        let rain: Vec<MonthlyRain> = months
            .iter()
            .map(|m| {
                let mixed = (m.month.index() as u64 + days.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let uniform = (mixed as f64 + 0.5) / (1u64 << 24) as f64;
                let usual = if (5..=10).contains(&m.month.month_of_year()) { 180.0 } else { 20.0 };
                MonthlyRain { month: m.month, millimetres: (-usual * uniform.ln() * 10.0).round() / 10.0 }
            })
            .collect();
        for timescale in SPI_TIMESCALES {
            for month in spi(&rain, &SpiRules::of_timescale(timescale)) {
                mix(month.spi.value().map_or(0, |spi| spi.to_bits()));
            }
        }
    });
    mixed
}

/// Time that this thread has had a processor, where the system tells: what a busy machine does not lengthen.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

/// One recompute of everything.
struct Round {
    wall: Duration,
    /// Of all threads.
    processor: Option<Duration>,
    well_days: u64,
    times: Times,
    mixed: u64,
}

fn round(wells: usize, threads: usize, closed_through: Month) -> Round {
    let began = Instant::now();
    let parts: Vec<Round> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let (began, before) = (Instant::now(), on_processor());
                    let (mut days, mut times) = (Vec::new(), Times::default());
                    let unconfined = WtfWell {
                        kind: WELL,
                        confinement: Some(Confinement::Unconfined),
                        specific_yield: SpecificYield::registered(0.1),
                        near_ground_level: Some(-1.0),
                    };
                    let (mut well_days, mut mixed) = (0u64, 0u64);
                    for well in (first..wells).step_by(threads) {
                        times.time(0, || make_up(well, &mut days));
                        well_days += days.len() as u64;
                        mixed ^= recompute(&days, &unconfined, closed_through, &mut times);
                    }
                    let processor = on_processor().zip(before).map(|(after, before)| after - before);
                    Round { wall: began.elapsed(), processor, well_days, times, mixed }
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let mut all = Round { wall: began.elapsed(), processor: None, well_days: 0, times: Times::default(), mixed: 0 };
    for part in &parts {
        all.times.add(&part.times);
        all.processor = part.processor.map(|own| all.processor.unwrap_or_default() + own);
        all.well_days += part.well_days;
        all.mixed ^= part.mixed;
    }
    all
}

/// One late reading: the month made again from its days, the well's standings and judgements, and its place of 200 wells
/// judged in that month and the next.
fn late_reading(closed_through: Month, rounds: usize) -> Vec<(&'static str, f64)> {
    let mut days = Vec::new();
    make_up(7, &mut days);
    let month = closed_through.plus(-30);
    let months = monthly_levels(&days, &RULES).levels;
    let of_month: Vec<DayLevel> = days.iter().filter(|day| day.day.month() == month).copied().collect();
    let classes = [DroughtClass::None, DroughtClass::Moderate, DroughtClass::Severe, DroughtClass::Extreme];
    let parts = ["3001", "3002", "3003", "3004"];
    let others: Vec<PlaceWell<'_>> = (1..PLACE_WELLS)
        .map(|at| {
            let class = Some(classes[at * 7 % 5 % 4]);
            PlaceWell { part: Some(parts[at % 4]), class, class_before: class, record_n: 30, dry: false }
        })
        .collect();
    let mut times = [const { Vec::new() }; 5];
    for step in 0..rounds * 50 {
        let began = Instant::now();
        let mut late = of_month.clone();
        late[step % 15].mean = Some(9.0);
        let made = monthly_levels(&late, &RULES).levels;
        let mut corrected: Vec<MonthlyLevel> = months.clone();
        if let (Some(at), Some(&made)) = (corrected.iter().position(|level| level.month == month), made.first()) {
            corrected[at] = made;
        }
        let month_made = Instant::now();
        let found = standings(&corrected, closed_through, &StandingRules::default());
        let ranked = Instant::now();
        let same_calendar_month = found.iter().filter(|s| s.month.month_of_year() == month.month_of_year());
        let judged: Vec<_> = same_calendar_month.map(|s| judge_well(WELL, s, &DroughtRules::default())).collect();
        let judged_at = Instant::now();
        let class = judged.last().and_then(|judged| judged.value()).map(|judgement| judgement.entry);
        let own = PlaceWell { part: Some("3001"), class, class_before: class, record_n: 30, dry: false };
        let wells: Vec<PlaceWell<'_>> = others.iter().copied().chain([own]).collect();
        for _ in 0..2 {
            black_box(judge_place(black_box(&wells), &PlaceRules::default()));
        }
        let ended = Instant::now();
        let micros = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e6;
        times[0].push(micros(began, month_made));
        times[1].push(micros(month_made, ranked));
        times[2].push(micros(ranked, judged_at));
        times[3].push(micros(judged_at, ended));
        times[4].push(micros(began, ended));
    }
    let names =
        ["month made again", "standings", "judgements of its calendar month", "place of 200 wells, twice", "all"];
    names.into_iter().zip(times.map(median)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Error> {
    let number = |name: &str, default: usize| std::env::var(name).map_or(Ok(default), |text| text.parse());
    let wells = number("GWBANK_BENCH_WELLS", 10_801)?;
    let rounds = number("GWBANK_BENCH_ROUNDS", 3)?.max(1);
    let threads = number("GWBANK_BENCH_THREADS", 2)?.max(1);
    let closed_through = FIRST.plus(YEARS * 12 - 1);

    let all: Vec<Round> = (0..rounds).map(|_| round(wells, threads, closed_through)).collect();
    let Round { well_days, mixed, .. } = all[0];
    if all.iter().any(|round| round.mixed != mixed) {
        return Err("two rounds differ".into());
    }
    let stage = |at: usize| median(all.iter().map(|round| round.times.0[at].as_secs_f64()).collect());
    let work: f64 = (1..STAGES.len()).map(stage).sum();
    println!(
        "{wells} wells, {well_days} well-days, {threads} threads, medians of {rounds} rounds, results {mixed:016x}"
    );
    for (at, name) in STAGES.iter().enumerate() {
        let seconds = stage(at);
        let share = if at == 0 { String::new() } else { format!("{:>6.1} %", seconds / work * 100.0) };
        println!("{name:<32} {:>8.3} s of one thread {share}", seconds);
    }
    let wall = median(all.iter().map(|round| round.wall.as_secs_f64()).collect());
    println!("{:<32} {:>8.3} s on {threads} threads", "all indicators", work / threads as f64);
    println!("{:<32} {wall:>8.3} s, days made up included", "wall time of a round");
    let processor = median(all.iter().filter_map(|round| round.processor).map(|time| time.as_secs_f64()).collect());
    println!("{:<32} {processor:>8.3} s of one thread, the same", "time on processors");

    println!("\none late reading, medians in microseconds");
    for (name, micros) in late_reading(closed_through, rounds) {
        println!("{name:<36} {micros:>10.1}");
    }
    Ok(())
}
