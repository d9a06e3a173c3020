//! Lines into limits of quality tests, as far as they can be read without knowing the tests.

use std::collections::HashMap;

use gwbank_model::{Parameter, WellId};

use super::Faults;
use super::line::{Fields, Line};
use super::parse::ID_MEND;

/// One limit of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitLine {
    /// In the file, counted from 1.
    pub line: u64,
    /// `None`: every well.
    pub well_id: Option<WellId>,
    /// `None`: every parameter of the well.
    pub parameter: Option<Parameter>,
    /// Such as `spike.suspect`; whether there is such a limit is not looked at here.
    pub limit: String,
    /// `None`: the limit is to be as it would be without the table.
    pub value: Option<f64>,
}

/// What stands for every well or parameter, beside an empty field.
const EVERY: &str = "*";

pub(crate) fn limits(lines: &[Line], faults: &mut Faults) -> Vec<LimitLine> {
    let mut first_lines: HashMap<(Option<WellId>, Option<Parameter>, String), u64> = HashMap::new();
    let mut limits = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(limit) = limit(line, faults) else { continue };
        let key = (limit.well_id.clone(), limit.parameter, limit.limit.clone());
        let first = *first_lines.entry(key).or_insert(line.number);
        if first != line.number {
            let problem = format!("the limit is on line {first} already");
            faults.add(line.number, "limit_name", &limit.limit, problem, "keep one of the two lines");
        }
        limits.push(limit);
    }
    limits
}

fn limit(line: &Line, faults: &mut Faults) -> Option<LimitLine> {
    let row = Fields::new(line, faults);
    let is_named = |column| line.get(column).is_some_and(|text| text != EVERY);
    if !row.is_given("limit_name") {
        row.fault("limit_name", "not given", "name it, such as spike.suspect");
    }
    let well_id = if is_named("well_id") { Some(row.parsed::<WellId>("well_id", ID_MEND)?) } else { None };
    let parameter = if is_named("parameter") { Some(row.named("parameter", Parameter::ALL)?) } else { None };
    let value = match row.is_given("value") {
        true => Some(row.number("value", f64::MIN, f64::MAX, "the unit of the limit")?),
        false => None,
    };
    Some(LimitLine { line: line.number, well_id, parameter, limit: row.text("limit_name")?, value })
}
