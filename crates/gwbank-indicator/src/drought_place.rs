//! Drought of a place (subdistrict, LAO, district, province, aquifer) from its wells.
//!
//! # Rules
//! 1. A judgement needs at least 5 eligible wells in at least 2 parts of the place (districts of a province,
//!    subdistricts of a district) and 30 % coverage. Eligible: may carry the hazard, has a closed month, n ≥ 10.
//!    Coverage counts only wells that may carry the hazard.
//! 2. watch: ≥ 50 % moderate or worse; warning: ≥ 30 % severe or worse; severe: ≥ 50 % severe or worse;
//!    extreme: ≥ 50 % severe or worse and ≥ 30 % extreme. Each with ≥ 3 wells at the class, ≥ 2 for the extreme part.
//! 3. A severity is held while its shares lie above entry − 10 points over the wells eligible in this month and in the
//!    one before, so that a change of wells neither raises nor clears.
//! 4. A well that joins a place without a judgement never makes it claim more than the shares of all its eligible wells support,
//!    and one that is at no such class itself never makes it claim anything that the others' shares did not (`tests/recompute.rs`
//!    says it in full). A lower level of a well never gives a milder verdict while the same wells are eligible.

use std::collections::BTreeSet;

use gwbank_model::condition::Severity;

use crate::assessment::{Assessment, Basis, Why};
use crate::drought::DroughtClass;
use crate::hysteresis::MonthVerdict;
use crate::monthly::mean_in_order_of_size;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaceRules {
    pub eligible_min: u32,
    pub parts_min: u32,
    pub coverage_min: f64,
    /// Below so many wells of n ≥ 10 the record of the place is called short.
    pub recorded_min: u32,
    pub wells_at_class_min: u32,
    pub wells_extreme_min: u32,
    pub watch_share_moderate: f64,
    pub warning_share_severe: f64,
    pub severe_share_severe: f64,
    pub extreme_share_extreme: f64,
    /// How far below its entry share a severity is still held.
    pub exit_share: f64,
    pub recorded_n: u32,
    pub full_confidence_n: u32,
}

impl Default for PlaceRules {
    fn default() -> Self {
        Self {
            eligible_min: 5,
            parts_min: 2,
            coverage_min: 0.30,
            recorded_min: 3,
            wells_at_class_min: 3,
            wells_extreme_min: 2,
            watch_share_moderate: 0.50,
            warning_share_severe: 0.30,
            severe_share_severe: 0.50,
            extreme_share_extreme: 0.30,
            exit_share: 0.10,
            recorded_n: 10,
            full_confidence_n: 30,
        }
    }
}

/// One well that may carry drought, in one closed month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaceWell<'a> {
    /// The part of the place that it lies in; `None` counts as no part.
    pub part: Option<&'a str>,
    /// Its class in this month and in the one before, where it was eligible.
    pub class: Option<DroughtClass>,
    pub class_before: Option<DroughtClass>,
    /// The most years that any calendar month of it has.
    pub record_n: u32,
    pub dry: bool,
}

/// A well of a place together with what its own judgement rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BasedWell<'a> {
    pub well: PlaceWell<'a>,
    /// Of its month ([`judge_well`](crate::judge_well)'s); [`Basis::NOTHING`] where it has none.
    pub basis: Basis,
}

/// What a judgement rests on, for the flag's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlaceEvidence {
    /// Wells that may carry the hazard.
    pub capable: u32,
    /// Wells with n ≥ 10.
    pub recorded: u32,
    pub eligible: u32,
    pub parts: u32,
    pub coverage: f64,
    /// Eligible wells at this class or worse.
    pub moderate: u32,
    pub severe: u32,
    pub extreme: u32,
    /// Dry wells, eligible or not.
    pub dry: u32,
}

