//! Keeps the stored levels as the sensors' readings and the registry have them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gwbank_model::{GatewayId, Month, Parameter, Reading, Row, Seq, TimeSource, Timestamp, WellId};
use gwbank_registry::Registry;
use gwbank_runtime::Backoff;
use gwbank_store::{ConversionCommit, ConvertedWell, DirtyMonth, SeriesRequest};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::levels::{Level, SensorReadings, levels};
use crate::mounting::{AIR_GAP_MICROS, PRECEDENCE, Plan};
use crate::parts::{ConversionError, ConverterParts, SensorChange, SensorChanges};

/// How often marks are looked for: what is live does not wait for them.
const MARKS_INTERVAL: Duration = Duration::from_secs(10);
/// Marks looked at together.
const MARKS_MAX: usize = 4096;
/// Read together at the most: a year, 35,000 readings of each series where they come every quarter of an hour. The archive is
/// asked anew for each piece, which costs more than the rows.
const CHUNK_MICROS: i64 = 366 * 24 * 3_600_000_000;
/// What changed live over longer than this, as an import does, waits behind what is short: a flood must not wait for history.
const LIVE_MICROS: i64 = 40 * 24 * 3_600_000_000;
/// Readings of one message.
const READINGS_MAX: usize = 2000;
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Levels stored, corrected or taken back.
    pub levels: usize,
    /// Something is left to do at once.
    pub has_more: bool,
}

/// A stretch of time of a well, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Timestamp,
    to: Timestamp,
}

impl Span {
    fn with(self, other: Span) -> Span {
        Span { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// So many months from one on.
    fn of_months(first: Month, count: i32, offset_seconds: i32) -> Span {
        Span { from: first.start(offset_seconds), to: first.plus(count).start(offset_seconds).plus_micros(-1) }
    }
}

/// What is done piece by piece between live changes.
#[derive(Debug)]
enum Work {
    /// What changed live over a long time.
    Long(WellId, Span),
    /// Marked months of one series.
    Marked(Vec<DirtyMonth>),
    /// All of a well, whose installations changed; the years that are left, once they are known.
    Well { well: WellId, fingerprint: u64, years: Option<Vec<i32>> },
}

/// Wells by what they depend on.
#[derive(Debug, Default)]
struct Plans {
    by_well: HashMap<WellId, Plan>,
    /// Wells whose sensors need the air that a barometer weighs.
    served: HashMap<WellId, Vec<WellId>>,
}

impl Plans {
    fn of(registry: &Arc<Registry>, converted: &HashMap<WellId, u64>) -> Self {
        let mut plans = Plans::default();
        for well in registry.wells() {
            let has_any = !registry.installations_of(well.well_id.as_str()).is_empty();
            if !has_any && !converted.contains_key(&well.well_id) {
                continue;
            }
            let plan = Plan::of(well, registry);
            for barometer in plan.barometers() {
                plans.served.entry(barometer).or_default().push(well.well_id.clone());
            }
            plans.by_well.insert(well.well_id.clone(), plan);
        }
        plans
    }

    /// The wells whose levels a change may alter, and when.
    fn altered(&self, parameter: Parameter, well: &WellId, span: Span) -> Vec<(WellId, Span)> {
        if parameter == Parameter::BarometricPressure {
            let around = Span { from: span.from.plus_micros(-AIR_GAP_MICROS), to: span.to.plus_micros(AIR_GAP_MICROS) };
            let served = self.served.get(well).into_iter().flatten();
            return served.map(|served| (served.clone(), around)).collect();
        }
        let known = self.by_well.contains_key(well);
        known.then(|| (well.clone(), span)).into_iter().collect()
    }
}

/// How far this process may rely on what it was told live.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// Before and at this position changes may have gone untold. `None` before the first look.
    from: Option<Seq>,
    /// Up to here they were told, and what was told is converted.
    through: Seq,
    /// Marks of all that went untold were looked at.
    caught_up: bool,
}

/// The conversion of one node. Made from its parts and run step by step by tests, or spawned.
pub struct Converter {
    parts: ConverterParts,
    registry: Option<Arc<Registry>>,
    plans: Plans,
    /// As the metadata have it; `None` before they were asked.
    converted: Option<HashMap<WellId, u64>>,
    term: Option<u64>,
    told: Told,
    live: BTreeMap<WellId, Span>,
    work: VecDeque<Work>,
    /// Marks of which `work` came were all there were.
    is_last_fetch: bool,
    marks_due: bool,
}

/// Whether a level that changes has the revision of the one before, which any later one beats, or stands above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    AsItIs,
    Above,
}

