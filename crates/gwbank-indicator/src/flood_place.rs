//! High groundwater of places from their wells. Coverage never suppresses it, and counts are shown.
//!
//! A well in danger (severe or worse) raises its subdistrict and its district to its own severity. A province is at
//! watch with one such district, warning with two, severe with three or with at least 30 % of its flood-capable wells
//! in danger. A province is never extreme: what happens at one well is said there.

use std::collections::BTreeSet;

use gwbank_model::condition::Severity;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloodPlaceRules {
    pub warning_districts: u32,
    pub severe_districts: u32,
    pub severe_share: f64,
    /// One well alone is no share of a province.
    pub severe_share_wells_min: u32,
}

impl Default for FloodPlaceRules {
    fn default() -> Self {
        Self { warning_districts: 2, severe_districts: 3, severe_share: 0.30, severe_share_wells_min: 2 }
    }
}

/// A flood-capable well and its present condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloodWell<'a> {
    pub district: Option<&'a str>,
    pub severity: Option<Severity>,
}

impl FloodWell<'_> {
    fn in_danger(&self) -> bool {
        self.severity >= Some(Severity::Severe)
    }
}

/// Subdistrict, LAO or district: as bad as its worst well in danger.
///
/// - **Source, limits**: none; this project's rule that coverage never suppresses a flood.
/// - **Weak**: one wrong sensor raises a district.
///
/// ```
/// use gwbank_indicator::{FloodWell, small_place_severity};
/// use gwbank_model::condition::Severity;
///
/// let well = |severity| FloodWell { district: Some("9001"), severity };
/// assert_eq!(small_place_severity(&[well(None), well(Some(Severity::Extreme))]), Some(Severity::Extreme));
/// assert_eq!(small_place_severity(&[well(Some(Severity::Warning))]), None, "not in danger");
/// ```
pub fn small_place_severity(wells: &[FloodWell<'_>]) -> Option<Severity> {
    wells.iter().filter(|well| well.in_danger()).filter_map(|well| well.severity).max()
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProvinceFlood {
    pub severity: Option<Severity>,
    pub capable: u32,
    /// Wells with any flood condition, and those in danger.
    pub raised: u32,
    pub in_danger: u32,
    /// Districts with a well in danger; wells of unknown district count as one.
    pub districts: u32,
}

/// A province, by its districts with a well in danger and by the share of such wells.
///
/// - **Formula**: severe with ≥ 3 such districts, or ≥ 2 wells and ≥ 30 % of the flood-capable ones; warning with 2; watch with 1.
/// - **Shape**: the flood-capable wells in any order; those of unknown district count as one district.
/// - **Source, limits**: this project's, in [`FloodPlaceRules`]. **Weak**: says nothing of how large the area is.
///
/// ```
/// use gwbank_indicator::{FloodPlaceRules, FloodWell, province_flood};
/// use gwbank_model::condition::Severity;
///
/// let well = |district, severity| FloodWell { district: Some(district), severity };
/// let wells = [
///     well("9001", Some(Severity::Severe)),
///     well("9002", Some(Severity::Extreme)),
///     well("9003", None),
///     well("9003", None),
///     well("9003", None),
///     well("9003", None),
///     well("9003", None),
/// ];
/// let found = province_flood(&wells, &FloodPlaceRules::default());
/// assert_eq!((found.severity, found.in_danger, found.districts), (Some(Severity::Warning), 2, 2));
/// ```
pub fn province_flood(wells: &[FloodWell<'_>], rules: &FloodPlaceRules) -> ProvinceFlood {
    let danger: Vec<&FloodWell<'_>> = wells.iter().filter(|well| well.in_danger()).collect();
    let districts: BTreeSet<Option<&str>> = danger.iter().map(|well| well.district).collect();
    let (capable, in_danger, districts) = (wells.len() as u32, danger.len() as u32, districts.len() as u32);
    let share = if capable == 0 { 0.0 } else { f64::from(in_danger) / f64::from(capable) };
    let severity = if districts >= rules.severe_districts
        || (in_danger >= rules.severe_share_wells_min && share >= rules.severe_share)
    {
        Some(Severity::Severe)
    } else if districts >= rules.warning_districts {
        Some(Severity::Warning)
    } else if districts >= 1 {
        Some(Severity::Watch)
    } else {
        None
    };
    let raised = wells.iter().filter(|well| well.severity.is_some()).count() as u32;
    ProvinceFlood { severity, capable, raised, in_danger, districts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Severity::*;

    fn well(district: &str, severity: Option<Severity>) -> FloodWell<'_> {
        FloodWell { district: Some(district), severity }
    }

    fn province(danger: &[&str], calm: usize) -> Option<Severity> {
        let mut wells: Vec<FloodWell<'_>> = danger.iter().map(|d| well(d, Some(Severe))).collect();
        wells.extend(std::iter::repeat_n(well("3001", None), calm));
        province_flood(&wells, &FloodPlaceRules::default()).severity
    }

    #[test]
    fn districts_and_shares_decide() {
        assert_eq!(province(&[], 10), None);
        assert_eq!(province(&["3001"], 10), Some(Watch));
        assert_eq!(province(&["3001", "3001"], 10), Some(Watch));
        assert_eq!(province(&["3001", "3002"], 10), Some(Warning));
        assert_eq!(province(&["3001", "3002", "3003"], 10), Some(Severe));
        assert_eq!(province(&["3001", "3001", "3001"], 7), Some(Severe), "30 % of the wells");
        assert_eq!(province(&["3001"], 1), Some(Watch), "one well alone is no share");
    }

    #[test]
    fn only_danger_raises_a_place() {
        assert_eq!(small_place_severity(&[well("3001", Some(Warning)), well("3001", None)]), None);
        assert_eq!(small_place_severity(&[well("3001", Some(Extreme)), well("3001", Some(Severe))]), Some(Extreme));
        let wells = [well("3001", Some(Warning)), FloodWell { district: None, severity: Some(Severe) }];
        let found = province_flood(&wells, &FloodPlaceRules::default());
        assert_eq!((found.raised, found.in_danger, found.districts), (2, 1, 1));
    }
}
