//! The limits of the quality tests: defaults, over them those of the configuration file, over them those of the table.
//!
//! # Rules
//! 1. The table is over the file, the file over the defaults, limit by limit of a section (well and parameter). Of two
//!    sections the special one has it, wherever each is from.
//! 2. A file of limits is applied as a whole or not at all.
//! 3. A row that this program does not understand, as a later one wrote it, is left where it is and counts for nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use gwbank_model::{Parameter, Timestamp};
use gwbank_quality::SeriesConfig;
use gwbank_quality::overrides::{LimitRow, OverrideError, QualityOverrides, unit};
use gwbank_registry::import::{LimitLine, RowFault, parse_limits};
use gwbank_store::{EffectiveLimit, LimitSource, QualityLimit, QualityLimitKey, QualityLimitsChange};

use crate::pipeline::Shared;
use crate::{IngestError, Pipeline};

/// What became of a file of limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsApplied {
    pub rows: u64,
    /// Wells that nobody has registered.
    pub warnings: Vec<String>,
}

impl Pipeline {
    /// Puts the limits of a CSV into the table; those without a value are taken out of it. Stored readings are judged anew
    /// where that changes what holds for them.
    pub async fn import_quality_limits(&self, csv: &[u8]) -> Result<LimitsApplied, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let stored = shared.metadata.quality_limits().await?;
        let file = shared.config.quality.clone();
        let now = shared.now();
        let lines = parse_limits(csv, |lines| faults(&file, &stored, lines)).map_err(IngestError::Rows)?;
        let registry = shared.registry();
        let unknown: HashSet<&str> =
            lines.iter().filter_map(|line| line.well_id.as_ref()).map(|id| id.as_str()).collect();
        let mut unknown: Vec<&str> = unknown.into_iter().filter(|id| registry.well(id).is_none()).collect();
        unknown.sort_unstable();
        let warnings = unknown.iter().map(|id| format!("well {id} is not registered")).collect();
        let rows = lines.len() as u64;
        shared.change_limits(stored, change(lines, now)).await?;
        Ok(LimitsApplied { rows, warnings })
    }

    /// Takes a limit out of the table; false where it is not there.
    pub async fn remove_quality_limit(&self, key: QualityLimitKey) -> Result<bool, IngestError> {
        let shared = self.shared();
        let _one_at_a_time = shared.administration.lock().await;
        let stored = shared.metadata.quality_limits().await?;
        if !stored.iter().any(|limit| limit.key == key) {
            return Ok(false);
        }
        let change = QualityLimitsChange { removed: vec![key], put: Vec::new() };
        shared.change_limits(stored, change).await?;
        Ok(true)
    }
}

impl Shared {
    async fn change_limits(&self, stored: Vec<QualityLimit>, change: QualityLimitsChange) -> Result<(), IngestError> {
        let next = Limits::new(self.config.quality.clone(), changed(stored, &change));
        let basis = self.prepare_basis(|basis| basis.overrides = next.overrides().clone()).await?;
        self.metadata.change_quality_limits(change).await?;
        // As it is there now: an equal value keeps its age.
        let next = Limits::new(self.config.quality.clone(), self.metadata.quality_limits().await?);
        self.take_up_basis(basis);
        self.publish_limits(next);
        Ok(())
    }

    /// Takes over limits that another process has put into the table. The caller holds `administration`.
    pub(crate) async fn look_at_limits(&self) -> Result<(), IngestError> {
        let stored = self.metadata.quality_limits().await?;
        if stored == self.limits.lock().stored {
            return Ok(());
        }
        tracing::info!(limits = stored.len(), "limits of quality were changed by another process");
        let next = Limits::new(self.config.quality.clone(), stored);
        let basis = self.prepare_basis(|basis| basis.overrides = next.overrides().clone()).await?;
        self.take_up_basis(basis);
        self.publish_limits(next);
        Ok(())
    }

    fn publish_limits(&self, limits: Limits) {
        self.effective_limits.send_replace(Arc::new(limits.effective()));
        *self.limits.lock() = Arc::new(limits);
    }
}

/// The table's limits over the file's.
#[derive(Debug)]
pub(crate) struct Limits {
    file: Arc<QualityOverrides>,
    stored: Vec<QualityLimit>,
    overrides: Arc<QualityOverrides>,
}

