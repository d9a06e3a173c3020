//! An explanation of a well's month as text.

use std::fmt;

use crate::explain::evidence::{
    Confidence, Explanation, Formula, Indicator, LeftOut, LeftOutReason, MonthDays, Weakness,
};
use crate::explain::limits::Limit;
use crate::explain::words::{ENGLISH, THAI, Words, line};
use crate::monthly::MonthRules;

/// The explanation with headings and verdict in Thai; tables, formulas and reasons are the same.
#[derive(Debug, Clone, Copy)]
pub struct Thai<'a>(&'a Explanation);

impl Explanation {
    pub fn thai(&self) -> Thai<'_> {
        Thai(self)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, &ENGLISH, f)
    }
}

impl fmt::Display for Thai<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, &THAI, f)
    }
}

fn write(found: &Explanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}: {}, {}", words.indicator(found.indicator), found.well, words.month(found.month))?;
    writeln!(f, "{}: {}", words.verdict, words.outcome(&found.outcome, found.basis.n))?;
    heading(words.the_month, f)?;
    write_days(found, f)?;
    if found.indicator == Indicator::PositionIndex {
        write_extent(found, f)?;
    } else {
        writeln!(f, "\n{} (n = {})", words.years, found.basis.n)?;
        write_years(found, words, f)?;
    }
    heading(words.formula, f)?;
    write_lines(&found.formulas, words, f)?;
    heading(words.limits, f)?;
    write_limits(&found.limits, words, f)?;
    heading(words.left_out, f)?;
    write_lines(&found.left_out, words, f)?;
    heading(words.confidence, f)?;
    writeln!(f, "  {}", found.confidence)?;
    let share = |share: Option<f64>| share.map_or("not counted".to_owned(), |share| format!("{:.0} %", share * 100.0));
    let basis = found.basis;
    writeln!(f, "  approved {}, passed all tests {}", share(basis.approved_share), share(basis.quality_share))?;
    heading(words.weaknesses, f)?;
    write_lines(&found.weaknesses, words, f)
}

pub(super) fn heading(heading: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n{heading}")
}

