//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gwbank_sim::SimConfig;

use crate::config::{Loaded, Overrides, load};
use crate::failure::{Failure, Outcome};

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
    /// Runs a statement on the running server
    Sql(SqlArguments),
    /// Indicators of a well or a province
    Indicators(IndicatorsArguments),
    /// Condition flags and their evidence
    #[command(subcommand)]
    Flags(FlagsCommand),
    /// Checks disk, journal, archive, server and clock; says what to do
    Doctor(ServerArguments),
    /// Reads a password from standard input and prints its line for the section auth
    HashPassword,
    /// Reads a token from standard input (or makes one) and prints its line for auth.tokens
    HashToken(HashTokenArguments),
}

/// How to reach the running server.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArguments {
    /// Address of the server [default: the one that runs on data_dir]
    #[arg(long, value_name = "URL", env = "GWBANK_SERVER")]
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
}

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// MQTT port; another free one where it is taken
    #[arg(long, default_value_t = 1883)]
    pub mqtt_port: u16,
    /// HTTP port; another free one where it is taken
    #[arg(long, default_value_t = 8080)]
    pub http_port: u16,
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
        /// Province code
        #[arg(long)]
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
pub enum DeadLettersCommand {
    /// One line a reason and subject
    List {
        #[arg(long)]
        gateway: Option<String>,
        /// Such as unknown_well
        #[arg(long)]
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
        gateway: Option<String>,
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

#[derive(Debug, Args)]
pub struct SqlArguments {
    /// The statement; - reads it from standard input
    pub statement: String,
    #[arg(long, value_enum, default_value = "table")]
    pub format: SqlFormat,
    /// File to write [default: standard output]
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SqlFormat {
    Table,
    Csv,
    Json,
    Parquet,
    Arrow,
}

#[derive(Debug, Args)]
pub struct IndicatorsArguments {
    #[arg(long, conflicts_with = "province", required_unless_present = "province")]
    pub well: Option<String>,
    /// Province code
    #[arg(long)]
    pub province: Option<String>,
    /// Only this one, such as sgi
    #[arg(long)]
    pub indicator: Option<String>,
    /// Months from the newest back
    #[arg(long, default_value_t = 24)]
    pub months: usize,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Subcommand)]
pub enum FlagsCommand {
    /// Open condition flags, the worst first
    List {
        /// open, stale, closed or all
        #[arg(long)]
        state: Option<String>,
        /// Province code
        #[arg(long)]
        province: Option<String>,
        #[arg(long)]
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
    /// Notes that somebody has seen it
    Acknowledge {
        id: String,
        /// In whose name
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

#[derive(Debug, Args)]
pub struct HashTokenArguments {
    /// Makes a new random token and prints it too
    #[arg(long)]
    pub new: bool,
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
}
