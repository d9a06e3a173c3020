//! Where the wells are, what hangs in them, and which gateway speaks for them.

use std::ops::Range;
use std::sync::Arc;

use gwbank_model::{Day, GatewayId, WellId};
use gwbank_registry::places::{self, District, Province};
use gwbank_registry::{AquiferCondition, BankType, Sampling, Well, WellStatus};

use crate::Clogging;
use crate::aquifer::{Aquifer, ClosedBank, OpenBank};
use crate::random::Noise;

/// Wells per gateway.
const WELLS_PER_GATEWAY: usize = 4;
/// Of every province the first so many wells are observation wells; then open, closed, observation, and so on.
const OBSERVATION_FIRST: usize = 7;
/// Of open banks of which some clog, so many do.
const CLOGGING_SHARE: f64 = 0.5;
/// Every third observation well is read by hand once a month.
const MANUAL_EVERY: usize = 3;
/// Wells of a province lie in at most so many of its districts.
const DISTRICTS_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Logger,
    Manual,
    OpenBank,
    ClosedBank,
}

/// What a site is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Water {
    Aquifer(Aquifer),
    Open(Aquifer, OpenBank),
    Closed(ClosedBank),
}

/// A well as the simulation sees it; its registry row has the same index.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub well_id: WellId,
    pub kind: Kind,
    /// Index into `places::provinces()`.
    pub province: usize,
    /// The how-manieth well of its province.
    pub position: usize,
    pub water: Water,
    pub noise: Noise,
    /// Of an open bank: the observation well beside it.
    pub beside: Option<Beside>,
    /// Minutes after seven in the morning at which the logger takes its daily value.
    pub minute: i64,
    pub has_rain_gauge: bool,
    pub has_conductivity: bool,
}

/// The observation well beside an open bank, in the same water: where it stands is where the bank lies.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub well_id: WellId,
    position: usize,
    noise: Noise,
}

impl Site {
    /// What place and ground are drawn from, and which of the province's wells lies there.
    fn ground(&self) -> (Noise, usize) {
        self.beside.as_ref().map_or((self.noise, self.position), |beside| (beside.noise, beside.position))
    }
}

/// How a gateway writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// An array; parameters as keys; local time with offset.
    Keyed,
    /// `{"readings":[…]}`; parameters as keys; UTC.
    Envelope,
    /// An array; `parameter` and `value`, levels in centimetres; epoch seconds.
    Named,
    Senml,
}

/// What is wrong with a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockFault {
    None,
    /// Writes 2569 for 2026: corrected by the server.
    BuddhistEra,
    /// Sends local time and calls it UTC: 7 hours ahead.
    LocalAsUtc,
    /// Lost its time: GPS epoch.
    Year1980,
    TenYearsAhead,
}

/// A gateway of a province.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub id: GatewayId,
    pub(crate) topic: Arc<str>,
    /// Indices of its wells.
    pub(crate) sites: Range<usize>,
    pub(crate) style: Style,
    pub(crate) clock: ClockFault,
    pub(crate) noise: Noise,
}

