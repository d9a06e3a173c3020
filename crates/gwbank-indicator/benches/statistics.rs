//! SGI and trend of many wells against the Python packages that people take for them, in the same run.
//!
//! `GWBANK_BENCH_PYTHON` names a Python that has pastas 2.0.0, pymannkendall 1.4.3, numpy and scipy (see
//! `scripts/golden/requirements.txt`); without it only our own figures are printed. The peers get the same numbers and run on
//! the first `GWBANK_BENCH_PEER_SERIES` (default 100) of them, as they take seconds for more; what they find is compared with
//! what we find. `GWBANK_BENCH_ROUNDS` (default 5).

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use gwbank_indicator::{SgiScores, TrendTest, mann_kendall};

const SERIES: usize = 1000;
const MONTHS: usize = 480;
/// Of the peers' SGI so many series are handed back for comparison.
const COMPARED: usize = 20;
/// Forty years of days, 107 million pairs: nobody writes those down.
const LONG: usize = 14_610;

type Error = Box<dyn std::error::Error>;

/// Season, memory of the months before, trend; in millimetres, so that there are some ties.
fn simulated(well: usize, months: usize) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(well as u64 + 1);
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let trend = uniform() * 0.002;
    let mut anomaly = 0.0;
    (0..months)
        .map(|month| {
            anomaly = 0.8 * anomaly + 0.4 * (uniform() + uniform() + uniform());
            let season = (month as f64 * std::f64::consts::TAU / 12.0).sin();
            ((-4.0 + season + anomaly + trend * month as f64) * 1000.0).round() / 1000.0
        })
        .collect()
}

/// Microseconds a series.
fn timed(run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    began.elapsed().as_secs_f64() * 1e6 / SERIES as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn sgi_of(series: &[Vec<f64>]) {
    let mut scores = SgiScores::default();
    for levels in series {
        black_box(scores.of_series(black_box(levels)));
    }
}

fn trends_of(series: &[Vec<f64>], test: TrendTest) {
    for levels in series {
        black_box(mann_kendall(black_box(levels), test));
    }
}

fn sgi_on_two_threads(series: &[Vec<f64>]) {
    let (first, second) = series.split_at(series.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| sgi_of(first));
        sgi_of(second);
    });
}

/// A Python that runs one round of all peers whenever it is told.
struct Peers {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peers {
    fn start(python: &str, series: &[Vec<f64>]) -> Result<Self, Error> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/statistics_peers.py");
        let arguments = [series.len(), MONTHS, COMPARED].map(|number| number.to_string());
        let mut child =
            Command::new(python).arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut orders = child.stdin.take().ok_or("no stdin")?;
        let lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let numbers: Vec<u8> = series.iter().flatten().flat_map(|level| level.to_le_bytes()).collect();
        orders.write_all(&numbers)?;
        let mut peers = Self { child, orders, lines };
        // Once without a clock: imports, caches.
        peers.ask("round")?;
        Ok(peers)
    }

    /// The fields of the lines of the answer.
    fn ask(&mut self, what: &str) -> Result<Vec<Vec<String>>, Error> {
        writeln!(self.orders, "{what}")?;
        self.orders.flush()?;
        let mut answer = Vec::new();
        for line in self.lines.by_ref() {
            let line = line?;
            if line == "done" {
                return Ok(answer);
            }
            answer.push(line.split('\t').map(str::to_owned).collect());
        }
        Err("the peers ended".into())
    }
}

fn largest_difference(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn main() -> Result<(), Error> {
    let number = |name: &str, default: usize| std::env::var(name).map_or(Ok(default), |text| text.parse());
    let rounds = number("GWBANK_BENCH_ROUNDS", 5)?;
    let peer_series = number("GWBANK_BENCH_PEER_SERIES", 100)?.min(SERIES);
    let series: Vec<Vec<f64>> = (0..SERIES).map(|well| simulated(well, MONTHS)).collect();

    let mut peers = match std::env::var("GWBANK_BENCH_PYTHON") {
        Ok(python) => Some(Peers::start(&python, &series[..peer_series])?),
        Err(_) => None,
    };
    let mut ours = [const { Vec::new() }; 5];
    let mut theirs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    // In turn, so that whatever else the machine does falls on both.
    for _ in 0..rounds {
        let times = [
            timed(|| sgi_of(&series)),
            timed(|| sgi_on_two_threads(&series)),
            timed(|| trends_of(&series, TrendTest::Original)),
            timed(|| trends_of(&series, TrendTest::HamedRao)),
            timed(|| trends_of(&series, TrendTest::Seasonal)),
        ];
        ours.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
        for fields in peers.as_mut().map_or(Ok(Vec::new()), |peers| peers.ask("round"))? {
            theirs.entry(fields[0].clone()).or_default().push(fields[1].parse()?);
        }
    }
    let [sgi, sgi_on_two, original, hamed_rao, seasonal] = ours.map(median);

    println!("{SERIES} series of {MONTHS} months, medians of {rounds} rounds, microseconds a series");
    println!("{:<44} {sgi:>10.1}   on two threads {sgi_on_two:.1}", "SGI");
    println!("{:<44} {original:>10.1}", "Mann-Kendall and Sen's slope");
    println!("{:<44} {hamed_rao:>10.1}", "Hamed-Rao, all lags, and Sen's slope");
    println!("{:<44} {seasonal:>10.1}", "seasonal Mann-Kendall and slope");
    let long = simulated(0, LONG);
    let long_micros = timed(|| trends_of(std::slice::from_ref(&long), TrendTest::Original)) * SERIES as f64;
    println!("{:<44} {long_micros:>10.1}", format!("Mann-Kendall and Sen's slope of {LONG} steps"));
    let Some(mut peers) = peers else {
        println!("GWBANK_BENCH_PYTHON is not set: no peers");
        return Ok(());
    };

    println!("\npeers on the first {peer_series} series; times ours");
    for (name, times) in theirs {
        let micros = median(times);
        let (ours, on_two) = match name.as_str() {
            name if name.starts_with("sgi") => (sgi, Some(sgi_on_two)),
            name if name.contains("original") => (original, None),
            name if name.contains("hamed") => (hamed_rao, None),
            _ => (seasonal, None),
        };
        let two = on_two.map_or(String::new(), |on_two| format!(" (on two threads {:.0})", micros / on_two));
        println!("{name:<44} {micros:>10.1}   {:.0}{two}", micros / ours);
    }

    let numbers = |answer: Vec<Vec<String>>| -> Result<Vec<Vec<f64>>, Error> {
        answer.iter().map(|fields| fields.iter().map(|field| Ok(field.parse()?)).collect()).collect()
    };
    let mut scores = SgiScores::default();
    let ours = series[..COMPARED.min(peer_series)].iter().flat_map(|levels| scores.of_series(levels));
    let theirs = numbers(peers.ask("sgi")?)?;
    println!("\nlargest difference: SGI {:.1e}", largest_difference(ours.zip(theirs.iter().map(|fields| fields[0]))));
    let theirs = numbers(peers.ask("trends")?)?;
    for (at, what) in ["S", "slope", "p"].iter().enumerate() {
        let ours = series
            .iter()
            .filter_map(|levels| mann_kendall(levels, TrendTest::Original))
            .map(|trend| [trend.s as f64, trend.slope, trend.p.unwrap_or(f64::NAN)][at]);
        println!(
            "largest difference: {what} {:.1e}",
            largest_difference(ours.zip(theirs.iter().map(|fields| fields[at])))
        );
    }
    drop(peers.orders);
    peers.child.wait()?;
    Ok(())
}
