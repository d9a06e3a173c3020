//! From publishing a reading to seeing it in SQL, while the server works at half of what it can take.
//!
//! The peak is measured first, in the same run. Then marker readings go in over a connection of their own, one at a time,
//! and a query asks for each again and again until it is there; the time of the asking query counts.

mod support;

use std::time::{Duration, Instant};

use gwbank_model::Timestamp;
use gwbank_query::QueryEngine;
use gwbank_runtime::{Clock, SystemClock};
use support::load::{self, Client, Load, Pace};
use support::ours::Ours;
use support::readings::{Shape, registered, topic};
use support::stats::{Times, grouped};
use support::{Error, Settings, print_machine, runtime};

const MARKER: &str = "MARKER";
const TARGET_MS: f64 = 50.0;
/// Between two markers, and between two askings.
const MARKER_INTERVAL: Duration = Duration::from_millis(20);
const ASK_INTERVAL: Duration = Duration::from_millis(1);

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    println!("publish to visible in SQL: {} s a run", settings.run.as_secs());
    print_machine();
    let peak = with_server(&settings, |_, load| Ok(load::run(load)?.rate()))?;
    println!("peak {} readings/s", grouped(peak));
    let (reached, mut visible, mut acknowledged, mut query) = with_server(&settings, |ours, load| {
        let engine = ours.stores.engine(&ours.pipeline)?;
        let paced = Load { pace: Pace::ReadingsPerSecond(peak / 2.0), ..load };
        let loading = std::thread::spawn(move || load::run(paced));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let end = Instant::now() + settings.run;
        let (visible, acknowledged, query) = runtime.block_on(markers(load, &engine, end))?;
        let outcome = loading.join().map_err(|_| "the load generator panicked")??;
        Ok((outcome.rate(), visible, acknowledged, query))
    })?;
    println!("load {} readings/s, {} markers\n", grouped(reached), visible.len());
    println!("{:<28} {:>10} {:>10} {:>12}", "ms", "50 %", "99 %", "target 99 %");
    println!("{:<28} {:>10.2} {:>10.2}", "publish to PUBACK", acknowledged.millis(0.5), acknowledged.millis(0.99));
    println!("{:<28} {:>10.2} {:>10.2}", "the asking query alone", query.millis(0.5), query.millis(0.99));
    let (p50, p99) = (visible.millis(0.5), visible.millis(0.99));
    println!("{:<28} {p50:>10.2} {p99:>10.2} {TARGET_MS:>12}", "publish to visible in SQL");
    Ok(())
}

fn with_server<T>(settings: &Settings, measure: impl FnOnce(&Ours, Load) -> Result<T, Error>) -> Result<T, Error> {
    let dir = settings.scratch()?;
    let runtime = runtime("broker")?;
    let mut wells = Shape::BATCHES.registry();
    wells.push(registered(MARKER));
    let ours = runtime.block_on(Ours::start(dir.path(), wells))?;
    let load = Load {
        address: ours.broker.address(),
        shape: Shape::BATCHES,
        start: Timestamp::from_micros(SystemClock.now_micros()).plus_secs(-40 * 366 * 86_400),
        run: settings.run,
        in_flight: 4,
        pace: Pace::AsFastAsAcknowledged,
    };
    let measured = measure(&ours, load)?;
    runtime.block_on(ours.stop())?;
    Ok(measured)
}

/// Times from publishing to visible, from publishing to PUBACK, and of one query.
async fn markers(load: Load, engine: &QueryEngine, end: Instant) -> Result<(Times, Times, Times), Error> {
    let mut client = Client::connect(load.address, "marker").await?;
    let topic = topic(load.shape.connections);
    let (mut visible, mut acknowledged, mut query) = (Times::default(), Times::default(), Times::default());
    let now = SystemClock.now_micros() / 1_000_000;
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let time = Timestamp::from_secs(now - 10 * 86_400 + number).to_rfc3339(0);
        let payload = format!(r#"{{"well":"{MARKER}","time":"{time}","parameter":"depth_to_water","value":3.0}}"#);
        let sql = format!("SELECT value FROM readings WHERE well_id = '{MARKER}' AND time = TIMESTAMP '{time}'");
        let began = Instant::now();
        client.queue_publish(&topic, payload.as_bytes());
        client.flush().await?;
        let asking = async {
            loop {
                let asked = Instant::now();
                let batches = engine.query(&sql).await?.collect().await?;
                query.push(asked.elapsed());
                if batches.iter().any(|batch| batch.num_rows() > 0) {
                    return Ok::<_, Error>(began.elapsed());
                }
                tokio::time::sleep(ASK_INTERVAL).await;
            }
        };
        let acknowledging = async {
            client.acknowledged().await?;
            Ok::<_, Error>(began.elapsed())
        };
        let (seen, confirmed) = tokio::try_join!(asking, acknowledging)?;
        visible.push(seen);
        acknowledged.push(confirmed);
        tokio::time::sleep(MARKER_INTERVAL).await;
    }
    Ok((visible, acknowledged, query))
}
