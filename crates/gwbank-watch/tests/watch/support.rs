//! A small world: wells, readings, a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;
use gwbank_model::condition::{Hazard, Scope, Severity, Transition};
use gwbank_model::{Day, Month, Parameter, Row, Seq, SeriesId, Timestamp, WellId};
use gwbank_notice::{Notice, render};
use gwbank_quality::SeriesConfig;
use gwbank_registry::office::MessageLanguage;
use gwbank_registry::{BankType, Registry, Sampling, Well};
use gwbank_runtime::{ManualClock, Shutdown};
use gwbank_store::memory::MemoryMetadata;
use gwbank_store::{
    ConditionFlag, DailyValue, DirtyMonth, FlagTransition, HourlyMean, IndicatorRow, IngestCommit, LastHeard, Metadata,
    MetadataError, SecondLookCommit, SeriesEnd, SeriesReadError, SeriesReader, SeriesRequest,
};
use gwbank_testkit::received_row;
use gwbank_watch::{SeriesJudge, Watch, WatchConfig, WatchParts};
use parking_lot::Mutex;
use tokio::sync::watch;

pub const OFFSET: i32 = gwbank_model::BANGKOK_OFFSET_SECONDS;

#[derive(Default)]
pub struct MapReader {
    days: Mutex<BTreeMap<(WellId, Parameter, Day), DailyValue>>,
    rows: Mutex<BTreeMap<(WellId, Parameter, Timestamp), Row>>,
    /// By which gateway each well speaks.
    pub gateways: Mutex<BTreeMap<WellId, String>>,
    /// Readings of levels.
    pub daily_calls: AtomicUsize,
    pub fails: AtomicUsize,
}

#[async_trait]
impl SeriesReader for MapReader {
    async fn daily_values(&self, request: SeriesRequest) -> Result<Vec<DailyValue>, SeriesReadError> {
        if request.parameters.contains(&Parameter::DepthToWater) {
            self.daily_calls.fetch_add(1, Ordering::SeqCst);
        }
        self.fail_if_told()?;
        let days = self.days.lock();
        let in_range = |day: Day| request.from.is_none_or(|from| day >= from) && request.to.is_none_or(|to| day < to);
        let wanted = |parameter: &Parameter| request.parameters.contains(parameter);
        let Some(wells) = &request.wells else {
            let all = days.values().filter(|level| in_range(level.day) && wanted(&level.parameter));
            return Ok(all.cloned().collect());
        };
        let mut found = Vec::new();
        let mut parameters = request.parameters.clone();
        parameters.sort_unstable();
        for well in wells {
            for &parameter in &parameters {
                let from = request.from.unwrap_or(Day(i32::MIN));
                let to = request.to.unwrap_or(Day(i32::MAX));
                let range = (well.clone(), parameter, from)..(well.clone(), parameter, to);
                found.extend(days.range(range).map(|(_, level)| level.clone()));
            }
        }
        Ok(found)
    }

    async fn hourly_means(&self, request: SeriesRequest) -> Result<Vec<HourlyMean>, SeriesReadError> {
        self.fail_if_told()?;
        let rows = self.rows.lock();
        let wanted = |well: &WellId, parameter: &Parameter| {
            request.wells.as_ref().is_none_or(|wells| wells.contains(well)) && request.parameters.contains(parameter)
        };
        // Tests read by the hour, on the hour.
        let hours = rows.iter().filter(|((well, parameter, _), _)| wanted(well, parameter));
        Ok(hours
            .map(|((well, parameter, time), row)| HourlyMean {
                well_id: well.clone(),
                parameter: *parameter,
                time: time.plus_secs(1800),
                mean: row.value(),
                count: 1,
                dry_count: 0,
            })
            .collect())
    }

    async fn last_heard(&self) -> Result<Vec<LastHeard>, SeriesReadError> {
        self.fail_if_told()?;
        let mut last: BTreeMap<(WellId, Parameter), Timestamp> = BTreeMap::new();
        for (well, parameter, time) in self.rows.lock().keys() {
            last.insert((well.clone(), *parameter), *time);
        }
        Ok(last.into_iter().map(|((well_id, parameter), time)| LastHeard { well_id, parameter, time }).collect())
    }