impl Gateway {
    /// Where it publishes.
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

pub(crate) struct Network {
    pub sites: Vec<Site>,
    pub gateways: Vec<Gateway>,
}

impl Network {
    pub fn new(seed: u64, wells: usize, clogging: Clogging) -> Self {
        let noise = Noise::new(seed).key(0x5e7e);
        let provinces = places::provinces();
        let mut sites = Vec::with_capacity(wells);
        let mut gateways = Vec::new();
        for (province_index, province) in provinces.iter().enumerate() {
            let count = wells / provinces.len() + usize::from(province_index < wells % provinces.len());
            let first = sites.len();
            for position in 0..count {
                let of_province = noise.key(province_index as u64);
                sites.push(site(of_province, province_index, province, position, clogging));
            }
            for (number, start) in (first..sites.len()).step_by(WELLS_PER_GATEWAY).enumerate() {
                let end = (start + WELLS_PER_GATEWAY).min(sites.len());
                gateways.push(gateway(noise, province, number, gateways.len(), start..end));
            }
        }
        Network { sites, gateways }
    }
}

fn kind(position: usize) -> Kind {
    let observation = |number: usize| if number % MANUAL_EVERY == 2 { Kind::Manual } else { Kind::Logger };
    match position.checked_sub(OBSERVATION_FIRST) {
        None => observation(position),
        Some(further) => match further % 3 {
            0 => Kind::OpenBank,
            1 => Kind::ClosedBank,
            _ => observation(OBSERVATION_FIRST + further / 3),
        },
    }
}

/// The how-manieth observation well of its province an open bank has beside it: each the next one of the first.
fn beside(of_province: Noise, province: &Province, position: usize) -> Beside {
    let position = (position - OBSERVATION_FIRST) / 3 % OBSERVATION_FIRST;
    Beside { well_id: well_id(province, position, position), position, noise: noise_of(of_province, position).key(10) }
}

/// Of the well at a position of its province, which lies where the one at `ground` does.
fn well_id(province: &Province, position: usize, ground: usize) -> WellId {
    let district = district_of(province, ground);
    WellId::new(&format!("TH{}-{:04}", district.code, position + 1)).expect("digits make an id")
}

fn noise_of(of_province: Noise, position: usize) -> Noise {
    of_province.key(position as u64)
}

fn aquifer(noise: Noise) -> Aquifer {
    Aquifer {
        soil_capacity_mm: noise.key(1).between(80.0, 150.0),
        recharge_share: noise.key(2).between(0.25, 0.55),
        lag_days: noise.key(3).between(8.0, 40.0),
        recession_days: 90.0 * (noise.key(4).between(0.0, 2.0)).exp(),
        specific_yield: noise.key(5).between(0.05, 0.16),
        mean_depth_m: 2.2 * (noise.key(6).between(0.0, 1.6)).exp(),
    }
}

/// The share of its infiltration that each fill takes from a bank.
fn clogging_per_fill(noise: Noise, kind: Kind, clogging: Clogging) -> f64 {
    match (clogging, kind) {
        // Some thirty fills a year: from hardly anything to half of it in the first year.
        (Clogging::ByFills, Kind::OpenBank) => noise.key(12).between(0.001, 0.02),
        // Stones hold back more of the sediment than a pond's bed does.
        (Clogging::ByFills, Kind::ClosedBank) => noise.key(12).between(0.001, 0.01),
        (Clogging::SomeOpenBanks, Kind::OpenBank) if noise.key(13).chance(CLOGGING_SHARE) => {
            noise.key(12).between(0.005, 0.02)
        }
        _ => 0.0,
    }
}

fn site(of_province: Noise, province_index: usize, province: &Province, position: usize, clogging: Clogging) -> Site {
    let noise = noise_of(of_province, position);
    let kind = kind(position);
    let beside = (kind == Kind::OpenBank).then(|| beside(of_province, province, position));
    let ground = beside.as_ref().map_or(position, |beside| beside.position);
    let well_id = well_id(province, position, ground);
    let aquifer = aquifer(noise_of(of_province, ground));
    let clogging_per_fill = clogging_per_fill(noise, kind, clogging);
    let water = match kind {
        Kind::Logger | Kind::Manual => Water::Aquifer(aquifer),
        Kind::OpenBank => {
            let bank = OpenBank {
                depth_m: noise.key(7).between(5.0, 9.0),
                catchment_ratio: noise.key(8).between(8.0, 25.0),
                infiltration_m_per_day: noise.key(9).between(0.05, 0.35),
                clogging_per_fill,
            };
            Water::Open(aquifer, bank)
        }
        Kind::ClosedBank => Water::Closed(ClosedBank {
            depth_m: noise.key(7).between(1.2, 3.0),
            fill_m_per_mm: noise.key(8).between(0.02, 0.06),
            drain_hours: noise.key(9).between(4.0, 9.0),
            clogging_per_fill,
        }),
    };
    Site {
        well_id,
        kind,
        province: province_index,
        position,
        water,
        noise: noise.key(10),
        beside,
        minute: noise.key(11).below(20) as i64,
        has_rain_gauge: position == 0,
        has_conductivity: position == 1,
    }
}

fn district_of(province: &Province, position: usize) -> &'static District {
    let districts = places::districts_of(province.code);
    let used = districts.len().min(DISTRICTS_MAX);
    // Spread over the list of districts, not only its first ones.
    let step = (districts.len() / used).max(1);
    &districts[(position % used) * step]
}

