//! Late, corrected and deleted days taken in one by one leave what a computation from nothing leaves, to the last bit; and a
//! place answers to its wells as it should.
//!
//! No cache is needed for that: a well's standings and judgements are made anew in some tens of microseconds (see the bench
//! `recompute`). What is kept between changes are the monthly levels, of which the touched month alone is made again.

use std::collections::BTreeMap;

use gwbank_indicator::{
    Assessment, Bank, DayLevel, DroughtClass, DroughtEventRules, DroughtJudgement, DroughtRules, MonthRules,
    MonthStanding, Monthly, MonthlyLevel, PlaceDrought, PlaceRules, PlaceWell, Sense, StandingRules, TrendRules,
    WellKind, drought_events, judge_place, judge_well, monthly_levels, standings, well_trend,
};
use gwbank_model::condition::Severity;
use gwbank_model::{Day, Month};
use proptest::prelude::*;

const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };
const RULES: MonthRules = MonthRules { sense: Sense::Depth, days_min: 3, dry_level: None, dry_share: 0.5 };
const CLOSED_THROUGH: Month = Month::new(2024, 6);

/// What happens to one day of one well: it comes (late or again, with another value), or it is taken away.
#[derive(Debug, Clone, Copy)]
struct Event {
    well: usize,
    day: Day,
    level: Option<DayLevel>,
}

/// A well as somebody keeps it who never reads more days than those of the touched month.
#[derive(Debug, Clone, Default)]
struct KeptWell {
    days: BTreeMap<Day, DayLevel>,
    months: BTreeMap<Month, MonthlyLevel>,
    thin: BTreeMap<Month, u32>,
}

impl KeptWell {
    fn take(&mut self, event: &Event) {
        match event.level {
            Some(level) => self.days.insert(event.day, level),
            None => self.days.remove(&event.day),
        };
        let month = event.day.month();
        let of_month: Vec<DayLevel> =
            self.days.range(month.first_day()..month.plus(1).first_day()).map(|(_, day)| *day).collect();
        let made = monthly_levels(&of_month, &RULES);
        self.months.remove(&month);
        self.thin.remove(&month);
        self.months.extend(made.levels.into_iter().map(|level| (level.month, level)));
        self.thin.extend(made.thin);
    }

    fn monthly(&self) -> Monthly {
        let thin = self.thin.iter().map(|(&month, &days)| (month, days)).collect();
        Monthly { levels: self.months.values().copied().collect(), thin }
    }
}

/// All that is made of a well's months, as text: equal doubles have equal texts, and NaN equals itself. The text of a double
/// is the shortest that reads back the same, so equal texts are equal bits.
fn all_of(monthly: &Monthly) -> (Vec<MonthStanding>, String) {
    let found = standings(&monthly.levels, CLOSED_THROUGH, &StandingRules::default());
    let judged: Vec<Assessment<DroughtJudgement>> = judged(&found);
    let trend = well_trend(&monthly.levels, CLOSED_THROUGH, &TrendRules::default());
    let events = drought_events(&monthly.levels, &DroughtEventRules::default());
    let text = format!("{monthly:?} {found:?} {judged:?} {trend:?} {events:?}");
    (found, text)
}

fn judged(found: &[MonthStanding]) -> Vec<Assessment<DroughtJudgement>> {
    found.iter().map(|standing| judge_well(WELL, standing, &DroughtRules::default())).collect()
}

/// The place of all wells in one month.
fn place_of(wells: &[Vec<MonthStanding>], month: Month) -> PlaceDrought {
    let parts = ["1", "2", "3"];
    let class = |found: &[MonthStanding], month: Month| {
        let standing = found.iter().find(|standing| standing.month == month)?;
        let judged = judge_well(WELL, standing, &DroughtRules::default());
        judged.value().filter(|judgement| judgement.counts_for_places).map(|judgement| judgement.entry)
    };
    let place: Vec<PlaceWell<'_>> = wells
        .iter()
        .enumerate()
        .map(|(at, found)| PlaceWell {
            part: Some(parts[at % 3]),
            class: class(found, month),
            class_before: class(found, month.plus(-1)),
            record_n: found.iter().map(|standing| standing.n()).max().unwrap_or(0),
            dry: found.iter().any(|standing| standing.month == month && standing.dry),
        })
        .collect();
    judge_place(&place, &PlaceRules::default())
}

const WELLS: usize = 6;