    async fn series_end(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
    ) -> Result<SeriesEnd, SeriesReadError> {
        let rows = self.rows_since(well, parameter, from).await?;
        let gateway = self.gateways.lock().get(well).cloned();
        Ok(SeriesEnd { times: rows.iter().map(|row| row.time).collect(), gateway })
    }

    async fn rows_between(
        &self,
        well: &WellId,
        parameter: Parameter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Row>, SeriesReadError> {
        self.fail_if_told()?;
        let range = (well.clone(), parameter, from)..(well.clone(), parameter, to);
        Ok(self.rows.lock().range(range).map(|(_, row)| *row).collect())
    }
}

impl MapReader {
    fn fail_if_told(&self) -> Result<(), SeriesReadError> {
        let told = self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if told.is_ok() { Err(SeriesReadError("told to fail".into())) } else { Ok(()) }
    }
}

/// Judges by the defaults, and only stores what is found.
struct DefaultJudge(MemoryMetadata);

#[async_trait]
impl SeriesJudge for DefaultJudge {
    fn quality_config(&self, _: &WellId, parameter: Parameter) -> SeriesConfig {
        SeriesConfig::default_for(parameter)
    }

    async fn take_second_look(&self, commit: SecondLookCommit) -> Result<(), MetadataError> {
        self.0.commit_second_look(commit).await
    }
}

/// As a mail and as messages of LINE; HTML where a flag begins, as it says the same.
pub fn write(told: &mut String, notice: &Notice) {
    let links = render::Links { page: Some("https://bank.example.org/act/…".to_owned()) };
    let mail = render::mail(notice, MessageLanguage::Both, &links);
    let _ = writeln!(told, "=== {} · {}\n\n{}\n\n{}", notice.kind, notice.timestamp, mail.subject, mail.text);
    if notice.transition() == Some(Transition::Raised) {
        let _ = writeln!(told, "--- HTML\n{}", mail.html);
    }
    // The text is that of the mail.
    for message in render::line_messages(notice, MessageLanguage::Both, &links).iter().skip(1) {
        let _ = writeln!(told, "--- LINE\n{}\n", serde_json::to_string_pretty(message).expect("JSON"));
    }
}

pub struct World {
    pub metadata: MemoryMetadata,
    pub reader: Arc<MapReader>,
    pub clock: Arc<ManualClock>,
    pub registry: watch::Sender<Arc<Registry>>,
    pub config: WatchConfig,
    pub shutdown: Shutdown,
    seq: AtomicI64,
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

pub fn id(well: &str) -> WellId {
    WellId::new(well).expect("an id")
}

/// An observation well read by hand in the first district of Nakhon Ratchasima.
pub fn well(name: &str) -> Well {
    Well {
        district_code: Some("3001".into()),
        subdistrict_code: Some("300101".into()),
        sampling: Sampling::Manual,
        depth: Some(30.0),
        ..Well::new(id(name), "30", BankType::Observation)
    }
}

pub fn in_district(well: Well, district: &str) -> Well {
    let subdistrict_code = Some(format!("{district}01"));
    Well { district_code: Some(district.into()), subdistrict_code, ..well }
}

impl World {
    pub fn new(wells: Vec<Well>, now: &str) -> Self {
        Self {
            metadata: MemoryMetadata::new(),
            reader: Arc::default(),
            clock: Arc::new(ManualClock::at_micros(at(now).as_micros())),
            registry: watch::Sender::new(Arc::new(Registry::new(wells, []))),
            config: WatchConfig::default(),
            shutdown: Shutdown::default(),
            seq: AtomicI64::new(1),
        }
    }

    pub fn parts(&self) -> WatchParts {
        WatchParts {
            metadata: Arc::new(self.metadata.clone()),
            reader: self.reader.clone(),
            judge: Arc::new(DefaultJudge(self.metadata.clone())),
            registry: self.registry.subscribe(),
            clock: self.clock.clone(),
            shutdown: self.shutdown.clone(),
        }
    }

    pub async fn open(&self) -> Watch {
        Watch::open(self.config.clone(), self.parts()).await.expect("opens")
    }

