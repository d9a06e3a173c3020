//! What the archive has to do with an acknowledgement: PUBACK latency at a tenth of the peak with the embedded archive,
//! with PostgreSQL, and with a PostgreSQL that is stopped; in turn, in one run.

mod support;

use gwbank_model::Timestamp;
use gwbank_runtime::{Clock, SystemClock};
use gwbank_testkit::Postgres;
use support::load::{self, Load, Outcome, Pace};
use support::ours::{Ours, Stores};
use support::readings::Shape;
use support::stats::{grouped, median};
use support::{Error, Settings, print_machine, runtime};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Embedded,
    Database,
    Stopped,
}

const SIDES: [Side; 3] = [Side::Embedded, Side::Database, Side::Stopped];

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    println!("PUBACK latency by archive: {} s a run, {} rounds", settings.run.as_secs(), settings.rounds);
    print_machine();
    let postgres = Postgres::start();
    let peak = run(&settings, &postgres, Side::Embedded, Pace::AsFastAsAcknowledged)?.rate();
    println!("peak {} readings/s with the embedded archive", grouped(peak));
    let mut seen = [const { (Vec::new(), Vec::new(), Vec::new()) }; 3];
    for _ in 0..settings.rounds {
        for (side, seen) in SIDES.into_iter().zip(&mut seen) {
            let mut outcome = run(&settings, &postgres, side, Pace::ReadingsPerSecond(peak / 10.0))?;
            seen.0.push(outcome.acknowledgements.millis(0.5));
            seen.1.push(outcome.acknowledgements.millis(0.99));
            seen.2.push(outcome.rate());
        }
    }
    println!(
        "\n{:<28} {:>10} {:>10} {:>12} {:>18}",
        "medians", "ack ms 50", "ack ms 99", "readings/s", "50 % of embedded"
    );
    let embedded = median(&seen[0].0);
    for (side, (half, most, rate)) in SIDES.into_iter().zip(&seen) {
        let name = match side {
            Side::Embedded => "embedded",
            Side::Database => "PostgreSQL",
            Side::Stopped => "PostgreSQL, stopped",
        };
        let half = median(half);
        println!(
            "{name:<28} {half:>10.2} {:>10.2} {:>12} {:>18.2}",
            median(most),
            grouped(median(rate)),
            half / embedded
        );
    }
    Ok(())
}

fn run(settings: &Settings, postgres: &Postgres, side: Side, pace: Pace) -> Result<Outcome, Error> {
    let dir = settings.scratch()?;
    let runtime = runtime("broker")?;
    let url = postgres.empty_database();
    let ours = runtime.block_on(async {
        let stores = match side {
            Side::Embedded => Stores::open(dir.path()).await?,
            Side::Database | Side::Stopped => Stores::in_database(dir.path(), &url).await?,
        };
        Ours::start_on(stores, Shape::BATCHES.registry()).await
    })?;
    let load = Load {
        address: ours.broker.address(),
        shape: Shape::BATCHES,
        start: Timestamp::from_micros(SystemClock.now_micros()).plus_secs(-40 * 366 * 86_400),
        run: settings.run,
        in_flight: 4,
        pace,
    };
    if side == Side::Stopped {
        postgres.crash();
    }
    let outcome = load::run(load);
    if side == Side::Stopped {
        postgres.go_on();
    }
    runtime.block_on(ours.stop())?;
    outcome
}
