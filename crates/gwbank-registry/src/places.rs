//! The provinces, districts and subdistricts of Thailand, built in.
//!
//! # Constraints
//! Every well lies in a province, and tables of places must be there before anything is configured, offline.
//!
//! # Format
//! `data/*.tsv` (see `data/README.md` for source and licence), sorted by DOPA code. A code begins with its parent's code,
//! so the hierarchy needs no further column. Parsed once, on first use.
//!
//! # Rules
//! 1. Codes are text: `'30'`, `'3001'`, `'300101'`. Nothing else identifies a place; names repeat.
//! 2. Outlines are coarse (about 1 km) and a few kilometres off in places: they may only raise a doubt about a well's
//!    location, beyond [`LOCATION_TOLERANCE_KM`], never decide where it belongs.

use std::sync::LazyLock;

use crate::outline::{Outline, Ring};

/// How far outside its province's outline a well may lie before its location is doubted: the outlines' own error.
pub const LOCATION_TOLERANCE_KM: f64 = 10.0;

#[derive(Debug, Clone, PartialEq)]
pub struct Province {
    /// DOPA code, two digits.
    pub code: &'static str,
    /// ISO 3166-2, such as `TH-30`.
    pub iso_code: String,
    pub name_en: &'static str,
    pub name_th: &'static str,
    /// Northern, Northeastern, Central, Eastern, Western or Southern.
    pub region: &'static str,
    /// Of a point for a label inside the province, WGS 84.
    pub latitude: f64,
    pub longitude: f64,
    outline: Outline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct District {
    /// DOPA code, four digits.
    pub code: &'static str,
    pub name_en: &'static str,
    pub name_th: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subdistrict {
    /// DOPA code, six digits.
    pub code: &'static str,
    pub name_en: &'static str,
    pub name_th: &'static str,
}

impl Province {
    /// Kilometres from the outline; 0 inside.
    pub fn distance_km(&self, latitude: f64, longitude: f64) -> f64 {
        self.outline.distance_km(latitude, longitude)
    }

    /// Whether a place may well lie in this province, given how coarse the outline is.
    pub fn may_contain(&self, latitude: f64, longitude: f64) -> bool {
        self.distance_km(latitude, longitude) <= LOCATION_TOLERANCE_KM
    }

    /// Coarse outline for a small map: rings of (longitude, latitude), the last point joining the first.
    pub fn rings(&self) -> &[Ring] {
        self.outline.rings()
    }
}

impl District {
    pub fn province_code(&self) -> &'static str {
        &self.code[..2]
    }
}

impl Subdistrict {
    pub fn province_code(&self) -> &'static str {
        &self.code[..2]
    }
    pub fn district_code(&self) -> &'static str {
        &self.code[..4]
    }
}

/// All 77 provinces by code.
pub fn provinces() -> &'static [Province] {
    &PLACES.provinces
}

/// All 928 districts by code.
pub fn districts() -> &'static [District] {
    &PLACES.districts
}

/// All 7,436 subdistricts by code.
pub fn subdistricts() -> &'static [Subdistrict] {
    &PLACES.subdistricts
}

pub fn province(code: &str) -> Option<&'static Province> {
    find(provinces(), |p| p.code, code)
}

pub fn district(code: &str) -> Option<&'static District> {
    find(districts(), |d| d.code, code)
}

pub fn subdistrict(code: &str) -> Option<&'static Subdistrict> {
    find(subdistricts(), |s| s.code, code)
}

/// The districts of a province.
pub fn districts_of(province_code: &str) -> &'static [District] {
    children(districts(), |d| d.code, province_code)
}

/// The subdistricts of a district (four digits) or of a whole province (two).
pub fn subdistricts_of(parent_code: &str) -> &'static [Subdistrict] {
    children(subdistricts(), |s| s.code, parent_code)
}

/// The province in whose outline a place lies; near a border or coast the nearest within the outlines' error.
pub fn province_at(latitude: f64, longitude: f64) -> Option<&'static Province> {
    provinces()
        .iter()
        .map(|province| (province.distance_km(latitude, longitude), province))
        .filter(|(km, _)| *km <= LOCATION_TOLERANCE_KM)
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, province)| province)
}

fn find<T>(sorted: &'static [T], code_of: impl Fn(&T) -> &'static str, code: &str) -> Option<&'static T> {
    sorted.binary_search_by(|place| code_of(place).cmp(code)).ok().map(|index| &sorted[index])
}