    /// What was told, each kind of transition of a hazard and scope once, in all forms and both languages.
    pub async fn told(&self) -> String {
        let mut told = String::new();
        let mut seen = BTreeSet::new();
        let mut severities: BTreeMap<String, Severity> = BTreeMap::new();
        for found in self.metadata.transitions_after(0, usize::MAX).await.expect("metadata") {
            let transition = found.transition;
            let before = severities.insert(transition.flag_id.clone(), transition.severity);
            let flags = self.metadata.flags_at(transition.at).await.expect("metadata");
            let flag = flags.into_iter().find(|flag| flag.id == transition.flag_id).expect("a transition has a flag");
            if seen.insert((flag.hazard, flag.scope, transition.transition)) {
                write(&mut told, &Notice::of(&flag, &transition, before));
            }
        }
        told
    }

    pub fn set_now(&self, now: &str) {
        self.clock.set_micros(at(now).as_micros());
    }

    pub fn now(&self) -> Timestamp {
        use gwbank_runtime::Clock;
        Timestamp::from_micros(self.clock.now_micros())
    }

    /// Sets the depth of the first day of a month and marks the month; `None` takes the day away.
    pub async fn set_month(&self, well: &str, month: Month, depth: Option<f64>) {
        self.set_months([(well, month, depth)]).await;
    }

    pub async fn set_months<'a>(&self, months: impl IntoIterator<Item = (&'a str, Month, Option<f64>)>) {
        let mut commit = IngestCommit::default();
        for (well, month, depth) in months {
            let (well_id, day) = (id(well), month.first_day());
            let key = (well_id.clone(), Parameter::DepthToWater, day);
            let mut days = self.reader.days.lock();
            match depth {
                Some(depth) => {
                    let level = DailyValue {
                        well_id: well_id.clone(),
                        parameter: Parameter::DepthToWater,
                        day,
                        mean: Some(depth),
                        median: None,
                        count: 1,
                        dry_count: 0,
                        approved_count: 0,
                        good_count: 1,
                    };
                    days.insert(key, level);
                }
                None => {
                    days.remove(&key);
                }
            }
            let seq = Seq::from_i64(self.seq.fetch_add(1, Ordering::SeqCst));
            commit.dirty_months.push(DirtyMonth { well_id, parameter: Parameter::DepthToWater, month, seq });
        }
        self.metadata.commit_ingest(commit).await.expect("committed");
    }

    /// Sets one value a day of any parameter and marks the months.
    pub async fn set_days(&self, well: &str, parameter: Parameter, days: impl IntoIterator<Item = (Day, f64)>) {
        let mut commit = IngestCommit::default();
        let well_id = id(well);
        for (day, value) in days {
            let daily = DailyValue {
                well_id: well_id.clone(),
                parameter,
                day,
                mean: Some(value),
                median: Some(value),
                count: 1,
                dry_count: 0,
                approved_count: 0,
                good_count: 1,
            };
            self.reader.days.lock().insert((well_id.clone(), parameter, day), daily);
            let month = day.month();
            if commit.dirty_months.last().is_none_or(|mark: &DirtyMonth| mark.month != month) {
                let seq = Seq::from_i64(self.seq.fetch_add(1, Ordering::SeqCst));
                commit.dirty_months.push(DirtyMonth { well_id: well_id.clone(), parameter, month, seq });
            }
        }
        self.metadata.commit_ingest(commit).await.expect("committed");
    }

    /// Stores readings with their days, whose medians the values are, and marks the months.
    pub async fn set_readings(
        &self,
        well: &str,
        parameter: Parameter,
        readings: impl IntoIterator<Item = (Timestamp, f64)>,
    ) {
        let mut days: BTreeMap<Day, Vec<f64>> = BTreeMap::new();
        for (time, value) in readings {
            self.read_at(well, parameter, time, value);
            days.entry(time.day(OFFSET)).or_default().push(value);
        }
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        self.set_days(well, parameter, days.into_iter().map(|(day, values)| (day, median(values)))).await;
    }