/// Days of two calendar months of 26 years, so that groups grow long; dry ones among them.
fn any_events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..WELLS, 0i32..26, 5u32..7, 0i32..6, -8i32..8, 0u32..12);
    proptest::collection::vec(event, 1..700).prop_map(|events| {
        let event = |(well, year, month, day, depth, what)| {
            let day = Day(Month::new(2000 + year, month).first_day().0 + day);
            let mean = (what != 1).then(|| f64::from(depth) / 7.0);
            let level = DayLevel { day, mean, count: u32::from(what != 1), dry_count: u32::from(what <= 1) };
            Event { well, day, level: (what != 2).then_some(level) }
        };
        events.into_iter().map(event).collect()
    })
}

/// Six wells of one record each, so that a place can be judged before the first event.
fn base() -> Vec<Event> {
    let mut events = Vec::new();
    for well in 0..WELLS {
        for (year, month) in (0..24).flat_map(|year| [(year, 5), (year, 6)]) {
            for at in 0..4 {
                let day = Day(Month::new(2000 + year, month).first_day().0 + at);
                let mean = Some(f64::from((year * 7 + well as i32 * 3 + at) % 11));
                events.push(Event { well, day, level: Some(DayLevel { day, mean, count: 2, dry_count: 0 }) });
            }
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// One by one in any order that keeps the order of what concerns one day, or all at once from what is left in the end.
    #[test]
    fn taken_in_one_by_one_equals_from_nothing(events in any_events(), keys in proptest::collection::vec(any::<u32>(), 700)) {
        let mut history = base();
        history.extend(events);
        let mut shuffled: Vec<(u32, usize)> =
            history.iter().enumerate().map(|(at, event)| {
                // Days are shuffled against each other; what concerns one day keeps its order.
                (keys[(event.well * 131 + event.day.0 as usize * 7) % keys.len()], at)
            }).collect();
        shuffled.sort_by_key(|&(key, at)| (key, at));

        let mut kept = vec![KeptWell::default(); WELLS];
        history.iter().for_each(|event| kept[event.well].take(event));
        let mut otherwise = vec![KeptWell::default(); WELLS];
        shuffled.iter().map(|&(_, at)| &history[at]).for_each(|event| otherwise[event.well].take(event));

        let mut places: [Vec<Vec<MonthStanding>>; 3] = Default::default();
        for (kept, otherwise) in kept.iter().zip(&otherwise) {
            // From nothing, and with the days in another order.
            let mut days: Vec<DayLevel> = kept.days.values().copied().collect();
            days.sort_by_key(|day| day.day.0.wrapping_mul(0x9e37_79b1u32 as i32));
            let from_nothing = monthly_levels(&days, &RULES);
            let all = [kept.monthly(), otherwise.monthly(), from_nothing].map(|monthly| all_of(&monthly));
            prop_assert_eq!(&all[0].1, &all[2].1);
            prop_assert_eq!(&all[1].1, &all[2].1);
            places.iter_mut().zip(all).for_each(|(place, (found, _))| place.push(found));
        }
        for month in (0..26).flat_map(|year| [Month::new(2000 + year, 5), Month::new(2000 + year, 6)]) {
            let [kept, otherwise, from_nothing] = [&places[0], &places[1], &places[2]].map(|wells| format!("{:?}", place_of(wells, month)));
            prop_assert_eq!(&kept, &from_nothing);
            prop_assert_eq!(&otherwise, &from_nothing);
        }
    }

    /// A lower level of any well never gives a milder verdict of its place, as long as the same wells are eligible: a lower level
    /// moves the months of other years only upwards, and those are not asked.
    #[test]
    fn a_lower_level_never_gives_a_milder_place(
        (which, year, down) in (0usize..7, 12i32..24, 1i32..20),
        records in proptest::collection::vec(proptest::collection::vec(-12i32..12, 24), 7),
    ) {
        let month = Month::new(2000 + year, 5);
        let wells = |lowered: i32| -> Vec<Vec<MonthStanding>> {
            let well = |(at, record): (usize, &Vec<i32>)| {
                let months: Vec<MonthlyLevel> = record
                    .iter()
                    .zip(0..)
                    .flat_map(|(&level, i)| {
                        let in_may = if at == which && i == year { level - lowered } else { level };
                        // Aprils of their own, so that there is a month before to hold a severity.
                        [(4, level * 5 % 13), (5, in_may)]
                            .map(|(month, level)| MonthlyLevel::of(Month::new(2000 + i, month), f64::from(level)))
                    })
                    .collect();
                standings(&months, Month::new(2023, 12), &StandingRules::default())
            };
            records.iter().enumerate().map(well).collect()
        };
        let (before, after) = (place_of(&wells(0), month), place_of(&wells(down), month));
        let (before, after) = (*before.judged.value().expect("judged"), *after.judged.value().expect("judged"));
        prop_assert!(after.entry >= before.entry && after.hold >= before.hold, "{before:?} {after:?}");
    }
}

fn any_place_well() -> impl Strategy<Value = PlaceWell<'static>> {
    use DroughtClass::{Extreme, Moderate, None, Severe, Watch};
    let class = proptest::sample::select(&[None, Watch, Moderate, Severe, Extreme][..]);
    let part = proptest::sample::select(&["1", "1", "2", "3"][..]);
    // Eligible wells have a record; others may have one, too.
    (proptest::option::of(part), proptest::option::weighted(0.6, class), any::<bool>(), 0u32..30, any::<bool>())
        .prop_map(|(part, class, before, years, dry)| PlaceWell {
            part,
            class,
            class_before: class.filter(|_| before),
            record_n: if class.is_some() { years.max(10) } else { years },
            dry,
        })
}

/// What the classes of the eligible wells support, by the plain definition and without any least number of wells, parts or
/// coverage.
fn by_shares_alone(wells: &[PlaceWell<'_>]) -> Option<Severity> {
    let classes: Vec<DroughtClass> = wells.iter().filter_map(|well| well.class).collect();
    let share = |class| classes.iter().filter(|&&c| c >= class).count() as f64 / classes.len().max(1) as f64;
    let (moderate, severe, extreme) =
        (share(DroughtClass::Moderate), share(DroughtClass::Severe), share(DroughtClass::Extreme));
    if severe >= 0.5 && extreme >= 0.3 {
        Some(Severity::Extreme)
    } else if severe >= 0.5 {
        Some(Severity::Severe)
    } else if severe >= 0.3 {
        Some(Severity::Warning)
    } else if moderate >= 0.5 {
        Some(Severity::Watch)
    } else {
        None
    }
}

/// The class that wells must have to count for a severity, and how many must.
fn needed(severity: Severity) -> Vec<(DroughtClass, usize)> {
    match severity {
        Severity::Watch => vec![(DroughtClass::Moderate, 3)],
        Severity::Warning | Severity::Severe => vec![(DroughtClass::Severe, 3)],
        Severity::Extreme => vec![(DroughtClass::Severe, 3), (DroughtClass::Extreme, 2)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// "Adding a well never turns 'not enough data' into a worse class than its data support", which is to say: where wells W
    /// give no judgement and W + w do,
    /// 1. w itself is eligible: a well without a class brings no place out of "not enough";
    /// 2. what is claimed is at most what the shares of W + w support, all eligible wells counted alike;
    /// 3. the wells that it takes are there: all but w itself stood at that class in W already;
    /// 4. and if w is at no such class, W's own shares supported at least that: a mild well never makes a drought.
    #[test]
    fn adding_a_well_claims_no_more_than_the_data_support(
        wells in proptest::collection::vec(any_place_well(), 0..14), added in any_place_well(), at in any::<prop::sample::Index>(),
    ) {
        let before = judge_place(&wells, &PlaceRules::default());
        let mut more = wells.clone();
        more.insert(at.index(wells.len() + 1), added);
        let after = judge_place(&more, &PlaceRules::default());
        let (Some(_), Some(verdict)) = (before.judged.why(), after.judged.value()) else { return Ok(()) };
        prop_assert!(added.class.is_some());
        prop_assert!(verdict.entry <= by_shares_alone(&more));
        let Some(severity) = verdict.entry else { return Ok(()) };
        for (class, count) in needed(severity) {
            let stood = wells.iter().filter(|well| well.class >= Some(class)).count();
            prop_assert!(stood + usize::from(added.class >= Some(class)) >= count);
        }
        let at_some_class = needed(severity).iter().any(|&(class, _)| added.class >= Some(class));
        prop_assert!(at_some_class || by_shares_alone(&wells) >= Some(severity));
    }

    /// Whatever the wells: a judgement claims what its shares support where enough wells stand at the class, never more.
    #[test]
    fn a_place_claims_what_its_shares_support(wells in proptest::collection::vec(any_place_well(), 0..30)) {
        if let Some(verdict) = judge_place(&wells, &PlaceRules::default()).judged.value() {
            let supported = by_shares_alone(&wells);
            prop_assert!(verdict.entry <= supported);
            let enough = supported.is_none_or(|severity| needed(severity).iter().all(|&(class, count)| {
                wells.iter().filter(|well| well.class >= Some(class)).count() >= count
            }));
            prop_assert!(!enough || verdict.entry == supported);
        }
    }
}
