//! An explanation of a well's month as text.

use std::fmt;

use crate::explain::evidence::{
    Confidence, Explanation, Formula, Indicator, Lacks, LeftOut, LeftOutReason, MonthDays, Weakness,
};
use crate::explain::language::{Detail, Language, say, shortened};
use crate::explain::limits::Limit;
use crate::explain::number::number;
use crate::explain::words::{Words, line};
use crate::monthly::MonthRules;

/// Months left out of a position index may be hundreds.
const LEFT_OUT_LINES: usize = 24;

impl Explanation {
    pub fn told(&self, language: Language, detail: Detail) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write(self, language, detail, &mut text);
        text
    }
}

/// In English, long lists summed up.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, Language::English, Detail::Summary, f)
    }
}

fn write(found: &Explanation, language: Language, detail: Detail, f: &mut impl fmt::Write) -> fmt::Result {
    let words = Words::of(language);
    writeln!(f, "{}: {}, {}", words.indicator(found.indicator), found.well, words.month(found.month))?;
    let verdict = match found.lacks() {
        Some(lacks) => words.no_number(&lacks.told(language)),
        None => words.outcome(&found.outcome, found.basis.n),
    };
    writeln!(f, "{}: {verdict}", words.verdict)?;
    heading(words.the_month, f)?;
    write_days(found, words, f)?;
    if found.indicator == Indicator::PositionIndex {
        write_extent(found, language, f)?;
    } else {
        let month = words.month(found.month);
        let own = match found.lacks() {
            Some(_) => say!(language, "; {month} has no level, so no rank", " {month}ไม่มีระดับน้ำ จึงไม่มีอันดับ"),
            None => String::new(),
        };
        writeln!(f, "\n{} (n = {}{own})", words.years, found.years_known())?;
        write_years(found, words, f)?;
    }
    heading(words.formula, f)?;
    match found.lacks() {
        Some(lacks) => writeln!(f, "  {}", words.no_number(&lacks.told(language)))?,
        None => write_lines(found.formulas.iter().map(|formula| formula.told(language)).collect(), words, f)?,
    }
    heading(words.limits, f)?;
    write_limits(&found.limits, words, f)?;
    heading(words.left_out, f)?;
    let left_out = found.left_out.iter().map(|left_out| left_out.told(language)).collect();
    write_lines(shortened(left_out, LEFT_OUT_LINES, language, detail), words, f)?;
    heading(words.confidence, f)?;
    match found.lacks() {
        Some(_) => writeln!(f, "  {}", say!(language, "none, as there is no number", "ไม่มี เพราะไม่มีค่า"))?,
        None => {
            writeln!(f, "  {}", found.confidence.told(language))?;
            writeln!(f, "  {}", words.shares(&found.basis))?;
        }
    }
    heading(words.weaknesses, f)?;
    write_lines(found.weaknesses.iter().map(|weakness| weakness.told(language)).collect(), words, f)
}

pub(super) fn heading(heading: &str, f: &mut impl fmt::Write) -> fmt::Result {
    writeln!(f, "\n{heading}")
}