impl Limits {
    pub(crate) fn new(file: Arc<QualityOverrides>, stored: Vec<QualityLimit>) -> Self {
        let mut understood = Vec::with_capacity(stored.len());
        for limit in &stored {
            let row = row(limit);
            match QualityOverrides::default().set_row(&row) {
                Ok(()) => understood.push(row),
                Err(error) => {
                    tracing::warn!(%error, "a stored limit of quality is not understood and counts for nothing")
                }
            }
        }
        // Each of them can be set.
        let overrides = file.with_rows(&understood).map_or_else(|_| file.clone(), Arc::new);
        Self { file, stored, overrides }
    }

    /// What series are judged by, over the defaults.
    pub(crate) fn overrides(&self) -> &Arc<QualityOverrides> {
        &self.overrides
    }

    /// Every limit that holds, section by section, with where it is from.
    pub(crate) fn effective(&self) -> Vec<EffectiveLimit> {
        let mut sections: BTreeMap<(Option<String>, Option<&'static str>), Section> = BTreeMap::new();
        for &parameter in Parameter::ALL {
            for (limit, value) in SeriesConfig::default_for(parameter).named_limits() {
                let section = sections.entry((None, Some(parameter.name()))).or_default();
                section.set(limit, Entry { value, source: LimitSource::Default, changed_at: None });
            }
        }
        for LimitRow { well, parameter, limit, value } in self.file.rows() {
            let section = sections.entry((well, parameter.map(Parameter::name))).or_default();
            section.set(limit, Entry { value, source: LimitSource::File, changed_at: None });
        }
        for QualityLimit { key, value, changed_at } in &self.stored {
            let well = key.well_id.as_ref().map(ToString::to_string);
            let section = sections.entry((well, key.parameter.map(Parameter::name))).or_default();
            let entry = Entry { value: *value, source: LimitSource::Table, changed_at: Some(*changed_at) };
            section.set(key.limit.clone(), entry);
        }
        sections.into_iter().flat_map(|((well, parameter), section)| section.rows(well, parameter)).collect()
    }
}

/// The limits of one section by name.
#[derive(Debug, Default)]
struct Section(BTreeMap<String, Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    value: f64,
    source: LimitSource,
    changed_at: Option<Timestamp>,
}

impl Section {
    fn set(&mut self, limit: String, entry: Entry) {
        self.0.insert(limit, entry);
    }

