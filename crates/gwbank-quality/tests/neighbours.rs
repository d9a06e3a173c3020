//! The neighbour test on real nests of wells (shared): few objections to what was measured, and an offset put in is found.
//! What is always there is simulated in the unit tests of `across`.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use gwbank_model::{QualityFlag, Timestamp};
use gwbank_quality::across::{NeighbourRules, neighbour};
use support::shared;

/// Means by day or month, on a grid from the first to the last of all wells; levels up.
fn aligned(wells: &[&str], index: fn(Timestamp) -> i32) -> Option<Vec<Vec<f64>>> {
    let mut all: Vec<BTreeMap<i32, (f64, usize)>> = Vec::new();
    for well in wells {
        let mut reader = csv::Reader::from_reader(shared(&format!("data/series/{well}.csv.gz"))?);
        let mut steps: BTreeMap<i32, (f64, usize)> = BTreeMap::new();
        for row in reader.records().map(Result::unwrap) {
            let sign = match &row[2] {
                "groundwater_level" => 1.0,
                "depth_to_water" => -1.0,
                _ => continue,
            };
            let step = steps.entry(index(Timestamp::parse_rfc3339(&row[1]).unwrap())).or_default();
            *step = (step.0 + sign * row[3].parse::<f64>().unwrap(), step.1 + 1);
        }
        all.push(steps);
    }
    let first = all.iter().filter_map(|steps| steps.keys().next()).min().copied()?;
    let last = all.iter().filter_map(|steps| steps.keys().next_back()).max().copied()?;
    let mean = |steps: &BTreeMap<i32, (f64, usize)>, at: i32| {
        steps.get(&at).map_or(f64::NAN, |(sum, count)| sum / *count as f64)
    };
    Some(all.iter().map(|steps| (first..=last).map(|at| mean(steps, at)).collect()).collect())
}

/// (judged, objected to, of those put in found, put in) of all wells of a nest, each against the others.
fn check(rules: &NeighbourRules, levels: &[Vec<f64>], offset: f64, steps: usize) -> [usize; 4] {
    let mut counts = [0; 4];
    for (number, well) in levels.iter().enumerate() {
        let others: Vec<&[f64]> = levels
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
            .map(|(_, level)| level.as_slice())
            .collect();
        let flags = neighbour(rules, well, &others);
        let judged = |flag: &&QualityFlag| matches!(flag, QualityFlag::Pass | QualityFlag::Suspect);
        counts[0] += flags.iter().filter(judged).count();
        counts[1] += flags.iter().filter(|flag| **flag == QualityFlag::Suspect).count();
        // In the middle of what can be judged.
        let places: Vec<usize> = (0..flags.len()).filter(|&at| flags[at] == QualityFlag::Pass).collect();
        let Some(middle) = places.get(places.len() / 2..(places.len() / 2 + steps).min(places.len())) else { continue };
        let mut wrong = well.clone();
        middle.iter().for_each(|&at| wrong[at] += offset);
        let flags = neighbour(rules, &wrong, &others);
        counts[2] += middle.iter().filter(|&&at| flags[at] == QualityFlag::Suspect).count();
        counts[3] += middle.len();
    }
    counts
}

#[test]
fn a_nest_in_the_netherlands_by_days() {
    let wells = ["NL-B21B0214_1", "NL-B21B0214_2", "NL-B21B0214_3", "NL-B21B0214_4", "NL-B21B0214_5"];
    let Some(levels) = aligned(&wells, |time| time.day(0).0) else { return };
    let [judged, objected, found, put_in] = check(&NeighbourRules::default(), &levels, 1.0, 20);
    println!("{judged} judged, {objected} objected to; of {put_in} a metre off, {found} found");
    assert!(judged > 500 && objected * 50 <= judged);
    assert!(found * 10 >= put_in * 9);
}

#[test]
fn the_deep_wells_of_bangkok_by_months() {
    let wells =
        ["TH-BKK003-NB27", "TH-BKK005-NB28", "TH-BKK007-NB32", "TH-BKK012-NB33", "TH-BKK009-NB36", "TH-BKK013-NB38"];
    let Some(levels) = aligned(&wells, |time| time.month(7 * 3_600).index()) else { return };
    let rules = NeighbourRules { wander_departures: 24, ..NeighbourRules::default() };
    let [judged, objected, found, put_in] = check(&rules, &levels, 10.0, 12);
    println!("{judged} judged, {objected} objected to; of {put_in} ten metres off, {found} found");
    assert!(judged > 500 && objected * 50 <= judged);
    assert!(found * 10 >= put_in * 9);
}
