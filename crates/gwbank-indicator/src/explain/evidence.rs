//! The parts of an explanation of a well's month.

use gwbank_model::{Day, Month, named_enum};

use crate::assessment::{Basis, Why};
use crate::drought::{DroughtJudgement, DroughtRules};
use crate::explain::limits::Limit;
use crate::kind::WellKind;
use crate::monthly::{DayLevel, MonthRules};
use crate::standing::{IpsClass, PercentileClass, SgiClass, StandingRules};
use crate::trend::{TrendRules, WellTrend};

named_enum! {
    /// What can be explained of a well's month.
    Indicator, "indicator" {
        Sgi = 1, "sgi";
        Percentile = 2, "percentile";
        PercentileClass = 3, "percentile_class";
        PositionIndex = 4, "position_index";
        Ips = 5, "ips";
        Drought = 6, "drought";
    }
}

/// All that one number of one well and month is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub well: String,
    pub kind: WellKind,
    pub month: Month,
    pub indicator: Indicator,
    pub outcome: Outcome,
    /// [`Basis::NOTHING`] where the month has no level.
    pub basis: Basis,
    pub days: MonthDays,
    /// Of the month; m, up = wetter. `None` for a month of too few days, and for a dry one of unknown depth.
    pub level: Option<f64>,
    pub dry: bool,
    pub preliminary: bool,
    /// Every year with a level in this calendar month, oldest first.
    pub group: Vec<GroupYear>,
    /// Lowest and highest level of all closed months: what the position index is made of.
    pub extent: Option<Extent>,
    /// With the numbers put in; those of the indicator and of what it is made from.
    pub formulas: Vec<Formula>,
    pub limits: Vec<Limit>,
    pub left_out: Vec<LeftOut>,
    pub confidence: Confidence,
    pub weaknesses: Vec<Weakness>,
    pub rules: WellRules,
}

/// What a month without a level lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lacks {
    /// Days that count, and how many a level needs, of those that the month has.
    pub counted: u32,
    pub needed: u32,
    pub of: u32,
}

impl Explanation {
    /// `None` where the month has a level (or is dry), and where the well would have no standing whatever it measured.
    pub fn lacks(&self) -> Option<Lacks> {
        let MonthDays { counted, needed, .. } = self.days;
        let of = self.month.days();
        (self.outcome == Outcome::None(Why::NoLevel)).then_some(Lacks { counted, needed, of })
    }

    /// Years behind the number; of a month without a level those that it would be ranked among.
    pub fn years_known(&self) -> u32 {
        if self.basis.n > 0 {
            return self.basis.n;
        }
        u32::try_from(self.group.iter().filter(|year| year.in_reference).count()).unwrap_or(u32::MAX)
    }
}

/// The rules that were in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WellRules {
    pub months: MonthRules,
    pub standing: StandingRules,
    pub drought: DroughtRules,
    pub trend: TrendRules,
}

/// The number, with its class where it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    Sgi { value: f64, class: SgiClass },
    Percentile { value: f64, provisional: bool },
    PercentileClass { class: PercentileClass, percentile: f64 },
    PositionIndex { value: f64 },
    Ips { class: IpsClass, sgi: f64 },
    Drought(DroughtJudgement),
    None(Why),
}

impl Outcome {
    /// The number itself, or the one that the class was read from.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Outcome::Sgi { value, .. } | Outcome::Percentile { value, .. } | Outcome::PositionIndex { value } => {
                Some(value)
            }
            Outcome::PercentileClass { percentile, .. } => Some(percentile),
            Outcome::Ips { sgi, .. } => Some(sgi),
            Outcome::Drought(judgement) => Some(judgement.observed),
            Outcome::None(_) => None,
        }
    }

    pub fn class(&self) -> Option<&'static str> {
        match self {
            Outcome::Sgi { class, .. } => Some(class.name()),
            Outcome::PercentileClass { class, .. } => Some(class.name()),
            Outcome::Ips { class, .. } => Some(class.name()),
            Outcome::Drought(judgement) => Some(judgement.entry.name()),
            Outcome::Percentile { .. } | Outcome::PositionIndex { .. } | Outcome::None(_) => None,
        }
    }
}

