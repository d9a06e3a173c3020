//! `gwbank quality check`, `report` and `limits`.

mod check;
mod limits;
mod report;
mod series;
mod stored_limits;

use crate::arguments::{General, QualityCommand};
use crate::failure::Outcome;

pub fn run(general: &General, command: QualityCommand) -> Outcome {
    match command {
        QualityCommand::Check(asked) => check::run(general, &asked),
        QualityCommand::Report(asked) => report::run(general, &asked),
        QualityCommand::Limits(asked) => stored_limits::run(general, asked),
    }
}
