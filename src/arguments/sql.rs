//! `gwbank sql` and `gwbank export`.

use super::*;

#[derive(Debug, Args)]
pub struct SqlArguments {
    /// The statement; - reads it from standard input; left out at a terminal, statements are typed one after the other
    pub statement: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    pub format: SqlFormat,
    /// File to write [default: standard output]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Every table as gwbank knew it at this instant, such as 2026-05-01T00:00:00+07:00
    #[arg(long, value_name = "INSTANT")]
    pub as_known_at: Option<String>,
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

impl SqlFormat {
    pub const fn accept(self) -> &'static str {
        match self {
            SqlFormat::Csv => "text/csv",
            SqlFormat::Json => "application/json",
            SqlFormat::Parquet => "application/vnd.apache.parquet",
            SqlFormat::Table | SqlFormat::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// Whether a terminal cannot show it.
    pub const fn is_binary(self) -> bool {
        matches!(self, SqlFormat::Parquet | SqlFormat::Arrow)
    }
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    #[arg(long, value_enum, default_value = "csv")]
    pub format: ExportFormat,
    /// File to write: it is there when it is whole, and not before [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Id of a well; several times or with commas [default: all wells]
    #[arg(long, value_delimiter = ',')]
    pub well: Vec<String>,
    /// Wells of this province, such as 30; several times or with commas
    #[arg(long, value_delimiter = ',', value_parser = province_code)]
    pub province: Vec<String>,
    /// Wells of this aquifer, as registered
    #[arg(long)]
    pub aquifer: Option<String>,
    /// Several times or with commas [default: all parameters]
    #[arg(long, value_delimiter = ',', value_parser = parameter)]
    pub parameter: Vec<gwbank_model::Parameter>,
    /// Readings from this time on, such as 2026-01-01
    #[arg(long)]
    pub from: Option<String>,
    /// Readings before this time
    #[arg(long)]
    pub to: Option<String>,
    /// Quality flags, such as 1,2 [default: all]
    #[arg(long, value_delimiter = ',')]
    pub quality: Vec<u8>,
    /// Only what a hydrologist has approved
    #[arg(long)]
    pub approved: bool,
    /// Every reading, or a row a day or month of Thailand: mean, lowest, highest, sum and count
    #[arg(long, value_enum, default_value = "raw")]
    pub interval: ExportInterval,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Csv,
    Parquet,
    /// WaterML 2.0 (OGC 10-126r4)
    Waterml,
}

impl ExportFormat {
    /// As the server names it.
    pub const fn name(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::Parquet => "parquet",
            ExportFormat::Waterml => "waterml",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportInterval {
    Raw,
    Daily,
    Monthly,
}

impl ExportInterval {
    pub const fn name(self) -> &'static str {
        match self {
            ExportInterval::Raw => "raw",
            ExportInterval::Daily => "daily",
            ExportInterval::Monthly => "monthly",
        }
    }
}
