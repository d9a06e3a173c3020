//! `gwbank review`.

use super::*;

#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// Reviews that hold, the newest first
    List {
        #[arg(long)]
        well: Option<String>,
        #[arg(long, value_parser = parameter)]
        parameter: Option<gwbank_model::Parameter>,
        /// Also those that were withdrawn
        #[arg(long)]
        withdrawn: bool,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// The readings of a stretch are right as they are known now: their approval is `approved`
    ///
    /// What comes into the stretch, is corrected or is judged otherwise later is provisional until somebody looks at it.
    Approve {
        #[command(flatten)]
        stretch: ReviewStretch,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// The readings of a stretch are wrong and cannot be mended: they fail, also those that come later into it
    Reject {
        #[command(flatten)]
        stretch: ReviewStretch,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Puts other values in the place of those of a stretch; the originals stay in reading_revisions
    Correct {
        #[command(flatten)]
        stretch: ReviewStretch,
        #[command(flatten)]
        correction: CorrectionArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Takes a review back; values that it corrected are again what they were
    Withdraw {
        /// As `gwbank review list` names it
        review_id: i64,
        #[command(flatten)]
        why: ReviewReason,
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// Readings of one series.
#[derive(Debug, Args)]
pub struct ReviewStretch {
    #[arg(long)]
    pub well: gwbank_model::WellId,
    #[arg(long, value_parser = parameter)]
    pub parameter: gwbank_model::Parameter,
    /// First instant: 2026-03-01T00:00:00+07:00, or a day; left out is from the beginning
    #[arg(long)]
    pub from: Option<String>,
    /// Last instant; a day is meant whole; left out is open
    #[arg(long)]
    pub to: Option<String>,
    #[command(flatten)]
    pub why: ReviewReason,
}

#[derive(Debug, Args)]
pub struct ReviewReason {
    /// Why, for whoever looks at the readings later
    #[arg(long)]
    pub reason: String,
    /// Who decided; by default who asks. Only an admin may name another
    #[arg(long)]
    pub author: Option<String>,
}

/// In the parameter's unit; depths are positive downwards.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct CorrectionArguments {
    /// Is added to every value
    #[arg(long, allow_negative_numbers = true)]
    pub add: Option<f64>,
    /// Is added at the start and at the end of the stretch, and in proportion to time between: a sensor that drifted
    #[arg(long, num_args = 2, value_names = ["AT_START", "AT_END"], allow_negative_numbers = true)]
    pub drift: Option<Vec<f64>>,
    /// Every value is multiplied by it
    #[arg(long, allow_negative_numbers = true)]
    pub scale: Option<f64>,
    /// Every value becomes it
    #[arg(long, allow_negative_numbers = true)]
    pub value: Option<f64>,
}
