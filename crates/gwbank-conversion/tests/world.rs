//! The converter against stores in memory: whatever order readings, air and installations come in, and wherever it is
//! interrupted, the stored levels are those of a conversion of everything from nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use gwbank_conversion::{
    Converter, ConverterParts, LevelSink, Plan, SensorChange, SensorChanges, SensorReadings, SinkError, levels,
};
use gwbank_model::{GatewayId, GatewayIndex, Parameter, Reading, Row, Seq, SeriesId, SiteStatus, Timestamp, WellId};
use gwbank_registry::{BankType, Installation, Registry, Well};
use gwbank_runtime::Shutdown;
use gwbank_store::memory::MemoryMetadata;
use gwbank_store::{
    DailyValue, DirtyMonth, HourlyMean, IngestCommit, LastHeard, Metadata, RowNames, SeriesEnd, SeriesReadError,
    SeriesReader, SeriesRequest, StoredVersions,
};
use gwbank_testkit::{received_row, test_rounds};
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::sync::watch;

const HOUR: i64 = 3600;

fn id(well: &str) -> WellId {
    WellId::new(well).unwrap()
}

/// In hours from a month's end on, so that stretches cross it.
fn at(hour: i64) -> Timestamp {
    Timestamp::parse_rfc3339("2026-03-31T12:00:00+07:00").unwrap().plus_secs(hour * HOUR)
}

/// Numbered when it is taken in.
fn row(time: Timestamp, value: f64) -> Row {
    received_row(SeriesId(0), time, value, Seq::ZERO)
}

#[derive(Default)]
struct Readings {
    versions: BTreeMap<(WellId, Parameter, Timestamp), StoredVersions>,
    last: i64,
    live: Vec<SensorChange>,
    marks: Vec<DirtyMonth>,
    fails: u32,
}

/// Readings as the server has them, and what it tells of them.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Readings>>, RowNames);

impl Server {
    fn take_in(&self, well: &WellId, parameter: Parameter, reading: Row) {
        let mut readings = self.0.lock();
        readings.last += 1;
        let seq = Seq::from_i64(readings.last);
        let row = Row { seq, ..reading };
        let key = (well.clone(), parameter, row.time);
        let mut known = readings.versions.remove(&key);
        StoredVersions::take(&mut known, row);
        readings.versions.extend(known.map(|known| (key, known)));
        if parameter.makes_levels() {
            let well = well.clone();
            let month = row.time.month(gwbank_model::BANGKOK_OFFSET_SECONDS);
            readings.marks.push(DirtyMonth { well_id: well.clone(), parameter, month, seq });
            readings.live.push(SensorChange { well, parameter, from: row.time, to: row.time });
        }
    }

    fn send(&self, well: &str, parameter: Parameter, hour: i64, value: Option<f64>) {
        let gateway = self.1.gateways.intern(&GatewayId::new("gw-1").unwrap());
        let value = value.unwrap_or(f64::NAN);
        self.take_in(&id(well), parameter, Row { gateway, ..row(at(hour), value) });
    }

    /// The metadata take over what was marked.
    async fn flush(&self, metadata: &MemoryMetadata) {
        let (dirty_months, through) = {
            let mut readings = self.0.lock();
            (std::mem::take(&mut readings.marks), Some(Seq::from_i64(readings.last)))
        };
        metadata.commit_ingest(IngestCommit { through, dirty_months, ..IngestCommit::default() }).await.unwrap();
    }

    fn rows(&self, well: &WellId, parameter: Parameter, from: Timestamp, to: Timestamp) -> Vec<Row> {
        let range = (well.clone(), parameter, from)..(well.clone(), parameter, to);
        self.0.lock().versions.range(range).map(|(_, versions)| versions.winner).collect()
    }

    /// Levels that have a value, and who sent them.
    fn stored(&self, well: &str) -> BTreeMap<Timestamp, (f64, Option<SiteStatus>, String)> {
        let rows = self.rows(&id(well), Parameter::DepthToWater, Timestamp::MIN, Timestamp::MAX);
        let told = rows.into_iter().filter_map(|row| {
            let sender = self.1.gateways.id(row.gateway).as_str().to_owned();
            Some((row.time, (row.value()?, row.site_status, sender)))
        });
        told.collect()
    }

