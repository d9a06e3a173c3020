//! Quality of what comes in, and of what its coming changes.
//!
//! # Rules
//! 1. Readings that come in time order go through the series' stream: no look at the window.
//! 2. Everything else (late readings, corrections) re-assesses the stretch of the series that it can alter, with the
//!    winners around it from the window, and rebuilds the stream.
//! 3. A quality that changes in a row that no sealed stretch holds is changed in place. In a sealed row it is a new
//!    version, with origin requalified. Until its own stretch is sealed it has the seq of a row that brought it about and
//!    changes in place; at the seal it gets the seq of the seal, or goes if nothing is left of the change. So neither the
//!    grouping of messages nor judgements that come and go leave a trace.
//! 4. Where the window does not reach back far enough, the key is noted as unassessed and nothing beside it is changed:
//!    the archive writer settles both with the archive's neighbours before the commit.
//! 5. What is judged anew because limits changed, or what a second look found ([`crate::quality_findings`]),
//!    is treated as what a late reading alters ([`crate::rejudge`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use gwbank_model::versions::Change;
use gwbank_model::{
    Key, Origin, Parameter, QcTest, QcTests, Row, Seq, SeriesId, SeriesKey, SeriesTable, Timestamp, WellId,
};
use gwbank_quality::overrides::{OverrideError, QualityOverrides};
use gwbank_quality::{Assessment, Point, SeriesConfig, Stream, WellFacts};
use gwbank_recent::{Classified, WindowSnapshot};
use gwbank_registry::Registry;
use hashbrown::{HashMap, HashSet};

use crate::context::{Barrier, Span, clusters, is_enough_before};
use crate::merged::Merged;
use crate::quality_findings::FindingsBySeries;

/// An incoming version that is to be inserted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) row: Row,
    pub(crate) verdict: Classified,
}

impl Accepted {
    /// Whether it may be its key's winner.
    fn may_win(&self) -> bool {
        self.verdict != Classified::New(Change::Loses)
    }
}

/// What an assessment changes beside the incoming rows themselves.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Rows that were there before and have another quality now: replacements and new versions.
    pub(crate) changed: Vec<Row>,
    pub(crate) unassessed: Vec<Key>,
}

#[derive(Debug, Default)]
struct Series {
    config: Option<Arc<SeriesConfig>>,
    state: SeriesState,
}

#[derive(Debug, Default)]
struct SeriesState {
    stream: Option<Stream>,
    /// The winner that the stream saw last.
    last: Option<Row>,
    /// In the group that is being assessed, where `last` is, if it is of it.
    last_index: Option<(u64, usize)>,
    /// The group in which the series left the time order.
    disordered_in: u64,
    /// Set while readings that the stream has not seen may still matter.
    unseen: Option<Barrier>,
}

/// What decides how series are judged.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    pub(crate) names: SeriesTable,
    pub(crate) registry: Arc<Registry>,
    pub(crate) overrides: Arc<QualityOverrides>,
    pub(crate) findings: Arc<FindingsBySeries>,
    /// By people; not among what a second look goes by.
    pub(crate) rejections: Arc<FindingsBySeries>,
}

/// State of all series. One per process, owned by the applier.
#[derive(Debug)]
pub(crate) struct Judge {
    basis: Basis,
    series: Vec<Series>,
    group: u64,
}

/// What all steps of one assessment share.
struct Round<'a> {
    window: &'a WindowSnapshot,
    sealed: Seq,
    /// By key: a later change of the same row counts.
    changed: HashMap<Key, Row>,
    unassessed: Vec<Key>,
}

impl Round<'_> {
    fn change(&mut self, row: Row, assessment: Assessment, trigger: Seq) {
        if differs(&row, assessment) {
            self.changed.insert(row.key(), requalified(row, assessment, trigger, self.sealed));
        }
    }
}

impl Judge {
    pub(crate) fn new(basis: Basis) -> Self {
        Self { basis, series: Vec::new(), group: 0 }
    }

    pub(crate) fn basis(&self) -> &Basis {
        &self.basis
    }

    /// From now on series are judged so. Of those with numbers below `compared` only the ones that are named are judged
    /// otherwise than before.
    pub(crate) fn set_basis(&mut self, basis: Basis, changed: &[SeriesId], compared: usize) {
        self.basis = basis;
        for id in changed {
            self.forget(*id);
        }
        self.series.truncate(compared);
    }

    /// What a series was judged after and by is looked up again.
    fn forget(&mut self, id: SeriesId) {
        if let Some(series) = self.series.get_mut(id.0 as usize) {
            *series = Series::default();
        }
    }