    /// Without the limits of tests that are off: in a file those of lower sections go, from the table all of them.
    fn rows(self, well: Option<String>, parameter: Option<&'static str>) -> Vec<EffectiveLimit> {
        let off: Vec<(String, LimitSource)> = self
            .0
            .iter()
            .filter(|(_, entry)| entry.value == 1.0)
            .filter_map(|(limit, entry)| Some((limit.strip_suffix(".off")?.to_owned(), entry.source)))
            .collect();
        let is_off = |limit: &str, entry: &Entry| {
            let test = limit.split('.').next().unwrap_or(limit);
            let by = off.iter().find(|(name, _)| name == test).filter(|_| !limit.ends_with(".off"));
            by.is_some_and(|(_, by)| *by == LimitSource::Table || entry.source < *by)
        };
        let well_id = well.and_then(|id| id.parse().ok());
        let parameter = parameter.and_then(Parameter::from_name);
        let shown = self.0.into_iter().filter(|(limit, entry)| !is_off(limit, entry));
        shown
            .map(|(limit, Entry { value, source, changed_at })| EffectiveLimit {
                unit: unit(&limit, parameter),
                key: QualityLimitKey { well_id: Clone::clone(&well_id), parameter, limit },
                value,
                source,
                changed_at,
            })
            .collect()
    }
}

fn row(limit: &QualityLimit) -> LimitRow {
    LimitRow {
        well: limit.key.well_id.as_ref().map(ToString::to_string),
        parameter: limit.key.parameter,
        limit: limit.key.limit.clone(),
        value: limit.value,
    }
}

fn row_of(line: &LimitLine, value: f64) -> LimitRow {
    let well = line.well_id.as_ref().map(ToString::to_string);
    LimitRow { well, parameter: line.parameter, limit: line.limit.clone(), value }
}

fn key(line: &LimitLine) -> QualityLimitKey {
    QualityLimitKey { well_id: line.well_id.clone(), parameter: line.parameter, limit: line.limit.clone() }
}

fn change(lines: Vec<LimitLine>, now: Timestamp) -> QualityLimitsChange {
    let mut change = QualityLimitsChange::default();
    for line in lines {
        match line.value {
            Some(value) => change.put.push(QualityLimit { key: key(&line), value, changed_at: now }),
            None => change.removed.push(key(&line)),
        }
    }
    change
}

/// The table after a change.
fn changed(mut stored: Vec<QualityLimit>, change: &QualityLimitsChange) -> Vec<QualityLimit> {
    let replaced: HashSet<&QualityLimitKey> =
        change.removed.iter().chain(change.put.iter().map(|limit| &limit.key)).collect();
    stored.retain(|limit| !replaced.contains(&limit.key));
    stored.extend(change.put.iter().cloned());
    stored
}

/// All that is wrong with lines that could be read: names of limits, values of a test, and, of the lines that can be set,
/// sections that the table would leave incomplete or in the wrong order.
fn faults(file: &Arc<QualityOverrides>, stored: &[QualityLimit], lines: &[LimitLine]) -> Vec<RowFault> {
    let refused =
        |line: &LimitLine| QualityOverrides::default().set_row(&row_of(line, line.value.unwrap_or(0.0))).err();
    let (settable, unsettable): (Vec<&LimitLine>, Vec<&LimitLine>) =
        lines.iter().partition(|line| refused(line).is_none());
    let mut found: Vec<RowFault> = unsettable.iter().filter_map(|line| Some(fault(line, refused(line)?))).collect();
    // The instant tells nothing here.
    let change = change(settable.iter().copied().cloned().collect(), Timestamp::from_micros(0));
    let next = Limits::new(file.clone(), changed(stored.to_vec(), &change));
    let mut judged: HashSet<(Option<&str>, Option<Parameter>)> = HashSet::new();
    let mut told: Vec<OverrideError> = Vec::new();
    for line in &settable {
        let well = line.well_id.as_ref().map(|id| id.as_str());
        if !judged.insert((well, line.parameter)) {
            continue;
        }
        let parameters = line.parameter.as_ref().map_or(Parameter::ALL, std::slice::from_ref);
        let of_section =
            parameters.iter().flat_map(|parameter| next.overrides().faults_of(*parameter, well.unwrap_or_default()));
        for error in of_section {
            if !told.contains(&error) {
                found.push(fault(line_at_fault(&settable, line, &error), error.clone()));
                told.push(error);
            }
        }
    }
    found.sort_by_key(|fault| fault.line);
    found
}

/// The line of the same section that named the limit, else one of the same test, else the section's first.
fn line_at_fault<'l>(lines: &[&'l LimitLine], first: &'l LimitLine, error: &OverrideError) -> &'l LimitLine {
    let test = error.key.split('.').next().unwrap_or(&error.key);
    let of_section = || {
        let section = (&first.well_id, first.parameter);
        lines.iter().copied().filter(move |line| (&line.well_id, line.parameter) == section)
    };
    let of_limit = of_section().find(|line| line.limit.starts_with(&error.key));
    of_limit.or_else(|| of_section().find(|line| line.limit.split('.').next() == Some(test))).unwrap_or(first)
}

fn fault(line: &LimitLine, error: OverrideError) -> RowFault {
    let OverrideError { section, key, problem, mend } = error;
    let (column, value) = match line.value {
        Some(value) if key == line.limit && QualityOverrides::default().set_row(&row_of(line, 1.0)).is_ok() => {
            ("value", value.to_string())
        }
        _ => ("limit_name", line.limit.clone()),
    };
    let problem = format!("{section}: {key}: {problem}");
    RowFault { line: line.line, column: column.to_owned(), value, problem, mend }
}

#[cfg(test)]
mod tests {
    use gwbank_model::WellId;
    use gwbank_quality::WellFacts;

    use super::*;

    fn limit(well: Option<&str>, parameter: Option<Parameter>, name: &str, value: f64) -> QualityLimit {
        let well_id = well.map(|id| WellId::new(id).unwrap());
        let key = QualityLimitKey { well_id, parameter, limit: name.to_owned() };
        QualityLimit { key, value, changed_at: Timestamp::from_secs(7) }
    }

    fn shown(limits: &Limits, well: Option<&str>, test: &str) -> Vec<String> {
        let rows = limits.effective();
        let of_test = rows.iter().filter(|row| {
            row.key.well_id.as_ref().map(|id| id.as_str()) == well
                && row.key.parameter.is_none_or(|parameter| parameter == Parameter::DepthToWater)
                && row.key.limit.starts_with(test)
        });
        let unit = |row: &EffectiveLimit| row.unit.clone().unwrap_or_default();
        of_test.map(|row| format!("{} {} {} {}", row.key.limit, row.value, unit(row), row.source)).collect()
    }