    fn fail_if_told(&self) -> Result<(), SeriesReadError> {
        let mut readings = self.0.lock();
        if readings.fails == 0 {
            return Ok(());
        }
        readings.fails -= 1;
        Err(SeriesReadError("told to fail".into()))
    }
}

#[async_trait]
impl SeriesReader for Server {
    async fn daily_values(&self, request: SeriesRequest) -> Result<Vec<DailyValue>, SeriesReadError> {
        self.fail_if_told()?;
        let readings = self.0.lock();
        let wells = request.wells.unwrap();
        let asked = readings
            .versions
            .keys()
            .filter(|(well, parameter, _)| wells.contains(well) && request.parameters.contains(parameter));
        let days: BTreeSet<_> =
            asked.map(|(well, parameter, time)| (well.clone(), *parameter, time.day(request.offset_seconds))).collect();
        let value = |(well_id, parameter, day)| DailyValue {
            well_id,
            parameter,
            day,
            mean: None,
            median: None,
            count: 0,
            dry_count: 0,
            approved_count: 0,
            good_count: 0,
        };
        Ok(days.into_iter().map(value).collect())
    }

    async fn hourly_means(&self, _: SeriesRequest) -> Result<Vec<HourlyMean>, SeriesReadError> {
        unreachable!("hours are not asked for")
    }

    async fn rows_between(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError> {
        self.fail_if_told()?;
        Ok(self.rows(well, parameter, from, to))
    }

    async fn last_heard(&self) -> Result<Vec<LastHeard>, SeriesReadError> {
        unreachable!("not asked for")
    }

    async fn series_end(&self, _: &WellId, _: Parameter, _: Timestamp) -> Result<SeriesEnd, SeriesReadError> {
        unreachable!("not asked for")
    }
}

#[async_trait]
impl LevelSink for Server {
    async fn put(&self, readings: Vec<Reading>) -> Result<(), SinkError> {
        self.fail_if_told().map_err(|error| SinkError(Box::new(error)))?;
        let gateway: GatewayIndex = self.1.gateways.intern(&GatewayId::new(GatewayId::CONVERSION).unwrap());
        for reading in readings {
            let row = Row {
                gateway,
                site_status: reading.site_status,
                revision: reading.revision,
                ..row(reading.time, reading.value.unwrap_or(f64::NAN))
            };
            self.take_in(&reading.well, reading.parameter, row);
        }
        Ok(())
    }
}

#[async_trait]
impl SensorChanges for Server {
    async fn filled(&mut self) {}

    fn take(&mut self) -> (Vec<SensorChange>, Seq) {
        let mut readings = self.0.lock();
        (std::mem::take(&mut readings.live), Seq::from_i64(readings.last))
    }
}

struct World {
    server: Server,
    metadata: MemoryMetadata,
    registry: watch::Sender<Arc<Registry>>,
    converter: Converter,
}

impl World {
    fn new(wells: Vec<Well>, installations: Vec<Installation>) -> Self {
        let registry = watch::Sender::new(Arc::new(Registry::new(wells, installations)));
        let (server, metadata) = (Server::default(), MemoryMetadata::new());
        let converter = converter(&server, &metadata, &registry);
        Self { server, metadata, registry, converter }
    }

    /// A process that knows nothing of the former one.
    fn restart(&mut self) {
        self.server.0.lock().live.clear();
        self.converter = converter(&self.server, &self.metadata, &self.registry);
    }

    fn install(&self, installation: Installation) {
        let next = self.registry.borrow().with_installations([installation]);
        self.registry.send_replace(Arc::new(next));
    }

    async fn step(&mut self) {
        // What fails is due again.
        let _ = self.converter.step(&mut self.server).await;
    }

    /// Until nothing is left, as the marks' interval has it.
    async fn settle(&mut self) {
        self.server.0.lock().fails = 0;
        loop {
            self.server.flush(&self.metadata).await;
            self.converter.look_at_marks();
            while self.converter.step(&mut self.server).await.unwrap().has_more {}
            if self.metadata.unconverted_months(1).await.unwrap().is_empty() && self.server.0.lock().marks.is_empty() {
                return;
            }
        }
    }

