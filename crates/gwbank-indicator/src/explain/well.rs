//! The explanation of a well's month from its days.

use gwbank_model::Month;

use crate::assessment::{Assessment, Basis, Why};
use crate::calendar::calendar_index;
use crate::drought::judge_well;
use crate::explain::evidence::{
    Confidence, Explanation, Extent, Formula, GroupYear, Indicator, LeftOut, LeftOutReason, MonthDays, Outcome,
    Weakness, WellRules,
};
use crate::explain::limits::limits;
use crate::kind::{Bank, WellKind};
use crate::monthly::{DailyInput, DayLevel, Monthly, MonthlyLevel, monthly_levels};
use crate::rank::{percentile_of_rank, position_index, sgi_of_rank};
use crate::standing::{MonthStanding, SgiClass, standings};
use crate::trend::{TrendDirection, well_trend};

/// A well as it is known: what it is, its days, and the rules in force.
#[derive(Debug, Clone, Copy)]
pub struct WellRecord<'a, D> {
    pub name: &'a str,
    pub kind: WellKind,
    /// In any order, each day once.
    pub days: &'a [D],
    pub rules: WellRules,
    pub closed_through: Month,
}

/// All that one indicator of one month is made of.
///
/// - **Formula**: that of the indicator ([`sgi`](crate::sgi), [`percentile_weibull`](crate::percentile_weibull),
///   [`position_index`](crate::position_index), [`judge_well`]), with the numbers put in. **Unit**: levels in m, up = wetter.
/// - **Shape**: the days of the whole record, as [`monthly_levels`] takes them. A month without a level is explained too: by the
///   days that it has and those that it needs.
/// - **Source, limits**: those of the functions named; the explanation lists them with what was found.
/// - **Weak**: it explains the number, not the hydrology; whether a neighbour pumps stands in no record of levels.
///
/// ```
/// use gwbank_indicator::explain::{Indicator, Outcome, WellRecord, WellRules, explain_well};
/// use gwbank_indicator::{Bank, DayLevel, DroughtRules, MonthRules, Sense, StandingRules, TrendRules, WellKind};
/// use gwbank_model::Month;
///
/// // One reading by hand every April, a little deeper each year.
/// let days: Vec<DayLevel> = (0..22)
///     .map(|year| DayLevel {
///         day: Month::new(2001 + year, 4).first_day(),
///         mean: Some(5.0 + 0.1 * f64::from(year)),
///         count: 1,
///         dry_count: 0,
///     })
///     .collect();
/// let record = WellRecord {
///     name: "W-12",
///     kind: WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false },
///     days: &days,
///     rules: WellRules {
///         months: MonthRules::golden(Sense::Depth),
///         standing: StandingRules::default(),
///         drought: DroughtRules::default(),
///         trend: TrendRules::default(),
///     },
///     closed_through: Month::new(2022, 4),
/// };
/// let found = explain_well(&record, Month::new(2022, 4), Indicator::Sgi);
/// assert_eq!(found.outcome.class(), Some("extremely_low"));
/// assert_eq!(found.recomputed(), found.outcome, "from the listed evidence alone");
/// let text = found.to_string();
/// assert!(text.contains("p = (rank - 0.5)/n = (1 - 0.5)/22 = 0.02272727273"));
/// ```
pub fn explain_well<D: DailyInput>(record: &WellRecord<'_, D>, month: Month, indicator: Indicator) -> Explanation {
    let &WellRecord { name, kind, days, rules, closed_through } = record;
    let monthly = monthly_levels(days, &rules.months);
    let standings = standings(&monthly.levels, closed_through, &rules.standing);
    let at = monthly.levels.binary_search_by_key(&month, |level| level.month).ok();
    let standing = at.and_then(|at| standings.get(at));
    let level = at.and_then(|at| monthly.levels.get(at));
    let days = month_days(days, month, rules.months.days_min);
    let group = group(&monthly.levels, &standings, month, closed_through, &rules);
    let extent = extent(&monthly.levels, closed_through);
    let outcome = outcome(kind, standing, indicator, &rules);
    let basis = standing.map_or(Basis::NOTHING, |found| found.basis);
    let preliminary = month > closed_through;
    let dry_share = f64::from(days.dry) / f64::from(days.counted.max(1));
    let mut explanation = Explanation {
        well: name.to_owned(),
        kind,
        month,
        indicator,
        outcome,
        basis,
        level: level.and_then(|level| level.level),
        dry: level.is_some_and(|level| level.dry),
        preliminary,
        formulas: standing.map_or(Vec::new(), |found| formulas(indicator, found, &group, extent.as_ref())),
        limits: standing.map_or(Vec::new(), |found| limits(indicator, found, &outcome, dry_share, &rules)),
        left_out: Vec::new(),
        confidence: Confidence {
            n: basis.n,
            full_n: rules.standing.full_confidence_n.max(1),
            halved: preliminary,
            value: basis.confidence,
        },
        weaknesses: Vec::new(),
        days,
        group,
        extent,
        rules,
    };
    explanation.left_out = left_out(&explanation, &monthly);
    explanation.weaknesses = weaknesses(&explanation, &monthly.levels, closed_through);
    explanation
}

