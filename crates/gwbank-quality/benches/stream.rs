//! What the judgement of a live reading costs: nanoseconds a push of [`Stream`], one series and many in turn, with the
//! default limits of a level; and with all tests of a single series on.
//!
//! Every round takes each in turn, so that a busy machine slows all alike. `GWBANK_BENCH_ROUNDS` (default 7).

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use gwbank_model::{Parameter, Timestamp};
use gwbank_quality::{AttenuatedSignal, Climatology, Gap, Point, SeriesConfig, Span, Standstill, Stream, WellFacts};

const PUSHES: i64 = 4_000_000;
/// As many states as a province's loggers have; their memory does not fit into the nearest cache.
const MANY_SERIES: i64 = 4_000;
const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// 15-minute readings of one series after the other, or of many series in turn.
fn push_all(config: &Arc<SeriesConfig>, series: i64, points: &[Point]) -> f64 {
    let mut streams: Vec<Stream> = (0..series).map(|_| Stream::new(config.clone())).collect();
    let started = Instant::now();
    for (index, point) in points.iter().enumerate() {
        let index = index as i64;
        let time = Timestamp::from_secs(index / series * 900);
        black_box(streams[(index % series) as usize].push(Point { time, ..*point }));
    }
    started.elapsed().as_nanos() as f64 / points.len() as f64
}

/// A recession with the tide of the earth in it and a logger's noise, to the millimetre; rain now and then.
fn level(index: i64) -> f64 {
    let hours = index as f64 / 4.0;
    let noise = f64::from((index as u32).wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
    let rain = if index % 2_000 < 12 { -0.02 * (index % 2_000) as f64 } else { 0.0 };
    let depth = 6.0 + 0.5 * (hours / 1_400.0).sin() + 0.01 * (hours / 12.42 * std::f64::consts::TAU).sin() + rain;
    ((depth + 0.003 * noise) * 1_000.0).round() / 1_000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let rounds = std::env::var("GWBANK_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(7);
    let facts = WellFacts { depth: Some(40.0), ..WellFacts::default() };
    let default = SeriesConfig::for_well(Parameter::DepthToWater, &facts);
    let all = SeriesConfig {
        gap: Some(Gap { silence_max_micros: DAY_MICROS }),
        climatology: Some(Box::new(Climatology {
            months: [Some(Span::new(2.0, 9.0)); 12],
            zone_offset_seconds: 7 * 3_600,
        })),
        attenuated_signal: Some(AttenuatedSignal {
            suspect: Some(Standstill { span_micros: 30 * DAY_MICROS, readings_min: 100 }),
            fail: None,
            range_min: 0.01,
            gap_max_micros: 3 * DAY_MICROS,
        }),
        ..default.clone()
    };
    let (default, all) = (Arc::new(default), Arc::new(all));
    let point = |index| Point { time: Timestamp::from_secs(0), value: Some(level(index)), site_status: None };
    let one: Vec<Point> = (0..PUSHES).map(point).collect();
    let many: Vec<Point> = (0..PUSHES).map(|index| point(index / MANY_SERIES)).collect();
    let mut ns = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        ns[0].push(push_all(&default, 1, &one));
        ns[1].push(push_all(&default, MANY_SERIES, &many));
        ns[2].push(push_all(&all, 1, &one));
    }
    let [one, many, all] = ns.map(median);
    println!("{PUSHES} pushes, medians of {rounds} rounds, ns a push");
    println!(
        "default limits: {one:.1} one series, {many:.1} {MANY_SERIES} series in turn; all tests of a series: {all:.1}"
    );
}
