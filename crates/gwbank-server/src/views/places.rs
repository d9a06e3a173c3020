//! Provinces: how they stand and how well they are seen.

use std::collections::BTreeMap;

use gwbank_registry::places;
use gwbank_store::ConditionFlag;
use serde::Serialize;
use utoipa::ToSchema;

use super::{FlagView, IndicatorView};
use crate::doors::StandingInWords;

#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceView {
    pub province_code: &'static str,
    pub iso_code: String,
    pub name_en: &'static str,
    pub name_th: &'static str,
    pub region: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    pub wells: u64,
    pub open_flags: u64,
    /// The worst severity of the open flags of each hazard that has any.
    pub worst: BTreeMap<&'static str, &'static str>,
}

impl ProvinceView {
    /// `flags`: the open ones of the province.
    pub fn new<'a>(
        province: &places::Province,
        wells: u64,
        flags: impl IntoIterator<Item = &'a ConditionFlag>,
    ) -> Self {
        let (mut open_flags, mut worst) = (0, BTreeMap::new());
        for flag in flags {
            open_flags += 1;
            let known = worst.entry(flag.hazard.name()).or_insert(flag.severity);
            *known = (*known).max(flag.severity);
        }
        let worst = worst.into_iter().map(|(hazard, severity)| (hazard, severity.name())).collect();
        Self {
            province_code: province.code,
            iso_code: province.iso_code.clone(),
            name_en: province.name_en,
            name_th: province.name_th,
            region: province.region,
            latitude: province.latitude,
            longitude: province.longitude,
            wells,
            open_flags,
            worst,
        }
    }
}

/// How much of a province is seen.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageView {
    pub observation_wells: u64,
    pub open_banks: u64,
    pub closed_banks: u64,
    /// Wells with a reading in the last 24 hours.
    pub wells_reporting: u64,
}

/// Where a province stands as to low groundwater in the last closed month, judged or not, in a sentence of each language.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingView {
    /// The month's first day.
    pub month: String,
    /// A severity, `normal`, or why it cannot be judged, such as `insufficient_record`.
    pub class: &'static str,
    pub text_en: String,
    pub text_th: String,
}

impl From<StandingInWords> for StandingView {
    fn from(standing: StandingInWords) -> Self {
        let StandingInWords { month, class, text_en, text_th } = standing;
        Self { month: month.first_day().date().to_string(), class, text_en, text_th }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceDetail {
    #[serde(flatten)]
    pub province: ProvinceView,
    pub coverage: CoverageView,
    pub standing: StandingView,
    /// The newest of each kind.
    pub indicators: Vec<IndicatorView>,
    pub flags: Vec<FlagView>,
}
