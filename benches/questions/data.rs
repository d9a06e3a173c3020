//! A year of readings: levels of all wells at a step that makes up the wanted number, rain once a day at each tenth well and
//! salt once a day at each fifth. One level in some 500 is missing for half a day.

use std::path::{Path, PathBuf};

use gwbank_model::{
    GatewayId, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, TimeSource, Timestamp, WellId,
};
use gwbank_recent::Window;
use gwbank_registry::{BankType, Well, places};
use gwbank_store::{Archive, ArchiveCommit, RowNames, Upkeep};

use super::support::Error;

pub const WELLS: usize = 10_801;
/// 2025-01-01T00:00:00Z
pub const START_SECS: i64 = 1_735_689_600;
const YEAR_SECS: i64 = 365 * 86_400;
pub const END: i64 = START_SECS + YEAR_SECS;
const RAIN_EVERY: usize = 10;
const SALT_EVERY: usize = 5;
/// Rows that the pipeline inserts at once under load.
const INSERTED_AT_ONCE: usize = 2_000;
/// Rows of a commit under a catch-up.
const COMMITTED_AT_ONCE: usize = 2_000_000;

#[derive(Debug, Clone, Copy)]
pub struct Data {
    pub wells: usize,
    /// Wanted, about.
    pub readings: usize,
}

pub fn registered(id: &str) -> Well {
    let number: usize = id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let provinces = places::provinces();
    let province = &provinces[number % provinces.len()];
    Well::new(WellId::new(id).expect("a valid id"), province.code, BankType::Observation)
}

pub fn utc(secs: i64) -> String {
    Timestamp::from_secs(secs).to_rfc3339(0)
}

impl Data {
    pub fn well_id(&self, number: usize) -> String {
        format!("TH-{number:05}")
    }

    pub fn wells(self) -> impl Iterator<Item = String> {
        (0..self.wells).map(move |number| self.well_id(number))
    }

    /// Seconds between two levels of a well.
    pub fn level_step_secs(&self) -> i64 {
        let daily = 365 * (self.wells.div_ceil(RAIN_EVERY) + self.wells.div_ceil(SALT_EVERY));
        let of_a_well = (self.readings.saturating_sub(daily) / self.wells).max(365) as i64;
        YEAR_SECS / of_a_well
    }

    fn steps(&self) -> i64 {
        YEAR_SECS / self.level_step_secs()
    }

    /// How many there are.
    pub fn written(&self) -> usize {
        let mut count = 0;
        self.each_instant(|_, rows| count += rows.len());
        count
    }

    /// Gives the rows of each instant, in the order of time: (parameter, well number, value).
    fn each_instant(&self, mut take: impl FnMut(i64, &[(Parameter, usize, f64)])) {
        let step = self.level_step_secs();
        let mut rows = Vec::with_capacity(self.wells * 2);
        let missing_steps = (43_200 / step).max(1);
        let mut day = -1;
        for number in 0..self.steps() {
            let secs = START_SECS + number * step;
            rows.clear();
            for well in 0..self.wells {
                let is_missing = (number / missing_steps + well as i64 * 7) % 500 == 0;
                if !is_missing {
                    let tide = (number as f64 / 40.0 + well as f64).sin();
                    let season = ((secs - START_SECS) as f64 / YEAR_SECS as f64 * std::f64::consts::TAU).cos();
                    let level = 5.0 + (well % 97) as f64 * 0.03 + season * 1.5 + tide * 0.4;
                    rows.push((Parameter::DepthToWater, well, (level * 1000.0).round() / 1000.0));
                }
            }
            if (secs - START_SECS) / 86_400 > day {
                day = (secs - START_SECS) / 86_400;
                let daily = |well: usize| (day as usize * 31 + well * 17) % 100;
                rows.extend(
                    (0..self.wells)
                        .step_by(RAIN_EVERY)
                        .map(|well| (Parameter::Rainfall, well, (daily(well).saturating_sub(70)) as f64 * 0.5)),
                );
                rows.extend((0..self.wells).step_by(SALT_EVERY).map(|well| {
                    (Parameter::SpecificConductance, well, 400.0 + (well % 250) as f64 * 10.0 + daily(well) as f64)
                }));
            }
            take(secs, &rows);
        }
    }

