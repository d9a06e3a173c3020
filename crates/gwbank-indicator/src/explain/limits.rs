//! The limits that an indicator is held against, and which one decided.

use std::fmt;

use crate::assessment::Why;
use crate::drought::{DroughtClass, DroughtJudgement};
use crate::explain::evidence::{Indicator, Outcome, WellRules};
use crate::standing::{IpsClass, MonthStanding, PercentileClass, SgiClass};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Below,
    AtMost,
    AtLeast,
    Above,
}

impl Relation {
    pub fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Relation::Below => observed < limit,
            Relation::AtMost => observed <= limit,
            Relation::AtLeast => observed >= limit,
            Relation::Above => observed > limit,
        }
    }

    pub const fn sign(self) -> &'static str {
        match self {
            Relation::Below => "<",
            Relation::AtMost => "<=",
            Relation::AtLeast => ">=",
            Relation::Above => ">",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.sign())
    }
}

/// One limit with what was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What is held against it: `n`, `sgi`, `percentile`, `dry_share`.
    pub quantity: &'static str,
    /// What is had where it is met: a class, or a claim that the record allows.
    pub gives: &'static str,
    pub relation: Relation,
    pub limit: f64,
    pub observed: f64,
    pub met: bool,
    /// It gave the class, or its failing is why there is none.
    pub decides: bool,
}

impl Limit {
    pub(super) fn of(
        quantity: &'static str,
        gives: &'static str,
        relation: Relation,
        limit: f64,
        observed: f64,
    ) -> Self {
        let met = relation.holds(observed, limit);
        Self { quantity, gives, relation, limit, observed, met, decides: false }
    }
}

/// Years that the indicator takes, then the limits of its classes; of these the first that is met decides.
pub(super) fn limits(
    indicator: Indicator,
    standing: &MonthStanding,
    outcome: &Outcome,
    dry_share: f64,
    rules: &WellRules,
) -> Vec<Limit> {
    let n = f64::from(standing.n());
    let ladder = |gives, needed: u32| Limit::of("n", gives, Relation::AtLeast, f64::from(needed), n);
    let steps = &rules.standing;
    let mut limits = match indicator {
        Indicator::Sgi => vec![ladder("sgi", steps.sgi_n), ladder("sgi_extreme", steps.sgi_extreme_n)],
        Indicator::Percentile => {
            vec![ladder("percentile", steps.provisional_n), ladder("not_provisional", steps.five_classes_n)]
        }
        Indicator::PercentileClass => vec![ladder("five_classes", steps.five_classes_n)],
        Indicator::PositionIndex => vec![ladder("position_index", steps.position_index_n)],
        Indicator::Ips => vec![ladder("seven_classes", steps.sgi_n)],
        Indicator::Drought => vec![
            ladder("watch_at_most", steps.provisional_n),
            ladder("moderate_at_most", steps.five_classes_n),
            ladder("severe_at_most", steps.sgi_n),
            ladder("extreme", steps.sgi_extreme_n),
        ],
    };
    if let Outcome::None(why) = outcome {
        if let Some(first) = limits.first_mut() {
            first.decides = matches!(why, Why::ShortRecord { .. });
        }
        return limits;
    }
    let classes = match (indicator, outcome) {
        (Indicator::Sgi, _) => sgi_classes(standing.sgi_raw, standing.may_claim_extreme()),
        (Indicator::PercentileClass, _) => percentile_classes(standing.percentile_raw),
        (Indicator::Ips, _) => ips_classes(standing.sgi_raw),
        (Indicator::Drought, Outcome::Drought(judgement)) => drought_classes(judgement, standing, dry_share, rules),
        _ => Vec::new(),
    };
    limits.extend(classes);
    limits
}

/// Marks the first one that is met.
fn first_met(mut limits: Vec<Limit>) -> Vec<Limit> {
    if let Some(first) = limits.iter_mut().find(|limit| limit.met) {
        first.decides = true;
    }
    limits
}

fn sgi_classes(sgi: f64, may_be_extreme: bool) -> Vec<Limit> {
    use SgiClass::*;
    let limit = |class: SgiClass, relation, limit| Limit::of("sgi", class.name(), relation, limit, sgi);
    let (extremely_low, extremely_high) =
        if may_be_extreme { (ExtremelyLow, ExtremelyHigh) } else { (SeverelyLow, SeverelyHigh) };
    first_met(vec![
        limit(extremely_low, Relation::AtMost, -2.0),
        limit(SeverelyLow, Relation::AtMost, -1.5),
        limit(ModeratelyLow, Relation::AtMost, -1.0),
        limit(Normal, Relation::Below, 1.0),
        limit(ModeratelyHigh, Relation::Below, 1.5),
        limit(SeverelyHigh, Relation::Below, 2.0),
        limit(extremely_high, Relation::AtLeast, 2.0),
    ])
}

