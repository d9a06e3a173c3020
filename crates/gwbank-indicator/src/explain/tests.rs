use super::*;
use crate::monthly::{DayLevel, MonthRules, Sense};
use crate::{
    Assessment, Bank, DroughtClass, DroughtRules, PlaceRules, PlaceWell, StandingRules, TrendRules, WellKind, Why,
    judge_place, judge_well, monthly_levels, percentile_weibull, position_index, sgi, standings,
};
use gwbank_model::{Day, Month};
use proptest::prelude::*;

const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };

fn rules(days_min: u32) -> WellRules {
    WellRules {
        months: MonthRules { sense: Sense::Depth, days_min, dry_level: None, dry_share: 0.5 },
        standing: StandingRules::default(),
        drought: DroughtRules::default(),
        trend: TrendRules::default(),
    }
}

/// The first so many days of one April, at one depth.
fn april(year: i32, days: i32, depth: f64) -> Vec<DayLevel> {
    let first = Month::new(year, 4).first_day().0;
    (0..days).map(|day| DayLevel { day: Day(first + day), mean: Some(depth), count: 4, dry_count: 0 }).collect()
}

fn explained(days: &[DayLevel], closed_through: Month, month: Month, indicator: Indicator) -> Explanation {
    let record = WellRecord { name: "W-1", kind: WELL, days, rules: rules(15), closed_through };
    explain_well(&record, month, indicator)
}

#[test]
fn what_was_left_out_is_told_with_its_counts() {
    let mut days = april(2001, 30, 5.0);
    days.extend(april(2002, 14, 6.0));
    days.extend(april(2004, 20, 5.0));
    days.extend(april(2005, 15, 4.0));
    let found = explained(&days, Month::new(2004, 12), Month::new(2004, 4), Indicator::Percentile);
    assert_eq!(found.outcome, Outcome::None(Why::ShortRecord { n: 2, needed: 5 }));
    assert_eq!((found.days.counted, found.days.needed), (20, 15));
    let reasons: Vec<(Option<Month>, LeftOutReason)> =
        found.left_out.iter().map(|left_out| (left_out.month, left_out.reason)).collect();
    assert_eq!(
        reasons,
        vec![
            (None, LeftOutReason::RecordLadder { n: 2, needed: 5 }),
            (Some(Month::new(2002, 4)), LeftOutReason::FewDays { days: 14, needed: 15 }),
            (Some(Month::new(2003, 4)), LeftOutReason::NoDays),
            (Some(Month::new(2005, 4)), LeftOutReason::Open),
        ]
    );
    let deciding: Vec<&Limit> = found.limits.iter().filter(|limit| limit.decides).collect();
    assert_eq!((deciding.len(), deciding[0].gives, deciding[0].observed), (1, "percentile", 2.0));
    assert_eq!(found.group.iter().map(|year| year.tied).collect::<Vec<bool>>(), vec![true, true, false]);
}

#[test]
fn a_month_of_too_few_days_is_explained_by_its_days() {
    let found = explained(&april(2001, 9, 5.0), Month::new(2001, 4), Month::new(2001, 4), Indicator::Sgi);
    assert_eq!(found.outcome, Outcome::None(Why::NoLevel));
    assert_eq!((found.days.counted, found.days.needed, found.level), (9, 15, None));
    assert!(found.to_string().contains("days      9 of 30, 2001-04-01 to 2001-04-09; 15 needed"));
    assert!(found.weaknesses.iter().any(|weakness| matches!(weakness, Weakness::OneSided { .. })));
}

