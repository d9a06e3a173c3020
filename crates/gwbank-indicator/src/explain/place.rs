//! The explanation of a place's drought from its wells.

use gwbank_model::Month;
use gwbank_model::condition::Severity;

use crate::assessment::{Assessment, Basis, Why};
use crate::drought::{DroughtClass, DroughtJudgement};
use crate::drought_place::{
    BasedWell, PlaceDrought, PlaceEvidence, PlaceRules, PlaceWell, judge_place, judge_place_with_basis,
};
use crate::explain::evidence::LeftOutReason;
use crate::explain::limits::{Limit, Relation};
use crate::hysteresis::MonthVerdict;
use crate::kind::{Bank, WellKind};

/// A well that lies in the place, whether or not it may speak.
#[derive(Debug, Clone, Copy)]
pub struct PlaceMember<'a> {
    pub name: &'a str,
    /// The part of the place that it lies in.
    pub part: Option<&'a str>,
    pub kind: WellKind,
    /// Of this month; `None` where the month has no level.
    pub judged: Option<&'a Assessment<DroughtJudgement>>,
    pub judged_before: Option<&'a Assessment<DroughtJudgement>>,
    /// The most years that any calendar month of it has.
    pub record_n: u32,
    pub dry: bool,
}

impl<'a> PlaceMember<'a> {
    /// As [`judge_place_with_basis`] takes it; `None` for a well that may not carry drought, which is in no denominator.
    pub fn based_well(&self) -> Option<BasedWell<'a>> {
        self.kind.speaks_of_drought().then(|| BasedWell {
            well: PlaceWell {
                part: self.part,
                class: class_of(self.judged),
                class_before: class_of(self.judged_before),
                record_n: self.record_n,
                dry: self.dry,
            },
            basis: self.judged.map_or(Basis::NOTHING, Assessment::basis),
        })
    }
}

fn class_of(judged: Option<&Assessment<DroughtJudgement>>) -> Option<DroughtClass> {
    judged?.value().filter(|judgement| judgement.counts_for_places).map(|judgement| judgement.entry)
}

/// All that a place's verdict of one month is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceExplanation {
    pub place: String,
    pub month: Month,
    /// Those that count first, then those that do not, each in order of part and name.
    pub wells: Vec<WellLine>,
    pub evidence: PlaceEvidence,
    pub judged: Assessment<MonthVerdict>,
    /// What any judgement takes; the first that is not met is why there is none.
    pub needs: Vec<Limit>,
    /// What each severity takes, worst first.
    pub rules: Vec<PlaceRule>,
    /// What would change the verdict.
    pub changes: Vec<Change>,
    pub place_rules: PlaceRules,
}

/// One well of the place.
#[derive(Debug, Clone, PartialEq)]
pub struct WellLine {
    pub name: String,
    pub part: Option<String>,
    pub class: Option<DroughtClass>,
    pub class_before: Option<DroughtClass>,
    pub record_n: u32,
    pub dry: bool,
    pub basis: Basis,
    pub takes_part: WellPart,
}

/// What part a well has in the verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WellPart {
    /// Counted by its class.
    Counts,
    /// It may carry drought and has no class this month: it lowers coverage.
    WithoutClass(Why),
    /// Its record allows no more than watch: it lowers coverage.
    RecordTooShort { n: u32, needed: u32 },
    /// In no denominator.
    MayNotSpeak(LeftOutReason),
}

/// One severity's rule with what was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaceRule {
    pub severity: Severity,
    /// `false`: the limits of a month that claims the severity. `true`: those that hold it up once it is there.
    pub hold: bool,
    /// Wells at this class or worse are counted.
    pub class: DroughtClass,
    pub wells: u32,
    /// 0 where any number will do.
    pub wells_needed: u32,
    pub share: f64,
    pub share_needed: f64,
    pub met: bool,
}

/// The fewest wells whose change would change what the month claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub wells: u32,
    /// They would have to fall to extreme (`true`), or to recover to no drought.
    pub worse: bool,
    /// What the place would claim then.
    pub to: Option<Severity>,
}