    /// Notes that rows have another quality than they were seen with.
    pub(crate) fn refresh(&mut self, rows: &[Row]) {
        for row in rows {
            let last = self.series.get_mut(row.series.0 as usize).and_then(|series| series.state.last.as_mut());
            if let Some(last) = last.filter(|last| last.time == row.time) {
                *last = *row;
            }
        }
    }

    /// A row as it is judged without any neighbour, if that is another judgement than it has.
    pub(crate) fn judged_alone(&mut self, row: &Row) -> Option<Row> {
        let assessment = alone(&self.config(row.series), row);
        differs(row, assessment).then(|| {
            let mut row = *row;
            set(&mut row, assessment);
            row
        })
    }

    pub(crate) fn config(&mut self, series: SeriesId) -> Arc<SeriesConfig> {
        self.known(series).1.clone()
    }

    /// The state of a series, and how it is judged.
    fn known(&mut self, series: SeriesId) -> (&mut SeriesState, &Arc<SeriesConfig>) {
        let index = series.0 as usize;
        if self.series.len() <= index {
            self.series.resize_with(index + 1, Series::default);
        }
        let Series { config, state } = &mut self.series[index];
        (state, config.get_or_insert_with(|| Arc::new(self.basis.config_or_tell(series))))
    }

    /// Judges anew what the window has of spans of time. What it cannot judge alone is noted as unassessed.
    pub(crate) fn rejudge(
        &mut self,
        spans: &[(SeriesId, Span)],
        window: &WindowSnapshot,
        sealed: Seq,
        trigger: Seq,
    ) -> Judgement {
        let mut round = Round { window, sealed, changed: HashMap::new(), unassessed: Vec::new() };
        let incoming = BTreeMap::new();
        for &(series, span) in spans {
            let within = Span { from: span.from.max(window.covers_from()), to: span.to };
            if within.from > within.to {
                continue;
            }
            let config = self.config(series);
            let merged = Merged { window, series, incoming: &incoming, changed: &round.changed };
            let stretch = assess_stretch(&config, &merged, within);
            if is_complete(&config, window, &stretch) {
                for (row, assessment) in stretch.assessed {
                    round.change(row, assessment, trigger);
                }
            } else {
                round.unassessed.extend(merged.within(within).iter().map(Row::key));
            }
            self.forget(series);
        }
        Judgement { changed: round.changed.into_values().collect(), unassessed: round.unassessed }
    }

    /// Sets the quality of the rows and says what else changes. `sealed` is the end of the last sealed stretch.
    pub(crate) fn assess(&mut self, rows: &mut [Accepted], window: &WindowSnapshot, sealed: Seq) -> Judgement {
        self.group += 1;
        let mut round = Round { window, sealed, changed: HashMap::new(), unassessed: Vec::new() };
        let mut disordered: HashSet<SeriesId> = HashSet::new();
        for index in 0..rows.len() {
            if !self.stream_row(index, rows, &mut round) {
                disordered.insert(rows[index].row.series);
            }
        }
        if !disordered.is_empty() {
            let mut by_series: HashMap<SeriesId, Vec<usize>> = HashMap::new();
            for (index, accepted) in rows.iter().enumerate() {
                if disordered.contains(&accepted.row.series) && accepted.may_win() {
                    by_series.entry(accepted.row.series).or_default().push(index);
                }
            }
            for (series, indices) in by_series {
                self.reassess(series, &indices, rows, &mut round);
            }
        }
        Judgement { changed: round.changed.into_values().collect(), unassessed: round.unassessed }
    }

    /// Judges a row by the stream of its series; false when it does not come in order.
    fn stream_row(&mut self, index: usize, rows: &mut [Accepted], round: &mut Round<'_>) -> bool {
        let Accepted { row, verdict } = rows[index];
        let group = self.group;
        let (series, config) = self.known(row.series);
        if !rows[index].may_win() {
            set(&mut rows[index].row, alone(config, &row));
            return true;
        }
        if series.disordered_in == group {
            return true; // already noted
        }
        series.open(config, row.series, round.window);
        let follows = verdict == Classified::New(Change::First) && series.last.is_none_or(|last| last.time < row.time);
        let Some(stream) = series.stream.as_mut().filter(|_| follows) else {
            series.disordered_in = group;
            series.stream = None;
            return false;
        };
        series.unseen.take_if(|unseen| unseen.stands());
        let pushed = stream.push(point(&row));
        set(&mut rows[index].row, pushed.new);
        if let (Some(assessment), Some(last)) = (pushed.previous, series.last) {
            match series.last_index {
                Some((of, before)) if of == group => set(&mut rows[before].row, assessment),
                _ if series.unseen.is_some() => {} // the archive writer knows better
                _ => round.change(last, assessment, row.seq),
            }
        }
        if let Some(unseen) = &mut series.unseen {
            unseen.add(&rows[index].row);
            round.unassessed.push(row.key());
        }
        series.last = Some(rows[index].row);
        series.last_index = Some((group, index));
        true
    }