/// Years that are ranked stand below, so "n = 0" would contradict them: what is missing is the month's own level.
#[test]
fn a_month_without_a_level_says_what_it_lacks_and_not_that_there_are_no_years() {
    let mut days: Vec<DayLevel> = (2001..2013).flat_map(|year| april(year, 20, f64::from(year % 5))).collect();
    days.extend(april(2013, 6, 3.0));
    for (year, counted, more) in [(2013, 6, 9), (2015, 0, 15)] {
        let found = explained(&days, Month::new(2015, 12), Month::new(year, 4), Indicator::Percentile);
        let text = found.to_string();
        for part in [
            &format!(
                "Verdict: none: the month has no level: {counted} of its 30 days have data that count, 15 are needed, {more} more"
            ),
            &format!("Years with this calendar month (n = 12; April {year} has no level, so no rank)"),
            "Confidence\n  none, as there is no number\n",
            "12 years; a climate normal has 30",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("0/30") && !text.contains("n = 0"), "{text}");
        let thai = found.told(Language::Thai, Detail::Full);
        assert!(thai.contains(&format!("มีข้อมูลที่ใช้ได้ {counted} จาก 30 วัน")) && !thai.contains("n = 0"), "{thai}");
    }
    // A closed bank has no standing, whatever it measures.
    let kind = WellKind { bank: Bank::Closed, ..WELL };
    let record = WellRecord { name: "W", kind, days: &days, rules: rules(15), closed_through: Month::new(2015, 12) };
    assert_eq!(explain_well(&record, Month::new(2013, 4), Indicator::Percentile).lacks(), None);
}

#[test]
fn what_the_well_is_is_told() {
    let days: Vec<DayLevel> = (1990..2020).flat_map(|year| april(year, 20, f64::from(year % 7))).collect();
    let reason = |kind, indicator| {
        let record = WellRecord { name: "W", kind, days: &days, rules: rules(15), closed_through: Month::new(2020, 1) };
        explain_well(&record, Month::new(2010, 4), indicator).left_out.first().map(|left_out| left_out.reason)
    };
    let closed = WellKind { bank: Bank::Closed, ..WELL };
    assert_eq!(reason(closed, Indicator::Sgi), Some(LeftOutReason::ClosedBank));
    let influenced = WellKind { influenced: true, ..WELL };
    assert_eq!(reason(influenced, Indicator::Drought), Some(LeftOutReason::Influenced));
    assert_eq!(reason(influenced, Indicator::Sgi), None);
    assert_eq!(reason(WellKind { bank: Bank::Open, ..WELL }, Indicator::Drought), Some(LeftOutReason::OpenBank));
}

#[test]
fn a_trend_is_named_as_weakness() {
    let days: Vec<DayLevel> = (1990 * 12..2015 * 12)
        .flat_map(|index| {
            let month = Month::new(1990, 1).plus(index - 1990 * 12);
            let first = month.first_day().0;
            (0..20).map(move |day| DayLevel {
                day: Day(first + day),
                mean: Some(2.0 + 0.01 * f64::from(index - 1990 * 12)),
                count: 1,
                dry_count: 0,
            })
        })
        .collect();
    let found = explained(&days, Month::new(2014, 12), Month::new(2014, 4), Indicator::Sgi);
    assert!(matches!(found.weaknesses[0], Weakness::Trend(trend) if trend.slope_per_year < -0.1));
    assert_eq!(found.outcome.class(), Some("extremely_low"));
}

