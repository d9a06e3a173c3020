//! One running server: lock, stores, pipeline, watch, doors, couriers; started in order, stopped in order.
//!
//! ```text
//! start: lock ─→ stores ─→ pipeline (recovers) ─→ query engine ─→ watch, conversion, reviews ─→ broker, sessions, HTTP, SQL ─→ addresses.json
//! stop:  no new connections ─→ what was taken in is acknowledged ─→ watch, conversion, courier end ─→ last flush ─→ lock
//! ```
//!
//! # Rules
//! 1. Nothing listens before the pipeline has recovered: whoever can connect can be served.
//! 2. A stop takes less than ten seconds whatever the disk does: what is not archived by then is in the journal.

pub mod addresses;
mod bulletins;
mod courier;
mod doors;
pub mod lock;
pub mod offices;
pub mod offline;
mod reviews;
pub mod settings;
pub mod stores;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gwbank_conversion::{Converter, ConverterHandle, ConverterParts};
use gwbank_courier::{Courier, Dispatcher, LinkMaker};
use gwbank_flight::{FlightServer, FlightServerError};
use gwbank_ingest::embedded::EmbeddedBroker;
use gwbank_ingest::external::ExternalSource;
use gwbank_ingest::{IngestError, Pipeline};
use gwbank_pgwire::{PgWireError, PgWireServer, ServerParts};
use gwbank_query::{QueryEngine, QuerySources};
use gwbank_review::Reviewer;
use gwbank_runtime::{Backoff, Clock, ShutdownTrigger, SystemClock};
use gwbank_server::auth::Credentials;
use gwbank_server::{App, AppParts, HttpServer, Limits, PublicView, Reach, router};
use gwbank_store::Metadata;
use gwbank_watch::{Watch, WatchHandle, WatchParts};

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use addresses::Addresses;
use lock::DataDirLock;

/// For sources to settle what they took in.
const SETTLE_TIME: Duration = Duration::from_secs(4);
/// For the last flush; what it leaves is replayed from the journal.
const FLUSH_TIME: Duration = Duration::from_secs(4);
/// How much longer HTTP waits for an answer to begin than the query engine, which has the better error.
const ANSWER_GRACE: Duration = Duration::from_secs(5);
/// How much longer than the engine computes a client of Flight SQL may take for its answer.
const TAKING_GRACE: Duration = Duration::from_secs(30);

/// A running server.
pub struct Node {
    pub addresses: Addresses,
    pub pipeline: Pipeline,
    pub metadata: Arc<dyn Metadata>,
    pub engine: QueryEngine,
    config: Config,
    trigger: ShutdownTrigger,
    broker: Option<EmbeddedBroker>,
    external: Vec<ExternalSource>,
    pub watch: WatchHandle,
    conversion: ConverterHandle,
    reviewer: Arc<Reviewer>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _lock: DataDirLock,
}