    /// Takes days away and marks their months.
    pub async fn take_days(&self, well: &str, parameter: Parameter, days: impl IntoIterator<Item = Day>) {
        let mut commit = IngestCommit::default();
        let well_id = id(well);
        for day in days {
            self.reader.days.lock().remove(&(well_id.clone(), parameter, day));
            let seq = Seq::from_i64(self.seq.fetch_add(1, Ordering::SeqCst));
            commit.dirty_months.push(DirtyMonth { well_id: well_id.clone(), parameter, month: day.month(), seq });
        }
        self.metadata.commit_ingest(commit).await.expect("committed");
    }

    /// A dry day, without a value.
    pub async fn set_dry(&self, well: &str, month: Month) {
        self.set_month(well, month, Some(0.0)).await;
        let key = (id(well), Parameter::DepthToWater, month.first_day());
        let mut days = self.reader.days.lock();
        let day = days.get_mut(&key).expect("just set");
        (day.mean, day.count, day.dry_count) = (None, 0, 1);
    }

    /// A reading received when the clock says.
    pub fn read(&self, well: &str, parameter: Parameter, time: &str, value: f64) {
        self.read_at(well, parameter, at(time), value);
    }

    pub fn read_at(&self, well: &str, parameter: Parameter, time: Timestamp, value: f64) {
        let seq = Seq::from_i64(self.now().as_millis() << 20);
        let row = received_row(SeriesId(0), time, value, seq);
        self.reader.rows.lock().insert((id(well), parameter, time), row);
    }

    /// Sets the clock to the time, stores a depth and judges the well.
    pub async fn depth(&self, watch: &Watch, well: &str, time: &str, depth: f64) {
        self.set_now(time);
        self.read(well, Parameter::DepthToWater, time, depth);
        watch.run_live_once(&[id(well)]).await.expect("judged");
    }

    /// Stores a depth that was measured some time ago, without moving the clock, and judges the well.
    pub async fn late_depth(&self, watch: &Watch, well: &str, time: &str, depth: f64) {
        self.read(well, Parameter::DepthToWater, time, depth);
        watch.run_live_once(&[id(well)]).await.expect("judged");
    }

    pub async fn flags(&self) -> Vec<ConditionFlag> {
        self.metadata.flags(false).await.expect("flags")
    }

    pub async fn open_flag(&self, hazard: Hazard, scope: Scope, place: &str) -> Option<ConditionFlag> {
        let flags = self.metadata.flags(true).await.expect("flags");
        let mut found = flags.into_iter().filter(|f| f.hazard == hazard && f.scope == scope && f.place == place);
        let flag = found.next();
        assert!(found.next().is_none(), "two open flags of one place");
        // What would clear a flag is told in both languages, whatever the hazard.
        if let Some(ConditionFlag { what_would_clear_it, detail_th, .. }) = &flag {
            let (_, clears_th) = detail_th.split_once("สถานะนี้สิ้นสุดเมื่อ").expect("says when it ends");
            assert!(
                !what_would_clear_it.is_empty() && clears_th.starts_with(|c| ('ก'..='๙').contains(&c)),
                "{detail_th}"
            );
        }
        flag
    }

    /// `transition severity`, oldest first.
    pub async fn story(&self, flag_id: &str) -> Vec<String> {
        let transitions = self.transitions(flag_id).await;
        transitions.iter().map(|t| format!("{} {}", t.transition.name(), t.severity.name())).collect()
    }

    pub async fn transitions(&self, flag_id: &str) -> Vec<FlagTransition> {
        self.metadata.flag_transitions(Some(flag_id)).await.expect("transitions")
    }

    /// Indicator rows without the time at which they were computed.
    pub async fn indicators(&self) -> Vec<IndicatorRow> {
        let mut rows = self.metadata.indicators(None).await.expect("rows");
        rows.iter_mut().for_each(|row| row.computed_at = Timestamp::from_micros(0));
        rows
    }

    pub async fn indicator(&self, place: &str, name: &str, month: Month) -> Option<IndicatorRow> {
        let rows = self.metadata.indicators(Some(place)).await.expect("rows");
        rows.into_iter().find(|row| row.indicator == name && row.period == month.start(0))
    }
}
