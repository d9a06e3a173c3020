//! What can be said of a province whose wells cannot be judged: the rain, and wells nearby that can.
//!
//! A reference well is named as such: it is of the same aquifer and has a record that gives a class; it is no well of the
//! province's verdict, and nothing is concluded from it.

use std::collections::BTreeSet;

use gwbank_indicator::DroughtClass;
use gwbank_indicator::explain::words::THAI;
use gwbank_model::{Month, WellId};
use gwbank_registry::{Registry, Well, places};

use crate::place_standing::median;
use crate::watch::Inner;
use crate::wells;

const REFERENCE_WELLS_MAX: usize = 3;

/// Facts beside a province that cannot be judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Nearby {
    pub rain: Option<Rain>,
    /// The nearest first.
    pub wells: Vec<ReferenceWell>,
}

/// Of three months up to the closed one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rain {
    /// Median over the gauges.
    pub spi_3: f64,
    pub gauges: u32,
}

/// A well of the same aquifer whose record gives a class.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceWell {
    pub well_id: WellId,
    pub province_code: String,
    /// From the province; 0 within it. `None` where its place is not registered.
    pub distance_km: Option<f64>,
    pub class: DroughtClass,
}

pub(crate) fn find(inner: &Inner, registry: &Registry, province: &str, month: Month) -> Nearby {
    let here = registry.wells().iter().filter(|well| well.province_code == province);
    let records = here.filter_map(|well| inner.record_of(&well.well_id));
    let mut indices: Vec<f64> =
        records.filter(|record| record.closed_through == month).filter_map(|record| record.spi_3).collect();
    let gauges = u32::try_from(indices.len()).unwrap_or(u32::MAX);
    let rain = median(&mut indices).map(|spi_3| Rain { spi_3, gauges });
    Nearby { rain, wells: reference_wells(inner, registry, province, month) }
}

fn reference_wells(inner: &Inner, registry: &Registry, province: &str, month: Month) -> Vec<ReferenceWell> {
    let here = registry.wells().iter().filter(|well| well.province_code == province && wells::is_active(well));
    let aquifers: BTreeSet<&str> = here.filter_map(|well| well.aquifer.as_deref()).collect();
    if aquifers.is_empty() {
        return Vec::new();
    }
    let of_aquifer = |well: &Well| well.aquifer.as_deref().is_some_and(|aquifer| aquifers.contains(aquifer));
    let place = places::province(province);
    let distance = |well: &Well| match (well.latitude, well.longitude) {
        _ if well.province_code == province => Some(0.0),
        (Some(latitude), Some(longitude)) => place.map(|place| place.distance_km(latitude, longitude)),
        _ => None,
    };
    let without_level = inner.known_without_level();
    let mut found: Vec<ReferenceWell> = registry
        .wells()
        .iter()
        .filter(|well| wells::is_drought_capable(well, &without_level) && of_aquifer(well))
        .filter_map(|well| {
            let series = inner.series_of(&well.well_id)?;
            let judgement = series.judged(month)?.judgement.value().copied()?;
            judgement.counts_for_places.then(|| ReferenceWell {
                well_id: well.well_id.clone(),
                province_code: well.province_code.clone(),
                distance_km: distance(well),
                class: judgement.entry,
            })
        })
        .collect();
    // Those whose place nobody knows come last.
    let far = |well: &ReferenceWell| well.distance_km.unwrap_or(f64::INFINITY);
    found.sort_by(|a, b| far(a).total_cmp(&far(b)).then_with(|| a.well_id.cmp(&b.well_id)));
    found.truncate(REFERENCE_WELLS_MAX);
    found
}

impl Nearby {
    /// In English and Thai, to be put behind other facts.
    pub fn told(&self) -> (String, String) {
        let (mut en, mut th) = (String::new(), String::new());
        if let Some(Rain { spi_3, gauges }) = self.rain {
            en.push_str(&format!(
                "; rain of three months: SPI {spi_3:+.2} ({gauges} {})",
                if gauges == 1 { "gauge" } else { "gauges" }
            ));
            th.push_str(&format!(" ฝนสามเดือน: SPI {spi_3:+.2} ({gauges} สถานี)"));
        }
        if !self.wells.is_empty() {
            let (english, thai): (Vec<String>, Vec<String>) = self.wells.iter().map(ReferenceWell::told).unzip();
            en.push_str(&format!("; nearest reference wells of the same aquifer: {}", english.join(", ")));
            th.push_str(&format!(" บ่ออ้างอิงในชั้นน้ำเดียวกันที่ใกล้ที่สุด: {}", thai.join(", ")));
        }
        (en, th)
    }
}

impl ReferenceWell {
    fn told(&self) -> (String, String) {
        let (id, code) = (&self.well_id, &self.province_code);
        let province = places::province(code);
        let (name, name_th) = province.map_or((code.as_str(), code.as_str()), |found| (found.name_en, found.name_th));
        let (away, away_th) = match self.distance_km {
            Some(km) if km >= 0.5 => (format!(", {km:.0} km away"), format!(" ห่าง {km:.0} กม.")),
            _ => (String::new(), String::new()),
        };
        let class = match self.class {
            DroughtClass::None => "not low",
            class => class.name(),
        };
        let class_th = THAI.term(self.class.name());
        (format!("{id} ({name}{away}): {class}"), format!("{id} (จังหวัด{name_th}{away_th}) {class_th}"))
    }
}