    fn reassess(&mut self, id: SeriesId, indices: &[usize], rows: &mut [Accepted], round: &mut Round<'_>) {
        let config = self.config(id);
        let mut places: BTreeMap<Timestamp, usize> = BTreeMap::new();
        for &index in indices {
            let row = rows[index].row;
            let place = places.entry(row.time).or_insert(index);
            if row.precedence() >= rows[*place].row.precedence() {
                *place = index;
            }
        }
        // What came in order before the disorder may have changed a row that a version of this very group replaces. Its
        // requalification would have the seq of that version and take its place.
        for time in places.keys() {
            round.changed.remove(&Key { series: id, time: *time });
        }
        let mut incoming: BTreeMap<Timestamp, Row> = places.iter().map(|(time, i)| (*time, rows[*i].row)).collect();
        for span in clusters(places.keys().copied()) {
            let merged = Merged { window: round.window, series: id, incoming: &incoming, changed: &round.changed };
            let stretch = assess_stretch(&config, &merged, span);
            let complete = is_complete(&config, round.window, &stretch);
            if !complete {
                round.unassessed.extend(places.range(span.from..=span.to).map(|(_, i)| rows[*i].row.key()));
            }
            let trigger = incoming.range(span.from..=span.to).map(|(_, row)| row.seq).max().unwrap_or(Seq::ZERO);
            for (row, assessment) in stretch.assessed {
                match places.get(&row.time) {
                    Some(&index) if rows[index].row.seq == row.seq => {
                        set(&mut rows[index].row, assessment);
                        incoming.insert(row.time, rows[index].row);
                    }
                    // Judged with what the window has, which is not all: the archive writer knows better.
                    _ if !complete => {}
                    _ => round.change(row, assessment, trigger),
                }
            }
        }
        // Versions that another one of the group beats are nobody's neighbour.
        for &index in indices {
            let row = rows[index].row;
            if places.get(&row.time) != Some(&index) {
                set(&mut rows[index].row, alone(&config, &row));
            }
        }
        let merged = Merged { window: round.window, series: id, incoming: &incoming, changed: &round.changed };
        let tail = merged.tail(&config);
        self.series[id.0 as usize].state.restart(&config, tail, round.window);
    }
}

/// What a change within a span alters, judged anew.
struct Stretch {
    /// What was looked at and is not altered, before the rest.
    before: Vec<Row>,
    assessed: Vec<(Row, Assessment)>,
}

fn assess_stretch(config: &SeriesConfig, merged: &Merged<'_>, span: Span) -> Stretch {
    // The reading before the span is altered too, and must be judged with what is before it.
    let before = merged.context_before(config, span.from);
    let start = before.last().map_or(span.from, |row| row.time);
    let mut rows = if before.is_empty() { Vec::new() } else { merged.context_before(config, start) };
    let first_altered = rows.len();
    rows.extend(before.last());
    rows.extend(merged.within(span));
    let (after, altered) = merged.context_after(config, span.to);
    let end_altered = rows.len() + altered;
    rows.extend(after);
    let points: Vec<Point> = rows.iter().map(point).collect();
    let assessments = gwbank_quality::assess(config, &points);
    let altered = rows[first_altered..end_altered].iter().copied();
    let assessed = altered.zip(assessments.into_iter().skip(first_altered)).collect();
    rows.truncate(first_altered);
    Stretch { before: rows, assessed }
}

/// Whether the window has all that the judgement of a stretch depends on.
fn is_complete(config: &SeriesConfig, window: &WindowSnapshot, stretch: &Stretch) -> bool {
    let covers_from = window.covers_from();
    let Some(start) = stretch.assessed.first().map(|(row, _)| row.time) else { return true };
    let known = &stretch.before[stretch.before.partition_point(|row| row.time < covers_from)..];
    covers_from == Timestamp::MIN || (start >= covers_from && is_enough_before(config, start, known))
}

impl SeriesState {
    /// Makes the stream from what the window has, if there is none.
    fn open(&mut self, config: &Arc<SeriesConfig>, id: SeriesId, window: &WindowSnapshot) {
        if self.stream.is_some() {
            return;
        }
        let (incoming, changed) = (BTreeMap::new(), HashMap::new());
        let merged = Merged { window, series: id, incoming: &incoming, changed: &changed };
        let tail = merged.tail(config);
        self.restart(config, tail, window);
    }

