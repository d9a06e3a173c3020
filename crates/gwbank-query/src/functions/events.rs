//! Drought events, mean highest and lowest levels, recharge: aggregates whose answer is a list or a structure.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use gwbank_indicator::bank::{Confinement, RechargeRules, SpecificYield, WtfWell, recharge};
use gwbank_indicator::{
    Bank, DayLevel, DroughtEventRules, GxgKind, GxgRules, MonthlyLevel, Sense, WellKind, drought_events, gxg,
};
use gwbank_model::Month;

use super::Function;
use super::series::{Series, SeriesFunction, list_of};

pub(super) const DROUGHT_EVENTS: Function = Function {
    name: "drought_events",
    form: "drought_events(level, month [, pooling_months])",
    kind: "aggregate",
    formula: "list of runs of months below the 20th percentile (Weibull) of their calendar month, joined over at most pooling_months (default 1) that have data; start_month, end_month, duration_months, months_below, deficit = sum of (threshold - level) in m x months, max_deficit in m; calendar months with fewer than ten years have no threshold",
    units: "level in m (up = wetter); deficit in m x months",
    source: "threshold level method: Yevjevich 1967; Tallaksen, Madsen & Clausen 1997; Van Loon 2015",
    example: "SELECT (drought_events(m + CASE WHEN y = 7 AND m < 4 THEN -1.5 ELSE 0 END, make_date(2000 + y, m, 1)))[1]['deficit'] FROM unnest(range(1, 13)) AS a(m), unnest(range(0, 12)) AS b(y)",
    example_result: "4.5",
};

pub(super) const GXG: Function = Function {
    name: "gxg",
    form: "gxg(level, time)",
    kind: "aggregate",
    formula: "ghg, glg: mean over years (from April) of the mean of the three highest (lowest) levels on the 14th and 28th; gvg: of those from 14 March to 14 April; years: complete years of ghg; NULL below eight; levels up = wetter",
    units: "level in m (up = wetter); ghg, glg, gvg in m",
    source: "Van der Sluijs & De Gruijter 1985; pastas.stats 2.0.0 (ghg, glg, gvg)",
    example: "SELECT (gxg(-2.0, date '2000-04-01' + d))['ghg'] FROM unnest(range(0, 3653)) AS x(d)",
    example_result: "-2.0",
};

pub(super) const RECHARGE_WTF: Function = Function {
    name: "recharge_wtf",
    form: "recharge_wtf(level, time, specific_yield)",
    kind: "aggregate",
    formula: "list of months with recharge_mm = 1000 Sy x sum of (h2 - h1 + fall(h)) over the month's days, the fall being that of the master recession of the series; levels in m, up = wetter, of an unconfined aquifer; months need nine tenths of their days",
    units: "level in m (up = wetter), specific yield from 0 to 1; recharge in mm a month",
    source: "water-table fluctuation: Healy & Cook 2002, Hydrogeol. J. 10, 91-109; recession: Heppner & Nimmo 2005",
    example: "SELECT round((recharge_wtf(-8 + exp(-0.01 * (d % 365)), date '2000-01-01' + d, 0.1))[6]['recharge_mm'], 1) FROM unnest(range(0, 1461)) AS x(d)",
    example_result: "-0.0",
};

pub(super) static AGGREGATES: [SeriesFunction; 3] = [
    SeriesFunction {
        function: &DROUGHT_EVENTS,
        time_first: false,
        setting: Some(false),
        result: || list_type(event_fields()),
        finish: events,
    },
    SeriesFunction {
        function: &GXG,
        time_first: false,
        setting: None,
        result: || DataType::Struct(gxg_fields()),
        finish: mean_levels,
    },
    SeriesFunction {
        function: &RECHARGE_WTF,
        time_first: false,
        setting: Some(true),
        result: || list_type(recharge_fields()),
        finish: recharge_months,
    },
];

fn list_type(fields: Fields) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields), true)))
}

fn event_fields() -> Fields {
    Fields::from(vec![
        Field::new("start_month", DataType::Date32, true),
        Field::new("end_month", DataType::Date32, true),
        Field::new("duration_months", DataType::Int64, true),
        Field::new("months_below", DataType::Int64, true),
        Field::new("deficit", DataType::Float64, true),
        Field::new("max_deficit", DataType::Float64, true),
        Field::new("left_censored", DataType::Boolean, true),
        Field::new("right_censored", DataType::Boolean, true),
    ])
}

fn dates(months: impl Iterator<Item = Month>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(months.map(|month| month.first_day().0)))
}

