//! `gwbank quality check` and `gwbank quality report`.

mod check;
mod limits;
mod report;
mod series;

use crate::arguments::{General, QualityCommand};
use crate::failure::Outcome;

pub fn run(general: &General, command: QualityCommand) -> Outcome {
    match command {
        QualityCommand::Check(asked) => check::run(general, &asked),
        QualityCommand::Report(asked) => report::run(general, &asked),
    }
}
