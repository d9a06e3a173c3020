//! Recharge by water-table fluctuation against the recharge that there was.

use gwbank_indicator::bank::{Confinement, NotMeasurable, RechargeRules, SpecificYield, WtfWell, recharge};
use gwbank_indicator::{Bank, WellKind};
use gwbank_model::{Day, Month};
use gwbank_registry::{AquiferCondition, BankType, Sampling, Well};

use super::{Errors, WORLD, day_of, history_days, is_good, judged, print_head};

fn wtf_well(well: &Well) -> WtfWell {
    let bank = match well.bank_type {
        BankType::Observation => Bank::Observation,
        BankType::Open => Bank::Open,
        BankType::Closed => Bank::Closed,
    };
    WtfWell {
        kind: WellKind { bank, represents_aquifer: well.represents_aquifer, influenced: well.influenced },
        confinement: well.aquifer_condition.map(|condition| match condition {
            AquiferCondition::Unconfined => Confinement::Unconfined,
            AquiferCondition::SemiConfined => Confinement::SemiConfined,
            AquiferCondition::Confined => Confinement::Confined,
        }),
        specific_yield: well.specific_yield.and_then(SpecificYield::registered),
        near_ground_level: Some(-1.0),
    }
}

/// Sums over all months that both have, by well.
struct Found {
    lag_days: f64,
    constant_error: Option<f64>,
    /// Relative, of the whole record.
    total_error: f64,
    /// Of each hydrological year with all months.
    year_errors: Vec<f64>,
    near_ground: bool,
    within: bool,
}

#[test]
fn recharge_is_found() {
    let world = &*WORLD;
    let (first, last) = history_days(world);
    let mut found = Vec::new();
    let mut refused = Vec::new();
    for (index, well) in world.wells().iter().enumerate() {
        if well.sampling == Sampling::Manual || index % 2 == 1 {
            continue;
        }
        let wtf = wtf_well(well);
        if wtf.kind.bank != Bank::Observation {
            assert_eq!(recharge(&wtf, &[], &RechargeRules::default()), Err(NotMeasurable::NoObservationWell));
            continue;
        }
        let levels: Vec<(Day, f64)> = judged(world, index, first, last, 24)
            .iter()
            .filter(|reading| is_good(reading))
            .filter_map(|reading| reading.depth_m.map(|depth| (day_of(reading.time), -depth)))
            .collect();
        let estimate = match recharge(&wtf, &levels, &RechargeRules::default()) {
            Ok(estimate) => estimate,
            Err(why) => {
                refused.push(why);
                continue;
            }
        };
        let truth = world.truth().recharge_mm(index);
        let of = |month: Month| truth.iter().find(|(other, _)| *other == month).map(|(_, mm)| *mm);
        let pairs: Vec<_> = estimate.months.iter().filter_map(|m| of(m.month).map(|mm| (m, mm))).collect();
        let total: f64 = pairs.iter().map(|(_, mm)| mm).sum();
        let sum = |of: fn(&gwbank_indicator::bank::MonthRecharge) -> f64| pairs.iter().map(|(m, _)| of(m)).sum::<f64>();
        let year_errors = (0..15)
            .map(|year| Month::new(2014 + year, 4))
            .filter_map(|april| {
                let mm: Option<f64> = (0..12).map(|offset| of(april.plus(offset))).sum();
                let mm = mm.filter(|mm| *mm > 50.0)?;
                Some(estimate.total_mm(april, 12)? / mm - 1.0)
            })
            .collect();
        let facts = world.truth().aquifer(index).expect("an aquifer");
        found.push(Found {
            lag_days: facts.lag_days,
            constant_error: estimate.recession.constant_days().map(|days| days / facts.recession_days - 1.0),
            total_error: sum(|m| m.mm) / total - 1.0,
            year_errors,
            near_ground: estimate.months.iter().any(|m| m.near_ground_days > 0),
            within: (sum(|m| m.low_mm)..=sum(|m| m.high_mm)).contains(&total),
        });
    }
    let clear: Vec<&Found> = found.iter().filter(|f| !f.near_ground).collect();
    let errors = |of: &dyn Fn(&Found) -> bool| {
        let errors: Vec<f64> = clear.iter().filter(|f| of(f)).map(|f| f.total_error).collect();
        Errors::of(&errors)
    };
    print_head("recharge over the record");
    let all = errors(&|_| true);
    all.print("all wells deeper than 1 m");
    errors(&|f| f.lag_days < 16.0).print("soil lag of twice 8 to 16 days");
    errors(&|f| (16.0..28.0).contains(&f.lag_days)).print("soil lag of twice 16 to 28 days");
    errors(&|f| f.lag_days >= 28.0).print("soil lag of twice 28 to 40 days");
    let years: Vec<f64> = clear.iter().flat_map(|f| f.year_errors.iter().copied()).collect();
    let years = Errors::of(&years);
    years.print("single hydrological years above 50 mm");
    let constants: Vec<f64> = clear.iter().filter_map(|f| f.constant_error).collect();
    Errors::of(&constants).print("recession constant");
    let near: Vec<f64> = found.iter().filter(|f| f.near_ground).map(|f| f.total_error).collect();
    Errors::of(&near).print("wells that come within 1 m of the ground");
    let within = clear.iter().filter(|f| f.within).count();
    println!(
        "truth within the range of Sy: {within} of {}; refused: {} {:?}",
        clear.len(),
        refused.len(),
        refused.first()
    );
    assert!(all.wells > 120 && refused.iter().all(|why| *why == NotMeasurable::Influenced));
    assert!(all.bias.abs() < 0.08 && all.size < 0.10 && all.nine_of_ten < 0.30, "recharge over the record");
    assert!(years.bias.abs() < 0.08 && years.size < 0.10 && years.nine_of_ten < 0.30, "recharge of a year");
    assert!(within * 10 > clear.len() * 9, "the range of the specific yield encloses the truth");
}