fn events(series: &Series) -> Result<ScalarValue> {
    let default = DroughtEventRules::default();
    let pooling_months = match series.setting {
        None => default.pooling_months,
        Some(months) if (0.0..=12.0).contains(&months) && months.fract() == 0.0 => months as u32,
        Some(other) => return exec_err!("pooling_months is a whole number from 0 to 12, not {other}"),
    };
    let months = series.months(&DROUGHT_EVENTS)?;
    let levels: Vec<MonthlyLevel> = months.into_iter().map(|(month, level)| MonthlyLevel::of(month, level)).collect();
    let found = drought_events(&levels, &DroughtEventRules { pooling_months, ..default }).events;
    let count = |number: u32| i64::from(number);
    let columns: Vec<ArrayRef> = vec![
        dates(found.iter().map(|event| event.start)),
        dates(found.iter().map(|event| event.end)),
        Arc::new(Int64Array::from_iter_values(found.iter().map(|event| count(event.duration_months())))),
        Arc::new(Int64Array::from_iter_values(found.iter().map(|event| count(event.months_below)))),
        Arc::new(Float64Array::from_iter_values(found.iter().map(|event| event.deficit))),
        Arc::new(Float64Array::from_iter_values(found.iter().map(|event| event.deepest))),
        Arc::new(found.iter().map(|event| Some(event.left_censored)).collect::<BooleanArray>()),
        Arc::new(found.iter().map(|event| Some(event.right_censored)).collect::<BooleanArray>()),
    ];
    Ok(list_of(Arc::new(StructArray::new(event_fields(), columns, None))))
}

fn gxg_fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    Fields::from(vec![number("ghg"), number("glg"), number("gvg"), Field::new("years", DataType::Int64, true)])
}

fn mean_levels(series: &Series) -> Result<ScalarValue> {
    let days: Vec<DayLevel> = series
        .days()
        .into_iter()
        .map(|(day, level)| DayLevel { day, mean: Some(level), count: 1, dry_count: 0 })
        .collect();
    let found = [GxgKind::Highest, GxgKind::Lowest, GxgKind::Spring]
        .map(|kind| gxg(&days, Sense::Elevation, kind, &GxgRules::of(kind)));
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(4);
    for kind in &found {
        columns.push(Arc::new(Float64Array::from_iter([kind.mean.value().copied()])));
    }
    let years = found[0].years.iter().filter(|year| year.level.is_some()).count() as i64;
    columns.push(Arc::new(Int64Array::from_iter_values([years])));
    Ok(ScalarValue::Struct(Arc::new(StructArray::new(gxg_fields(), columns, None))))
}

fn recharge_fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    Fields::from(vec![
        Field::new("month", DataType::Date32, true),
        number("recharge_mm"),
        number("change_m"),
        number("height_m"),
        Field::new("days", DataType::Int64, true),
        Field::new("extrapolated_days", DataType::Int64, true),
    ])
}

/// NULL where the series shows no recession: too short, or without falls.
fn recharge_months(series: &Series) -> Result<ScalarValue> {
    let Some(specific_yield) = series.setting else {
        return ScalarValue::try_from(list_type(recharge_fields()));
    };
    let Some(known) = SpecificYield::registered(specific_yield) else {
        return exec_err!("specific_yield is a number above 0 and below 1, such as 0.1, not {specific_yield}");
    };
    // Whoever calls it says that the method holds here.
    let well = WtfWell {
        kind: WellKind { bank: Bank::Observation, represents_aquifer: true, influenced: false },
        confinement: Some(Confinement::Unconfined),
        specific_yield: Some(known),
        near_ground_level: None,
    };
    let Ok(found) = recharge(&well, &series.days(), &RechargeRules::default()) else {
        return ScalarValue::try_from(list_type(recharge_fields()));
    };
    let months = &found.months;
    let columns: Vec<ArrayRef> = vec![
        dates(months.iter().map(|month| month.month)),
        Arc::new(Float64Array::from_iter_values(months.iter().map(|month| month.mm))),
        Arc::new(Float64Array::from_iter_values(months.iter().map(|month| month.change_m))),
        Arc::new(Float64Array::from_iter_values(months.iter().map(|month| month.height_m))),
        Arc::new(Int64Array::from_iter_values(months.iter().map(|month| i64::from(month.days)))),
        Arc::new(Int64Array::from_iter_values(months.iter().map(|month| i64::from(month.extrapolated_days)))),
    ];
    Ok(list_of(Arc::new(StructArray::new(recharge_fields(), columns, None))))
}