    /// The levels as a conversion of everything makes them.
    fn computed_anew(&self, well: &str) -> BTreeMap<Timestamp, (f64, Option<SiteStatus>)> {
        let registry = self.registry.borrow().clone();
        let plan = Plan::of(registry.well(well).unwrap(), &registry);
        let all = |well: &WellId, parameter| self.server.rows(well, parameter, Timestamp::MIN, Timestamp::MAX);
        let rows: Vec<_> = plan.sensors().map(|sensor| (sensor, all(&id(well), sensor))).collect();
        let sensors: Vec<_> =
            rows.iter().map(|(parameter, rows)| SensorReadings { parameter: *parameter, rows }).collect();
        let air = plan.barometers().into_iter().map(|b| (b.clone(), all(&b, Parameter::BarometricPressure))).collect();
        let levels = levels(&plan, &sensors, &air);
        levels.into_iter().filter_map(|level| Some((level.time, (level.depth?, level.site_status)))).collect()
    }
}

fn converter(server: &Server, metadata: &MemoryMetadata, registry: &watch::Sender<Arc<Registry>>) -> Converter {
    Converter::new(ConverterParts {
        metadata: Arc::new(metadata.clone()),
        reader: Arc::new(server.clone()),
        sink: Arc::new(server.clone()),
        registry: registry.subscribe(),
        names: server.1.clone(),
        calendar_offset_seconds: gwbank_model::BANGKOK_OFFSET_SECONDS,
        shutdown: Shutdown::default(),
    })
}

fn well(name: &str) -> Well {
    Well { depth: Some(20.0), ..Well::new(id(name), "30", BankType::Observation) }
}

/// A sensor 12.5 m below a measuring point half a metre above ground.
fn hung(parameter: Parameter, from: i64) -> Installation {
    Installation {
        parameter: Some(parameter),
        sensor_depth_below_mp: Some(12.5),
        measuring_point_height: Some(0.5),
        barometer_id: Some("AIR".into()),
        ..Installation::new(id("A"), at(from))
    }
}

fn told(world: &World) -> Vec<(i64, f64)> {
    let hour = |time: Timestamp| time.micros_since(at(0)) / (HOUR * 1_000_000);
    world.server.stored("A").into_iter().map(|(time, (depth, ..))| (hour(time), depth)).collect()
}

#[tokio::test]
async fn an_absolute_pressure_waits_for_the_air_after_it() {
    let mut world = World::new(vec![well("A"), well("AIR")], vec![hung(Parameter::WaterPressureAbsolute, -1000)]);
    world.server.send("AIR", Parameter::BarometricPressure, 0, Some(101.0));
    world.server.send("A", Parameter::WaterPressureAbsolute, 1, Some(110.0));
    world.step().await;
    assert_eq!(told(&world), [], "nobody knows the air of now yet");
    world.server.send("AIR", Parameter::BarometricPressure, 2, Some(100.0));
    world.step().await;
    assert_eq!(told(&world), [(1, 11.03127)], "12 m less 9.5 kPa of water");

    // The air between comes late, and is the truer one; what it gives returns to a value that was there before.
    world.server.send("AIR", Parameter::BarometricPressure, 1, Some(100.0));
    world.step().await;
    assert_eq!(told(&world), [(1, 10.980284)]);
    let gateway = world.server.1.gateways.intern(&GatewayId::new("gw-1").unwrap());
    let corrected = Row { gateway, revision: 1, ..row(at(1), 100.5) };
    world.server.take_in(&id("AIR"), Parameter::BarometricPressure, corrected);
    world.step().await;
    assert_eq!(told(&world), [(1, 11.03127)], "as before, by a higher revision");
}

#[tokio::test]
async fn installations_that_change_convert_everything_anew() {
    let mut world = World::new(vec![well("A")], vec![]);
    for hour in [0, 1, 800] {
        world.server.send("A", Parameter::WaterHeightAboveSensor, hour, Some(2.0));
    }
    world.settle().await;
    assert_eq!(told(&world), [], "how the sensor hangs is not told");
    world.install(hung(Parameter::WaterHeightAboveSensor, -1000));
    world.settle().await;
    assert_eq!(told(&world), [(0, 10.0), (1, 10.0), (800, 10.0)]);
    // Hung deeper from hour 1 on.
    let deeper = Installation { sensor_depth_below_mp: Some(14.5), ..hung(Parameter::WaterHeightAboveSensor, 1) };
    world.install(deeper);
    world.settle().await;
    assert_eq!(told(&world), [(0, 10.0), (1, 12.0), (800, 12.0)]);
    // The process ends before it has done it.
    let ended = Installation { valid_to: Some(at(700)), ..hung(Parameter::WaterHeightAboveSensor, 1) };
    world.install(ended);
    world.restart();
    world.settle().await;
    assert_eq!(told(&world), [(0, 10.0), (1, 10.0), (800, 10.0)], "after the end the former one holds");
    let done = world.converter.step(&mut world.server).await.unwrap();
    assert_eq!((done.levels, done.has_more), (0, false));
}

#[tokio::test]
async fn what_was_told_to_nobody_waits_for_its_mark() {
    let mut world = World::new(vec![well("A")], vec![hung(Parameter::DistanceToWater, -1000)]);
    world.settle().await;
    world.server.send("A", Parameter::DistanceToWater, 0, Some(1.0));
    // The process ends before the metadata know of the reading, and the next one looks for marks before that, too.
    world.restart();
    world.step().await;
    world.server.send("A", Parameter::DistanceToWater, 1, Some(1.0));
    world.settle().await;
    assert_eq!(told(&world), [(0, 13.0), (1, 13.0)]);
}

#[tokio::test]
async fn a_level_of_a_gateway_stands() {
    let mut world = World::new(vec![well("A")], vec![hung(Parameter::DistanceToWater, -1000)]);
    world.server.send("A", Parameter::DepthToWater, 0, Some(3.0));
    world.server.send("A", Parameter::DistanceToWater, 0, Some(1.0));
    world.server.send("A", Parameter::DistanceToWater, 1, Some(1.0));
    world.settle().await;
    assert_eq!(told(&world), [(0, 3.0), (1, 13.0)]);
    world.server.send("A", Parameter::DepthToWater, 1, Some(4.0));
    world.settle().await;
    assert_eq!(told(&world), [(0, 3.0), (1, 4.0)], "also one that comes later");
    // Also where the converted one was mended before.
    world.server.send("A", Parameter::DistanceToWater, 2, Some(1.0));
    world.settle().await;
    world.install(Installation { sensor_depth_below_mp: Some(13.5), ..hung(Parameter::DistanceToWater, -1000) });
    world.settle().await;
    assert_eq!(told(&world), [(0, 3.0), (1, 4.0), (2, 14.0)]);
    world.server.send("A", Parameter::DepthToWater, 2, Some(5.0));
    world.settle().await;
    assert_eq!(told(&world), [(0, 3.0), (1, 4.0), (2, 5.0)]);
    let senders: BTreeSet<String> = world.server.stored("A").into_values().map(|(.., sender)| sender).collect();
    assert_eq!(senders, BTreeSet::from(["gw-1".to_owned()]));
}

#[tokio::test]
async fn a_sensor_at_the_bottom_runs_dry_and_the_impossible_is_missing() {
    let shallow = Well { depth: Some(12.2), ..well("A") };
    let mut world = World::new(vec![shallow], vec![hung(Parameter::WaterPressureGauge, -1000)]);
    world.server.send("A", Parameter::WaterPressureGauge, 0, Some(0.2));
    world.server.send("A", Parameter::WaterPressureGauge, 1, Some(9.80665));
    world.server.send("A", Parameter::WaterPressureGauge, 2, Some(1e7));
    world.settle().await;
    let stored: Vec<_> = world.server.stored("A").into_values().map(|(depth, status, _)| (depth, status)).collect();
    assert_eq!(stored, [(12.0, Some(SiteStatus::Dry)), (11.0, None)]);
    let missing = world.server.rows(&id("A"), Parameter::DepthToWater, at(2), at(3));
    assert!(missing.len() == 1 && missing[0].value().is_none());
}

#[derive(Debug, Clone)]
enum Step {
    Send { sensor: usize, hour: i64, value: Option<u8>, revision: u32 },
    Air { hour: i64, value: Option<u8> },
    Own { hour: i64, value: u8 },
    Install { sensor: usize, hour: i64, depth: u8, until: Option<i64> },
    Work,
    Flush,
    Marks,
    Fail,
    Restart,
}

const SENSORS: [Parameter; 4] = [
    Parameter::DistanceToWater,
    Parameter::WaterHeightAboveSensor,
    Parameter::WaterPressureGauge,
    Parameter::WaterPressureAbsolute,
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Also a year and more later: what is long waits.
    let hour = || prop_oneof![9 => 0..24_i64, 1 => 9_000..9_004_i64];
    let value = || prop::option::weighted(0.9, 0..4_u8);
    let step = prop_oneof![
        6 => (0..4_usize, hour(), value(), 0..2_u32)
            .prop_map(|(sensor, hour, value, revision)| Step::Send { sensor, hour, value, revision }),
        4 => (hour(), value()).prop_map(|(hour, value)| Step::Air { hour, value }),
        1 => (hour(), 0..4_u8).prop_map(|(hour, value)| Step::Own { hour, value }),
        2 => (0..4_usize, prop_oneof![Just(-99), hour()], 0..3_u8, prop::option::of(hour()))
            .prop_map(|(sensor, hour, depth, until)| Step::Install { sensor, hour, depth, until }),
        5 => Just(Step::Work),
        3 => Just(Step::Flush),
        2 => Just(Step::Marks),
        1 => Just(Step::Fail),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut world = World::new(vec![well("A"), well("AIR")], vec![hung(Parameter::WaterPressureAbsolute, -99)]);
    let gateway = world.server.1.gateways.intern(&GatewayId::new("gw-1").unwrap());
    let mut own = BTreeSet::new();
    for step in steps {
        match step {
            Step::Send { sensor, hour, value, revision } => {
                let value = value.map_or(f64::NAN, f64::from) + if sensor == 3 { 105.0 } else { 0.0 };
                let row = Row { gateway, revision, ..row(at(hour), value) };
                world.server.take_in(&id("A"), SENSORS[sensor], row);
            }
            Step::Air { hour, value } => {
                let value = value.map(|value| 100.0 + f64::from(value) / 4.0);
                world.server.send("AIR", Parameter::BarometricPressure, hour, value);
            }
            Step::Own { hour, value } => {
                own.insert(at(hour));
                // High enough to stand above whatever was converted anew, as the value of a person would.
                let row = Row { gateway, revision: 1000, ..row(at(hour), f64::from(value)) };
                world.server.take_in(&id("A"), Parameter::DepthToWater, row);
            }
            Step::Install { sensor, hour, depth, until } => {
                let depth = Some(12.0 + f64::from(depth));
                let valid_to = until.filter(|until| *until > hour).map(at);
                let installation = hung(SENSORS[sensor], hour);
                world.install(Installation { sensor_depth_below_mp: depth, valid_to, ..installation });
            }
            Step::Work => {
                for _ in 0..4 {
                    world.step().await;
                }
            }
            Step::Flush => world.server.flush(&world.metadata).await,
            Step::Marks => world.converter.look_at_marks(),
            Step::Fail => world.server.0.lock().fails = 2,
            Step::Restart => world.restart(),
        }
    }
    world.settle().await;
    let mut expected = world.computed_anew("A");
    expected.retain(|time, _| !own.contains(time));
    let mut stored = world.server.stored("A");
    stored.retain(|time, _| !own.contains(time));
    let stored: BTreeMap<_, _> = stored.into_iter().map(|(time, (depth, status, _))| (time, (depth, status))).collect();
    prop_assert_eq!(stored, expected);
    Ok(())
}

#[test]
fn any_order_any_interruption_the_same_levels() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(test_rounds(300)) };
    proptest!(config, |(steps in steps())| runtime.block_on(run(steps))?);
}
