//! `gwbank offices`.

use std::path::PathBuf;

use clap::Subcommand;

use super::ServerArguments;

#[derive(Debug, Subcommand)]
pub enum OfficesCommand {
    /// Adds or replaces offices and contacts by their ids; a bad row is named, and nothing of the file is applied
    Import {
        /// .csv, one line a contact
        file: PathBuf,
        /// Offices and contacts that the file does not name are no more
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// One line a contact
    List {
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Everything, with secrets, fit to be imported again
    Export {
        /// File to write [default: standard output]
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Makes a one-time code that links a friend or group of LINE to a contact, when it is sent to the channel
    Invite {
        /// A contact of channel line
        contact: String,
        /// How many days the code is good
        #[arg(long, default_value_t = 7)]
        days: u32,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Sends a message as of a flag that there is not, marked as such, to contacts that take part in drills
    Drill {
        /// exercise or test
        #[arg(long, default_value = "test")]
        kind: String,
        #[arg(long, default_value = "flood")]
        hazard: String,
        #[arg(long, default_value = "severe")]
        severity: String,
        /// DOPA code of a province, district or subdistrict, or a well
        #[arg(long)]
        place: String,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// What became of messages, the newest first
    Deliveries {
        /// Of one condition flag
        #[arg(long)]
        flag: Option<String>,
        /// pending, delivered, dead or expired
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        server: ServerArguments,
    },
}