impl Node {
    pub async fn start(config: Config) -> Outcome<Self> {
        let lock = DataDirLock::take(&config.data_dir)?;
        Addresses::remove(&config.data_dir);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let trigger = ShutdownTrigger::new();
        let stores = stores::open(&config, clock.clone()).await?;
        let pipeline = stores::pipeline(&config, &stores, clock.clone()).await?;
        let engine = QueryEngine::new(
            settings::query(&config),
            QuerySources {
                window: pipeline.window(),
                archive: stores.archive.clone(),
                metadata: stores.metadata.clone(),
                registry: pipeline.registry_watch(),
                names: stores.names.clone(),
                gateways: Arc::new(doors::Gateways(pipeline.clone())),
                limits: pipeline.quality_limits(),
                reviews: pipeline.reviews(),
            },
        )?;
        let watch_parts = WatchParts {
            metadata: stores.metadata.clone(),
            reader: Arc::new(engine.clone()),
            judge: Arc::new(doors::Judge(pipeline.clone())),
            registry: pipeline.registry_watch(),
            clock: clock.clone(),
            shutdown: trigger.listener(),
        };
        let changes = doors::Changes(pipeline.level_changes());
        let watch = Watch::spawn(settings::watch(&config), watch_parts, changes);
        let conversion_parts = ConverterParts {
            metadata: stores.metadata.clone(),
            reader: Arc::new(engine.clone()),
            sink: Arc::new(doors::Levels::new(pipeline.clone())?),
            registry: pipeline.registry_watch(),
            names: stores.names.clone(),
            calendar_offset_seconds: config.calendar_offset_seconds(),
            shutdown: trigger.listener(),
        };
        let conversion = Converter::spawn(conversion_parts, doors::Sensors(pipeline.sensor_changes()));
        let reviewer = reviews::reviewer(&config, pipeline.clone(), engine.clone())?;
        let tasks = vec![tokio::spawn(reviews::run(reviewer.clone(), trigger.listener()))];

        let mut node = Self {
            addresses: Addresses::default(),
            pipeline,
            metadata: stores.metadata,
            engine,
            config,
            trigger,
            broker: None,
            external: Vec::new(),
            watch,
            conversion,
            reviewer,
            tasks,
            _lock: lock,
        };
        match node.open_doors(clock).await {
            Ok(()) => Ok(node),
            Err(failure) => {
                node.stop().await;
                Err(failure)
            }
        }
    }

    async fn open_doors(&mut self, clock: Arc<dyn Clock>) -> Outcome {
        // HTTP is bound first: a port that is taken is told before any gateway connects.
        let http = match self.config.http.listen.as_str() {
            "" => None,
            address => {
                let bound = HttpServer::bind(address).await;
                Some(bound.map_err(|error| cannot_listen("http.listen", address, &error.source))?)
            }
        };
        let postgres_wire = match self.config.postgres_wire.listen.as_str() {
            "" => None,
            address => {
                let bound = PgWireServer::bind(address).await;
                Some(bound.map_err(|error| match &error {
                    PgWireError::Listen { source, .. } => cannot_listen("postgres_wire.listen", address, source),
                    PgWireError::Tls(_) => Failure::Failed(anyhow::Error::new(error)),
                })?)
            }
        };
        let flight_sql = match self.config.flight_sql.listen.as_str() {
            "" => None,
            address => {
                let bound = FlightServer::bind(address).await;
                Some(bound.map_err(|error| match &error {
                    FlightServerError::Listen { source, .. } => cannot_listen("flight_sql.listen", address, source),
                    _ => Failure::Failed(anyhow::Error::new(error)),
                })?)
            }
        };
        let flight_stats = flight_sql.is_some().then(Arc::<gwbank_door::DoorStats>::default);
        let links = offices::links(&self.config)?;
        let mut deliveries = BTreeMap::new();
        if let Some(settings) = settings::embedded(&self.config)? {
            let started = EmbeddedBroker::start(settings, self.pipeline.clone(), self.trigger.listener()).await;
            let broker = started.map_err(|error| match &error {
                IngestError::Listen { setting, address, source } => cannot_listen(setting, address, source),
                _ => Failure::Failed(anyhow::Error::new(error).context("the embedded broker does not start")),
            })?;
            self.addresses.mqtt = Some(broker.address().to_string());
            self.addresses.mqtt_tls = broker.tls_address().map(|address| address.to_string());
            let topics = courier::RetainedTopics(broker.clone());
            self.publish_open_flags(broker.clone());
            self.dispatch(Arc::new(topics), &clock, &mut deliveries);
            self.broker = Some(broker);
        }
        for courier in offices::couriers(&self.config, &links, &clock)? {
            self.dispatch(courier, &clock, &mut deliveries);
        }
        for settings in settings::external(&self.config) {
            let source = ExternalSource::spawn(settings, self.pipeline.clone(), self.trigger.listener())
                .context("no session with an external broker")?;
            self.external.push(source);
        }
        if let Some(http) = http {
            self.addresses.http = Some(http.address().to_string());
            let postgres_wire = postgres_wire.as_ref().map(PgWireServer::stats);
            let sql_doors = doors::SqlDoors { postgres_wire, flight_sql: flight_stats.clone() };
            self.serve_http(http, clock, deliveries, sql_doors, links)?;
        }
        if let Some(postgres_wire) = postgres_wire {
            self.addresses.postgres_wire = Some(postgres_wire.address().to_string());
            self.serve_postgres_wire(postgres_wire)?;
        }
        if let Some((flight_sql, stats)) = flight_sql.zip(flight_stats) {
            self.addresses.flight_sql = Some(flight_sql.address().to_string());
            self.serve_flight_sql(flight_sql, stats)?;
        }
        self.addresses.write(&self.config.data_dir)?;
        Ok(())
    }