impl Explanation {
    /// The outcome made again from what is listed here and nothing else: days, levels of the group, extent, rules.
    pub fn recomputed(&self) -> Outcome {
        let monthly = monthly_levels(&self.days.listed, &self.rules.months);
        let Some(own) = monthly.levels.first() else { return outcome(self.kind, None, self.indicator, &self.rules) };
        let in_reference = self.group.iter().any(|year| year.month == self.month && year.in_reference);
        let reference = self.group.iter().filter(|year| year.in_reference).map(GroupYear::rank_value);
        let (below, equal) = places(own.rank_value(), reference);
        let equal = equal + u32::from(!in_reference);
        let n = self.group.iter().filter(|year| year.in_reference).count() + usize::from(!in_reference);
        let rank = f64::from(2 * below + equal + 1) / 2.0;
        let position_raw = own.level.and_then(|level| {
            let (lowest, highest) = self.extent.map_or((level, level), |extent| (extent.lowest, extent.highest));
            position_index(level, lowest.min(level), highest.max(level))
        });
        let standing = MonthStanding {
            month: self.month,
            level: own.level,
            dry: own.dry,
            preliminary: self.preliminary,
            basis: Basis { n: u32::try_from(n).unwrap_or(u32::MAX), ..self.basis },
            rank,
            sgi_raw: sgi_of_rank(rank, n as f64),
            percentile_raw: percentile_of_rank(rank, n as f64),
            position_raw,
            rules: self.rules.standing,
        };
        outcome(self.kind, Some(&standing), self.indicator, &self.rules)
    }
}

/// How many of the values are below, and how many equal.
fn places(value: f64, others: impl Iterator<Item = f64>) -> (u32, u32) {
    others.fold((0, 0), |(below, equal), other| (below + u32::from(other < value), equal + u32::from(other == value)))
}

fn outcome(kind: WellKind, standing: Option<&MonthStanding>, indicator: Indicator, rules: &WellRules) -> Outcome {
    if !kind.has_standing() {
        return Outcome::None(Why::NotCapable);
    }
    let Some(standing) = standing else { return Outcome::None(Why::NoLevel) };
    let given = |assessment: Assessment<Outcome>| match assessment {
        Assessment::Given { value, .. } => value,
        Assessment::Insufficient { why, .. } => Outcome::None(why),
    };
    match indicator {
        Indicator::Sgi => {
            let class = standing.sgi_class().value().copied().unwrap_or(SgiClass::Normal);
            given(standing.sgi().map(|value| Outcome::Sgi { value, class }))
        }
        Indicator::Percentile => {
            let provisional = standing.percentile_is_provisional();
            given(standing.percentile().map(|value| Outcome::Percentile { value, provisional }))
        }
        Indicator::PercentileClass => {
            let percentile = standing.percentile_raw;
            given(standing.percentile_class().map(|class| Outcome::PercentileClass { class, percentile }))
        }
        Indicator::PositionIndex => given(standing.position_index().map(|value| Outcome::PositionIndex { value })),
        Indicator::Ips => given(standing.ips().map(|class| Outcome::Ips { class, sgi: standing.sgi_raw })),
        Indicator::Drought => given(judge_well(kind, standing, &rules.drought).map(Outcome::Drought)),
    }
}

