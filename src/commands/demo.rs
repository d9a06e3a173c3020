//! `gwbank demo`: everything in one process, with a simulated country, and nothing to configure.
//!
//! The history goes the way that live readings go: over real MQTT connections to the embedded broker, acknowledged once
//! it is durable. Each gateway keeps to one connection, so that its messages keep their order.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gwbank_ingest::publisher::{Publisher, PublisherConfig};
use gwbank_model::Timestamp;
use gwbank_runtime::{Clock, SystemClock};
use gwbank_sim::{Message, SimConfig, World};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use super::output::{self, grouped};
use super::serve::stop_signal;
use crate::arguments::{DemoArguments, General};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::node::Node;
use crate::node::offline::runtime;

/// A connection has one message at a time made durable; many connections share a sync of the disk.
const CONNECTIONS: usize = 32;
/// Messages that wait for a connection: enough to never let it idle.
const MESSAGES_AHEAD: usize = 64;
/// Between two live messages of a gateway.
const LIVE_INTERVAL: Duration = Duration::from_secs(5);
/// So much faster than real time the simulated water moves: a live message is a step of fifteen minutes.
const LIVE_SPEED: f64 = 180.0;
const YEAR_SECONDS: i64 = 31_557_600;
/// Between two lines of progress in a log.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// How long the summary waits for the indicators of the history.
const INDICATORS_PATIENCE: Duration = Duration::from_secs(120);

pub fn run(general: &General, asked: &DemoArguments) -> Outcome {
    if general.config.is_some() || !general.sets.is_empty() {
        let problem = "the demo takes no configuration: give it --mqtt-port, --http-port, --postgres-port, --flight-port and --data-dir, or use `gwbank serve`";
        return Err(Failure::usage(anyhow::anyhow!(problem)));
    }
    let began = Instant::now();
    let (data_dir, temporary) = match &general.data_dir {
        Some(dir) => (dir.clone(), None),
        None => {
            let dir = tempfile::Builder::new().prefix("gwbank-demo-").tempdir().context("no temporary directory")?;
            (dir.path().to_owned(), Some(dir))
        }
    };
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let start = now.plus_secs(-i64::from(asked.years) * YEAR_SECONDS);
    let sim = SimConfig { seed: asked.seed, wells: asked.wells, start, ..SimConfig::demo(now) };
    let config = demo_config(asked, data_dir.clone(), sim.start)?;
    eprintln!("simulating {} wells in 77 provinces …", asked.wells);
    let world = Arc::new(World::new(sim).map_err(Failure::usage)?);

    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stopping = stop_signal()?;
        tokio::pin!(stopping);
        let node = Node::start(config).await?;
        let demo = Demo { node: &node, world: &world, data_dir: &data_dir };
        let shown = tokio::select! {
            shown = demo.show(began, asked.seconds) => shown,
            _ = &mut stopping => Ok(()),
        };
        eprintln!("stopping …");
        node.stop().await;
        shown
    });
    runtime.shutdown_background();
    drop(temporary);
    outcome
}

/// The defaults, on this machine only, taking the whole simulated past.
fn demo_config(asked: &DemoArguments, data_dir: PathBuf, start: Timestamp) -> Result<Config> {
    let mut config = Config { data_dir, ..Config::default() };
    config.mqtt.listen = free_address("MQTT", asked.mqtt_port)?;
    config.http.listen = free_address("HTTP", asked.http_port)?;
    config.postgres_wire.listen = free_address("the PostgreSQL door", asked.postgres_port)?;
    config.flight_sql.listen = free_address("the Flight SQL door", asked.flight_port)?;
    // Device clocks that have lost their date are still found out.
    config.ingest.earliest_time = start.plus_secs(-86_400).to_rfc3339(0);
    // Its banks measure none.
    config.indicators.evaporation_mm_per_day = Some(4.5);
    Ok(config)
}

/// The port asked for, or another one, said aloud, where something else has it.
fn free_address(what: &str, port: u16) -> Result<String> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(format!("127.0.0.1:{port}")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            eprintln!("port {port} is taken: {what} uses a free one instead");
            Ok("127.0.0.1:0".to_owned())
        }
        Err(error) => Err(error).with_context(|| format!("{what} cannot listen on 127.0.0.1:{port}")),
    }
}

struct Demo<'a> {
    node: &'a Node,
    world: &'a Arc<World>,
    data_dir: &'a Path,
}

