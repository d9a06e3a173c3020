//! The command line: here what all commands share and the small ones, beside it the large ones by what they are about.

mod indicators;
mod offices;
mod quality;
mod review;
mod sql;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use gwbank_model::condition::{FlagState, Hazard};
use gwbank_model::{GatewayId, Month};
use gwbank_registry::places;
use gwbank_sim::SimConfig;
use gwbank_wire::Reason;

use crate::config::{Loaded, Overrides, load};
use crate::failure::{Failure, Outcome};

pub use indicators::{HindcastArguments, IndicatorsArguments, Known};
pub use offices::OfficesCommand;
pub use quality::{QualityCheckArguments, QualityCommand, QualityLimitsCommand, QualityMode, QualityReportArguments};
pub use review::{CorrectionArguments, ReviewCommand, ReviewReason, ReviewStretch};
pub use sql::{ExportArguments, ExportFormat, ExportInterval, SqlArguments, SqlFormat};

/// Telemetry ingestion and analytics for groundwater banks.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    pub general: General,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct General {
    /// Configuration file [default: gwbank.toml where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept; overrides data_dir
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Overrides one key of the configuration, such as http.listen=127.0.0.1:9000
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Broker, storage, simulated gateways of all 77 provinces, SQL and flags in one process; nothing to configure
    Demo(DemoArguments),
    /// The server
    Serve(ServeArguments),
    /// Says what is wrong with the configuration, by key and line
    CheckConfig,
    /// Brings the database of archive.kind = "timescale" to the schema that this version needs
    Migrate,
    /// The history of readings as a whole
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Registered wells
    #[command(subcommand)]
    Wells(WellsCommand),
    /// What stood in the wells when
    #[command(subcommand)]
    Installations(InstallationsCommand),
    /// Histories of readings
    #[command(subcommand)]
    Readings(ReadingsCommand),
    /// Publishes simulated gateways to any MQTT broker
    Simulate(SimulateArguments),
    /// Publishes files of readings to any MQTT broker, with the times they have: a server takes those before its
    /// ingest.earliest_time for a lost clock (dead letters `clock`), unless that is ""
    Replay(ReplayArguments),
    /// Shows how a payload would be read: decoder, readings, corrections, faults
    Explain(ExplainArguments),
    /// What could not be stored, and why
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Runs a statement on the running server; without one, at a terminal, a shell
    Sql(SqlArguments),
    /// Readings of a selection as CSV, Parquet or WaterML 2.0
    Export(ExportArguments),
    /// Indicators of a well or a province
    Indicators(IndicatorsArguments),
    /// Condition flags and their evidence
    #[command(subcommand)]
    Flags(FlagsCommand),
    /// Who is told of condition flags, and how
    #[command(subcommand)]
    Offices(OfficesCommand),
    /// A month of a province on two printed pages, Thai and English
    Bulletin(BulletinArguments),
    /// How local administrative organisations keep their wells, for a fiscal year
    Scorecard(ScorecardArguments),
    /// What would have been flagged over past years, with only what was known then: flags a year, how long they stood, how
    /// they flap, how early they came, and how often a normal climate would raise them
    Hindcast(HindcastArguments),
    /// Approve, reject or correct stretches of a series
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Quality tests of readings
    #[command(subcommand)]
    Quality(QualityCommand),
    /// Checks disk, journal, archive, server, external brokers and clocks; says what to do
    Doctor(ServerArguments),
    /// Reads a password from standard input and prints its line for the section auth
    HashPassword(HashPasswordArguments),
    /// Reads a token from standard input (--new makes one) and prints its line for auth.tokens
    HashToken(HashTokenArguments),
}

