//! `gwbank quality`.

use super::*;

#[derive(Debug, Subcommand)]
pub enum QualityCommand {
    /// Judges the readings of a CSV (well_id, parameter, time, value; an empty value is missing) and writes its rows with a
    /// flag for each test: 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing
    ///
    /// --config names the limits: a CSV with well_id, parameter and fail_min, fail_max, suspect_min, suspect_max,
    /// spike_suspect, spike_fail, roc_suspect_per_s, roc_fail_per_s, flat_suspect_s, flat_fail_s, flat_tolerance, in the unit
    /// of the values; * as well or parameter is every one without a row of its own, an empty limit is none.
    Check(QualityCheckArguments),
    /// What the quality of a well's readings comes to, from the running server
    Report(QualityReportArguments),
    /// The limits of the quality tests: defaults, over them `[quality]` of the configuration, over them those of the table
    #[command(subcommand)]
    Limits(QualityLimitsCommand),
}

#[derive(Debug, Subcommand)]
pub enum QualityLimitsCommand {
    /// One line a limit as it holds; * is every well or parameter
    List {
        /// Of one well, with those of every well
        #[arg(long)]
        well: Option<String>,
        #[arg(long, value_parser = parameter)]
        parameter: Option<gwbank_model::Parameter>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Puts limits into the table; a bad row is named, and nothing of the file is applied. Stored readings are judged anew
    /// where what holds for them has changed
    ///
    /// Columns are well_id, parameter, limit_name and value, as the list has them; an empty well_id or parameter, or *, is
    /// every one. Without a value a limit is taken out of the table. spike.off with 1 takes a test away.
    Import {
        /// .csv
        file: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Takes one limit out of the table, so that the configuration or the default holds again
    Remove {
        /// Such as spike.suspect
        limit_name: String,
        #[arg(long)]
        well: Option<gwbank_model::WellId>,
        #[arg(long, value_parser = parameter)]
        parameter: Option<gwbank_model::Parameter>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

#[derive(Debug, Args)]
pub struct QualityCheckArguments {
    /// CSV or CSV.gz
    pub file: PathBuf,
    /// strict: real time, nothing judged across gaps, a second look at whole series; ioos: the flags of ioos_qc
    #[arg(long, value_enum, default_value = "strict")]
    pub mode: QualityMode,
    /// CSV, or CSV.gz
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QualityMode {
    Ioos,
    Strict,
}

#[derive(Debug, Args)]
pub struct QualityReportArguments {
    /// Id of a well
    #[arg(long)]
    pub well: String,
    /// Only this one
    #[arg(long, value_parser = parameter)]
    pub parameter: Option<gwbank_model::Parameter>,
    /// Readings from this time on, such as 2026-01-01
    #[arg(long)]
    pub from: Option<String>,
    /// Readings before this time
    #[arg(long)]
    pub to: Option<String>,
    #[command(flatten)]
    pub server: ServerArguments,
}