pub(super) fn write_lines<T: fmt::Display>(lines: &[T], words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if lines.is_empty() {
        return writeln!(f, "  {}", words.nothing);
    }
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

fn write_days(found: &Explanation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const A_LINE: usize = 5;
    let MonthDays { listed, counted, needed, dry, first, last } = &found.days;
    let span = match (first, last) {
        (Some(first), Some(last)) => format!(", {} to {}", first.date(), last.date()),
        _ => String::new(),
    };
    writeln!(f, "  days      {counted} of {}{span}; {needed} needed", found.month.days())?;
    let MonthRules { dry_share, sense, dry_level, .. } = found.rules.months;
    let dry_at = dry_level.map_or(String::new(), |level| format!("; a dry day without a value stands for {level}"));
    writeln!(f, "  dry days  {dry}; a month is dry from {:.0} % of its days{dry_at}", dry_share * 100.0)?;
    let state = match (found.dry, found.preliminary) {
        (true, true) => ", dry, not closed",
        (true, false) => ", dry",
        (false, true) => ", not closed",
        (false, false) => "",
    };
    let level = found.level.map_or("none".to_owned(), |level| format!("{level:.9} m, up is wetter"));
    writeln!(f, "  level     {level}{state}")?;
    writeln!(f, "  daily means as measured ({sense:?}), dry days marked *")?;
    for days in listed.chunks(A_LINE) {
        let cells: Vec<String> = days
            .iter()
            .map(|day| {
                let mean = day.mean.map_or("-".to_owned(), |mean| format!("{mean:.4}"));
                let of_month = day.day.0 - day.day.month().first_day().0 + 1;
                format!("{of_month:>2} {mean:>10}{}", if day.is_dry() { "*" } else { " " })
            })
            .collect();
        writeln!(f, "{}", line(&cells, &[14; A_LINE]))?;
    }
    Ok(())
}

fn write_extent(found: &Explanation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(extent) = found.extent else { return Ok(()) };
    writeln!(f, "  lowest    {:.9} m, {}", extent.lowest, extent.lowest_month)?;
    writeln!(f, "  highest   {:.9} m, {}", extent.highest, extent.highest_month)?;
    writeln!(f, "  of        {} closed months", extent.months)
}

fn write_years(found: &Explanation, words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WIDTHS: [i32; 7] = [6, -15, -6, 6, -4, 9, 12];
    writeln!(f, "{}", line(&words.year_columns, &WIDTHS))?;
    for year in &found.group {
        let level = year.level.map_or("dry, unknown".to_owned(), |level| format!("{level:.9}"));
        let state = match (year.preliminary, year.dry) {
            (true, _) => "preliminary",
            (false, true) => "closed, dry",
            (false, false) => "closed",
        };
        let asked = if year.month == found.month { " <" } else { "" };
        let cells = [
            year.month.year().to_string(),
            level,
            format!("{:.1}", year.rank),
            words.yes_or_no(year.tied).to_owned(),
            year.days.to_string(),
            words.yes_or_no(year.in_reference).to_owned(),
            format!("{state}{asked}"),
        ];
        writeln!(f, "{}", line(&cells, &WIDTHS))?;
    }
    Ok(())
}

pub(super) fn write_limits(limits: &[Limit], words: &Words, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WIDTHS: [i32; 6] = [14, -10, 2, -8, 20, 8];
    if limits.is_empty() {
        return writeln!(f, "  {}", words.nothing);
    }
    writeln!(f, "  {}", words.which_decides)?;
    writeln!(f, "{}", line(&words.limit_columns, &WIDTHS))?;
    for limit in limits {
        let decides = if limit.decides { " <" } else { "" };
        let cells = [
            limit.quantity.to_owned(),
            beside(limit.observed, limit.limit),
            limit.relation.to_string(),
            plain(limit.limit),
            limit.gives.to_owned(),
            format!("{}{decides}", words.yes_or_no(limit.met)),
        ];
        writeln!(f, "{}", line(&cells, &WIDTHS))?;
    }
    Ok(())
}

/// With four places; in full where it would look like the limit and is not.
fn beside(observed: f64, limit: f64) -> String {
    let short = plain(observed);
    if observed != limit && short.parse() == Ok(limit) { observed.to_string() } else { short }
}

/// Whole numbers as such, others with four places.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Formula::Rank { below, equal, rank } => {
                write!(f, "rank = below + (equal + 1)/2 = {below} + ({equal} + 1)/2 = {rank}")
            }
            Formula::Hazen { rank, n, p } => write!(f, "p = (rank - 0.5)/n = ({rank} - 0.5)/{n} = {p}"),
            Formula::Sgi { p, sgi } => write!(f, "SGI = inverse normal of p = inverse normal of {p} = {sgi}"),
            Formula::Weibull { rank, n, percentile } => {
                write!(f, "percentile = 100 rank/(n + 1) = 100 * {rank}/({n} + 1) = {percentile}")
            }
            Formula::Position { level, lowest, highest, position } => write!(
                f,
                "position = 100 (level - lowest)/(highest - lowest) = 100 * ({level} - {lowest})/({highest} - {lowest}) = \
                 {position}"
            ),
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.month {
            Some(month) => write!(f, "{month}  {}", self.reason),
            None => write!(f, "the well  {}", self.reason),
        }
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LeftOutReason::FewDays { days, needed } => write!(f, "{days} days with data, {needed} are needed"),
            LeftOutReason::NoDays => f.write_str("no data"),
            LeftOutReason::DryOfUnknownDepth => {
                f.write_str("dry to an unknown depth: ranks below every measured level, no part in extent and trend")
            }
            LeftOutReason::Open => f.write_str("not closed: ranked as if added, no part in the rank of others"),
            LeftOutReason::OutsideBaseline => f.write_str("outside of the baseline: ranked as if added"),
            LeftOutReason::ClosedBank => f.write_str("a closed bank is dry by design and has no standing"),
            LeftOutReason::OpenBank => f.write_str("an open bank that does not stand for its aquifer"),
            LeftOutReason::Influenced => f.write_str("influenced by pumping"),
            LeftOutReason::RecordLadder { n, needed } => {
                write!(f, "{n} years with this calendar month, {needed} are needed for this claim")
            }
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Confidence { n, full_n, halved, value } = *self;
        let half = if halved { ", halved as the month is open," } else { "" };
        write!(f, "smaller of 1 and n/{full_n} = {n}/{full_n}{half} = {value:.2}")
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Weakness::Trend(trend) => write!(
                f,
                "the record has a trend ({}, {:+.3} m a year, p = {:.1e}): ranks of late months tell of it",
                trend.trend.direction,
                trend.slope_per_year,
                trend.trend.p.unwrap_or(f64::NAN)
            ),
            Weakness::TrendUnknown(why) => write!(f, "whether there is a trend cannot be told: {why}"),
            Weakness::ShortRecord { n, full } => write!(f, "{n} years; a climate normal has {full}"),
            Weakness::Provisional { n } => write!(f, "provisional: {n} years"),
            Weakness::Preliminary => f.write_str("the month has not closed: its level may still change"),
            Weakness::SgiBound { n, bound } => write!(f, "{n} years reach no SGI beyond {bound:.2}"),
            Weakness::Tied { others } => write!(f, "same level as {others} other years: the rank is an average"),
            Weakness::OneSided { from, to } => {
                write!(f, "all days lie in one half of the month, {} to {}", from.date(), to.date())
            }
            Weakness::UnknownDepths { months } => write!(f, "{months} dry months of unknown depth in this group"),
            Weakness::BlindToSeason => f.write_str("over the whole series, blind to the season; descriptive only"),
            Weakness::Influenced => f.write_str("the well is influenced by pumping, its levels tell of that as well"),
        }
    }
}