/// A running converter.
pub struct ConverterHandle(JoinHandle<()>);

impl ConverterHandle {
    /// Waits for the end that the shutdown of its parts brings.
    pub async fn join(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "the conversion of levels failed");
        }
    }
}

impl Converter {
    pub fn new(parts: ConverterParts) -> Self {
        Self {
            parts,
            registry: None,
            plans: Plans::default(),
            converted: None,
            term: None,
            told: Told::default(),
            live: BTreeMap::new(),
            work: VecDeque::new(),
            is_last_fetch: false,
            marks_due: true,
        }
    }

    pub fn spawn(parts: ConverterParts, changes: impl SensorChanges) -> ConverterHandle {
        let shutdown = parts.shutdown.clone();
        let mut converter = Self::new(parts);
        ConverterHandle(tokio::spawn(async move {
            tokio::select! {
                () = shutdown.ended() => {}
                () = converter.run(changes) => {}
            }
        }))
    }

    async fn run(&mut self, mut changes: impl SensorChanges) {
        let mut registry = self.parts.registry.clone();
        let mut ticks = interval(MARKS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            match self.step(&mut changes).await {
                Ok(report) => {
                    backoff.reset();
                    if report.has_more {
                        continue;
                    }
                }
                Err(error) => {
                    let delay = backoff.next_delay();
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, retry_ms = delay.as_millis() as u64, "levels are not converted now");
                    tokio::time::sleep(delay).await;
                    continue;
                }
            }
            tokio::select! {
                () = changes.filled() => {}
                // A registry that nobody can change any more is no change.
                Ok(()) = registry.changed() => {}
                _ = ticks.tick() => self.look_at_marks(),
            }
        }
    }

    /// Has the next step look for marks.
    pub fn look_at_marks(&mut self) {
        self.marks_due = true;
    }

    /// Converts all that changed live and one piece of what else is to be done.
    pub async fn step(&mut self, changes: &mut impl SensorChanges) -> Result<Report, ConversionError> {
        let (told, through) = changes.take();
        if !self.leads().await? {
            return Ok(Report::default());
        }
        let from = *self.told.from.get_or_insert(through);
        self.take_up_registry().await?;
        self.take_up(told);
        let mut report = Report::default();
        self.put_off_long();
        while let Some((well, span)) = self.live.first_key_value().map(|(well, span)| (well.clone(), *span)) {
            report.levels += self.convert(&well, span).await?;
            self.live.remove(&well);
        }
        // Of what was put off no mark goes before it is done: marks are looked at when no work is left.
        self.told.through = through.max(from);
        report.levels += self.work_on().await?;
        report.has_more = !self.work.is_empty();
        Ok(report)
    }

    /// Whether this node converts. One that begins to forgets what it knows: another one has converted since.
    async fn leads(&mut self) -> Result<bool, ConversionError> {
        let term = self.parts.metadata.lead().await?;
        if term != self.term {
            self.term = term;
            self.told = Told::default();
            self.converted = None;
            self.registry = None;
            self.work.clear();
            self.marks_due = true;
        }
        Ok(term.is_some())
    }

    /// Takes over the registry where it changed, and finds the wells whose installations did.
    async fn take_up_registry(&mut self) -> Result<(), ConversionError> {
        let present = self.parts.registry.borrow().clone();
        if self.registry.as_ref().is_some_and(|known| Arc::ptr_eq(known, &present)) {
            return Ok(());
        }
        if self.converted.is_none() {
            let wells = self.parts.metadata.converted_wells().await?;
            self.converted = Some(wells.into_iter().map(|well| (well.well_id, well.fingerprint)).collect());
        }
        let converted = self.converted.as_ref().map_or_else(HashMap::new, Clone::clone);
        self.plans = Plans::of(&present, &converted);
        self.work.retain(|work| !matches!(work, Work::Well { .. }));
        let mut changed: Vec<(WellId, u64)> = Vec::new();
        for (well, plan) in &self.plans.by_well {
            let fingerprint = plan.fingerprint();
            if converted.get(well) != Some(&fingerprint) {
                changed.push((well.clone(), fingerprint));
            }
        }
        changed.sort_unstable();
        let work = changed.into_iter().map(|(well, fingerprint)| Work::Well { well, fingerprint, years: None });
        self.work.extend(work);
        self.registry = Some(present);
        Ok(())
    }

    fn take_up(&mut self, told: Vec<SensorChange>) {
        for SensorChange { well, parameter, from, to } in told {
            for (well, span) in self.plans.altered(parameter, &well, Span { from, to }) {
                let known = self.live.entry(well).or_insert(span);
                *known = known.with(span);
            }
        }
    }

    fn put_off_long(&mut self) {
        let is_long = |span: &Span| span.to.micros_since(span.from) > LIVE_MICROS;
        let long: Vec<(WellId, Span)> = self.live.extract_if(.., |_, span| is_long(span)).collect();
        for (well, span) in long {
            let waiting = self.work.iter_mut().find_map(|work| match work {
                Work::Long(other, waiting) if *other == well => Some(waiting),
                _ => None,
            });
            match waiting {
                Some(waiting) => *waiting = waiting.with(span),
                None => self.work.push_back(Work::Long(well, span)),
            }
        }
    }

    /// One piece of the work; what failed stays at the front.
    async fn work_on(&mut self) -> Result<usize, ConversionError> {
        if self.work.is_empty() && self.marks_due {
            self.fetch_marks().await?;
        }
        let Some(work) = self.work.pop_front() else { return Ok(0) };
        let done = match work {
            Work::Long(well, span) => {
                let piece = Span { to: span.to.min(span.from.plus_micros(CHUNK_MICROS - 1)), ..span };
                let rest = Span { from: piece.to.plus_micros(1), ..span };
                match self.convert(&well, piece).await {
                    Ok(levels) => Ok((levels, (rest.from <= rest.to).then_some(Work::Long(well, rest)))),
                    Err(error) => Err((error, Work::Long(well, span))),
                }
            }
            Work::Marked(marks) => match self.convert_marked(&marks).await {
                Ok(levels) => Ok((levels, None)),
                Err(error) => Err((error, Work::Marked(marks))),
            },
            Work::Well { well, fingerprint, years } => self.convert_well(well, fingerprint, years).await,
        };
        match done {
            Ok((levels, left)) => {
                if let Some(left) = left {
                    self.work.push_front(left);
                }
                if self.work.is_empty() && self.is_last_fetch {
                    self.told.caught_up = true;
                }
                Ok(levels)
            }
            Err((error, work)) => {
                self.work.push_front(work);
                Err(error)
            }
        }
    }

    /// Marks are looked at once everything that went untold is among them. Those of what was told and converted go at once.
    async fn fetch_marks(&mut self) -> Result<(), ConversionError> {
        self.marks_due = false;
        let metadata = &self.parts.metadata;
        let untold = self.told.from.unwrap_or(Seq::ZERO);
        let accounted = metadata.position().await? >= untold;
        let others = metadata.has_other_nodes().await?;
        let marks = metadata.unconverted_months(MARKS_MAX).await?;
        self.is_last_fetch = accounted && marks.len() < MARKS_MAX;
        if self.is_last_fetch && marks.is_empty() {
            self.told.caught_up = true;
        }
        let is_told = |mark: &DirtyMonth| self.told.caught_up && !others && mark.seq <= self.told.through;
        let (told, due): (Vec<DirtyMonth>, Vec<DirtyMonth>) = marks.into_iter().partition(is_told);
        if !told.is_empty() {
            metadata.commit_conversion(ConversionCommit { converted: told, ..ConversionCommit::default() }).await?;
        }
        // What will be told in a moment is not read.
        let waits = self.told.caught_up && !others;
        let mut by_series: BTreeMap<(WellId, Parameter), Vec<DirtyMonth>> = BTreeMap::new();
        for mark in due.into_iter().filter(|_| !waits) {
            by_series.entry((mark.well_id.clone(), mark.parameter)).or_default().push(mark);
        }
        self.work.extend(by_series.into_values().map(Work::Marked));
        Ok(())
    }

    /// From the first marked month to the last: what lies between is read and found to be right.
    async fn convert_marked(&mut self, marks: &[DirtyMonth]) -> Result<usize, ConversionError> {
        let offset_seconds = self.parts.calendar_offset_seconds;
        let spans = marks.iter().map(|mark| Span::of_months(mark.month, 1, offset_seconds));
        let (Some(span), Some(mark)) = (spans.reduce(Span::with), marks.first()) else { return Ok(0) };
        let mut levels = 0;
        for (well, span) in self.plans.altered(mark.parameter, &mark.well_id, span) {
            levels += self.convert(&well, span).await?;
        }
        let commit = ConversionCommit { converted: marks.to_vec(), ..ConversionCommit::default() };
        self.parts.metadata.commit_conversion(commit).await?;
        Ok(levels)
    }

    /// The next year of a well, from the newest backwards; at the end its fingerprint is noted.
    async fn convert_well(
        &mut self,
        well: WellId,
        fingerprint: u64,
        years: Option<Vec<i32>>,
    ) -> Result<(usize, Option<Work>), (ConversionError, Work)> {
        let mut left = match years {
            Some(years) => years,
            None => match self.years_of(&well).await {
                Ok(years) => years,
                Err(error) => return Err((error, Work::Well { well, fingerprint, years: None })),
            },
        };
        let Some(year) = left.pop() else {
            let wells = vec![ConvertedWell { well_id: well.clone(), fingerprint }];
            let commit = ConversionCommit { wells, ..ConversionCommit::default() };
            return match self.parts.metadata.commit_conversion(commit).await {
                Ok(()) => {
                    self.converted.get_or_insert_default().insert(well, fingerprint);
                    Ok((0, None))
                }
                Err(error) => Err((error.into(), Work::Well { well, fingerprint, years: Some(left) })),
            };
        };
        let span = Span::of_months(Month::new(year, 1), 12, self.parts.calendar_offset_seconds);
        match self.convert(&well, span).await {
            Ok(levels) => Ok((levels, Some(Work::Well { well, fingerprint, years: Some(left) }))),
            Err(error) => {
                left.push(year);
                Err((error, Work::Well { well, fingerprint, years: Some(left) }))
            }
        }
    }

    /// Years in which sensors of the well said anything, or levels are stored, ascending.
    async fn years_of(&self, well: &WellId) -> Result<Vec<i32>, ConversionError> {
        let request = SeriesRequest {
            wells: Some(vec![well.clone()]),
            parameters: PRECEDENCE.into_iter().chain([Parameter::DepthToWater]).collect(),
            from: None,
            to: None,
            offset_seconds: self.parts.calendar_offset_seconds,
            qualities: Vec::new(),
            medians_of: Vec::new(),
        };
        let days = self.parts.reader.daily_values(request).await?;
        let years: BTreeSet<i32> = days.iter().map(|day| day.day.month().year()).collect();
        Ok(years.into_iter().collect())
    }

    /// Makes the levels of a stretch of time what they should be. Returns how many changed.
    async fn convert(&self, well: &WellId, span: Span) -> Result<usize, ConversionError> {
        let Some(plan) = self.plans.by_well.get(well) else { return Ok(0) };
        let mut changed = 0;
        let mut from = span.from;
        while from <= span.to {
            let to = from.plus_micros(CHUNK_MICROS).min(span.to.plus_micros(1));
            let found = self.levels(plan, from, to).await?;
            let stored = self.parts.reader.rows_between(well, Parameter::DepthToWater, from, to).await?;
            let readings = self.differences(well, &found, &stored, Standing::AsItIs);
            changed += readings.len();
            self.put(&readings).await?;
            // A value that the instant has had before is a duplicate, and returns only with a higher revision. No higher one than
            // that is used: what a gateway sends itself is to win.
            if readings.iter().any(|reading| stored.iter().any(|row| row.time == reading.time)) {
                let stored = self.parts.reader.rows_between(well, Parameter::DepthToWater, from, to).await?;
                self.put(&self.differences(well, &found, &stored, Standing::Above)).await?;
            }
            from = to;
        }
        Ok(changed)
    }

    async fn put(&self, readings: &[Reading]) -> Result<(), ConversionError> {
        for readings in readings.chunks(READINGS_MAX) {
            self.parts.sink.put(readings.to_vec()).await?;
        }
        Ok(())
    }

    /// What the sensors say, from ≤ time < to.
    async fn levels(&self, plan: &Plan, from: Timestamp, to: Timestamp) -> Result<Vec<Level>, ConversionError> {
        let reader = &self.parts.reader;
        let mut sensors: Vec<(Parameter, Vec<Row>)> = Vec::new();
        for parameter in plan.sensors() {
            let rows = reader.rows_between(&plan.well.well_id, parameter, from, to).await?;
            sensors.push((parameter, rows));
        }
        let mut air: BTreeMap<WellId, Vec<Row>> = BTreeMap::new();
        let weighs_air = |(parameter, rows): &(Parameter, Vec<Row>)| {
            *parameter == Parameter::WaterPressureAbsolute && !rows.is_empty()
        };
        if sensors.iter().any(weighs_air) {
            let (from, to) = (from.plus_micros(-AIR_GAP_MICROS), to.plus_micros(AIR_GAP_MICROS));
            for barometer in plan.barometers() {
                let rows = reader.rows_between(&barometer, Parameter::BarometricPressure, from, to).await?;
                air.insert(barometer, rows);
            }
        }
        let sensors: Vec<SensorReadings<'_>> =
            sensors.iter().map(|(parameter, rows)| SensorReadings { parameter: *parameter, rows }).collect();
        Ok(levels(plan, &sensors, &air))
    }

    /// Readings that make what is stored equal to what was found; see rules 3 and 4 of the crate.
    fn differences(&self, well: &WellId, found: &[Level], stored: &[Row], standing: Standing) -> Vec<Reading> {
        let revision = |row: &Row| row.revision + u32::from(standing == Standing::Above);
        let names = &self.parts.names.gateways;
        let is_ours = |row: &&Row| names.id(row.gateway).as_str() == GatewayId::CONVERSION;
        let known: HashMap<Timestamp, &Row> = stored.iter().map(|row| (row.time, row)).collect();
        let found_at: BTreeSet<Timestamp> = found.iter().map(|level| level.time).collect();
        let reading = |level: &Level, revision: u32| Reading {
            well: well.clone(),
            parameter: Parameter::DepthToWater,
            time: level.time,
            time_source: TimeSource::Device,
            value: level.depth,
            site_status: level.site_status,
            revision,
            time_raw: None,
        };
        let says_the_same =
            |row: &Row, level: &Level| row.value() == level.depth && row.site_status == level.site_status;
        let put = found.iter().filter_map(|level| match known.get(&level.time) {
            None => Some(reading(level, 0)),
            Some(row) if !is_ours(row) || says_the_same(row, level) => None,
            Some(row) => Some(reading(level, revision(row))),
        });
        let gone = stored.iter().filter(is_ours).filter(|row| !found_at.contains(&row.time) && row.value().is_some());
        let taken_back = gone.map(|row| {
            let missing = Level { time: row.time, depth: None, site_status: None };
            reading(&missing, revision(row))
        });
        put.chain(taken_back).collect()
    }
}