impl PlaceEvidence {
    pub fn share(&self, wells: u32) -> f64 {
        if self.eligible == 0 { 0.0 } else { f64::from(wells) / f64::from(self.eligible) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PlaceDrought {
    pub evidence: PlaceEvidence,
    pub judged: Assessment<MonthVerdict>,
}

/// Judges one closed month of a place from its wells.
///
/// - **Formula**: shares of the eligible wells by class against the limits at the head of this module. **Unit**: shares from
///   0 to 1. **Shape**: the wells that may carry drought, in any order; those without a class count for coverage alone.
/// - **Source, limits**: none; they are this project's, all in [`PlaceRules`]. The median n of the eligible wells, over 30 and
///   times coverage, is the confidence.
/// - **Weak**: every well counts as one, whatever area it stands for, so a dense cluster outweighs a lone well (the least number of
///   parts is the only remedy); classes of unlike records (n = 10 and n = 40) count alike.
///
/// ```
/// use gwbank_indicator::{DroughtClass, PlaceRules, PlaceWell, judge_place};
/// use gwbank_model::condition::Severity;
///
/// let well = |part, class| PlaceWell { part: Some(part), class, class_before: class, record_n: 24, dry: false };
/// let (low, normal) = (Some(DroughtClass::Severe), Some(DroughtClass::None));
/// let wells = [well("3001", low), well("3001", low), well("3002", low), well("3002", normal), well("3002", normal)];
/// let found = judge_place(&wells, &PlaceRules::default());
/// assert_eq!(found.judged.value().unwrap().entry, Some(Severity::Severe), "three of five are severely low");
/// assert!(judge_place(&wells[..4], &PlaceRules::default()).judged.value().is_none(), "not enough is not normal");
/// ```
pub fn judge_place(wells: &[PlaceWell<'_>], rules: &PlaceRules) -> PlaceDrought {
    let evidence = gather(wells, rules);
    let mut lengths: Vec<u32> = wells.iter().filter(|w| w.class.is_some()).map(|w| w.record_n).collect();
    lengths.sort_unstable();
    let median_n = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let length_share = (f64::from(median_n) / f64::from(rules.full_confidence_n.max(1))).min(1.0);
    let basis = Basis {
        n: evidence.eligible,
        years: f64::from(median_n),
        confidence: evidence.coverage * length_share,
        ..Basis::NOTHING
    };

    let judged = match shortfall(&evidence, rules) {
        Some(why) => Assessment::Insufficient { why, basis },
        None => Assessment::Given {
            value: MonthVerdict { entry: entry(&evidence, rules), hold: hold(wells, rules) },
            basis,
        },
    };
    PlaceDrought { evidence, judged }
}

/// As [`judge_place`], and its [`Basis`] tells the share of approved and of good values, too.
///
/// - **Formula**: mean over the eligible wells of their own shares, as each has one vote; wells whose values nobody counted
///   are left out, and where all are so there is no share.
/// - **Unit**: from 0 to 1. **Shape, source, limits**: as [`judge_place`].
/// - **Weak**: a well with ten readings weighs as much in it as one with ten thousand.
///
/// ```
/// use gwbank_indicator::{BasedWell, Basis, DroughtClass, PlaceRules, PlaceWell, judge_place_with_basis};
///
/// let class = Some(DroughtClass::None);
/// let well = PlaceWell { part: Some("3001"), class, class_before: class, record_n: 24, dry: false };
/// let approved = |share| BasedWell { well, basis: Basis { approved_share: share, ..Basis::NOTHING } };
/// let found = judge_place_with_basis(&[approved(Some(1.0)), approved(Some(0.5)), approved(None)], &PlaceRules::default());
/// assert_eq!(found.judged.basis().approved_share, Some(0.75));
/// assert_eq!(found.judged.basis().quality_share, None, "nobody counted them");
/// ```
pub fn judge_place_with_basis(wells: &[BasedWell<'_>], rules: &PlaceRules) -> PlaceDrought {
    let plain: Vec<PlaceWell<'_>> = wells.iter().map(|based| based.well).collect();
    let PlaceDrought { evidence, judged } = judge_place(&plain, rules);
    let share = |of: fn(&Basis) -> Option<f64>| {
        let eligible = wells.iter().filter(|based| based.well.class.is_some());
        mean_in_order_of_size(&mut eligible.filter_map(|based| of(&based.basis)).collect::<Vec<f64>>())
    };
    let (approved_share, quality_share) = (share(|basis| basis.approved_share), share(|basis| basis.quality_share));
    let judged = match judged {
        Assessment::Given { value, basis } => {
            Assessment::Given { value, basis: Basis { approved_share, quality_share, ..basis } }
        }
        Assessment::Insufficient { why, basis } => {
            Assessment::Insufficient { why, basis: Basis { approved_share, quality_share, ..basis } }
        }
    };
    PlaceDrought { evidence, judged }
}

fn gather(wells: &[PlaceWell<'_>], rules: &PlaceRules) -> PlaceEvidence {
    let mut evidence = PlaceEvidence::default();
    let mut parts = BTreeSet::new();
    for well in wells {
        evidence.capable += 1;
        evidence.recorded += u32::from(well.record_n >= rules.recorded_n);
        evidence.dry += u32::from(well.dry);
        if let Some(class) = well.class {
            evidence.eligible += 1;
            parts.extend(well.part);
            evidence.moderate += u32::from(class >= DroughtClass::Moderate);
            evidence.severe += u32::from(class >= DroughtClass::Severe);
            evidence.extreme += u32::from(class >= DroughtClass::Extreme);
        }
    }
    evidence.parts = parts.len() as u32;
    evidence.coverage =
        if evidence.capable == 0 { 0.0 } else { f64::from(evidence.eligible) / f64::from(evidence.capable) };
    evidence
}

fn shortfall(evidence: &PlaceEvidence, rules: &PlaceRules) -> Option<Why> {
    if evidence.recorded < rules.recorded_min {
        return Some(Why::PlaceRecordShort { wells: evidence.recorded, needed: rules.recorded_min });
    }
    if evidence.eligible < rules.eligible_min {
        return Some(Why::FewWells { wells: evidence.eligible, needed: rules.eligible_min });
    }
    if evidence.parts < rules.parts_min {
        return Some(Why::FewParts { parts: evidence.parts, needed: rules.parts_min });
    }
    if evidence.coverage < rules.coverage_min {
        return Some(Why::LowCoverage { coverage: evidence.coverage, needed: rules.coverage_min });
    }
    None
}

fn entry(evidence: &PlaceEvidence, rules: &PlaceRules) -> Option<Severity> {
    let severe_share = evidence.share(evidence.severe);
    let enough_severe = evidence.severe >= rules.wells_at_class_min;
    let mostly_severe = enough_severe && severe_share >= rules.severe_share_severe;
    if mostly_severe
        && evidence.extreme >= rules.wells_extreme_min
        && evidence.share(evidence.extreme) >= rules.extreme_share_extreme
    {
        Some(Severity::Extreme)
    } else if mostly_severe {
        Some(Severity::Severe)
    } else if enough_severe && severe_share >= rules.warning_share_severe {
        Some(Severity::Warning)
    } else if evidence.moderate >= rules.wells_at_class_min
        && evidence.share(evidence.moderate) >= rules.watch_share_moderate
    {
        Some(Severity::Watch)
    } else {
        None
    }
}

/// The severity whose shares, lowered by the exit margin, still stand over the wells eligible in both months. Where too
/// few are, over those of this month.
fn hold(wells: &[PlaceWell<'_>], rules: &PlaceRules) -> Option<Severity> {
    let classes = rules.held_classes(wells);
    if classes.is_empty() {
        return None;
    }
    let at_class = |class: DroughtClass, limit: f64| {
        let share = classes.iter().filter(|&&c| c >= class).count() as f64 / classes.len() as f64;
        rules.holds(share, limit)
    };
    let mostly_severe = at_class(DroughtClass::Severe, rules.severe_share_severe);
    if mostly_severe && at_class(DroughtClass::Extreme, rules.extreme_share_extreme) {
        Some(Severity::Extreme)
    } else if mostly_severe {
        Some(Severity::Severe)
    } else if at_class(DroughtClass::Severe, rules.warning_share_severe) {
        Some(Severity::Warning)
    } else if at_class(DroughtClass::Moderate, rules.watch_share_moderate) {
        Some(Severity::Watch)
    } else {
        None
    }
}

impl PlaceRules {
    /// Classes of the wells eligible in both months; where too few are, of those eligible in this one.
    pub(crate) fn held_classes(&self, wells: &[PlaceWell<'_>]) -> Vec<DroughtClass> {
        let in_both: Vec<DroughtClass> =
            wells.iter().filter(|w| w.class_before.is_some()).filter_map(|w| w.class).collect();
        if in_both.len() >= self.eligible_min as usize {
            in_both
        } else {
            wells.iter().filter_map(|w| w.class).collect()
        }
    }

    /// Whether a share holds up what was entered at `limit`. 0.4 + 0.1 must reach 0.5.
    pub(crate) fn holds(&self, share: f64, limit: f64) -> bool {
        share + self.exit_share >= limit - 1e-9
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DroughtClass as C;
    use proptest::prelude::*;

    const PARTS: [&str; 3] = ["3001", "3002", "3003"];

    fn wells(classes: &[Option<C>]) -> Vec<PlaceWell<'static>> {
        classes
            .iter()
            .enumerate()
            .map(|(i, &class)| PlaceWell {
                part: Some(PARTS[i % 3]),
                class,
                class_before: class,
                record_n: if class.is_some() { 24 } else { 4 },
                dry: false,
            })
            .collect()
    }

    fn judged(classes: &[(usize, C)]) -> MonthVerdict {
        let list: Vec<Option<C>> = classes.iter().flat_map(|&(n, c)| std::iter::repeat_n(Some(c), n)).collect();
        *judge_place(&wells(&list), &PlaceRules::default()).judged.value().expect("judged")
    }

    #[test]
    fn shares_give_the_severity() {
        let entry = |classes: &[(usize, C)]| judged(classes).entry;
        assert_eq!(entry(&[(5, C::Moderate), (5, C::None)]), Some(Severity::Watch));
        assert_eq!(entry(&[(4, C::Moderate), (6, C::None)]), None);
        assert_eq!(entry(&[(3, C::Severe), (7, C::None)]), Some(Severity::Warning));
        assert_eq!(entry(&[(5, C::Severe), (5, C::None)]), Some(Severity::Severe));
        assert_eq!(entry(&[(3, C::Extreme), (2, C::Severe), (5, C::None)]), Some(Severity::Extreme));
        assert_eq!(entry(&[(2, C::Extreme), (3, C::Severe), (5, C::None)]), Some(Severity::Severe));
        assert_eq!(entry(&[(2, C::Severe), (4, C::None)]), None, "a third, but two wells");
        assert_eq!(entry(&[(5, C::Watch), (5, C::Watch)]), None, "watch wells are no drought of the place");
    }

    #[test]
    fn leaving_takes_ten_points_more() {
        let hold = |classes: &[(usize, C)]| judged(classes).hold;
        assert_eq!(hold(&[(4, C::Severe), (6, C::None)]), Some(Severity::Severe));
        assert_eq!(hold(&[(39, C::Severe), (61, C::None)]), Some(Severity::Warning));
        assert_eq!(hold(&[(2, C::Severe), (8, C::None)]), Some(Severity::Warning));
        assert_eq!(hold(&[(1, C::Severe), (3, C::Moderate), (6, C::None)]), Some(Severity::Watch));
        assert_eq!(hold(&[(3, C::Moderate), (7, C::None)]), None);
    }

    #[test]
    fn wells_that_joined_this_month_do_not_clear() {
        let mut list = wells(&[Some(C::Severe); 5]);
        list.extend(wells(&[Some(C::None); 10]).into_iter().map(|w| PlaceWell { class_before: None, ..w }));
        let verdict = *judge_place(&list, &PlaceRules::default()).judged.value().unwrap();
        assert_eq!(verdict.hold, Some(Severity::Severe));
        assert_eq!(verdict.entry, Some(Severity::Warning));
    }

    #[test]
    fn not_enough_is_said_and_never_normal() {
        let why = |list: &[PlaceWell<'_>]| *judge_place(list, &PlaceRules::default()).judged.why().unwrap();
        assert_eq!(why(&wells(&[None; 9])), Why::PlaceRecordShort { wells: 0, needed: 3 });
        assert_eq!(why(&wells(&[Some(C::Extreme); 4])), Why::FewWells { wells: 4, needed: 5 });
        let mut one_part = wells(&[Some(C::Extreme); 6]);
        one_part.iter_mut().for_each(|w| w.part = Some("3001"));
        assert_eq!(why(&one_part), Why::FewParts { parts: 1, needed: 2 });
        let mut sparse = wells(&[Some(C::Extreme); 5]);
        sparse.extend(wells(&[None; 15]));
        assert_eq!(why(&sparse), Why::LowCoverage { coverage: 0.25, needed: 0.30 });
    }

    fn any_class() -> impl Strategy<Value = Option<C>> {
        proptest::option::of(proptest::sample::select(&[C::None, C::Watch, C::Moderate, C::Severe, C::Extreme][..]))
    }

    proptest! {
        #[test]
        fn holds_at_least_what_it_claims_and_order_is_of_no_consequence(
            classes in proptest::collection::vec((any_class(), any::<u32>()), 5..40),
        ) {
            let list = wells(&classes.iter().map(|c| c.0).collect::<Vec<_>>());
            let found = judge_place(&list, &PlaceRules::default());
            if let Some(verdict) = found.judged.value() {
                prop_assert!(verdict.hold >= verdict.entry);
            }
            let mut shuffled: Vec<_> = list.into_iter().zip(&classes).collect();
            shuffled.sort_by_key(|(_, c)| c.1);
            let shuffled: Vec<_> = shuffled.into_iter().map(|(w, _)| w).collect();
            prop_assert_eq!(found, judge_place(&shuffled, &PlaceRules::default()));
        }

        #[test]
        fn a_drier_well_never_makes_the_place_wetter(
            classes in proptest::collection::vec(any_class(), 5..30), at in any::<prop::sample::Index>(),
        ) {
            let before = judge_place(&wells(&classes), &PlaceRules::default());
            let mut drier = classes;
            let at = at.index(drier.len());
            if let Some(class) = &mut drier[at] {
                *class = C::Extreme;
            }
            let after = judge_place(&wells(&drier), &PlaceRules::default());
            if let (Some(before), Some(after)) = (before.judged.value(), after.judged.value()) {
                prop_assert!(after.entry >= before.entry && after.hold >= before.hold);
            }
        }
    }
}