    fn restart(&mut self, config: &Arc<SeriesConfig>, tail: Vec<Row>, window: &WindowSnapshot) {
        self.stream = Some(Stream::rebuild(config.clone(), tail.iter().map(point)));
        self.last = tail.last().copied();
        self.last_index = None;
        let covers_from = window.covers_from();
        self.unseen = (covers_from != Timestamp::MIN).then(|| {
            let mut barrier = Barrier::new(config);
            tail.iter().filter(|row| row.time >= covers_from).for_each(|row| barrier.add(row));
            barrier
        });
    }
}

impl Basis {
    /// How a series is judged.
    pub(crate) fn config(&self, series: SeriesId) -> SeriesConfig {
        let SeriesKey { well, parameter } = self.names.key(series);
        let findings = self.findings.of(&well, parameter).union(&self.rejections.of(&well, parameter));
        SeriesConfig { findings, ..self.config_without_findings(&well, parameter) }
    }

    pub(crate) fn config_without_findings(&self, well: &WellId, parameter: Parameter) -> SeriesConfig {
        let facts = self.facts(well, parameter);
        self.configured(well, parameter, &facts).unwrap_or_else(|_| SeriesConfig::for_well(parameter, &facts))
    }

    /// The same; says so where the limits cannot be used.
    fn config_or_tell(&self, series: SeriesId) -> SeriesConfig {
        // Each section is right by itself, but not over what the registry says of this well.
        let SeriesKey { well, parameter } = self.names.key(series);
        if let Err(error) = self.configured(&well, parameter, &self.facts(&well, parameter)) {
            tracing::warn!(%well, %parameter, %error, "limits of quality cannot be used: the defaults are");
        }
        self.config(series)
    }

    fn configured(
        &self,
        well: &WellId,
        parameter: Parameter,
        facts: &WellFacts,
    ) -> Result<SeriesConfig, OverrideError> {
        SeriesConfig::for_series(parameter, well.as_str(), facts, &self.overrides)
    }

    fn facts(&self, well_id: &WellId, parameter: Parameter) -> WellFacts {
        let Some(well) = self.registry.well(well_id.as_str()) else { return WellFacts::default() };
        let objecting = [
            (QcTest::Location, well.is_outside_its_province()),
            (QcTest::Uncompensated, self.is_uncompensated(well_id, parameter)),
        ];
        let objects = objecting.into_iter().filter(|(_, objects)| *objects);
        WellFacts {
            depth: well.depth,
            ground_elevation: well.ground_elevation,
            sensor_depth: self.registry.shallowest_sensor(well_id.as_str()),
            objections: objects.fold(QcTests::NONE, |tests, (test, _)| tests.with(test)),
        }
    }

    /// Absolute pressure of a well that no known barometer is registered with: it weighs water and air, and nobody can tell
    /// which.
    fn is_uncompensated(&self, well: &WellId, parameter: Parameter) -> bool {
        let of_pressure = |of: Option<Parameter>| of.is_none_or(|of| of == Parameter::WaterPressureAbsolute);
        let weighs = |barometer: Option<&str>| barometer.is_some_and(|id| self.registry.barometer(id).is_some());
        parameter == Parameter::WaterPressureAbsolute
            && !self
                .registry
                .installations_of(well.as_str())
                .iter()
                .any(|installation| of_pressure(installation.parameter) && weighs(installation.barometer_id.as_deref()))
    }
}

pub(crate) fn point(row: &Row) -> Point {
    Point { time: row.time, value: row.value(), site_status: row.site_status }
}

pub(crate) fn set(row: &mut Row, assessment: Assessment) {
    row.quality = assessment.flag;
    row.qc_tests = assessment.tests;
}

pub(crate) fn differs(row: &Row, assessment: Assessment) -> bool {
    row.quality != assessment.flag || row.qc_tests != assessment.tests
}

/// What becomes of a row that was there before and has another quality now.
pub(crate) fn requalified(row: Row, assessment: Assessment, trigger: Seq, sealed: Seq) -> Row {
    let mut changed = row;
    set(&mut changed, assessment);
    if row.seq <= sealed {
        changed.seq = trigger;
        changed.origin = Origin::Requalified;
    }
    changed
}

/// A version that lost is judged by itself.
fn alone(config: &SeriesConfig, row: &Row) -> Assessment {
    gwbank_quality::assess(config, &[point(row)])[0]
}
