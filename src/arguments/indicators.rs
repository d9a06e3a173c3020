//! `gwbank indicators` and `gwbank hindcast`.

use super::*;

fn indicator_names() -> impl Iterator<Item = &'static str> {
    gwbank_watch::explained_names().chain(gwbank_watch::place_indicator_names())
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("place").required(true).args(["well", "province"])))]
pub struct IndicatorsArguments {
    /// Id of a well
    #[arg(long)]
    pub well: Option<String>,
    /// Province code, such as 30
    #[arg(long, value_parser = province_code)]
    pub province: Option<String>,
    /// Only this one; with --explain also drought
    #[arg(long, value_parser = PossibleValuesParser::new(indicator_names()))]
    pub indicator: Option<String>,
    /// Months from the newest back
    #[arg(long, default_value_t = 24)]
    pub months: usize,
    /// The whole evidence of one number: what it is made of, formulas, limits, what was left out, and what is missing where
    /// there is none; by default of the drought class
    #[arg(long)]
    pub explain: bool,
    /// Of which month, such as 2026-10; of a fill or a dry spell the month of its period [default: the latest]
    #[arg(long, requires = "explain", value_parser = month)]
    pub month: Option<String>,
    /// In Thai
    #[arg(long, requires = "explain")]
    pub thai: bool,
    /// Every single value; by default long lists are summed up
    #[arg(long, requires = "explain")]
    pub full: bool,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Args)]
pub struct HindcastArguments {
    /// First month that is judged, such as 2001-01
    #[arg(long, value_parser = calendar_month)]
    pub from: Month,
    /// Last month
    #[arg(long, value_parser = calendar_month)]
    pub to: Month,
    /// Only wells of this province, such as 30
    #[arg(long, value_parser = province_code)]
    pub province: Option<String>,
    /// What is replayed
    #[arg(long, value_enum, default_value = "all")]
    pub hazard: HindcastHazard,
    /// Known events to compare with, by flags of places at warning or worse: a CSV with scope, code, hazard, start, end
    /// (months such as 2019-11)
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Every change of a flag, with its evidence, as a CSV
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// When a day was known: when it was measured, for history that was imported; or when its readings were received
    #[arg(long, value_enum, default_value = "measured")]
    pub known: Known,
    /// Normal climates that are simulated, without trend or event, for the rate of flags in them; 0: none
    #[arg(long, default_value_t = 20)]
    pub climates: u32,
    #[command(flatten)]
    pub server: ServerArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HindcastHazard {
    Drought,
    Flood,
    Salinity,
    All,
}

impl HindcastHazard {
    pub fn includes(self, hazard: Hazard) -> bool {
        match self {
            HindcastHazard::Drought => hazard == Hazard::Drought,
            HindcastHazard::Flood => hazard == Hazard::Flood,
            HindcastHazard::Salinity => hazard == Hazard::Salinity,
            HindcastHazard::All => true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Known {
    Measured,
    Received,
}