fn gateway(noise: Noise, province: &Province, number: usize, index: usize, sites: Range<usize>) -> Gateway {
    let id = GatewayId::new(&format!("gw-{}-{:02}", province.code, number + 1)).expect("digits make an id");
    let clock = match index % 160 {
        37 => ClockFault::BuddhistEra,
        101 => ClockFault::LocalAsUtc,
        _ => ClockFault::None,
    };
    let style = match index % 5 {
        // A wrong year stands in text only.
        _ if clock == ClockFault::BuddhistEra => Style::Keyed,
        0 | 1 => Style::Keyed,
        2 => Style::Envelope,
        3 => Style::Named,
        _ => Style::Senml,
    };
    let kind = if style == Style::Senml { "senml" } else { "readings" };
    Gateway {
        topic: format!("gwbank/v1/{id}/{kind}").into(),
        id,
        sites,
        style,
        clock,
        noise: noise.key(0x6a7e).key(index as u64),
    }
}

/// The registry row of a site. `depths_m` are its simulated depths, from which the office set the flood limits.
pub(crate) fn well(site: &Site, depths_m: &[f32], installed_on: Day) -> Well {
    let province = &places::provinces()[site.province];
    let (ground, ground_position) = site.ground();
    let district = district_of(province, ground_position);
    let subdistricts = places::subdistricts_of(district.code);
    let subdistrict =
        (!subdistricts.is_empty()).then(|| &subdistricts[ground.key(20).below(subdistricts.len() as u64) as usize]);
    let (latitude, longitude) = location(site, province);
    let number = site.position + 1;
    let (kind_en, kind_th) = match site.kind {
        Kind::Logger | Kind::Manual => ("observation well", "บ่อสังเกตการณ์"),
        Kind::OpenBank => ("open groundwater bank", "ธนาคารน้ำใต้ดินระบบเปิด"),
        Kind::ClosedBank => ("closed groundwater bank", "ธนาคารน้ำใต้ดินระบบปิด"),
    };
    let limits = flood_limits(site, depths_m);
    let (bank_type, aquifer, depth) = match site.water {
        Water::Aquifer(aquifer) => (BankType::Observation, Some(aquifer), Some(bottom_m(site, depths_m))),
        Water::Open(aquifer, bank) => (BankType::Open, Some(aquifer), Some(bank.depth_m)),
        Water::Closed(bank) => (BankType::Closed, None, Some(bank.depth_m)),
    };
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let is_bank = bank_type != BankType::Observation;
    let area = is_bank.then(|| match bank_type {
        BankType::Open => site.noise.key(24).between(40.0, 1600.0).round(),
        _ => site.noise.key(24).between(1.0, 9.0).round(),
    });
    Well {
        well_id: site.well_id.clone(),
        name: Some(format!("{} {kind_en} {number}", district.name_en)),
        name_th: Some(format!("{kind_th} {} {number}", district.name_th)),
        province_code: province.code.to_owned(),
        district_code: Some(district.code.to_owned()),
        subdistrict_code: subdistrict.map(|subdistrict| subdistrict.code.to_owned()),
        // One organisation a subdistrict, which is nearly so; its real code is not known here.
        lao_code: subdistrict.map(|subdistrict| format!("LAO{}", subdistrict.code)),
        aquifer: aquifer.map(|_| aquifer_name(site, province).to_owned()),
        aquifer_condition: aquifer.map(|_| AquiferCondition::Unconfined),
        bank_type,
        represents_aquifer: false,
        influenced: bank_type == BankType::Observation && site.noise.key(25).chance(0.02),
        sampling: if site.kind == Kind::Manual { Sampling::Manual } else { Sampling::Logger },
        latitude: Some(latitude),
        longitude: Some(longitude),
        ground_elevation: Some(round(ground.key(26).between(3.0, 250.0))),
        vertical_datum: Some("MSL".to_owned()),
        depth: depth.map(round),
        screen_top: depth.filter(|_| !is_bank).map(|depth| round(depth - 3.0)),
        screen_bottom: depth.filter(|_| !is_bank).map(|depth| round(depth - 0.5)),
        specific_yield: aquifer.map(|aquifer| round(aquifer.specific_yield)),
        flood_warning_depth: limits.map(|(warning, _)| round(warning)),
        flood_danger_depth: limits.map(|(_, danger)| round(danger)),
        bank_area: area,
        bank_volume: area.and_then(|area| depth.map(|depth| round(area * depth))),
        fill_material: (bank_type == BankType::Closed).then(|| "stones and used bottles".to_owned()),
        comparison_well_id: site.beside.as_ref().map(|beside| beside.well_id.clone()),
        installed_on: Some(installed_on),
        status: WellStatus::Active,
    }
}