fn percentile_classes(percentile: f64) -> Vec<Limit> {
    use PercentileClass::*;
    let limit =
        |class: PercentileClass, relation, limit| Limit::of("percentile", class.name(), relation, limit, percentile);
    first_met(vec![
        limit(MuchBelowNormal, Relation::Below, 10.0),
        limit(BelowNormal, Relation::Below, 25.0),
        limit(Normal, Relation::AtMost, 75.0),
        limit(AboveNormal, Relation::AtMost, 90.0),
        limit(MuchAboveNormal, Relation::Above, 90.0),
    ])
}

fn ips_classes(sgi: f64) -> Vec<Limit> {
    use IpsClass::*;
    let [near, middle, far] = IpsClass::LIMITS;
    let limit = |class: IpsClass, relation, limit| Limit::of("sgi", class.name(), relation, limit, sgi);
    first_met(vec![
        limit(VeryLow, Relation::Below, -far),
        limit(Low, Relation::Below, -middle),
        limit(ModeratelyLow, Relation::Below, -near),
        limit(AroundNormal, Relation::AtMost, near),
        limit(ModeratelyHigh, Relation::AtMost, middle),
        limit(High, Relation::AtMost, far),
        limit(VeryHigh, Relation::Above, far),
    ])
}

/// Entry limits, the dry rule, then the limits up to which a drought that is there is held; of those, too, the first that is met
/// says which class, but none of them decides what the month claims.
fn drought_classes(
    judgement: &DroughtJudgement,
    standing: &MonthStanding,
    dry_share: f64,
    rules: &WellRules,
) -> Vec<Limit> {
    let drought = &rules.drought;
    let by_sgi = standing.sgi().value().is_some();
    let (mut entry, exits) = if by_sgi {
        let limit = |gives, limit| Limit::of("sgi", gives, Relation::AtMost, limit, standing.sgi_raw);
        let worst = if standing.may_claim_extreme() { DroughtClass::Extreme } else { DroughtClass::Severe };
        let entry = vec![
            limit(worst.name(), drought.sgi_extreme),
            limit(DroughtClass::Severe.name(), drought.sgi_severe),
            limit(DroughtClass::Moderate.name(), drought.sgi_moderate),
        ];
        let exits = vec![
            limit(holds(worst), drought.sgi_extreme + drought.sgi_exit),
            limit(holds(DroughtClass::Severe), drought.sgi_severe + drought.sgi_exit),
            limit(holds(DroughtClass::Moderate), drought.sgi_moderate + drought.sgi_exit),
        ];
        (entry, exits)
    } else {
        let limit = |gives, limit| Limit::of("percentile", gives, Relation::Below, limit, standing.percentile_raw);
        let (class, at) = if standing.percentile_is_provisional() {
            (DroughtClass::Watch, drought.percentile_watch)
        } else {
            (DroughtClass::Moderate, drought.percentile_moderate)
        };
        (vec![limit(class.name(), at)], vec![limit(holds(class), at + drought.percentile_exit)])
    };
    let least = if standing.percentile_is_provisional() { DroughtClass::Watch } else { DroughtClass::Moderate };
    let mut dry = Limit::of("dry_share", least.name(), Relation::AtLeast, rules.months.dry_share, dry_share);
    // As it was judged: counted days, and not a quotient, are held against the share.
    dry.met = standing.dry;
    dry.decides = judgement.rule == "dry";
    if !dry.decides {
        entry = first_met(entry);
        // Where none is met it is the mildest one that was missed.
        if let Some(mildest) = entry.last_mut() {
            mildest.decides |= judgement.entry == DroughtClass::None;
        }
    }
    entry.push(dry);
    entry.extend(exits);
    entry
}

fn holds(class: DroughtClass) -> &'static str {
    match class {
        DroughtClass::None => "holds_none",
        DroughtClass::Watch => "holds_watch",
        DroughtClass::Moderate => "holds_moderate",
        DroughtClass::Severe => "holds_severe",
        DroughtClass::Extreme => "holds_extreme",
    }
}