fn month_days<D: DailyInput>(days: &[D], month: Month, days_min: u32) -> MonthDays {
    let mut listed: Vec<DayLevel> = days.iter().map(DailyInput::level).filter(|day| day.day.month() == month).collect();
    listed.sort_by_key(|day| day.day);
    let counts = |day: &&DayLevel| day.mean.is_some() || day.is_dry();
    let (first, last) = (listed.iter().find(counts), listed.iter().rfind(counts));
    MonthDays {
        counted: listed.iter().filter(counts).count() as u32,
        needed: days_min.max(1),
        dry: listed.iter().filter(|day| day.is_dry()).count() as u32,
        first: first.map(|day| day.day),
        last: last.map(|day| day.day),
        listed,
    }
}

fn group(
    levels: &[MonthlyLevel],
    standings: &[MonthStanding],
    month: Month,
    closed_through: Month,
    rules: &WellRules,
) -> Vec<GroupYear> {
    let baseline = rules.standing.baseline;
    let mut years: Vec<GroupYear> = levels
        .iter()
        .zip(standings)
        .filter(|(level, _)| calendar_index(level.month) == calendar_index(month))
        .map(|(level, standing)| GroupYear {
            month: level.month,
            level: level.level,
            days: level.days,
            dry: level.dry,
            rank: standing.rank,
            tied: false,
            in_reference: !standing.preliminary
                && baseline.is_none_or(|(from, to)| level.month >= from && level.month <= to),
            preliminary: level.month > closed_through,
        })
        .collect();
    for at in 0..years.len() {
        let year = years[at];
        years[at].tied = years
            .iter()
            .any(|other| other.in_reference && other.month != year.month && other.rank_value() == year.rank_value());
    }
    years
}

fn extent(levels: &[MonthlyLevel], closed_through: Month) -> Option<Extent> {
    let closed = levels.iter().filter(|level| level.month <= closed_through);
    closed.filter_map(|level| Some((level.month, level.level?))).fold(None, |extent, (month, level)| {
        let Some(mut extent) = extent else {
            return Some(Extent {
                lowest: level,
                lowest_month: month,
                highest: level,
                highest_month: month,
                months: 1,
            });
        };
        extent.months += 1;
        if level < extent.lowest {
            (extent.lowest, extent.lowest_month) = (level, month);
        }
        if level > extent.highest {
            (extent.highest, extent.highest_month) = (level, month);
        }
        Some(extent)
    })
}

fn formulas(
    indicator: Indicator,
    standing: &MonthStanding,
    group: &[GroupYear],
    extent: Option<&Extent>,
) -> Vec<Formula> {
    let (rank, n) = (standing.rank, standing.n());
    if indicator == Indicator::PositionIndex {
        let position = standing.position_raw.zip(standing.level);
        return extent.zip(position).map_or(Vec::new(), |(extent, (position, level))| {
            vec![Formula::Position {
                level,
                lowest: extent.lowest.min(level),
                highest: extent.highest.max(level),
                position,
            }]
        });
    }
    let value = standing.level.unwrap_or(f64::NEG_INFINITY);
    let others = group.iter().filter(|year| year.in_reference && year.month != standing.month);
    let (below, equal_others) = places(value, others.map(GroupYear::rank_value));
    let rank_of = Formula::Rank { below, equal: equal_others + 1, rank };
    let p = (rank - 0.5) / f64::from(n);
    let by_sgi = [rank_of, Formula::Hazen { rank, n, p }, Formula::Sgi { p, sgi: standing.sgi_raw }];
    let by_percentile = [rank_of, Formula::Weibull { rank, n, percentile: standing.percentile_raw }];
    match indicator {
        Indicator::Sgi | Indicator::Ips => by_sgi.to_vec(),
        Indicator::Drought if standing.sgi().value().is_some() => by_sgi.to_vec(),
        _ => by_percentile.to_vec(),
    }
}