#[test]
fn the_text_in_full() {
    let days: Vec<DayLevel> = (0..5).flat_map(|year| april(2016 + year, 16, 4.0 + f64::from(year % 3))).collect();
    let found = explained(&days, Month::new(2019, 12), Month::new(2018, 4), Indicator::Percentile);
    let expected = "\
Percentile: W-1, April 2018
Verdict: none: 4 years with this calendar month, 5 are needed

The month
  days      16 of 30, 2018-04-01 to 2018-04-16; 15 needed
  dry days  0; a month is dry from 50 % of its days
  level     -6.000000000 m, up is wetter
  daily means as measured (depth to water), dry days marked *
   1     6.0000    2     6.0000    3     6.0000    4     6.0000    5     6.0000
   6     6.0000    7     6.0000    8     6.0000    9     6.0000   10     6.0000
  11     6.0000   12     6.0000   13     6.0000   14     6.0000   15     6.0000
  16     6.0000

Years with this calendar month (n = 4)
  year            level m    rank  tied    days  reference  state
  2016       -4.000000000     3.5  yes       16  yes        closed
  2017       -5.000000000     2.0  -         16  yes        closed
  2018       -6.000000000     1.0  -         16  yes        closed <
  2019       -4.000000000     3.5  yes       16  yes        closed
  2020       -5.000000000     2.5  yes       16  -          preliminary

Formula with the numbers put in
  rank = below + (equal + 1)/2 = 0 + (1 + 1)/2 = 1
  percentile = 100 rank/(n + 1) = 100 * 1/(4 + 1) = 20

Limits
  read downwards; < is the one that decided
  quantity             found         limit  gives                 met
  n                        4  >=         5  percentile            - <
  n                        4  >=        10  not_provisional       -

Left out
  the well  4 years with this calendar month, 5 are needed for this claim
  2020-04  not closed: ranked as if added, no part in the rank of others

Confidence
  smaller of 1 and n/30 = 4/30 = 0.13
  approved not counted, passed all tests not counted

Known weaknesses
  whether there is a trend cannot be told: a record of 3 years, 10 are needed
  4 years; a climate normal has 30
";
    assert_eq!(found.to_string(), expected);
    let thai = found.told(Language::Thai, Detail::Full);
    assert!(thai.starts_with("เปอร์เซ็นไทล์: W-1, เมษายน 2561\nผลการประเมิน: ยังประเมินไม่ได้"));
    for word in ["ประกาศ", "เตือนภัย", "ภัยพิบัติ"] {
        assert!(!thai.contains(word));
    }
}

/// Days of some Aprils and Mays, with dry days, ties and thin months.
fn any_days() -> impl Strategy<Value = Vec<DayLevel>> {
    let month = (0i32..34, 4u32..6, 1i32..26, -6i32..7, 0i32..30);
    proptest::collection::vec(month, 1..60).prop_map(|months| {
        let mut days: Vec<DayLevel> = months
            .into_iter()
            .flat_map(|(year, month, count, depth, dry)| {
                let first = Month::new(1988 + year, month).first_day().0;
                (0..count).map(move |at| DayLevel {
                    day: Day(first + at),
                    mean: (at >= dry / 2 || dry > 16).then(|| f64::from(depth) / 4.0),
                    count: u32::from(at >= dry / 2 || dry > 16),
                    dry_count: u32::from(dry > 10 && at < dry),
                })
            })
            .collect();
        days.sort_by_key(|day| day.day);
        days.dedup_by_key(|day| day.day);
        days
    })
}