    /// The broker forgets at every start; a store that cannot be read now is asked again.
    fn publish_open_flags(&mut self, broker: EmbeddedBroker) {
        let (metadata, shutdown) = (self.metadata.clone(), self.trigger.listener());
        let publishing = async move {
            let topics = courier::RetainedTopics(broker);
            let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
            while topics.publish_all(metadata.as_ref()).await.is_err() {
                tokio::select! {
                    () = shutdown.ended() => return,
                    () = tokio::time::sleep(backoff.next_delay()) => {}
                }
            }
        };
        self.tasks.push(tokio::spawn(publishing));
    }

    fn dispatch(&mut self, courier: Arc<dyn Courier>, clock: &Arc<dyn Clock>, deliveries: &mut doors::Deliveries) {
        let counts = deliveries.entry(courier.channel()).or_default().clone();
        let config = offices::dispatch(&self.config);
        let dispatcher = Dispatcher::new(courier, self.metadata.clone(), clock.clone(), config, counts);
        self.tasks.push(tokio::spawn(dispatcher.run(self.trigger.listener())));
    }

    fn serve_postgres_wire(&mut self, server: PgWireServer) -> Outcome {
        let users =
            self.config.auth.sql_users().map_err(|problems| anyhow::anyhow!("[auth] is wrong: {problems:?}"))?;
        let section = &self.config.postgres_wire;
        let tls = section.tls();
        let parts = ServerParts {
            door: Arc::new(doors::PgWire(self.engine.clone())),
            users,
            tls_required: tls.is_some() && section.tls_required,
            tls,
            limits: gwbank_pgwire::Limits::default(),
            time_zone: gwbank_model::Zone::named(&self.config.query.time_zone)
                .unwrap_or_else(gwbank_model::Zone::bangkok),
        };
        let serving = server.serve(parts, self.trigger.listener()).context("postgres_wire")?;
        self.tasks.push(tokio::spawn(serving));
        Ok(())
    }

    fn serve_flight_sql(&mut self, server: FlightServer, stats: Arc<gwbank_door::DoorStats>) -> Outcome {
        let seconds_max = Duration::from_secs(self.config.query.seconds_max);
        let parts = gwbank_flight::ServerParts {
            door: Arc::new(doors::FlightSql(self.engine.clone())),
            keeper: Arc::new(doors::Keeper::new(self.credentials()?)),
            tls: self.config.flight_sql.tls(),
            limits: gwbank_flight::Limits {
                // The engine ends a query by itself; what it has made by then is still to be taken.
                answer_time: seconds_max + TAKING_GRACE,
                statement_time: seconds_max,
                statement_bytes_max: gwbank_query::STATEMENT_BYTES_MAX,
                ..gwbank_flight::Limits::default()
            },
            version: env!("CARGO_PKG_VERSION"),
            stats,
        };
        let serving = server.serve(parts, self.trigger.listener()).context("flight_sql")?;
        self.tasks.push(tokio::spawn(serving));
        Ok(())
    }

    fn credentials(&self) -> Outcome<Credentials> {
        let credentials = self.config.auth.credentials();
        Ok(credentials.map_err(|problems| anyhow::anyhow!("[auth] is wrong: {problems:?}"))?)
    }