fn write_lines(lines: Vec<String>, words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
    if lines.is_empty() {
        return writeln!(f, "  {}", words.nothing);
    }
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

fn write_days(found: &Explanation, words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
    const A_LINE: usize = 5;
    let language = words.language;
    let MonthDays { listed, counted, needed, dry, first, last } = &found.days;
    let span = match (first, last) {
        (Some(first), Some(last)) => {
            let (first, last) = (first.date(), last.date());
            say!(language, ", {first} to {last}", " {first} ถึง {last}")
        }
        _ => String::new(),
    };
    let of = found.month.days();
    let days = say!(
        language,
        "days      {counted} of {of}{span}; {needed} needed",
        "วัน       {counted} จาก {of}{span} ต้องมี {needed}"
    );
    writeln!(f, "  {days}")?;
    let MonthRules { dry_share, sense, dry_level, .. } = found.rules.months;
    let dry_at = dry_level.map(number).map_or(String::new(), |level| {
        say!(language, "; a dry day without a value stands for {level}", " วันแห้งที่ไม่มีค่านับเป็น {level}")
    });
    let share = format!("{:.0} %", dry_share * 100.0);
    let dry_days = say!(
        language,
        "dry days  {dry}; a month is dry from {share} of its days{dry_at}",
        "วันแห้ง     {dry} เดือนนับว่าแห้งเมื่อวันแห้งถึง {share} ของวัน{dry_at}"
    );
    writeln!(f, "  {dry_days}")?;
    let level = match (found.level, language) {
        (Some(level), Language::English) => format!("{level:.9} m, up is wetter"),
        (Some(level), Language::Thai) => format!("{level:.9} ม. ค่ามากคือน้ำมาก"),
        (None, _) => words.nothing_measured.to_owned(),
    };
    let (dry, open) = (if found.dry { words.dry } else { "" }, if found.preliminary { words.not_closed } else { "" });
    let state: String =
        [dry, open].iter().filter(|state| !state.is_empty()).map(|state| format!(", {state}")).collect();
    writeln!(f, "  {}", say!(language, "level     {level}{state}", "ระดับน้ำ     {level}{state}"))?;
    let sense = words.sense(sense);
    let means = say!(
        language,
        "daily means as measured ({sense}), dry days marked *",
        "ค่าเฉลี่ยรายวันตามที่วัด ({sense}) วันแห้งมีเครื่องหมาย *"
    );
    writeln!(f, "  {means}")?;
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

fn write_extent(found: &Explanation, language: Language, f: &mut impl fmt::Write) -> fmt::Result {
    let Some(extent) = found.extent else { return Ok(()) };
    let (lowest, highest) = (format!("{:.9}", extent.lowest), format!("{:.9}", extent.highest));
    let (lowest_month, highest_month, months) = (extent.lowest_month, extent.highest_month, extent.months);
    for told in [
        say!(language, "lowest    {lowest} m, {lowest_month}", "ต่ำสุด      {lowest} ม. {lowest_month}"),
        say!(language, "highest   {highest} m, {highest_month}", "สูงสุด      {highest} ม. {highest_month}"),
        say!(language, "of        {months} closed months", "จาก       {months} เดือนที่ปิดแล้ว"),
    ] {
        writeln!(f, "  {told}")?;
    }
    Ok(())
}

fn write_years(found: &Explanation, words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
    const WIDTHS: [i32; 7] = [6, -15, -6, 6, -4, 9, 12];
    writeln!(f, "{}", line(&words.year_columns, &WIDTHS))?;
    for year in &found.group {
        let level = year.level.map_or(words.dry_unknown.to_owned(), |level| format!("{level:.9}"));
        let state = match (year.preliminary, year.dry) {
            (true, _) => words.preliminary.to_owned(),
            (false, true) => format!("{}, {}", words.closed, words.dry),
            (false, false) => words.closed.to_owned(),
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

pub(super) fn write_limits(limits: &[Limit], words: &Words, f: &mut impl fmt::Write) -> fmt::Result {
    const WIDTHS: [i32; 6] = [14, -10, 2, -8, 20, 8];
    if limits.is_empty() {
        return writeln!(f, "  {}", words.nothing);
    }
    writeln!(f, "  {}", words.which_decides)?;
    writeln!(f, "{}", line(&words.limit_columns, &WIDTHS))?;
    for limit in limits {
        let decides = if limit.decides { " <" } else { "" };
        let cells = [
            words.term(limit.quantity).to_owned(),
            beside(limit.observed, limit.limit),
            limit.relation.to_string(),
            plain(limit.limit),
            words.term(limit.gives).to_owned(),
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

impl Lacks {
    fn told(self, language: Language) -> String {
        let Lacks { counted, needed, of } = self;
        let more = needed.saturating_sub(counted);
        say!(
            language,
            "the month has no level: {counted} of its {of} days have data that count, {needed} are needed, {more} more",
            "เดือนนี้ไม่มีระดับน้ำ: มีข้อมูลที่ใช้ได้ {counted} จาก {of} วัน ต้องมี {needed} วัน ขาดอีก {more} วัน"
        )
    }
}

impl Formula {
    fn told(&self, language: Language) -> String {
        match *self {
            Formula::Rank { below, equal, rank } => say!(
                language,
                "rank = below + (equal + 1)/2 = {below} + ({equal} + 1)/2 = {rank}",
                "อันดับ = จำนวนที่ต่ำกว่า + (จำนวนที่เท่ากัน + 1)/2 = {below} + ({equal} + 1)/2 = {rank}"
            ),
            Formula::Hazen { rank, n, p } => {
                let p = number(p);
                say!(
                    language,
                    "p = (rank - 0.5)/n = ({rank} - 0.5)/{n} = {p}",
                    "p = (อันดับ - 0.5)/n = ({rank} - 0.5)/{n} = {p}"
                )
            }
            Formula::Sgi { p, sgi } => {
                let (p, sgi) = (number(p), number(sgi));
                say!(
                    language,
                    "SGI = inverse normal of p = inverse normal of {p} = {sgi}",
                    "SGI = ส่วนกลับของการแจกแจงปกติที่ p = ส่วนกลับที่ {p} = {sgi}"
                )
            }
            Formula::Weibull { rank, n, percentile } => {
                let percentile = number(percentile);
                say!(
                    language,
                    "percentile = 100 rank/(n + 1) = 100 * {rank}/({n} + 1) = {percentile}",
                    "เปอร์เซ็นไทล์ = 100 อันดับ/(n + 1) = 100 * {rank}/({n} + 1) = {percentile}"
                )
            }
            Formula::Position { level, lowest, highest, position } => {
                let [level, lowest, highest, position] = [level, lowest, highest, position].map(number);
                say!(
                    language,
                    "position = 100 (level - lowest)/(highest - lowest) = 100 * ({level} - {lowest})/({highest} - {lowest}) = \
                     {position}",
                    "ตำแหน่ง = 100 (ระดับ - ต่ำสุด)/(สูงสุด - ต่ำสุด) = 100 * ({level} - {lowest})/({highest} - {lowest}) = \
                     {position}"
                )
            }
        }
    }
}

impl LeftOut {
    fn told(&self, language: Language) -> String {
        let reason = self.reason.told(language);
        match self.month {
            Some(month) => format!("{month}  {reason}"),
            None => say!(language, "the well  {reason}", "ทั้งบ่อ  {reason}"),
        }
    }
}

impl LeftOutReason {
    pub(super) fn told(&self, language: Language) -> String {
        match *self {
            LeftOutReason::FewDays { days, needed } => {
                say!(language, "{days} days with data, {needed} are needed", "มีข้อมูล {days} วัน ต้องมี {needed} วัน")
            }
            LeftOutReason::NoDays => say!(language, "no data", "ไม่มีข้อมูล"),
            LeftOutReason::DryOfUnknownDepth => say!(
                language,
                "dry to an unknown depth: ranks below every measured level, no part in extent and trend",
                "แห้งโดยไม่ทราบความลึก จัดอันดับต่ำกว่าทุกระดับที่วัดได้ ไม่ใช้กับค่าต่ำสุดสูงสุดและแนวโน้ม"
            ),
            LeftOutReason::Open => say!(
                language,
                "not closed: ranked as if added, no part in the rank of others",
                "เดือนยังไม่ปิด จัดอันดับของตนเองได้ แต่ไม่ใช้จัดอันดับเดือนอื่น"
            ),
            LeftOutReason::OutsideBaseline => say!(
                language,
                "outside of the baseline: ranked as if added",
                "อยู่นอกช่วงอ้างอิง จัดอันดับของตนเองได้ แต่ไม่ใช้จัดอันดับเดือนอื่น"
            ),
            LeftOutReason::ClosedBank => {
                say!(language, "a closed bank is dry by design and has no standing", "บ่อปิดแห้งตามการออกแบบ จึงไม่มีอันดับ")
            }
            LeftOutReason::OpenBank => {
                say!(language, "an open bank that does not stand for its aquifer", "บ่อเปิดที่ไม่ได้เป็นตัวแทนของชั้นน้ำ")
            }
            LeftOutReason::Influenced => say!(language, "influenced by pumping", "ได้รับผลจากการสูบน้ำ"),
            LeftOutReason::RecordLadder { n, needed } => say!(
                language,
                "{n} years with this calendar month, {needed} are needed for this claim",
                "มีเดือนนี้เพียง {n} ปี ต้องมี {needed} ปีจึงบอกค่านี้ได้"
            ),
        }
    }
}

impl Confidence {
    fn told(&self, language: Language) -> String {
        let Confidence { n, full_n, halved, value } = *self;
        let half = match (halved, language) {
            (false, _) => "",
            (true, Language::English) => ", halved as the month is open,",
            (true, Language::Thai) => " หารสองเพราะเดือนยังไม่ปิด",
        };
        say!(
            language,
            "smaller of 1 and n/{full_n} = {n}/{full_n}{half} = {value:.2}",
            "ค่าน้อยกว่าระหว่าง 1 กับ n/{full_n} = {n}/{full_n}{half} = {value:.2}"
        )
    }
}

impl Weakness {
    fn told(&self, language: Language) -> String {
        match *self {
            Weakness::Trend(trend) => {
                let (slope, p) = (trend.slope_per_year, trend.trend.p.unwrap_or(f64::NAN));
                let direction = Words::of(language).term(trend.trend.direction.name());
                say!(
                    language,
                    "the record has a trend ({direction}, {slope:+.3} m a year, p = {p:.1e}): ranks of late months tell of it",
                    "บันทึกมีแนวโน้ม ({direction} {slope:+.3} ม. ต่อปี, p = {p:.1e}) อันดับของเดือนหลัง ๆ จึงมาจากแนวโน้มด้วย"
                )
            }
            Weakness::TrendUnknown(why) => {
                let why = Words::of(language).why(why);
                say!(language, "whether there is a trend cannot be told: {why}", "ยังบอกไม่ได้ว่ามีแนวโน้มหรือไม่: {why}")
            }
            Weakness::ShortRecord { n, full } => {
                say!(language, "{n} years; a climate normal has {full}", "บันทึก {n} ปี ค่าปกติทางภูมิอากาศใช้ {full} ปี")
            }
            Weakness::Provisional { n } => say!(language, "provisional: {n} years", "ค่าชั่วคราว: บันทึก {n} ปี"),
            Weakness::Preliminary => {
                say!(language, "the month has not closed: its level may still change", "เดือนยังไม่ปิด ระดับอาจเปลี่ยนได้")
            }
            Weakness::SgiBound { n, bound } => {
                say!(language, "{n} years reach no SGI beyond {bound:.2}", "บันทึก {n} ปีให้ SGI ไม่เกิน {bound:.2}")
            }
            Weakness::Tied { others } => say!(
                language,
                "same level as {others} other years: the rank is an average",
                "ระดับเท่ากับอีก {others} ปี อันดับจึงเป็นค่าเฉลี่ย"
            ),
            Weakness::OneSided { from, to } => {
                let (from, to) = (from.date(), to.date());
                say!(
                    language,
                    "all days lie in one half of the month, {from} to {to}",
                    "ทุกวันอยู่ในครึ่งเดือนเดียวกัน {from} ถึง {to}"
                )
            }
            Weakness::UnknownDepths { months } => say!(
                language,
                "{months} dry months of unknown depth in this group",
                "มี {months} เดือนที่แห้งโดยไม่ทราบความลึกในกลุ่มนี้"
            ),
            Weakness::BlindToSeason => say!(
                language,
                "over the whole series, blind to the season; descriptive only",
                "เทียบกับทั้งบันทึกโดยไม่แยกฤดู ใช้บรรยายเท่านั้น"
            ),
            Weakness::Influenced => say!(
                language,
                "the well is influenced by pumping, its levels tell of that as well",
                "บ่อได้รับผลจากการสูบน้ำ ระดับน้ำจึงมาจากการสูบด้วย"
            ),
        }
    }
}
