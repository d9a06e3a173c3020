//! Wells, their sensors, series and indicators.

use gwbank_registry::{Installation, Well};
use gwbank_store::{EffectiveLimit, IndicatorRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{finite, instant, text};
use crate::doors::Explained;

/// A registered well. Lengths in metres, areas in m², volumes in m³, WGS 84 degrees.
#[derive(Debug, Serialize, ToSchema)]
pub struct WellView {
    pub well_id: String,
    pub name: Option<String>,
    pub name_th: Option<String>,
    pub province_code: String,
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
    pub lao_code: Option<String>,
    pub aquifer: Option<String>,
    pub aquifer_condition: Option<&'static str>,
    /// observation, open or closed
    pub bank_type: &'static str,
    pub represents_aquifer: bool,
    pub influenced: bool,
    /// logger or manual
    pub sampling: &'static str,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub ground_elevation: Option<f64>,
    pub vertical_datum: Option<String>,
    pub depth: Option<f64>,
    pub screen_top: Option<f64>,
    pub screen_bottom: Option<f64>,
    pub specific_yield: Option<f64>,
    pub flood_warning_depth: Option<f64>,
    pub flood_danger_depth: Option<f64>,
    pub bank_area: Option<f64>,
    pub bank_volume: Option<f64>,
    pub fill_material: Option<String>,
    pub comparison_well_id: Option<String>,
    pub installed_on: Option<String>,
    pub status: &'static str,
}

impl From<&Well> for WellView {
    fn from(well: &Well) -> Self {
        Self {
            well_id: well.well_id.to_string(),
            name: well.name.clone(),
            name_th: well.name_th.clone(),
            province_code: well.province_code.clone(),
            district_code: well.district_code.clone(),
            subdistrict_code: well.subdistrict_code.clone(),
            lao_code: well.lao_code.clone(),
            aquifer: well.aquifer.clone(),
            aquifer_condition: well.aquifer_condition.map(|condition| condition.name()),
            bank_type: well.bank_type.name(),
            represents_aquifer: well.represents_aquifer,
            influenced: well.influenced,
            sampling: well.sampling.name(),
            latitude: finite(well.latitude),
            longitude: finite(well.longitude),
            ground_elevation: finite(well.ground_elevation),
            vertical_datum: well.vertical_datum.clone(),
            depth: finite(well.depth),
            screen_top: finite(well.screen_top),
            screen_bottom: finite(well.screen_bottom),
            specific_yield: finite(well.specific_yield),
            flood_warning_depth: finite(well.flood_warning_depth),
            flood_danger_depth: finite(well.flood_danger_depth),
            bank_area: finite(well.bank_area),
            bank_volume: finite(well.bank_volume),
            fill_material: well.fill_material.clone(),
            comparison_well_id: text(well.comparison_well_id.as_ref()),
            installed_on: well.installed_on.map(|day| day.date().to_string()),
            status: well.status.name(),
        }
    }
}

/// A limit of a quality test as it holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityLimitView {
    /// Null: every well.
    pub well_id: Option<String>,
    /// Null: every parameter of the well.
    pub parameter: Option<&'static str>,
    pub limit_name: String,
    pub value: f64,
    pub unit: Option<String>,
    /// `default`, `file` or `table`.
    pub source: &'static str,
    /// Of limits of the table.
    pub changed_at: Option<String>,
}

impl From<&EffectiveLimit> for QualityLimitView {
    fn from(limit: &EffectiveLimit) -> Self {
        Self {
            well_id: limit.key.well_id.as_ref().map(ToString::to_string),
            parameter: limit.key.parameter.map(|parameter| parameter.name()),
            limit_name: limit.key.limit.clone(),
            value: limit.value,
            unit: limit.unit.clone(),
            source: limit.source.name(),
            changed_at: limit.changed_at.map(instant),
        }
    }
}

/// What stood in a well from when to when.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstallationView {
    pub well_id: String,
    pub device_id: Option<String>,
    pub sensor_model: Option<String>,
    pub parameter: Option<&'static str>,
    pub sensor_depth_below_mp: Option<f64>,
    pub measuring_point_height: Option<f64>,
    pub pressure_kind: Option<&'static str>,
    pub barometer_id: Option<String>,
    pub offset: Option<f64>,
    pub valid_from: String,
    pub valid_to: Option<String>,
    pub reason: Option<String>,
}

impl From<&Installation> for InstallationView {
    fn from(installation: &Installation) -> Self {
        Self {
            well_id: installation.well_id.to_string(),
            device_id: installation.device_id.clone(),
            sensor_model: installation.sensor_model.clone(),
            parameter: installation.parameter.map(|parameter| parameter.name()),
            sensor_depth_below_mp: finite(installation.sensor_depth_below_mp),
            measuring_point_height: finite(installation.measuring_point_height),
            pressure_kind: installation.pressure_kind.map(|kind| kind.name()),
            barometer_id: installation.barometer_id.clone(),
            offset: finite(installation.offset),
            valid_from: instant(installation.valid_from),
            valid_to: installation.valid_to.map(instant),
            reason: installation.reason.clone(),
        }
    }
}

/// One well with all that is registered of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WellDetail {
    #[serde(flatten)]
    pub well: WellView,
    pub installations: Vec<InstallationView>,
}

/// A reading on a chart.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PointView {
    pub time: String,
    /// null where missing
    pub value: Option<f64>,
    /// QARTOD: 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing
    pub quality: i16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_status: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    pub well_id: String,
    pub parameter: String,
    pub unit: String,
    /// Readings in the range, of which `points` shows all or a part.
    pub readings: u64,
    /// Whether some were left out to keep to `max_points`; the lowest and highest of each stretch of time stay.
    pub decimated: bool,
    pub points: Vec<PointView>,
}

/// A number and all that it is made of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExplanationView {
    /// The month's first day.
    pub month: String,
    pub indicator: String,
    pub value: Option<f64>,
    pub class: Option<String>,
    /// Lines of text and tables of fixed width.
    pub text_en: String,
    pub text_th: String,
}

impl From<Explained> for ExplanationView {
    fn from(explained: Explained) -> Self {
        let Explained { month, indicator, value, class, text_en, text_th } = explained;
        let month = month.first_day().date().to_string();
        Self { month, indicator, value: finite(value), class, text_en, text_th }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IndicatorView {
    /// The month's first day, or an instant.
    pub period: String,
    pub indicator: String,
    pub value: Option<f64>,
    pub class: Option<String>,
    pub confidence: Option<f64>,
    /// Years with that calendar month.
    pub n: Option<i32>,
    pub years: Option<f64>,
    /// Of the values that it rests on: how many a person approved, and how many are of quality 1, from 0 to 1.
    pub approved_share: Option<f64>,
    pub quality_share: Option<f64>,
    pub computed_at: String,
}

impl From<&IndicatorRow> for IndicatorView {
    fn from(row: &IndicatorRow) -> Self {
        const DAY_MICROS: i64 = 86_400_000_000;
        let month = row.period.month(0);
        let is_month = row.period.as_micros() % DAY_MICROS == 0 && row.period == month.start(0);
        Self {
            period: if is_month { month.first_day().date().to_string() } else { instant(row.period) },
            indicator: row.indicator.clone(),
            value: finite(row.value),
            class: row.class.clone(),
            confidence: finite(row.confidence),
            n: row.n,
            years: finite(row.years),
            approved_share: finite(row.approved_share),
            quality_share: finite(row.quality_share),
            computed_at: instant(row.computed_at),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WellIndicators {
    pub well_id: String,
    pub indicators: Vec<IndicatorView>,
}
