//! Explanations of known series: the number that is explained is that of the established packages, and the explanation
//! gives it again.
//!
//! The simulated series travel with the project; the real wells lie where `tests/golden.rs` says, and are left out without them.

mod support;

use std::path::Path;

use gwbank_indicator::explain::{self, Explanation, Indicator, Outcome, WellRecord, WellRules, explain_well};
use gwbank_indicator::{
    Bank, DayLevel, DroughtRules, MonthRules, MonthlyLevel, Sense, StandingRules, TrendRules, WellKind,
};
use gwbank_model::Month;
use support::{Table, agree, months_by_well, shared};

const WELL: WellKind = WellKind { bank: Bank::Observation, represents_aquifer: false, influenced: false };

/// One day stands for each month: its rounded level is that of the golden file.
fn days_of(months: &[MonthlyLevel]) -> Vec<DayLevel> {
    let day =
        |month: &MonthlyLevel| DayLevel { day: month.month.first_day(), mean: month.level, count: 1, dry_count: 0 };
    months.iter().map(day).collect()
}

fn explained(days: &[DayLevel], month: Month, indicator: Indicator) -> Explanation {
    let rules = WellRules {
        months: MonthRules::golden(Sense::Elevation),
        standing: StandingRules::golden(),
        drought: DroughtRules::default(),
        trend: TrendRules::default(),
    };
    let record = WellRecord { name: "golden", kind: WELL, days, rules, closed_through: Month::new(3000, 1) };
    explain_well(&record, month, indicator)
}

#[test]
fn explained_sgi_is_that_of_pastas() {
    let table = Table::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/levels.csv"));
    let wells = months_by_well(&table, "level");
    let mut compared = 0;
    for row in table.rows().filter(|row| !row.text("sgi").is_empty()).step_by(7) {
        let month = Month::parse(row.text("month")).expect("a month");
        let found = explained(&days_of(&wells[row.text("well_id")]), month, Indicator::Sgi);
        let at = format!("{} {month}", row.text("well_id"));
        let number = found.outcome.number().expect("an SGI");
        assert!((number - row.number("sgi")).abs() <= 1e-9, "{at}: {number} {}", row.number("sgi"));
        assert_eq!(found.recomputed(), found.outcome, "{at}");
        assert!(found.to_string().contains(&format!(" = {}\n", explain::number(number))), "{at}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn explanations_of_real_wells_equal_the_golden_files() {
    let Some(folder) = shared() else { return };
    let table = Table::read(&folder.join("golden/percentile.csv.gz"));
    let monthly = Table::read(&folder.join("golden/monthly.csv.gz"));
    let wells = months_by_well(&monthly, "level");
    let mut compared = 0;
    for row in table.rows().filter(|row| !row.text("class_rank").is_empty()).step_by(211) {
        let month = Month::parse(row.text("month")).expect("a month");
        let found = explained(&days_of(&wells[row.text("well_id")]), month, Indicator::PercentileClass);
        let at = format!("{} {month}", row.text("well_id"));
        let Outcome::PercentileClass { class, percentile } = found.outcome else { panic!("{at}: no class") };
        agree(percentile, row.number("pct_weibull"), 0.0, &at);
        assert_eq!(class.code().to_string(), row.text("class_rank"), "{at}");
        assert_eq!(found.recomputed(), found.outcome, "{at}");
        let decided: Vec<&str> = found.limits.iter().filter(|limit| limit.decides).map(|limit| limit.gives).collect();
        assert_eq!(decided, vec![class.name()], "{at}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}