    fn of_file() -> Arc<QualityOverrides> {
        let mut file = QualityOverrides::default();
        file.set(None, Some(Parameter::DepthToWater), "spike.suspect", 0.3).unwrap();
        file.set(Some("W"), Some(Parameter::DepthToWater), "spike.suspect", 0.4).unwrap();
        Arc::new(file)
    }

    #[test]
    fn the_table_is_over_the_file_and_the_file_over_the_defaults() {
        let depth = Some(Parameter::DepthToWater);
        let limits = Limits::new(of_file(), vec![limit(None, depth, "spike.fail", 5.0)]);
        let of_all = [
            "spike.fail 5 m table",
            "spike.gap_max_hours 2400 h default",
            "spike.grows_with_hours 1 1 default",
            "spike.relative_share 0 1 default",
            "spike.suspect 0.3 m file",
        ];
        assert_eq!(shown(&limits, None, "spike"), of_all);
        assert_eq!(shown(&limits, Some("W"), "spike"), ["spike.suspect 0.4 m file"]);
        let facts = WellFacts::default();
        let config = SeriesConfig::for_series(Parameter::DepthToWater, "W", &facts, limits.overrides()).unwrap();
        assert_eq!(config.spike.map(|spike| (spike.suspect, spike.fail)), Some((0.4, 5.0)));

        let off = vec![limit(None, depth, "spike.off", 1.0), limit(Some("W"), depth, "spike.tolerance_of_2030", 1.0)];
        let limits = Limits::new(of_file(), off);
        assert_eq!(shown(&limits, None, "spike"), ["spike.off 1 1 table"]);
    }

    fn told(stored: &[QualityLimit], csv: &str) -> Vec<String> {
        let parsed = parse_limits(csv.as_bytes(), |lines| faults(&of_file(), stored, lines));
        parsed.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bad_rows_are_named_by_line_and_column() {
        const HEAD: &str = "well_id,parameter,limit_name,value\n";
        assert_eq!(told(&[], &format!("{HEAD}W,depth_to_water,spike.suspect,0.5\n")), Vec::<String>::new());
        let csv = format!("{HEAD}W,depth_to_water,spike.suspct,0.5\nW,,spike.suspect,1\n,,gap.silence_max_hours,1\n");
        let found = told(&[], &csv);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].starts_with("line 2, column limit_name: wells.W.parameters.depth_to_water: spike.suspct: no such")
        );
        assert!(found[1].contains("line 3, column limit_name") && found[1].contains("name the parameter"), "{found:?}");
        let found = told(&[], &format!("{HEAD}W,depth_to_water,spike.off,2\n"));
        assert!(found[0].starts_with("line 2, column value") && found[0].contains("neither 0 nor 1"), "{found:?}");
        let found = told(&[], &format!("{HEAD}W,depth_to_water,spike.fail,-1\n"));
        assert!(found[0].starts_with("line 2, column value") && found[0].contains("is negative"), "{found:?}");
        let found = told(&[], &format!("{HEAD}W,,gap.silence_max_hours,0\n"));
        assert!(
            found[0].starts_with("line 2, column value: wells.W: gap.silence_max_hours: is 0, so that every reading"),
            "{found:?}"
        );
        let reversed = "W,depth_to_water,gross_range.user_min,5\nW,depth_to_water,gross_range.user_max,4\n";
        let found = told(&[], &format!("{HEAD}{reversed}"));
        assert!(found[0].starts_with("line 2") && found[0].contains("exchange them"), "{found:?}");
        // Ranges are told beside names that nobody knows.
        let found = told(&[], &format!("{HEAD}{reversed}W,depth_to_water,spike.suspct,0.5\nX,ph,spike.suspect,5\n"));
        let lines: Vec<&str> = found.iter().filter_map(|told| told.split(',').next()).collect();
        assert_eq!(lines, ["line 2", "line 4", "line 5"], "{found:?}");
        assert!(found[2].contains("spike.fail: is 4, less than spike.suspect 5"), "{found:?}");
        // What the table has already counts, too, and what is taken out of it does not.
        let stored = [limit(Some("W"), Some(Parameter::Ph), "flat_line.tolerance", 0.01)];
        let hours = format!("{HEAD}W,ph,flat_line.suspect_hours,24\n");
        assert_eq!(told(&stored, &hours), Vec::<String>::new());
        let found = told(&stored, &format!("{hours}W,ph,flat_line.tolerance,\n"));
        assert!(found[0].contains("flat_line.tolerance: is missing"), "{found:?}");
    }
}