fn any_kind() -> impl Strategy<Value = WellKind> {
    let bank = proptest::sample::select(&[Bank::Observation, Bank::Observation, Bank::Open, Bank::Closed][..]);
    (bank, any::<bool>(), any::<bool>()).prop_map(|(bank, represents_aquifer, influenced)| WellKind {
        bank,
        represents_aquifer,
        influenced,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The listed evidence gives the number again, and the number is that of the library, to the last bit.
    #[test]
    fn the_evidence_gives_the_same_bits(
        days in any_days(),
        kind in any_kind(),
        (year, month, closed) in (0i32..34, 4u32..6, 0i32..34),
        baseline in proptest::option::of((0i32..10, 10i32..34)),
        (days_min, dry_level) in (1u32..16, proptest::option::of(Just(9.0))),
    ) {
        let month = Month::new(1988 + year, month);
        let mut rules = rules(days_min);
        rules.months.dry_level = dry_level;
        rules.standing.baseline = baseline.map(|(from, to)| (Month::new(1988 + from, 1), Month::new(1988 + to, 12)));
        let record = WellRecord { name: "W", kind, days: &days, rules, closed_through: Month::new(1988 + closed, 12) };
        let levels = monthly_levels(&days, &rules.months).levels;
        let all = standings(&levels, record.closed_through, &rules.standing);
        let standing = all.iter().find(|standing| standing.month == month);
        for &indicator in Indicator::ALL {
            let found = explain_well(&record, month, indicator);
            prop_assert_eq!(found.recomputed(), found.outcome);
            let bits = |number: Option<f64>| number.map(f64::to_bits);
            let library = standing.filter(|_| kind.has_standing()).and_then(|standing| match indicator {
                Indicator::Sgi | Indicator::Ips => standing.sgi().value().copied(),
                Indicator::Percentile => standing.percentile().value().copied(),
                Indicator::PercentileClass => standing.percentile_class().value().map(|_| standing.percentile_raw),
                Indicator::PositionIndex => standing.position_index().value().copied(),
                Indicator::Drought => judge_well(kind, standing, &rules.drought).value().map(|found| found.observed),
            });
            prop_assert_eq!(bits(found.outcome.number()), bits(library));
            // What decided has the name of the class (a cap of the record keeps an unmet drought limit out).
            let deciding: Vec<&Limit> = found.limits.iter().filter(|limit| limit.decides).collect();
            prop_assert!(deciding.len() <= 1);
            if let (Some(class), [limit]) = (found.outcome.class(), &deciding[..]) {
                prop_assert!(limit.gives == class || (class == "none" && !limit.met), "{} {}", limit.gives, class);
            }
            // And what a standing drought would be held at is the first of the exit limits that is met.
            if let Outcome::Drought(judgement) = found.outcome
                && judgement.rule != "dry"
            {
                let held = found.limits.iter().find(|limit| limit.met && limit.gives.starts_with("holds_"));
                prop_assert_eq!(held.map_or("none", |limit| &limit.gives[6..]), judgement.hold.name());
            }
            prop_assert_eq!(deciding.is_empty(), found.outcome.number().is_some() && found.outcome.class().is_none()
                || matches!(found.outcome, Outcome::None(_)) && !matches!(found.outcome, Outcome::None(Why::ShortRecord { .. })));
        }
    }

    /// By hand from the printed list: rank among the reference levels, then the plain functions of whole groups.
    #[test]
    fn the_plain_functions_agree(days in any_days(), year in 0i32..34) {
        let month = Month::new(1988 + year, 4);
        let record = WellRecord { name: "W", kind: WELL, days: &days, rules: rules(1), closed_through: Month::new(2030, 1) };
        let found = explain_well(&record, month, Indicator::Sgi);
        let values: Vec<f64> = found.group.iter().map(GroupYear::rank_value).collect();
        if let Some(at) = found.group.iter().position(|year| year.month == month) {
            let Some(&Formula::Sgi { sgi: told, .. }) = found.formulas.last() else { panic!("no formula") };
            prop_assert_eq!(told.to_bits(), sgi(&values)[at].to_bits());
            let found = explain_well(&record, month, Indicator::Percentile);
            let Some(&Formula::Weibull { percentile, .. }) = found.formulas.last() else { panic!("no formula") };
            prop_assert_eq!(percentile.to_bits(), percentile_weibull(&values)[at].to_bits());
            let found = explain_well(&record, month, Indicator::PositionIndex);
            if let (Some(extent), Some(level), Outcome::PositionIndex { value }) = (found.extent, found.level, found.outcome) {
                prop_assert_eq!(Some(value), position_index(level, extent.lowest, extent.highest));
            }
        }
    }
}

/// The last number of the line that begins so.
fn told<'a>(text: &'a str, begins: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.trim_start().starts_with(begins))?;
    line.rsplit(" = ").next()
}