    fn serve_http(
        &mut self,
        http: HttpServer,
        clock: Arc<dyn Clock>,
        deliveries: doors::Deliveries,
        sql_doors: doors::SqlDoors,
        links: LinkMaker,
    ) -> Outcome {
        let mut credentials = self.credentials()?;
        credentials.set_local_token(&addresses::write_local_token(&self.config.data_dir)?);
        let default = Limits::default();
        // A query that reaches a limit of its own says so itself.
        let query = &self.config.query;
        let query_time = Duration::from_secs(query.seconds_max.saturating_add(query.wait_seconds_max)) + ANSWER_GRACE;
        let limits = Limits { request_time: default.request_time.max(query_time), ..default };
        let operations = doors::Operations::new(
            self.pipeline.clone(),
            self.metadata.clone(),
            self.external.iter().map(ExternalSource::state).collect(),
            clock.clone(),
            deliveries,
            self.engine.clone(),
            sql_doors,
        );
        let app = App::new(AppParts {
            sql: Arc::new(doors::Sql(self.engine.clone())),
            ingest: Arc::new(doors::Ingest(self.pipeline.clone())),
            flags: Arc::new(doors::Flags { watch: self.watch.watch().clone(), clock }),
            reviews: Arc::new(reviews::Reviews { reviewer: self.reviewer.clone(), pipeline: self.pipeline.clone() }),
            operations: Arc::new(operations),
            line: doors::Line::of(&self.config, &links)?,
            links: links.key,
            cap: offices::cap_sender(&self.config),
            scorecard: settings::scorecard(&self.config),
            shutdown: self.trigger.listener(),
            metadata: self.metadata.clone(),
            credentials,
            limits: limits.clone(),
            reach: if self.config.is_on_loopback() { Reach::Loopback } else { Reach::Anywhere },
            public_url: (!self.config.public_url.is_empty()).then(|| self.config.public_url.clone()),
            public_view: PublicView {
                permitted: self.config.dashboard.public,
                requests_per_minute: self.config.dashboard.public_requests_per_minute,
            },
            version: env!("CARGO_PKG_VERSION"),
        });
        if !self.config.bulletin.provinces.is_empty() {
            let writing = bulletins::run(self.config.clone(), app.clone(), self.trigger.listener());
            self.tasks.push(tokio::spawn(writing));
        }
        let serving = http.serve(router(&app), limits, self.trigger.listener());
        self.tasks.push(tokio::spawn(serving));
        Ok(())
    }

    /// Stops in order; see the rules of the module.
    pub async fn stop(self) {
        let Self { pipeline, engine, config, trigger, broker, external, watch, conversion, tasks, _lock, .. } = self;
        trigger.stop_accepting();
        let settling = async {
            if let Some(broker) = &broker {
                broker.stopped().await;
            }
            for source in &external {
                source.stopped().await;
            }
        };
        if tokio::time::timeout(SETTLE_TIME, settling).await.is_err() {
            tracing::warn!("sources did not settle in time; what they hold is sent again to the next start");
        }
        trigger.stop();
        watch.join().await;
        conversion.join().await;
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task failed");
            }
        }
        drop(engine);
        match tokio::time::timeout(FLUSH_TIME, pipeline.shutdown()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = anyhow::Error::new(error);
                tracing::warn!("the last flush failed: {error:#}; the journal has what it did not take");
            }
            Err(_) => tracing::warn!("the last flush took too long; the journal has what it did not take"),
        }
        Addresses::remove(&config.data_dir);
    }
}

fn cannot_listen(key: &str, address: &str, error: &io::Error) -> Failure {
    let mend = match error.kind() {
        ErrorKind::AddrInUse => "choose another port, or port 0 for a free one",
        ErrorKind::PermissionDenied => "choose a port from 1024 on, or let this user have lower ones",
        _ => "name an address of this machine",
    };
    Failure::failed(format!("{key}: cannot listen on {address}: {error}; {mend}"))
}