    fn series(&self, names: &RowNames) -> Result<impl Fn(Parameter, usize) -> SeriesId + use<>, Error> {
        let mut numbers = std::collections::HashMap::new();
        for parameter in [Parameter::DepthToWater, Parameter::Rainfall, Parameter::SpecificConductance] {
            for (number, id) in self.wells().enumerate() {
                numbers.insert((parameter, number), names.series.intern(&WellId::new(&id)?, parameter));
            }
        }
        Ok(move |parameter, number| numbers[&(parameter, number)])
    }

    /// All rows, some at a time, as the pipeline would hand them on.
    fn rows(&self, names: &RowNames, at_once: usize, mut take: impl FnMut(Vec<Row>)) -> Result<(), Error> {
        let series = self.series(names)?;
        let gateway = names.gateways.intern(&GatewayId::new("gw-0")?);
        let mut group: Vec<Row> = Vec::with_capacity(at_once);
        let mut group_number = 0;
        self.each_instant(|secs, values| {
            for &(parameter, well, value) in values {
                group.push(Row {
                    series: series(parameter, well),
                    gateway,
                    time: Timestamp::from_secs(secs),
                    value,
                    seq: Seq::from_i64(((secs * 1000 + group_number % 1000) << 20) | 1),
                    revision: 0,
                    qc_tests: QcTests::NONE,
                    quality: QualityFlag::Pass,
                    site_status: None,
                    time_source: TimeSource::Device,
                    origin: Origin::Received,
                    time_form: None,
                });
                if group.len() == at_once {
                    take(std::mem::replace(&mut group, Vec::with_capacity(at_once)));
                    group_number += 1;
                }
            }
        });
        if !group.is_empty() {
            take(group);
        }
        Ok(())
    }

    pub fn fill_window(&self, window: &Window, names: &RowNames) -> Result<(), Error> {
        self.rows(names, INSERTED_AT_ONCE, |rows| {
            window.classify(&rows);
            window.insert(rows);
        })
    }

    pub async fn fill_archive(&self, archive: &dyn Archive, names: &RowNames) -> Result<(), Error> {
        let (sender, mut batches) = tokio::sync::mpsc::channel(1);
        let (data, its_names) = (*self, names.clone());
        let making = std::thread::spawn(move || {
            let made = data.rows(&its_names, COMMITTED_AT_ONCE, |rows| {
                // Who does not take them any more tells why.
                let _gone = sender.blocking_send(rows);
            });
            made.map_err(|error| error.to_string())
        });
        while let Some(rows) = batches.recv().await {
            let through = rows.iter().map(|row| row.seq).max().unwrap_or_default();
            archive.commit(ArchiveCommit { rows, through }).await?;
        }
        making.join().map_err(|_| "the maker of rows panicked")??;
        archive.maintain(Upkeep::AtRest).await?;
        Ok(())
    }
}

/// The data files that the last version of a Delta table has.
pub fn live_files(table: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(table.join("_delta_log"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    entries.sort();
    let mut live = std::collections::BTreeSet::new();
    for entry in entries {
        for line in std::fs::read_to_string(entry)?.lines() {
            let action: serde_json::Value = serde_json::from_str(line)?;
            if let Some(path) = action["add"]["path"].as_str() {
                live.insert(path.to_owned());
            } else if let Some(path) = action["remove"]["path"].as_str() {
                live.remove(path);
            }
        }
    }
    Ok(live.into_iter().map(|path| table.join(path.replace("%20", " "))).collect())
}
