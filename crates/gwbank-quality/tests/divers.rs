//! Barometric compensation and drift on real divers and barometers (shared), and on a simulated pair that is always there.

#[path = "support/mod.rs"]
mod support;

use gwbank_model::{Parameter, QualityFlag, Timestamp};
use gwbank_quality::compensation::{Compensated, CompensationRules, Pressure, compensate};
use gwbank_quality::drift::{Drift, DriftRules, drift};
use gwbank_quality::{Point, SeriesConfig, assess};
use support::shared;

/// kPa per cm of water.
const KPA: f64 = 0.098_066_5;

fn read(well: &str, wanted: &str) -> Option<Vec<Point>> {
    let mut reader = csv::Reader::from_reader(shared(&format!("data/series/{well}.csv.gz"))?);
    let rows = reader.records().map(Result::unwrap).filter(|row| &row[2] == wanted);
    let mut points: Vec<Point> = rows
        .map(|row| Point {
            time: Timestamp::parse_rfc3339(&row[1]).unwrap(),
            value: Some(row[3].parse::<f64>().unwrap() * KPA),
            site_status: None,
        })
        .collect();
    points.dedup_by_key(|point| point.time);
    Some(points)
}

fn judged(parameter: Parameter, points: &[Point]) -> Vec<Pressure> {
    let flags = assess(&SeriesConfig::default_for(parameter), points);
    let pressure = |(point, assessment): (&Point, &gwbank_quality::Assessment)| Pressure {
        time: point.time,
        kpa: point.value.unwrap_or(f64::NAN),
        flag: assessment.flag,
    };
    points.iter().zip(&flags).map(pressure).collect()
}

/// Median size of the changes between neighbouring readings: a diver in somebody's hand must not decide.
fn restlessness(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    let mut changes: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    changes.sort_by(f64::total_cmp);
    changes.get(changes.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How much calmer the column is than the pressure, at readings that have both.
fn calmed(pressures: &[Pressure], compensated: &[Compensated]) -> (usize, f64) {
    let both = || pressures.iter().zip(compensated).filter_map(|(p, c)| Some((p.kpa * 0.101_971_621_3, c.column?)));
    let before = restlessness(both().map(|(pressure, _)| pressure));
    (both().count(), restlessness(both().map(|(_, column)| column)) / before)
}

#[test]
fn compensation_takes_the_weather_out_of_a_simulated_diver() {
    let air = |hour: f64| 101.0 + (hour / 30.0).sin() + 0.3 * (hour / 7.0).sin();
    let point = |hour: f64, kpa: f64| Pressure {
        time: Timestamp::from_micros((hour * 3.6e9) as i64),
        kpa,
        flag: QualityFlag::Pass,
    };
    let barometer: Vec<Pressure> = (0..500).map(|hour| point(f64::from(hour), air(f64::from(hour)))).collect();
    let diver: Vec<Pressure> = (0..900)
        .map(|half| f64::from(half) / 2.0 + 0.1)
        .map(|hour| point(hour, air(hour) + 20.0 - hour * 0.000_1))
        .collect();
    let compensated = compensate(&CompensationRules::default(), &diver, &barometer);
    let (readings, calmer) = calmed(&diver, &compensated);
    assert_eq!(readings, 900);
    assert!(calmer < 0.05, "{calmer}");
    for (reading, pressure) in compensated.iter().zip(&diver) {
        let hour = pressure.time.as_micros() as f64 / 3.6e9;
        let column = (20.0 - hour * 0.000_1) * 0.101_971_621_3;
        assert!((reading.column.unwrap() - column).abs() < 0.000_5, "half a millimetre, for the bend between hours");
    }
}

#[test]
fn compensation_takes_the_weather_out_of_real_divers() {
    let barometers = ["BE-BAOL034X_F9154", "BE-BAOL086X_179793", "BE-BAOL547X_B_004AC"];
    let mut air: Vec<(&str, Vec<Pressure>)> = Vec::new();
    for name in barometers {
        let Some(points) = read(name, "air_pressure") else { return };
        air.push((name, judged(Parameter::BarometricPressure, &points)));
    }
    // Barometers at 12 hours, too: their readings are at the same minute or none is near.
    let rules = CompensationRules::default();
    let mut compared = 0;
    for well in
        ["BE-DYLP005D_80759", "BE-DYLP085A_80769", "BE-DYLP113X_65285", "BE-DYLP115A_G4375", "BE-ZWAP066X_D1099"]
    {
        let Some(points) = read(well, "water_pressure_abs") else { return };
        let diver = judged(Parameter::WaterPressureAbsolute, &points);
        for (name, air) in &air {
            let compensated = compensate(&rules, &diver, air);
            let (readings, calmer) = calmed(&diver, &compensated);
            let without = compensated.iter().filter(|c| c.column.is_none()).all(|c| c.flag != QualityFlag::Pass);
            assert!(without, "{well}: a pressure without air passes");
            if readings < 200 {
                continue;
            }
            compared += 1;
            let mut columns: Vec<f64> = compensated.iter().filter_map(|c| c.column).collect();
            columns.sort_by(f64::total_cmp);
            let at = |share: f64| columns[((columns.len() - 1) as f64 * share) as usize];
            println!(
                "{well} by {name}: {readings} of {} compensated, column {:.2} / {:.2} / {:.2} m, restless {calmer:.2} of before",
                diver.len(),
                at(0.01),
                at(0.5),
                at(0.99)
            );
            assert!(at(0.01) > -0.1 && at(0.99) < 5.0, "{well} by {name}: no column");
            assert!(calmer < 0.8, "{well} by {name}: {calmer}");
        }
    }
    assert!(compared > 0, "no diver has a barometer");
}

#[test]
fn real_barometers_agree_and_an_added_drift_is_found() {
    let (Some(one), Some(other)) =
        (read("BE-BAOL034X_F9154", "air_pressure"), read("BE-BAOL086X_179793", "air_pressure"))
    else {
        return;
    };
    let rules = DriftRules::for_parameter(Parameter::BarometricPressure).unwrap();
    let as_they_are = drift(&rules, &one, &other);
    println!("barometers 60 km apart: {as_they_are:?}");
    let Drift::Steady(before) = as_they_are else { panic!("{as_they_are:?}") };
    let first = one[0].time;
    let drifting: Vec<Point> = one
        .iter()
        .map(|point| {
            let years = point.time.micros_since(first) as f64 / (365.25 * 86_400e6);
            Point { value: point.value.map(|kpa| kpa + 0.3 * years), ..*point }
        })
        .collect();
    let Drift::Drifting(found) = drift(&rules, &drifting, &other) else { panic!("0.3 kPa a year are 3 cm") };
    assert!((found.per_year - before.per_year - 0.3).abs() < 0.02, "{found:?}");
}
