//! `gwbank simulate`: real MQTT load on any broker, by as many gateways as asked for.
//!
//! Values are those of the simulated aquifers; the wells are the same for the same seed and number, so that
//! `--write-wells` gives the file to register them with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use gwbank_ingest::publisher::{PublishCounts, Publisher};
use gwbank_model::{Parameter, Reading, SiteStatus, TimeSource, Timestamp};
use gwbank_registry::import::write_wells_csv;
use gwbank_runtime::{Clock, SystemClock};
use gwbank_sim::{SimConfig, World};
use gwbank_wire::write_json;

use super::broker::connect;
use super::messages::{senml_payload, topic};
use super::output::{self, grouped};
use super::serve::stop_signal;
use crate::arguments::{Payload, SimulateArguments};
use crate::failure::{Failure, Outcome};
use crate::node::offline::runtime;

/// The weather before now that the aquifers need to have a level.
const PAST_DAYS: i64 = 400;
/// Two readings of one well are at least so far apart, whatever the rate.
const READING_APART_MICROS: i64 = 1000;
/// For all gateways to connect, beside `--seconds`.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);
/// Longer than anybody waits, and no overflow of the clock.
const FOREVER: Duration = Duration::from_secs(1 << 30);

pub fn run(asked: &SimulateArguments) -> Outcome {
    if asked.gateways == 0 || asked.batch == 0 || !asked.rate.is_finite() || asked.rate < 0.0 {
        return Err(Failure::usage(anyhow!("--gateways and --batch must be at least 1, --rate not negative")));
    }
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let start = now.plus_secs(-PAST_DAYS * 86_400);
    let sim = SimConfig { seed: asked.seed, wells: asked.wells, start, ..SimConfig::demo(now) };
    let world = Arc::new(World::new(sim).map_err(Failure::usage)?);
    if let Some(path) = &asked.write_wells {
        let written = std::fs::write(path, write_wells_csv(world.wells()));
        written.with_context(|| path.display().to_string())?;
        return output::line(&format!(
            "{} wells written; register them with `gwbank wells import`",
            world.wells().len()
        ));
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(simulate(asked, world));
    runtime.shutdown_background();
    outcome
}

async fn simulate(asked: &SimulateArguments, world: Arc<World>) -> Outcome {
    let stopping = stop_signal()?;
    tokio::pin!(stopping);
    let limit = asked.seconds.map_or(FOREVER, Duration::from_secs).min(FOREVER);
    let publishers = tokio::select! {
        connected = connect_all(asked, asked.gateways.min(world.wells().len())) => connected?,
        _ = &mut stopping => return Ok(()),
        () = tokio::time::sleep(limit + CONNECT_PATIENCE) => {
            return Err(Failure::failed("the broker did not take all gateways in; use fewer --gateways, or try later"));
        }
    };
    let gateways = publishers.len();
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for (number, publisher) in publishers.into_iter().enumerate() {
        let gateway = SimulatedGateway {
            topic: topic(&gateway_id(number), asked.payload),
            wells: (number..world.wells().len()).step_by(gateways).collect(),
            world: world.clone(),
            payload: asked.payload,
            batch: asked.batch,
            message_interval: (asked.rate > 0.0)
                .then(|| Duration::from_secs_f64(asked.batch as f64 * gateways as f64 / asked.rate)),
            last: Timestamp::from_micros(SystemClock.now_micros()),
            next_well: 0,
        };
        tasks.spawn(gateway.run(publisher, stop.clone()));
    }
    let began = Instant::now();
    tokio::select! {
        _ = &mut stopping => {}
        () = tokio::time::sleep(limit) => {}
    }
    stop.store(true, Ordering::Relaxed);
    let mut total = PublishCounts::default();
    while let Some(counts) = tasks.join_next().await {
        let counts = counts.context("a gateway failed")?;
        total.published += counts.published;
        total.acknowledged += counts.acknowledged;
        total.refused += counts.refused;
        total.reconnects += counts.reconnects;
    }
    let seconds = began.elapsed().as_secs_f64();
    let readings = total.acknowledged * asked.batch as u64;
    output::line(&format!(
        "{} messages, {} readings acknowledged in {seconds:.1} s: {} readings/s; {} refused, {} reconnects",
        grouped(total.acknowledged),
        grouped(readings),
        grouped((readings as f64 / seconds) as u64),
        grouped(total.refused),
        total.reconnects,
    ))
}

fn gateway_id(number: usize) -> String {
    format!("sim-{number:04}")
}

async fn connect_all(asked: &SimulateArguments, gateways: usize) -> Outcome<Vec<Publisher>> {
    let mut publishers = Vec::with_capacity(gateways);
    for number in 0..gateways {
        let client_id = format!("gwbank-{}-{}", gateway_id(number), std::process::id());
        publishers.push(connect(&asked.broker, &client_id).await?);
    }
    Ok(publishers)
}

struct SimulatedGateway {
    topic: String,
    /// Indices of its wells.
    wells: Vec<usize>,
    world: Arc<World>,
    payload: Payload,
    batch: usize,
    /// `None` is as fast as the broker takes them.
    message_interval: Option<Duration>,
    /// Time of the last reading.
    last: Timestamp,
    next_well: usize,
}

impl SimulatedGateway {
    async fn run(mut self, publisher: Publisher, stop: Arc<AtomicBool>) -> PublishCounts {
        let began = Instant::now();
        let mut sent = 0u32;
        while !stop.load(Ordering::Relaxed) {
            let message = self.message();
            publisher.publish(&self.topic, message).await;
            sent += 1;
            if let Some(interval) = self.message_interval {
                let due = began + interval.saturating_mul(sent);
                // In short sleeps, so that a stop does not wait for a slow gateway's next message.
                while Instant::now() < due && !stop.load(Ordering::Relaxed) {
                    let left = due.saturating_duration_since(Instant::now());
                    tokio::time::sleep(left.min(Duration::from_millis(200))).await;
                }
            }
        }
        publisher.close().await
    }

    fn message(&mut self) -> Vec<u8> {
        let readings: Vec<Reading> = (0..self.batch).map(|_| self.reading()).collect();
        match self.payload {
            Payload::Json => write_json(&readings),
            Payload::Senml => senml_payload(&readings),
        }
    }

    fn reading(&mut self) -> Reading {
        if self.next_well == 0 {
            let now = SystemClock.now_micros();
            self.last = Timestamp::from_micros(now.max(self.last.as_micros() + READING_APART_MICROS));
        }
        let index = self.wells[self.next_well];
        self.next_well = (self.next_well + 1) % self.wells.len();
        let depth_m = self.world.depth_m(index, self.last);
        Reading {
            well: self.world.wells()[index].well_id.clone(),
            parameter: Parameter::DepthToWater,
            time: self.last,
            time_source: TimeSource::Device,
            value: depth_m.map(|depth| (depth * 1000.0).round() / 1000.0),
            site_status: depth_m.is_none().then_some(SiteStatus::Dry),
            revision: 0,
            time_raw: None,
        }
    }
}