/// How to reach the running server.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArguments {
    /// Address of the server [default: the one that runs on data_dir]
    #[arg(long, value_name = "URL", env = "GWBANK_SERVER", value_parser = server_address)]
    pub server: Option<String>,
    /// Bearer token [default: the local token of data_dir]
    #[arg(long, value_name = "TOKEN", env = "GWBANK_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Overrides mqtt.listen
    #[arg(long, value_name = "ADDRESS")]
    pub mqtt_listen: Option<String>,
    /// Overrides http.listen
    #[arg(long, value_name = "ADDRESS")]
    pub http_listen: Option<String>,
    /// Overrides postgres_wire.listen
    #[arg(long, value_name = "ADDRESS")]
    pub postgres_listen: Option<String>,
    /// Overrides flight_sql.listen
    #[arg(long, value_name = "ADDRESS")]
    pub flight_listen: Option<String>,
}

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// MQTT port; another free one where it is taken
    #[arg(long, default_value_t = 1883)]
    pub mqtt_port: u16,
    /// HTTP port; another free one where it is taken
    #[arg(long, default_value_t = 8080)]
    pub http_port: u16,
    /// Port for psql and other clients of PostgreSQL; another free one where it is taken
    #[arg(long, default_value_t = 5433)]
    pub postgres_port: u16,
    /// Port for ADBC and other clients of Arrow Flight SQL; another free one where it is taken
    #[arg(long, default_value_t = 50051)]
    pub flight_port: u16,
    /// Same seed, same weather, same readings
    #[arg(long, default_value_t = SimConfig::DEFAULT_SEED)]
    pub seed: u64,
    /// Wells in all provinces together
    #[arg(long, default_value_t = SimConfig::DEFAULT_WELLS)]
    pub wells: usize,
    /// Years of history; droughts need fifteen
    #[arg(long, default_value_t = SimConfig::DEFAULT_YEARS as u32, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub years: u32,
    /// Ends by itself so many seconds after it is ready [default: runs until ctrl-c]
    #[arg(long)]
    pub seconds: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum WellsCommand {
    /// Adds or replaces wells by well_id; a bad row is named, and nothing of the file is applied
    Import {
        /// .csv, .geojson or .json
        file: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// One line a well
    List {
        /// Province code, such as 30
        #[arg(long, value_parser = province_code)]
        province: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Everything that is registered, fit to be imported again
    Export {
        #[arg(long, value_enum, default_value = "csv")]
        format: WellsFormat,
        /// File to write [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum WellsFormat {
    Csv,
    Geojson,
}

#[derive(Debug, Subcommand)]
pub enum InstallationsCommand {
    /// Adds or replaces installations
    Import {
        /// .csv
        file: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// As JSON
    List {
        #[command(flatten)]
        server: ServerArguments,
    },
}

#[derive(Debug, Subcommand)]
pub enum ReadingsCommand {
    /// Brings files of readings in through the same pipeline as live data
    Import {
        /// .csv, .csv.gz or .parquet
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Says how foreign columns, parameters and units become ours
        #[arg(long, value_name = "FILE")]
        map: Option<PathBuf>,
        /// Reads and counts, stores nothing
        #[arg(long)]
        dry_run: bool,
        /// Under which the readings are filed
        #[arg(long, default_value = "import")]
        gateway: String,
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// An MQTT broker and how to come in.
#[derive(Debug, Clone, Args)]
pub struct BrokerArguments {
    /// Broker to publish to
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    pub to: String,
    #[arg(long)]
    pub username: Option<String>,
    #[arg(long, env = "GWBANK_MQTT_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// For mqtts: PEM file of the authorities that are trusted [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SimulateArguments {
    #[command(flatten)]
    pub broker: BrokerArguments,
    #[arg(long, default_value_t = 77)]
    pub gateways: usize,
    #[arg(long, default_value_t = SimConfig::DEFAULT_WELLS)]
    pub wells: usize,
    /// Readings per second in all; 0 is as fast as the broker takes them
    #[arg(long, default_value_t = 1000.0)]
    pub rate: f64,
    #[arg(long, value_enum, default_value = "json")]
    pub payload: Payload,
    /// Readings per message
    #[arg(long, default_value_t = 10)]
    pub batch: usize,
    /// Ends after so many seconds [default: runs until ctrl-c]
    #[arg(long)]
    pub seconds: Option<u64>,
    #[arg(long, default_value_t = SimConfig::DEFAULT_SEED)]
    pub seed: u64,
    /// Only writes the wells of this seed and number, to be registered with `gwbank wells import`
    #[arg(long, value_name = "FILE")]
    pub write_wells: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Payload {
    Json,
    Senml,
}

#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// .csv, .csv.gz or .parquet
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub broker: BrokerArguments,
    /// How many times faster than it was measured; 0 is as fast as the broker takes it
    #[arg(long, default_value_t = 0.0)]
    pub speed: f64,
    /// Says how foreign columns, parameters and units become ours
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Gateway id of the topics
    #[arg(long, default_value = "replay")]
    pub gateway: String,
    /// Readings per message
    #[arg(long, default_value_t = 100)]
    pub batch: usize,
}

#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// File with one payload; - is standard input
    pub file: PathBuf,
    /// Topic on which it would come
    #[arg(long)]
    pub topic: String,
    /// Offset of the gateway's clock, such as +07:00, for times without one [default: as configured]
    #[arg(long)]
    pub clock_zone: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Copies readings and metadata from one kind of archive to the other, while no server runs
    Copy(ArchiveCopy),
}

#[derive(Debug, Args)]
pub struct ArchiveCopy {
    #[arg(long, value_enum)]
    pub from: ArchiveKind,
    #[arg(long, value_enum)]
    pub to: ArchiveKind,
    /// Of the Delta archive [default: data_dir/archive]
    #[arg(long, value_name = "DIR")]
    pub delta_dir: Option<PathBuf>,
    /// Of the other one [default: archive.url]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ArchiveKind {
    Delta,
    Timescale,
}

#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// One line a reason and subject
    List {
        #[arg(long)]
        gateway: Option<GatewayId>,
        /// Such as unknown_well
        #[arg(long, value_parser = reasons(), hide_possible_values = true)]
        reason: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// One entry with its payloads
    Show {
        id: i64,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Sends them through the pipeline again, after the cause is mended; all where nothing is said
    Replay {
        #[arg(long)]
        id: Option<i64>,
        #[arg(long)]
        gateway: Option<GatewayId>,
        /// Such as unknown_well
        #[arg(long, value_parser = reasons(), hide_possible_values = true)]
        reason: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

fn month(text: &str) -> Result<String, String> {
    calendar_month(text).map(|_| text.to_owned())
}

fn calendar_month(text: &str) -> Result<Month, String> {
    Month::parse(text).ok_or_else(|| "write it as 2026-10".to_owned())
}

fn parameter(name: &str) -> Result<gwbank_model::Parameter, String> {
    gwbank_model::Parameter::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = gwbank_model::Parameter::ALL.iter().map(|parameter| parameter.name()).collect();
        format!("unknown; there are {}", known.join(", "))
    })
}

#[derive(Debug, Subcommand)]
pub enum FlagsCommand {
    /// Open condition flags, the worst first
    List {
        /// By default all that are not closed
        #[arg(long, value_parser = flag_states())]
        state: Option<String>,
        /// Province code, such as 30
        #[arg(long, value_parser = province_code)]
        province: Option<String>,
        #[arg(long, value_parser = hazards())]
        hazard: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// One flag with its transitions and their evidence
    Show {
        id: String,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Why it came to be what it is, transition by transition, from the data as known then
    Explain {
        id: String,
        /// In Thai
        #[arg(long)]
        thai: bool,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Notes that somebody has seen it
    Acknowledge {
        id: String,
        /// In whose name
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Keeps a remark on it, also when it is closed
    Comment {
        id: String,
        /// The remark
        text: String,
        /// In whose name
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Takes it back, as it was wrong; it is raised anew when its condition has ended once, or gets worse
    Cancel {
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// In whose name
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Lets the public have its newest CAP document
    Approve {
        id: String,
        #[command(flatten)]
        server: ServerArguments,
    },
}

#[derive(Debug, Args)]
pub struct BulletinArguments {
    /// Province code, such as 30
    #[arg(long, value_parser = province_code)]
    pub province: String,
    /// Such as 2569-10 or 2026-10 [default: the last closed month]
    #[arg(long)]
    pub month: Option<String>,
    /// HTML file to write [default: bulletin-PROVINCE-MONTH.html]; a browser prints it as PDF
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Args)]
pub struct ScorecardArguments {
    /// Such as 2569 or 2026 [default: the present one, up to today]
    #[arg(long, value_name = "YEAR")]
    pub fiscal_year: Option<String>,
    /// Province code, such as 30
    #[arg(long, value_parser = province_code)]
    pub province: Option<String>,
    /// CSV file to write [default: standard output]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Prints the SQL statement that gives it, and not the scorecard
    #[arg(long)]
    pub show_sql: bool,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Args)]
pub struct HashPasswordArguments {
    /// Prints the line for PostgreSQL's clients too, for auth.users
    #[arg(long)]
    pub scram: bool,
}

#[derive(Debug, Args)]
pub struct HashTokenArguments {
    /// Makes a new random token and prints it too
    #[arg(long)]
    pub new: bool,
    /// Prints the line for PostgreSQL's clients too: the entry's name is their user name, the token their password
    #[arg(long)]
    pub scram: bool,
}

impl Arguments {
    /// Whether the process is a server, which tells what it does.
    pub fn serves(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }
}

impl General {
    pub fn overrides(&self) -> Outcome<Overrides> {
        let mut overrides = Overrides::from_environment(self.config.clone());
        let data_dir = self.data_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
        overrides.option("--data-dir", "data_dir", data_dir);
        for assignment in &self.sets {
            overrides.set(assignment).map_err(Failure::usage)?;
        }
        Ok(overrides)
    }

    pub fn load(&self) -> Outcome<Loaded> {
        load_or_explain(&self.overrides()?)
    }
}

fn flag_states() -> PossibleValuesParser {
    PossibleValuesParser::new(FlagState::ALL.iter().map(|state| state.name()).chain(["all"]))
}

fn hazards() -> PossibleValuesParser {
    PossibleValuesParser::new(Hazard::ALL.iter().map(|hazard| hazard.name()))
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(Reason::ALL.iter().map(|reason| reason.name()))
}

fn server_address(text: &str) -> Result<String, &'static str> {
    let is_address = url::Url::parse(text).is_ok_and(|url| url.scheme() == "http" && url.has_host());
    if is_address { Ok(text.to_owned()) } else { Err("write http://host:8080") }
}

/// One of the 77; who writes a name is told its code.
fn province_code(text: &str) -> Result<String, String> {
    if places::province(text).is_some() {
        return Ok(text.to_owned());
    }
    let is_meant = |province: &&places::Province| {
        let names = [province.name_en, province.name_th, &province.iso_code];
        names.iter().any(|name| name.eq_ignore_ascii_case(text))
    };
    Err(match places::provinces().iter().find(is_meant) {
        Some(province) => format!("the code of {} is {}", province.name_en, province.code),
        None => "no province has this code; codes have two digits, such as 30 for Nakhon Ratchasima".to_owned(),
    })
}

/// Loads, or fails with every error on a line of its own.
pub fn load_or_explain(overrides: &Overrides) -> Outcome<Loaded> {
    load(overrides).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::Usage(anyhow::anyhow!("configuration: {}", lines.join("\n        ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    fn refused(arguments: &[&str]) -> String {
        let refused = Arguments::try_parse_from(["gwbank"].iter().chain(arguments)).unwrap_err();
        assert_eq!(refused.exit_code(), 2, "{arguments:?}");
        refused.to_string()
    }

    #[test]
    fn a_choice_that_there_is_not_is_wrong_use_and_names_those_that_there_are() {
        for (arguments, expected) in [
            (vec!["flags", "list", "--state", "bogus"], "[possible values: open, stale, closed, all]"),
            (vec!["flags", "list", "--hazard", "fire"], "[possible values: drought, flood, salinity,"),
            (vec!["flags", "list", "--province", "99"], "codes have two digits, such as 30"),
            (vec!["wells", "list", "--province", "krabi"], "the code of Krabi is 81"),
            (vec!["wells", "list", "--province", "TH-30"], "the code of Nakhon Ratchasima is 30"),
            (vec!["indicators", "--province", "3"], "codes have two digits"),
            (vec!["indicators", "--well", "W-1", "--indicator", "sgl"], "[possible values: sgi, percentile,"),
            (vec!["dead-letters", "list", "--reason", "weather"], "[possible values: unreadable, too_large,"),
            (vec!["dead-letters", "replay", "--gateway", "a/b"], "id contains '/'"),
            (vec!["sql", "SELECT 1", "--server", "127.0.0.1:8080"], "write http://host:8080"),
        ] {
            let said = refused(&arguments);
            assert!(said.contains(expected), "{arguments:?}: {said}");
        }
    }

    #[test]
    fn indicators_are_of_a_well_or_of_a_province() {
        let said = refused(&["indicators"]);
        assert!(said.contains("--well <WELL>") && said.contains("--province <PROVINCE>"), "{said}");
        refused(&["indicators", "--well", "W-1", "--province", "30"]);
    }
}