impl Demo<'_> {
    async fn show(&self, began: Instant, seconds: Option<u64>) -> Outcome {
        if self.node.pipeline.registry().is_empty() {
            self.node.pipeline.put_wells(self.world.wells().to_vec()).await?;
            self.back_fill().await?;
        } else {
            eprintln!("{} has wells already: its history stays as it is", self.data_dir.display());
        }
        let live = self.spawn_live().await?;
        self.indicators().await?;
        self.summary(began).await?;
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => {
                output::line("Live readings arrive every few seconds. Stop with ctrl-c.")?;
                std::future::pending::<()>().await;
            }
        }
        live.abort();
        Ok(())
    }

    fn publisher(&self, connection: usize) -> PublisherConfig {
        let address = self.node.addresses.mqtt.as_deref().unwrap_or_default();
        PublisherConfig::new(format!("mqtt://{address}"), format!("gwbank-demo-{connection}"))
    }

    /// Publishes the history and returns when all of it is acknowledged.
    async fn back_fill(&self) -> Outcome {
        let progress = ProgressBar::new(self.world.history().readings_about());
        let style = "back-filling {bar:30} {human_pos}/{human_len} readings, {per_sec}, {eta} left";
        progress.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let reporting = (!std::io::stderr().is_terminal()).then(|| tokio::spawn(report(progress.clone())));
        let mut senders = Vec::new();
        let mut connections = tokio::task::JoinSet::new();
        for connection in 0..CONNECTIONS {
            let (sender, messages) = mpsc::channel(MESSAGES_AHEAD);
            senders.push(sender);
            let publisher =
                Publisher::connect(self.publisher(connection)).await.context("the broker does not answer")?;
            connections.spawn(publish(publisher, messages, progress.clone()));
        }
        let world = self.world.clone();
        let making = tokio::task::spawn_blocking(move || {
            for message in world.history() {
                let connection = connection_of(&message.topic);
                if senders[connection].blocking_send(message).is_err() {
                    return; // stopped
                }
            }
        });
        while let Some(ended) = connections.join_next().await {
            ended.context("a connection failed")?;
        }
        making.await.context("the simulation failed")?;
        self.node.pipeline.flush().await.context("the archive does not take readings in")?;
        progress.finish_and_clear();
        if let Some(reporting) = reporting {
            reporting.abort();
        }
        Ok(())
    }

    /// Every gateway speaks every few seconds, until the task is dropped.
    async fn spawn_live(&self) -> Result<tokio::task::JoinHandle<()>> {
        let publisher = Publisher::connect(self.publisher(CONNECTIONS)).await.context("the broker does not answer")?;
        let world = self.world.clone();
        Ok(tokio::spawn(async move {
            let now = || Timestamp::from_micros(SystemClock.now_micros());
            let started = now();
            let mut previous = started;
            loop {
                tokio::time::sleep(LIVE_INTERVAL).await;
                let at = now();
                let messages: Vec<Message> = world.live(started, LIVE_SPEED).messages(previous, at).collect();
                for message in messages {
                    publisher.publish(&message.topic, message.payload).await;
                }
                previous = at;
            }
        }))
    }

    /// Waits until the indicators of the history are there.
    async fn indicators(&self) -> Outcome {
        let progress = ProgressBar::new_spinner().with_message("computing indicators and condition flags …");
        progress.enable_steady_tick(Duration::from_millis(200));
        let began = Instant::now();
        // Live readings dirty the present month again and again; the past ones are done when few are left, and their flags
        // once the evaluation has come to its end.
        let few = self.world.wells().len() * 3;
        while began.elapsed() < INDICATORS_PATIENCE {
            let computed = !self.node.metadata.indicators(Some("10")).await?.is_empty();
            let left = self.node.metadata.dirty_months(few).await?.len();
            if computed && left < few && !self.node.watch.watch().is_judging_months() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        progress.finish_and_clear();
        Ok(())
    }

    async fn summary(&self, began: Instant) -> Outcome {
        let gateways = self.node.pipeline.gateways().await?;
        let (mut stored, mut duplicate, mut dead) = (0, 0, 0);
        for gateway in &gateways {
            stored += gateway.counts.stored + gateway.pending;
            duplicate += gateway.counts.duplicate;
            dead += gateway.counts.dead;
        }
        let flags = self.node.metadata.flags(true).await?;
        let of = |hazard: &str| flags.iter().filter(|flag| flag.hazard.name() == hazard).count();
        output::line(&format!(
            "\nready after {} s: {} wells, {} gateways, {} readings ({} duplicate, {} dead), {} condition flags ({} drought, {} flood)",
            began.elapsed().as_secs(),
            grouped(self.node.pipeline.registry().len() as u64),
            gateways.len(),
            grouped(stored),
            grouped(duplicate),
            grouped(dead),
            flags.len(),
            of("drought"),
            of("flood"),
        ))?;
        let http = self.node.addresses.http.as_deref().unwrap_or_default();
        let mqtt = self.node.addresses.mqtt.as_deref().unwrap_or_default();
        output::line(&format!("\n  dashboard    http://{http}/\n  API          http://{http}/api/docs"))?;
        let postgres_wire = self.node.addresses.postgres_wire.as_deref().unwrap_or_default();
        output::line(&format!("  SQL          psql postgresql://gwbank@{postgres_wire}/gwbank"))?;
        let flight_sql = self.node.addresses.flight_sql.as_deref().unwrap_or_default();
        output::line(&format!("  Flight SQL   grpc://{flight_sql}   (ADBC: pandas, polars)"))?;
        output::line(&format!("  MQTT         mqtt://{mqtt}   (flags: gwbank/v1/flags/#)"))?;
        output::line(&format!("  files        {}", self.data_dir.display()))?;
        output::line("\nThree queries to try:")?;
        let program = program();
        for (title, sql) in self.examples() {
            output::line(&format!("\n# {title}\n{program} sql --server http://{http} \"{sql}\""))?;
            let body = serde_json::json!({ "sql": sql }).to_string().replace('"', "\\\"");
            output::line(&format!(
                "curl -s http://{http}/api/v1/sql -H 'content-type: application/json' -H 'accept: text/csv' -d \"{body}\""
            ))?;
        }
        output::line("")
    }

    /// Without double quotes, dollars and backslashes, so that a shell takes them as printed.
    fn examples(&self) -> [(&'static str, String); 3] {
        let well = self.world.wells().first().map_or("", |well| well.well_id.as_str());
        [
            (
                "depth to water now, by province",
                "SELECT p.name_en, count(*) AS wells, round(avg(r.depth), 2) AS mean_depth_m \
                 FROM (SELECT well_id, last_value(value ORDER BY time) AS depth FROM readings \
                 WHERE parameter = 'depth_to_water' GROUP BY well_id) r \
                 JOIN wells w ON w.well_id = r.well_id JOIN provinces p ON p.province_code = w.province_code \
                 GROUP BY p.name_en ORDER BY mean_depth_m DESC LIMIT 10"
                    .to_owned(),
            ),
            (
                "open condition flags, with what they say",
                "SELECT p.name_en, f.hazard, f.scope, f.severity, f.headline_en FROM condition_flags f \
                 JOIN provinces p ON p.province_code = f.province_code WHERE f.state = 'open' \
                 ORDER BY f.hazard, p.name_en LIMIT 20"
                    .to_owned(),
            ),
            (
                "one well, year by year",
                format!(
                    "SELECT date_part('year', time) AS year, round(avg(value), 2) AS mean_depth_m, \
                     round(min(value), 2) AS highest_water_m, count(*) AS readings FROM readings \
                     WHERE well_id = '{well}' AND parameter = 'depth_to_water' GROUP BY 1 ORDER BY 1"
                ),
            ),
        ]
    }
}

/// How this program was called, so that a printed command can be called alike.
fn program() -> String {
    std::env::args().next().filter(|name| !name.is_empty()).unwrap_or_else(|| "gwbank".to_owned())
}

/// The connection of a gateway: by its topic, so that its messages keep their order.
fn connection_of(topic: &str) -> usize {
    let sum = topic.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    sum % CONNECTIONS
}

/// Lines in place of a bar, where nobody could see it move: in a log or a pipe.
async fn report(progress: ProgressBar) {
    loop {
        tokio::time::sleep(REPORT_INTERVAL).await;
        let (done, all) = (progress.position(), progress.length().unwrap_or_default());
        eprintln!("back-filling: {} of about {} readings", grouped(done), grouped(all));
    }
}

async fn publish(publisher: Publisher, mut messages: mpsc::Receiver<Message>, progress: ProgressBar) {
    while let Some(message) = messages.recv().await {
        publisher.publish(&message.topic, message.payload).await;
        progress.inc(u64::from(message.readings));
    }
    publisher.close().await;
}