/// All that the drought of one place in one closed month is made of.
///
/// - **Formula, unit, source, limits**: those of [`judge_place`], each listed with what was found.
/// - **Shape**: all wells of the place in any order; those that may not speak are listed with the reason.
/// - **Weak**: what would change the verdict takes the easiest wells, which need not be the likeliest.
///
/// ```
/// use gwbank_indicator::explain::{PlaceMember, explain_place};
/// use gwbank_indicator::{Bank, PlaceRules, WellKind};
/// use gwbank_model::Month;
///
/// let kind = WellKind { bank: Bank::Closed, represents_aquifer: false, influenced: false };
/// let well = PlaceMember { name: "B-1", part: None, kind, judged: None, judged_before: None, record_n: 30, dry: true };
/// let found = explain_place("Nakhon Ratchasima", Month::new(2026, 4), &[well], &PlaceRules::default());
/// assert!(found.judged.value().is_none() && found.evidence.capable == 0);
/// assert!(found.to_string().contains("a closed bank is dry by design"));
/// ```
pub fn explain_place(place: &str, month: Month, members: &[PlaceMember<'_>], rules: &PlaceRules) -> PlaceExplanation {
    let mut wells: Vec<WellLine> = members.iter().map(|member| well_line(member, rules)).collect();
    wells.sort_by(|a, b| {
        let key = |line: &WellLine| line.takes_part.order();
        key(a).cmp(&key(b)).then_with(|| a.part.cmp(&b.part)).then_with(|| a.name.cmp(&b.name))
    });
    let based: Vec<BasedWell<'_>> = members.iter().filter_map(PlaceMember::based_well).collect();
    let PlaceDrought { evidence, judged } = judge_place_with_basis(&based, rules);
    let plain: Vec<PlaceWell<'_>> = based.iter().map(|based| based.well).collect();
    PlaceExplanation {
        place: place.to_owned(),
        month,
        wells,
        needs: needs(&evidence, rules),
        rules: place_rules(&plain, &evidence, rules),
        changes: judged.value().map_or(Vec::new(), |verdict| changes(&plain, verdict.entry, rules)),
        evidence,
        judged,
        place_rules: *rules,
    }
}

impl PlaceExplanation {
    /// The verdict made again from the wells listed here and nothing else.
    pub fn recomputed(&self) -> PlaceDrought {
        let speaks = |line: &&WellLine| !matches!(line.takes_part, WellPart::MayNotSpeak(_));
        let wells: Vec<BasedWell<'_>> = self
            .wells
            .iter()
            .filter(speaks)
            .map(|line| BasedWell {
                well: PlaceWell {
                    part: line.part.as_deref(),
                    class: line.class,
                    class_before: line.class_before,
                    record_n: line.record_n,
                    dry: line.dry,
                },
                basis: line.basis,
            })
            .collect();
        judge_place_with_basis(&wells, &self.place_rules)
    }
}

impl WellPart {
    fn order(&self) -> u8 {
        match self {
            WellPart::Counts => 0,
            WellPart::RecordTooShort { .. } => 1,
            WellPart::WithoutClass(_) => 2,
            WellPart::MayNotSpeak(_) => 3,
        }
    }
}

fn well_line(member: &PlaceMember<'_>, rules: &PlaceRules) -> WellLine {
    let takes_part = match (member.based_well(), member.judged) {
        (None, _) => WellPart::MayNotSpeak(match member.kind {
            WellKind { bank: Bank::Closed, .. } => LeftOutReason::ClosedBank,
            WellKind { influenced: true, .. } => LeftOutReason::Influenced,
            _ => LeftOutReason::OpenBank,
        }),
        (Some(based), _) if based.well.class.is_some() => WellPart::Counts,
        (Some(_), Some(Assessment::Given { basis, .. })) => {
            WellPart::RecordTooShort { n: basis.n, needed: rules.recorded_n }
        }
        (Some(_), Some(Assessment::Insufficient { why, .. })) => WellPart::WithoutClass(*why),
        (Some(_), None) => WellPart::WithoutClass(Why::NoLevel),
    };
    WellLine {
        name: member.name.to_owned(),
        part: member.part.map(str::to_owned),
        class: class_of(member.judged),
        class_before: class_of(member.judged_before),
        record_n: member.record_n,
        dry: member.dry,
        basis: member.judged.map_or(Basis::NOTHING, Assessment::basis),
        takes_part,
    }
}

fn needs(evidence: &PlaceEvidence, rules: &PlaceRules) -> Vec<Limit> {
    let count = |quantity, found: u32, needed: u32| {
        Limit::of(quantity, "judgement", Relation::AtLeast, f64::from(needed), f64::from(found))
    };
    let mut needs = vec![
        count("recorded", evidence.recorded, rules.recorded_min),
        count("eligible", evidence.eligible, rules.eligible_min),
        count("parts", evidence.parts, rules.parts_min),
        Limit::of("coverage", "judgement", Relation::AtLeast, rules.coverage_min, evidence.coverage),
    ];
    if let Some(missed) = needs.iter_mut().find(|need| !need.met) {
        missed.decides = true;
    }
    needs
}

/// Two rows for extreme: of the severe and of the extreme wells; both must be met.
fn place_rules(wells: &[PlaceWell<'_>], evidence: &PlaceEvidence, rules: &PlaceRules) -> Vec<PlaceRule> {
    let held = rules.held_classes(wells);
    let steps = [
        (Severity::Extreme, DroughtClass::Severe, rules.wells_at_class_min, rules.severe_share_severe),
        (Severity::Extreme, DroughtClass::Extreme, rules.wells_extreme_min, rules.extreme_share_extreme),
        (Severity::Severe, DroughtClass::Severe, rules.wells_at_class_min, rules.severe_share_severe),
        (Severity::Warning, DroughtClass::Severe, rules.wells_at_class_min, rules.warning_share_severe),
        (Severity::Watch, DroughtClass::Moderate, rules.wells_at_class_min, rules.watch_share_moderate),
    ];
    let entry = steps.iter().map(|&(severity, class, wells_needed, share_needed)| {
        let wells = match class {
            DroughtClass::Extreme => evidence.extreme,
            DroughtClass::Severe => evidence.severe,
            _ => evidence.moderate,
        };
        let share = evidence.share(wells);
        let met = wells >= wells_needed && share >= share_needed;
        PlaceRule { severity, hold: false, class, wells, wells_needed, share, share_needed, met }
    });
    let hold = steps.iter().map(|&(severity, class, _, share_needed)| {
        let wells = held.iter().filter(|&&held| held >= class).count() as u32;
        let share = if held.is_empty() { 0.0 } else { f64::from(wells) / held.len() as f64 };
        let met = !held.is_empty() && rules.holds(share, share_needed);
        let share_needed = share_needed - rules.exit_share;
        PlaceRule { severity, hold: true, class, wells, wells_needed: 0, share, share_needed, met }
    });
    entry.chain(hold).collect()
}

/// The fewest wells that lead to something worse, and to something milder. Mildest wells worsen the place most and worst
/// ones relieve it most, so taking them in this order finds the fewest; and more of them never do less, so they are found by
/// halving, which a place of ten thousand wells needs.
fn changes(wells: &[PlaceWell<'_>], now: Option<Severity>, rules: &PlaceRules) -> Vec<Change> {
    let mut ascending: Vec<usize> = (0..wells.len()).filter(|&at| wells[at].class.is_some()).collect();
    ascending.sort_by_key(|&at| wells[at].class);
    let entry_with = |changed: &[usize], class: DroughtClass| {
        let mut wells = wells.to_vec();
        changed.iter().for_each(|&at| wells[at].class = Some(class));
        judge_place(&wells, rules).judged.value().and_then(|verdict| verdict.entry)
    };
    let with = |count: usize, worse: bool| {
        if worse {
            entry_with(&ascending[..count], DroughtClass::Extreme)
        } else {
            entry_with(&ascending[ascending.len() - count..], DroughtClass::None)
        }
    };
    let fewest = |worse: bool| {
        let is_changed = |count: usize| if worse { with(count, worse) > now } else { with(count, worse) < now };
        let (mut too_few, mut enough) = (0, ascending.len());
        if !is_changed(enough) {
            return None;
        }
        while too_few + 1 < enough {
            let middle = too_few.midpoint(enough);
            if is_changed(middle) {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        Some(Change { wells: u32::try_from(enough).unwrap_or(u32::MAX), worse, to: with(enough, worse) })
    };
    [true, false].into_iter().filter_map(fewest).collect()
}