/// The days of the month.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthDays {
    /// All days with data, in order of time; values in the parameter's own sense.
    pub listed: Vec<DayLevel>,
    /// Those that count: with a value, or dry.
    pub counted: u32,
    pub needed: u32,
    pub dry: u32,
    pub first: Option<Day>,
    pub last: Option<Day>,
}

/// One year of the calendar month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupYear {
    pub month: Month,
    /// `None` for a dry month of unknown depth, which ranks below every measured one.
    pub level: Option<f64>,
    /// Days that made it.
    pub days: u32,
    pub dry: bool,
    /// Among the reference levels; of a year that is not one of them, as if it were added.
    pub rank: f64,
    /// Another reference year has the same level.
    pub tied: bool,
    /// Closed and of the baseline.
    pub in_reference: bool,
    pub preliminary: bool,
}

impl GroupYear {
    pub fn rank_value(&self) -> f64 {
        self.level.unwrap_or(f64::NEG_INFINITY)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    pub lowest: f64,
    pub lowest_month: Month,
    pub highest: f64,
    pub highest_month: Month,
    /// Closed months with a level.
    pub months: u32,
}

/// A formula with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Formula {
    /// below + (equal + 1)/2, the month itself among the equal ones.
    Rank { below: u32, equal: u32, rank: f64 },
    /// (rank − 0.5)/n
    Hazen { rank: f64, n: u32, p: f64 },
    /// Φ⁻¹(p)
    Sgi { p: f64, sgi: f64 },
    /// 100·rank/(n + 1)
    Weibull { rank: f64, n: u32, percentile: f64 },
    /// 100·(level − lowest)/(highest − lowest)
    Position { level: f64, lowest: f64, highest: f64, position: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeftOut {
    /// `None` where the well as a whole is left out.
    pub month: Option<Month>,
    pub reason: LeftOutReason,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LeftOutReason {
    /// Data on too few days.
    FewDays { days: u32, needed: u32 },
    /// Within the record, and not one day of data.
    NoDays,
    /// Dry to an unknown depth: it ranks below every measured level, and it has no part in position index and trend.
    DryOfUnknownDepth,
    /// Not closed: its own rank is told, it has no part in that of others.
    Open,
    /// Closed, but not of the baseline: as an open one.
    OutsideBaseline,
    /// A closed bank is dry by design.
    ClosedBank,
    /// An open bank fills by design; it speaks of drought only where it stands for its aquifer.
    OpenBank,
    /// Influenced by pumping.
    Influenced,
    /// The record allows no such claim.
    RecordLadder { n: u32, needed: u32 },
}

/// How the confidence is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    pub n: u32,
    /// Years that give full confidence.
    pub full_n: u32,
    /// Of an open month half counts.
    pub halved: bool,
    pub value: f64,
}

/// What a reader should know before relying on the number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weakness {
    /// The record has a significant trend: late months look extreme because the level has moved.
    Trend(WellTrend),
    /// Whether there is a trend cannot be told.
    TrendUnknown(Why),
    /// Fewer years than a climate normal.
    ShortRecord {
        n: u32,
        full: u32,
    },
    /// A percentile of n 5–9.
    Provisional {
        n: u32,
    },
    Preliminary,
    /// With n years no SGI lies beyond this.
    SgiBound {
        n: u32,
        bound: f64,
    },
    /// The month shares its level with others, so that its rank is an average.
    Tied {
        others: u32,
    },
    /// All days lie in one half of the month.
    OneSided {
        from: Day,
        to: Day,
    },
    /// Dry months of unknown depth in this calendar month.
    UnknownDepths {
        months: u32,
    },
    /// The position index does not know the season.
    BlindToSeason,
    /// The well is influenced by pumping: its standing tells of pumping as well as of climate.
    Influenced,
}