fn children<T>(sorted: &'static [T], code_of: impl Fn(&T) -> &'static str, parent: &str) -> &'static [T] {
    let start = sorted.partition_point(|place| code_of(place) < parent);
    let count = sorted[start..].iter().take_while(|place| code_of(place).starts_with(parent)).count();
    &sorted[start..start + count]
}

struct Places {
    provinces: Vec<Province>,
    districts: Vec<District>,
    subdistricts: Vec<Subdistrict>,
}

static PLACES: LazyLock<Places> = LazyLock::new(|| Places {
    provinces: rows(include_str!("../data/provinces.tsv"))
        .map(|[code, name_en, name_th, region, lat, lon]| Province {
            code,
            iso_code: format!("TH-{code}"),
            name_en,
            name_th,
            region,
            latitude: lat.parse().expect("built-in latitude is a number"),
            longitude: lon.parse().expect("built-in longitude is a number"),
            outline: Outline::new(
                rows(include_str!("../data/outlines.tsv")).filter(|[of, _]| *of == code).map(|[_, ring]| ring),
            ),
        })
        .collect(),
    districts: rows(include_str!("../data/districts.tsv"))
        .map(|[code, name_en, name_th]| District { code, name_en, name_th })
        .collect(),
    subdistricts: rows(include_str!("../data/subdistricts.tsv"))
        .map(|[code, name_en, name_th]| Subdistrict { code, name_en, name_th })
        .collect(),
});

/// The fields of each line after the header. The files are part of the program, so a bad line is a bug.
fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    text.lines().skip(1).map(|line| {
        let mut fields = line.split('\t');
        let row = std::array::from_fn(|_| fields.next().expect("built-in places have all their columns"));
        assert!(fields.next().is_none(), "built-in places have no further columns");
        row
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_are_there_sorted_and_have_parents() {
        assert_eq!((provinces().len(), districts().len(), subdistricts().len()), (77, 928, 7_436));
        assert!(provinces().is_sorted_by(|a, b| a.code < b.code));
        assert!(districts().is_sorted_by(|a, b| a.code < b.code));
        assert!(subdistricts().is_sorted_by(|a, b| a.code < b.code));
        assert!(districts().iter().all(|d| d.code.len() == 4 && province(d.province_code()).is_some()));
        assert!(subdistricts().iter().all(|s| s.code.len() == 6 && district(s.district_code()).is_some()));
        assert_eq!(districts_of("30").len(), 32);
        assert_eq!(districts_of("99").len(), 0);
        assert_eq!(provinces().iter().map(|p| districts_of(p.code).len()).sum::<usize>(), 928);
        assert_eq!(districts().iter().map(|d| subdistricts_of(d.code).len()).sum::<usize>(), 7_436);
    }

    #[test]
    fn codes_lead_to_names() {
        let korat = province("30").unwrap();
        assert_eq!((korat.name_en, korat.name_th), ("Nakhon Ratchasima", "นครราชสีมา"));
        assert_eq!((korat.iso_code.as_str(), korat.region), ("TH-30", "Northeastern"));
        assert_eq!(district("3001").unwrap().name_en, "Mueang Nakhon Ratchasima");
        assert_eq!(subdistrict("100101").unwrap().name_th, "พระบรมมหาราชวัง");
        assert!(province("3").is_none() && district("30").is_none() && subdistrict("").is_none());
    }

    #[test]
    fn every_label_point_lies_in_its_own_province() {
        for province in provinces() {
            assert!(!province.rings().is_empty(), "{}", province.name_en);
            assert_eq!(province.distance_km(province.latitude, province.longitude), 0.0, "{}", province.name_en);
            let at = province_at(province.latitude, province.longitude).unwrap();
            assert_eq!(at.code, province.code);
        }
    }

    #[test]
    fn far_places_lie_in_no_province() {
        assert!(province_at(51.0, 4.5).is_none(), "Belgium");
        assert!(province_at(9.0, 101.8).is_none(), "Gulf of Thailand");
        assert_eq!(province_at(7.88, 98.39).unwrap().name_en, "Phuket");
        assert!(!province("30").unwrap().may_contain(13.75, 100.5), "Bangkok is not in Nakhon Ratchasima");
    }
}