/// What has no part in the number, and why: the well as a whole first, then months in order of time.
fn left_out(found: &Explanation, monthly: &Monthly) -> Vec<LeftOut> {
    let mut left_out: Vec<LeftOut> =
        whole_well(found).map(|reason| LeftOut { month: None, reason }).into_iter().collect();
    let whole_series = found.indicator == Indicator::PositionIndex;
    let is_asked = |month: Month| whole_series || calendar_index(month) == calendar_index(found.month);
    let mut months: Vec<(Month, LeftOutReason)> = Vec::new();
    let needed = found.days.needed;
    months.extend(monthly.thin.iter().map(|&(month, days)| (month, LeftOutReason::FewDays { days, needed })));
    for level in monthly.levels.iter().filter(|level| level.level.is_none()) {
        months.push((level.month, LeftOutReason::DryOfUnknownDepth));
    }
    for year in found.group.iter().filter(|year| !year.in_reference && !whole_series) {
        let reason = if year.preliminary { LeftOutReason::Open } else { LeftOutReason::OutsideBaseline };
        months.push((year.month, reason));
    }
    let known = monthly.levels.iter().map(|level| level.month).chain(monthly.thin.iter().map(|&(month, _)| month));
    let (first, last) = (known.clone().min(), known.clone().max());
    let mut is_known: Vec<Month> = known.collect();
    is_known.sort_unstable();
    if let (Some(first), Some(last)) = (first, last) {
        let within = (first.index()..=last.index()).map(Month::from_index);
        let without_days = within.filter(|month| is_known.binary_search(month).is_err());
        months.extend(without_days.map(|month| (month, LeftOutReason::NoDays)));
    }
    months.retain(|&(month, _)| is_asked(month));
    months.sort_by_key(|&(month, _)| month);
    left_out.extend(months.into_iter().map(|(month, reason)| LeftOut { month: Some(month), reason }));
    left_out
}

fn whole_well(found: &Explanation) -> Option<LeftOutReason> {
    let WellKind { bank, influenced, .. } = found.kind;
    let asks_drought = found.indicator == Indicator::Drought;
    match (found.outcome, bank) {
        (Outcome::None(Why::ShortRecord { n, needed }), _) => Some(LeftOutReason::RecordLadder { n, needed }),
        (Outcome::None(Why::NotCapable), Bank::Closed) => Some(LeftOutReason::ClosedBank),
        (Outcome::None(Why::NotCapable), _) if asks_drought && influenced => Some(LeftOutReason::Influenced),
        (Outcome::None(Why::NotCapable), Bank::Open) => Some(LeftOutReason::OpenBank),
        _ => None,
    }
}

fn weaknesses(found: &Explanation, levels: &[MonthlyLevel], closed_through: Month) -> Vec<Weakness> {
    let mut weaknesses = Vec::new();
    let n = found.years_known();
    let is_position = found.indicator == Indicator::PositionIndex;
    match well_trend(levels, closed_through, &found.rules.trend) {
        Assessment::Given { value, .. } if value.trend.direction != TrendDirection::NoTrend => {
            weaknesses.push(Weakness::Trend(value));
        }
        Assessment::Given { .. } => {}
        Assessment::Insufficient { why, .. } => weaknesses.push(Weakness::TrendUnknown(why)),
    }
    if n < found.confidence.full_n && !is_position {
        weaknesses.push(Weakness::ShortRecord { n, full: found.confidence.full_n });
    }
    match found.outcome {
        Outcome::Percentile { provisional: true, .. } => weaknesses.push(Weakness::Provisional { n }),
        Outcome::Drought(judgement) if !judgement.counts_for_places => weaknesses.push(Weakness::Provisional { n }),
        Outcome::PositionIndex { .. } => weaknesses.push(Weakness::BlindToSeason),
        _ => {}
    }
    if found.preliminary {
        weaknesses.push(Weakness::Preliminary);
    }
    if found.formulas.iter().any(|formula| matches!(formula, Formula::Sgi { .. })) {
        weaknesses.push(Weakness::SgiBound { n, bound: sgi_of_rank(1.0, f64::from(n)) });
    }
    let own = found.group.iter().find(|year| year.month == found.month);
    if let Some(own) = own.filter(|own| own.tied && !is_position) {
        let others = found.group.iter().filter(|year| year.in_reference && year.month != own.month);
        let others = others.filter(|year| year.rank_value() == own.rank_value()).count() as u32;
        weaknesses.push(Weakness::Tied { others });
    }
    if let (Some(from), Some(to)) = (found.days.first, found.days.last)
        && found.days.needed > 1
    {
        let middle = found.month.first_day().0 + 15;
        if to.0 < middle || from.0 >= middle {
            weaknesses.push(Weakness::OneSided { from, to });
        }
    }
    let unknown = found.group.iter().filter(|year| year.level.is_none()).count() as u32;
    if unknown > 0 {
        weaknesses.push(Weakness::UnknownDepths { months: unknown });
    }
    if found.kind.influenced {
        weaknesses.push(Weakness::Influenced);
    }
    weaknesses
}