proptest! {
    /// What is printed is enough, too: from the table of years alone, read back as a person would, comes the printed result,
    /// digit for digit.
    #[test]
    fn the_printed_table_gives_the_printed_digits(days in any_days(), (year, closed) in (0i32..34, 0i32..34)) {
        let month = Month::new(1988 + year, 4);
        let record = WellRecord { name: "W", kind: WELL, days: &days, rules: rules(4), closed_through: Month::new(1988 + closed, 12) };
        let sgi_text = explain_well(&record, month, Indicator::Sgi).to_string();
        let percentile_text = explain_well(&record, month, Indicator::Percentile).to_string();
        let (mut own, mut reference) = (None, Vec::new());
        let table = sgi_text.lines().skip_while(|line| !line.starts_with("Years")).skip(2);
        for line in table.take_while(|line| !line.is_empty()) {
            let line = line.replace("dry, unknown", "-inf");
            let cells: Vec<&str> = line.split_whitespace().collect();
            let level: f64 = cells[1].parse().unwrap();
            if cells[5] == "yes" {
                reference.push(level);
            }
            if cells.last() == Some(&"<") {
                own = Some((level, cells[5] == "yes"));
            }
        }
        let Some((level, in_reference)) = own else {
            prop_assert!(sgi_text.contains("none: the month has no level"));
            return Ok(());
        };
        if !in_reference {
            reference.push(level);
        }
        let at = reference.iter().position(|&other| other.to_bits() == level.to_bits()).unwrap();
        prop_assert_eq!(told(&sgi_text, "SGI ="), Some(&*number(sgi(&reference)[at])));
        prop_assert_eq!(told(&percentile_text, "percentile ="), Some(&*number(percentile_weibull(&reference)[at])));
    }
}

/// Latin words of more than three letters: names of indices may stay, no other.
fn foreign_words(thai: &str) -> Vec<String> {
    let latin = thai.split(|c: char| !c.is_ascii_alphabetic());
    latin.filter(|word| word.len() > 3 && !["full"].contains(word)).map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn thai_is_thai(days in any_days(), kind in any_kind(), (year, closed) in (0i32..34, 0i32..34), days_min in 1u32..16) {
        let (month, mut rules) = (Month::new(1988 + year, 4), rules(days_min));
        rules.standing.baseline = (year % 2 == 0).then_some((Month::new(1990, 1), Month::new(2015, 12)));
        let record = WellRecord { name: "W", kind, days: &days, rules, closed_through: Month::new(1988 + closed, 12) };
        for &indicator in Indicator::ALL {
            let told = explain_well(&record, month, indicator).told(Language::Thai, Detail::Full);
            prop_assert_eq!(foreign_words(&told), Vec::<String>::new(), "{}", told);
        }
    }
}

fn judged(n: i32, rank: i32) -> Assessment<crate::DroughtJudgement> {
    let months: Vec<crate::MonthlyLevel> = (0..n)
        .map(|i| {
            let level = if i == n - 1 { f64::from(rank) - 0.5 } else { f64::from(i + 1) };
            crate::MonthlyLevel::of(Month::new(1980 + i, 1), level)
        })
        .collect();
    let all = standings(&months, Month::new(2100, 1), &StandingRules::default());
    judge_well(WELL, all.last().expect("n years"), &DroughtRules::default())
}

#[test]
fn a_place_tells_every_well_and_what_would_change_it() {
    let severe = judged(20, 1);
    let normal = judged(20, 12);
    let short = judged(7, 3);
    let names: Vec<String> = (0..9).map(|i| format!("W-{i}")).collect();
    let members: Vec<PlaceMember<'_>> = names
        .iter()
        .enumerate()
        .map(|(i, name)| PlaceMember {
            name,
            part: Some(["3001", "3002"][i % 2]),
            kind: if i == 8 { WellKind { influenced: true, ..WELL } } else { WELL },
            judged: match i {
                0..2 => Some(&severe),
                2..6 => Some(&normal),
                6 => Some(&short),
                _ => None,
            },
            judged_before: None,
            record_n: if i == 6 { 7 } else { 20 },
            dry: i == 0,
        })
        .collect();
    let found = explain_place("Khon Kaen", Month::new(2026, 4), &members, &PlaceRules::default());
    assert_eq!(found.judged.value().map(|verdict| verdict.entry), Some(None));
    assert_eq!(
        found.changes,
        vec![Change { wells: 1, worse: true, to: Some(gwbank_model::condition::Severity::Severe) }]
    );
    let parts: Vec<WellPart> = found.wells.iter().skip(6).map(|line| line.takes_part).collect();
    assert_eq!(
        parts,
        vec![
            WellPart::RecordTooShort { n: 7, needed: 10 },
            WellPart::WithoutClass(Why::NoLevel),
            WellPart::MayNotSpeak(LeftOutReason::Influenced),
        ]
    );
    assert_eq!(found.recomputed().judged, found.judged);
    let text = found.to_string();
    assert!(text.contains("  1 more wells extremely low: severe\n"), "{text}");
    assert!(text.contains("warning     entry   severe         2    3   33.3 %   30.0 %  -\n"), "{text}");
    let thai = found.told(Language::Thai, Detail::Full);
    assert!(thai.contains("ประเมินแล้ว ไม่ต่ำกว่าปกติ") && !thai.contains("ประกาศ"));
    assert_eq!(foreign_words(&thai.replace("Khon Kaen", "")), Vec::<String>::new(), "{thai}");
}

