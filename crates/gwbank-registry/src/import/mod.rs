//! Reading and writing the registry as files: CSV and GeoJSON for wells, CSV for installations.
//!
//! # Format
//! - **CSV**: UTF-8 (a byte order mark is fine), commas, LF or CRLF, quotes where a field holds a comma. The first line names
//!   the columns, in any order: those of the tables `wells` and `installations`. An empty field is "not given".
//! - **GeoJSON** (RFC 7946): a `FeatureCollection` of points; the properties are the columns, the point gives `longitude` and
//!   `latitude`. A geometry of `null` is a well without a location.
//! - Required are `well_id`, `bank_type` and one of `province_code`, `district_code`, `subdistrict_code`, from which the
//!   codes above follow. Not given: `represents_aquifer` and `influenced` are false, `sampling` is logger, `status` active.
//! - Days are `2026-11-23`; times RFC 3339 with an offset, or a day, which means its midnight in Bangkok. Yes and no:
//!   true/false, yes/no, 1/0. Numbers have a decimal point and no thousands separators.
//!
//! # Rules
//! 1. All or nothing: a file with any fault gives no wells.
//! 2. Every fault is reported, up to [`FAULTS_MAX`], by line (and feature) and column, with its mend.
//! 3. Nothing is guessed: an unknown column, a Buddhist-era year, a projected coordinate system are faults.
//! 4. What is written reads back equal.

mod geojson;
mod limits;
mod line;
mod offices;
mod parse;
mod table;
mod write;

use std::fmt;

use crate::office::Offices;
use crate::{Installation, Well};

pub use limits::LimitLine;
pub use offices::{is_line_id, office_fields, office_of_fields};
pub use write::{write_installations_csv, write_offices_csv, write_wells_csv, write_wells_geojson};

/// Reported faults per file: more than anyone mends in one go.
pub const FAULTS_MAX: usize = 1_000;

/// The columns of wells, in the order in which they are written.
pub const WELL_COLUMNS: &[&str] = &[
    "well_id",
    "name",
    "name_th",
    "province_code",
    "district_code",
    "subdistrict_code",
    "lao_code",
    "aquifer",
    "aquifer_condition",
    "bank_type",
    "represents_aquifer",
    "influenced",
    "sampling",
    "latitude",
    "longitude",
    "ground_elevation",
    "vertical_datum",
    "depth",
    "screen_top",
    "screen_bottom",
    "specific_yield",
    "flood_warning_depth",
    "flood_danger_depth",
    "bank_area",
    "bank_volume",
    "fill_material",
    "comparison_well_id",
    "installed_on",
    "status",
];

/// The columns of installations, in the order in which they are written.
pub const INSTALLATION_COLUMNS: &[&str] = &[
    "well_id",
    "device_id",
    "sensor_model",
    "parameter",
    "sensor_depth_below_mp",
    "measuring_point_height",
    "pressure_kind",
    "barometer_id",
    "offset",
    "valid_from",
    "valid_to",
    "reason",
];

/// The columns of offices and their contacts, in the order in which they are written: one line a contact.
pub const OFFICE_COLUMNS: &[&str] = &[
    "office_id",
    "level",
    "place_code",
    "office_name",
    "office_name_th",
    "office_phone",
    "messages_per_minute",
    "contact_id",
    "contact_name",
    "channel",
    "address",
    "secret",
    "language",
    "min_severity",
    "hazards",
    "scopes",
    "quiet_hours",
    "digest",
    "drills",
    "active",
];

/// The columns of limits of quality tests.
pub const LIMIT_COLUMNS: &[&str] = &["well_id", "parameter", "limit_name", "value"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Csv,
    GeoJson,
}

impl FileKind {
    /// By the end of a file's name: `.csv`, `.geojson` or `.json`.
    pub fn from_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(FileKind::Csv),
            "geojson" | "json" => Some(FileKind::GeoJson),
            _ => None,
        }
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Counted from 1; of a GeoJSON feature the line on which it begins.
    pub line: u64,
    /// Empty where the fault is of the line or the file.
    pub column: String,
    /// What stands there.
    pub value: String,
    pub problem: String,
    pub mend: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.value.is_empty() {
            write!(f, " ({:?})", self.value)?;
        }
        write!(f, "; {}", self.mend)
    }
}

/// Faults found so far, bounded.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<RowFault>,
    unlisted: usize,
}

/// Values in faults are cut to this many characters.
const VALUE_CHARS_MAX: usize = 60;

impl Faults {
    pub(crate) fn add(
        &mut self,
        line: u64,
        column: &str,
        value: &str,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) {
        if self.found.len() >= FAULTS_MAX {
            self.unlisted += 1;
            return;
        }
        let value = match value.char_indices().nth(VALUE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        };
        let column = column.to_owned();
        self.found.push(RowFault { line, column, value, problem: problem.into(), mend: mend.into() });
    }

    fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn into_result<T>(mut self, value: T) -> Result<T, Vec<RowFault>> {
        if self.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|fault| fault.line);
        if self.unlisted > 0 {
            self.found.push(RowFault {
                line: self.found.last().map_or(1, |fault| fault.line),
                column: String::new(),
                value: String::new(),
                problem: format!("{} more faults", self.unlisted),
                mend: "mend those above and try again".into(),
            });
        }
        Err(self.found)
    }
}

/// Reads wells. All of them, or every fault of the file.
pub fn parse_wells(bytes: &[u8], kind: FileKind) -> Result<Vec<Well>, Vec<RowFault>> {
    let mut faults = Faults::default();
    let lines = match kind {
        FileKind::Csv => table::read(bytes, WELL_COLUMNS, &mut faults),
        FileKind::GeoJson => geojson::read(bytes, &mut faults),
    };
    let wells = parse::wells(&lines, &mut faults);
    faults.into_result(wells)
}

/// Reads installations from CSV. All of them, or every fault of the file.
pub fn parse_installations(bytes: &[u8]) -> Result<Vec<Installation>, Vec<RowFault>> {
    let mut faults = Faults::default();
    let lines = table::read(bytes, INSTALLATION_COLUMNS, &mut faults);
    let installations = parse::installations(&lines, &mut faults);
    faults.into_result(installations)
}

/// Reads offices and their contacts from CSV. All of them, or every fault of the file.
pub fn parse_offices(bytes: &[u8]) -> Result<Offices, Vec<RowFault>> {
    let mut faults = Faults::default();
    let lines = table::read(bytes, OFFICE_COLUMNS, &mut faults);
    let offices = offices::offices(&lines, &mut faults);
    faults.into_result(offices)
}

/// Reads limits of quality tests from CSV, and has what was read judged by `check`, which knows the tests. All of them, or
/// every fault of the file.
pub fn parse_limits(
    bytes: &[u8],
    check: impl FnOnce(&[LimitLine]) -> Vec<RowFault>,
) -> Result<Vec<LimitLine>, Vec<RowFault>> {
    let mut faults = Faults::default();
    let lines = table::read(bytes, LIMIT_COLUMNS, &mut faults);
    let limits = limits::limits(&lines, &mut faults);
    for RowFault { line, column, value, problem, mend } in check(&limits) {
        faults.add(line, &column, &value, problem, mend);
    }
    faults.into_result(limits)
}

#[cfg(test)]
mod tests;
