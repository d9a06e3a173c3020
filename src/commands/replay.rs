//! `gwbank replay`: files of readings as live MQTT traffic, to any broker.
//!
//! Messages of one file keep its order: one connection publishes, and a broker handles a connection's messages in order.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use gwbank_model::{GatewayId, Reading, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use gwbank_wire::write_json;

use super::broker::connect;
use super::import::{existing, judge, progress_bar, report_rest};
use super::messages::topic;
use super::output::{self, grouped};
use crate::arguments::{Payload, ReplayArguments};
use crate::failure::{Failure, Outcome};
use crate::history::{Map, Tally, read_file};
use crate::node::offline::runtime;

pub fn run(asked: &ReplayArguments) -> Outcome {
    let began = Instant::now();
    let gateway = GatewayId::new(&asked.gateway).map_err(|e| Failure::usage(anyhow!("--gateway: {e}")))?;
    if !asked.speed.is_finite() || asked.speed < 0.0 || asked.batch == 0 {
        return Err(Failure::usage(anyhow!("--speed must not be negative and --batch not 0")));
    }
    let map = match &asked.map {
        Some(path) => Map::load(path)?,
        None => Map::default(),
    };
    let files = existing(&asked.files)?;
    let runtime = runtime()?;
    let client_id = format!("gwbank-replay-{}", std::process::id());
    let publisher = runtime.block_on(connect(&asked.broker, &client_id))?;
    let topic = topic(gateway.as_str(), Payload::Json);
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let progress = progress_bar(&files);
    let mut tally = Tally::default();
    for file in &files {
        progress.set_message(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let mut pace = Pace { speed: asked.speed, began: None };
        let mut sink = |readings: Vec<Reading>| -> Result<()> {
            runtime.block_on(async {
                for message in messages(&readings, asked.batch, asked.speed) {
                    if let Some(last) = message.last() {
                        pace.wait_for(last.time).await;
                    }
                    publisher.publish(&topic, write_json(message)).await;
                }
            });
            Ok(())
        };
        tally.add(read_file(file, &map, now, &progress, &mut sink)?);
    }
    let counts = runtime.block_on(publisher.close());
    progress.finish_and_clear();
    output::line(&format!("read       {:>12} rows of {} files", grouped(tally.rows), files.len()))?;
    output::line(&format!(
        "published  {:>12} readings in {} messages",
        grouped(tally.readings),
        grouped(counts.published)
    ))?;
    output::line(&format!("acknowledged {:>10} messages", grouped(counts.acknowledged)))?;
    report_rest(&tally)?;
    output::line(&format!("seconds    {:>12.1}", began.elapsed().as_secs_f64()))?;
    runtime.shutdown_background();
    judge(&tally)?;
    if counts.refused > 0 {
        return Err(Failure::failed(format!("the broker refused {} messages", grouped(counts.refused))));
    }
    Ok(())
}

/// At full speed by number; at a measured speed each time by itself, so that a reading comes when it is due.
fn messages(readings: &[Reading], batch: usize, speed: f64) -> Vec<&[Reading]> {
    if speed == 0.0 {
        readings.chunks(batch).collect()
    } else {
        readings.chunk_by(|a, b| a.time == b.time).flat_map(|same| same.chunks(batch)).collect()
    }
}

/// Holds messages back until they are due.
struct Pace {
    speed: f64,
    began: Option<(Instant, Timestamp)>,
}

impl Pace {
    async fn wait_for(&mut self, time: Timestamp) {
        if self.speed == 0.0 {
            return;
        }
        let (began, first) = *self.began.get_or_insert_with(|| (Instant::now(), time));
        let after = time.micros_since(first).max(0) as f64 / 1e6 / self.speed;
        let due = began + Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX).min(Duration::from_secs(1 << 30));
        tokio::time::sleep_until(due.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::{Parameter, TimeSource, WellId};

    #[test]
    fn messages_keep_the_order_of_the_file() {
        let reading = |time: i64| Reading {
            well: WellId::new("W").unwrap(),
            parameter: Parameter::Ph,
            time: Timestamp::from_secs(time),
            time_source: TimeSource::Device,
            value: Some(time as f64),
            site_status: None,
            revision: 0,
            time_raw: None,
        };
        let readings: Vec<Reading> = [1, 1, 2, 3, 3, 3].map(reading).to_vec();
        assert_eq!(messages(&readings, 4, 0.0).iter().map(|m| m.len()).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(messages(&readings, 2, 1.0).iter().map(|m| m.len()).collect::<Vec<_>>(), [2, 1, 2, 1]);
        assert_eq!(messages(&readings, 2, 1.0).concat(), readings);
    }
}