/// Low ones are as likely as all others together, so that places come to every verdict.
fn any_rank() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), 0i32..30]
}

proptest! {
    /// The listed wells give the verdict again; and a change that is told does change it, and fewer wells do not.
    #[test]
    fn the_wells_give_the_same_verdict(
        wells in proptest::collection::vec((proptest::option::weighted(0.8, (3i32..30, any_rank())), prop_oneof![4 => Just(WELL), 1 => any_kind()], 0usize..3), 0..25),
    ) {
        let judgements: Vec<_> = wells.iter().map(|(record, ..)| record.map(|(n, rank)| judged(n, rank % n + 1))).collect();
        let members: Vec<PlaceMember<'_>> = wells
            .iter()
            .zip(&judgements)
            .map(|((record, kind, part), judged)| PlaceMember {
                name: "W",
                part: Some(["1", "2", "3"][*part]),
                kind: *kind,
                judged: judged.as_ref(),
                judged_before: judged.as_ref().filter(|_| *part > 0),
                record_n: record.map_or(0, |(n, _)| n as u32),
                dry: false,
            })
            .collect();
        let found = explain_place("P", Month::new(2026, 4), &members, &PlaceRules::default());
        let again = found.recomputed();
        prop_assert_eq!(&again.judged, &found.judged);
        prop_assert_eq!(again.evidence, found.evidence);
        prop_assert_eq!(found.judged.value().is_some(), found.needs.iter().all(|need| need.met));
        if let Some(verdict) = found.judged.value() {
            for hold in [false, true] {
                let met = |severity| found.rules.iter().filter(|rule| rule.severity == severity && rule.hold == hold).all(|rule| rule.met);
                let worst = gwbank_model::condition::Severity::ALL.iter().rev().copied().find(|&severity| met(severity));
                prop_assert_eq!(worst, if hold { verdict.hold } else { verdict.entry });
            }
            let mut classes: Vec<DroughtClass> = found.wells.iter().filter_map(|line| line.class.filter(|_| line.takes_part == WellPart::Counts)).collect();
            classes.sort();
            for change in &found.changes {
                // By the counts alone: places of wells of one kind, all else as it is.
                let entry_with = |wells: usize| {
                    let mut changed = classes.clone();
                    if change.worse {
                        changed[..wells].fill(DroughtClass::Extreme);
                    } else {
                        let from = changed.len() - wells;
                        changed[from..].fill(DroughtClass::None);
                    }
                    let wells: Vec<PlaceWell<'_>> = changed
                        .iter()
                        .enumerate()
                        .map(|(at, &class)| PlaceWell { part: Some(["a", "b"][at % 2]), class: Some(class), class_before: None, record_n: 20, dry: false })
                        .collect();
                    judge_place(&wells, &PlaceRules::default()).judged.value().and_then(|verdict| verdict.entry)
                };
                prop_assert_eq!(entry_with(change.wells as usize), change.to);
                for fewer in 0..change.wells as usize {
                    let entry = entry_with(fewer);
                    let is_changed = if change.worse { entry > verdict.entry } else { entry < verdict.entry };
                    prop_assert!(!is_changed);
                }
                let changed = if change.worse { change.to > verdict.entry } else { change.to < verdict.entry };
                prop_assert!(changed);
            }
        }
        prop_assert!(!found.to_string().is_empty() && foreign_words(&found.told(Language::Thai, Detail::Full)).is_empty());
    }
}