/// Near the point for the province's label, and inside its outline; an open bank at the well beside it.
fn location(site: &Site, province: &Province) -> (f64, f64) {
    let mut reach_degrees = 0.35;
    for attempt in 0..8 {
        let noise = site.ground().0.key(21).key(attempt);
        let latitude = province.latitude + reach_degrees * noise.between(-1.0, 1.0);
        let longitude = province.longitude + reach_degrees * noise.key(1).between(-1.0, 1.0);
        if province.distance_km(latitude, longitude) == 0.0 {
            let round = |degrees: f64| (degrees * 1e5).round() / 1e5;
            return (round(latitude), round(longitude));
        }
        reach_degrees *= 0.7;
    }
    (province.latitude, province.longitude)
}

fn aquifer_name(site: &Site, province: &Province) -> &'static str {
    let names: &[&str] = match province.region {
        "Northeastern" => &["Phu Thok", "Maha Sarakham", "Phu Phan", "Mun-Chi alluvium"],
        "Northern" => &["Chiang Mai alluvium", "Ping-Wang terrace", "Yom-Nan floodplain"],
        "Southern" => &["Hat Yai", "Khu Tao", "Coastal beach sand"],
        _ => &["Chao Phraya floodplain", "Bangkok", "Phra Pradaeng", "Mae Klong alluvium"],
    };
    names[site.noise.key(22).below(names.len() as u64) as usize]
}

/// Drilled a little below the lowest level expected; one in twelve not deep enough for a long drought.
fn bottom_m(site: &Site, depths_m: &[f32]) -> f64 {
    let below =
        if site.noise.key(23).chance(1.0 / 12.0) { quantile(depths_m, 0.97) } else { quantile(depths_m, 1.0) + 4.0 };
    (below * 2.0).ceil() / 2.0
}

/// Depths reached on about 3 and 1 of 100 days: what people there remember as high. None for wells too deep to matter, for
/// closed banks, and for one in ten that nobody has set yet.
fn flood_limits(site: &Site, depths_m: &[f32]) -> Option<(f64, f64)> {
    const DEEPEST_M: f64 = 3.0;
    let carries = match site.water {
        Water::Aquifer(_) => !site.noise.key(27).chance(0.1),
        Water::Open(..) => true,
        Water::Closed(_) => false,
    };
    if !carries {
        return None;
    }
    let warning = quantile(depths_m, 0.03).min(DEEPEST_M);
    let danger = quantile(depths_m, 0.008).min(warning - 0.1);
    Some((warning, danger))
}

fn quantile(values: &[f32], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mut sorted = values.to_vec();
    let at = ((sorted.len() - 1) as f64 * share) as usize;
    let (_, value, _) = sorted.select_nth_unstable_by(at, f32::total_cmp);
    f64::from(*value)
}
