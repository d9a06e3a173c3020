//! The public JSON shapes. Field names are those of CONTRACT's tables; changing one is a change of the interface.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_registry::office::{Contact, Office};
use gwbank_registry::{Installation, Well, places};
use gwbank_store::{
    ConditionFlag, DeadLetter, DeadLetterSummary, Delivery, DeliveryState, EffectiveLimit, FlagNote, FlagTransition,
    Hold, IndicatorRow, Review,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Principal;
use crate::doors::{
    Explained, FleetReport, GatewayStanding, PartState, PostedReceipt, ReplayedLetters, StandingInWords,
};

/// An instant as it leaves: RFC 3339 in Thai time.
pub fn instant(time: Timestamp) -> String {
    time.to_rfc3339(BANGKOK_OFFSET_SECONDS)
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// A part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// How many there are in all.
    pub total: u64,
    pub items: Vec<T>,
}

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

/// What somebody decides on a stretch of a series.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    pub well_id: String,
    pub parameter: String,
    /// RFC 3339, or a day of Thailand, which is meant whole. Both ends are inside; left out is open.
    pub from: Option<String>,
    pub to: Option<String>,
    /// `approve`, `reject`, `add`, `drift`, `scale` or `set`.
    pub action: String,
    /// In the parameter's unit, but for `scale`.
    pub amount: Option<f64>,
    pub amount_end: Option<f64>,
    /// By default who asks; only an admin may name another.
    pub author: Option<String>,
    pub reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawRequest {
    /// By default who asks; only an admin may name another.
    pub author: Option<String>,
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    pub review_id: i64,
    pub well_id: String,
    pub parameter: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub action: String,
    pub amount: Option<f64>,
    pub amount_end: Option<f64>,
    pub author: String,
    pub reason: String,
    /// In the stretch when it was made; of a correction those that it changes.
    pub readings: u64,
    pub created_at: String,
    /// Missing while corrected values are being written.
    pub done_at: Option<String>,
    pub withdrawn_by: Option<String>,
    pub withdrawn_reason: Option<String>,
    pub withdrawn_at: Option<String>,
}

impl From<&Review> for ReviewView {
    fn from(review: &Review) -> Self {
        let withdrawal = review.withdrawal.as_ref();
        Self {
            review_id: review.id.0,
            well_id: review.well_id.to_string(),
            parameter: review.parameter.name().to_owned(),
            from: review.from.map(instant),
            to: review.to.map(instant),
            action: review.action.name().to_owned(),
            amount: review.amount,
            amount_end: review.amount_end,
            author: review.author.clone(),
            reason: review.reason.clone(),
            readings: review.readings,
            created_at: instant(review.created_at),
            done_at: review.done_at.map(instant),
            withdrawn_by: withdrawal.map(|withdrawal| withdrawal.author.clone()),
            withdrawn_reason: withdrawal.map(|withdrawal| withdrawal.reason.clone()),
            withdrawn_at: withdrawal.map(|withdrawal| instant(withdrawal.at)),
        }
    }
}

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

/// A condition flag.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlagView {
    pub id: String,
    pub scope: &'static str,
    /// The well's id or the place's code.
    pub place: String,
    pub province_code: String,
    pub district_code: Option<String>,
    pub subdistrict_code: Option<String>,
    pub well_id: Option<String>,
    pub hazard: &'static str,
    pub severity: &'static str,
    pub state: &'static str,
    pub raised_at: String,
    pub changed_at: String,
    pub closed_at: Option<String>,
    pub confidence: Option<f64>,
    pub wells_in: u32,
    pub wells_out: u32,
    pub coverage: Option<f64>,
    pub rule: String,
    pub limit_value: Option<f64>,
    pub observed: Option<f64>,
    pub what_would_clear_it: String,
    pub headline_en: String,
    pub headline_th: String,
    pub detail_en: String,
    pub detail_th: String,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<String>,
}

impl From<&ConditionFlag> for FlagView {
    fn from(flag: &ConditionFlag) -> Self {
        Self {
            id: flag.id.clone(),
            scope: flag.scope.name(),
            place: flag.place.clone(),
            province_code: flag.province_code.clone(),
            district_code: flag.district_code.clone(),
            subdistrict_code: flag.subdistrict_code.clone(),
            well_id: text(flag.well_id.as_ref()),
            hazard: flag.hazard.name(),
            severity: flag.severity.name(),
            state: flag.state.name(),
            raised_at: instant(flag.raised_at),
            changed_at: instant(flag.changed_at),
            closed_at: flag.closed_at.map(instant),
            confidence: finite(Some(flag.confidence)),
            wells_in: flag.wells_in,
            wells_out: flag.wells_out,
            coverage: finite(Some(flag.coverage)),
            rule: flag.rule.clone(),
            limit_value: finite(flag.limit_value),
            observed: finite(flag.observed),
            what_would_clear_it: flag.what_would_clear_it.clone(),
            headline_en: flag.headline_en.clone(),
            headline_th: flag.headline_th.clone(),
            detail_en: flag.detail_en.clone(),
            detail_th: flag.detail_th.clone(),
            acknowledged_by: flag.acknowledged_by.clone(),
            acknowledged_at: flag.acknowledged_at.map(instant),
        }
    }
}

/// In place of a name, for those who are not known.
const SOMEBODY: &str = "เจ้าหน้าที่ officer";

impl FlagView {
    /// For `reader`: names of people are not for everybody.
    pub fn of(flag: &ConditionFlag, reader: &Principal) -> Self {
        let mut view = Self::from(flag);
        if reader.is_public() {
            view.acknowledged_by = view.acknowledged_by.map(|_| SOMEBODY.to_owned());
        }
        view
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TransitionView {
    pub at: String,
    pub transition: &'static str,
    pub severity: &'static str,
    /// The numbers that led to it.
    #[schema(value_type = Object)]
    pub evidence: serde_json::Value,
}

impl From<&FlagTransition> for TransitionView {
    fn from(transition: &FlagTransition) -> Self {
        let evidence = serde_json::from_str(&transition.evidence)
            .unwrap_or_else(|_| serde_json::Value::String(transition.evidence.clone()));
        Self {
            at: instant(transition.at),
            transition: transition.transition.name(),
            severity: transition.severity.name(),
            evidence,
        }
    }
}

impl TransitionView {
    /// For `reader`: names and words of people are not for everybody.
    pub fn of(transition: &FlagTransition, reader: &Principal) -> Self {
        let mut view = Self::from(transition);
        if reader.is_public()
            && let Some(evidence) = view.evidence.as_object_mut()
        {
            evidence.retain(|name, _| name != "by" && name != "text");
        }
        view
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FlagDetail {
    #[serde(flatten)]
    pub flag: FlagView,
    pub transitions: Vec<TransitionView>,
    /// Who did what about it.
    pub actions: Vec<FlagNoteView>,
}

/// What somebody did about a flag.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlagNoteView {
    pub at: String,
    /// `acknowledged`, `commented`, `approved` or `cancelled`.
    pub action: &'static str,
    pub by: String,
    /// `http`, `link` or `line`.
    pub via: String,
    pub contact_id: Option<String>,
    pub text: Option<String>,
}

impl From<&FlagNote> for FlagNoteView {
    fn from(note: &FlagNote) -> Self {
        Self {
            at: instant(note.at),
            action: note.action.name(),
            by: note.by.clone(),
            via: note.via.clone(),
            contact_id: note.contact_id.clone(),
            text: note.text.clone(),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillRequest {
    /// `exercise` or `test`.
    pub kind: String,
    pub hazard: String,
    pub severity: String,
    /// `well`, `subdistrict`, `district` or `province`; by default what the place is.
    pub scope: Option<String>,
    /// A DOPA code or a well's id.
    pub place: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DrillView {
    pub drill_id: String,
    /// Contacts that are told.
    pub told: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// `suppression` or `maintenance`.
    pub kind: String,
    /// Left out: every hazard.
    pub hazard: Option<String>,
    pub scope: Option<String>,
    /// A DOPA code or a well's id.
    pub place: String,
    /// Left out: now.
    pub from: Option<String>,
    pub until: String,
    pub reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HoldView {
    pub hold_id: String,
    pub kind: &'static str,
    pub hazard: Option<&'static str>,
    pub scope: &'static str,
    pub place: String,
    pub from: String,
    pub until: Option<String>,
    pub reason: String,
    pub by: String,
    pub created_at: String,
    pub ended_at: Option<String>,
    pub ended_by: Option<String>,
    /// Whether it holds now.
    pub holds: bool,
}

impl HoldView {
    pub fn of(hold: &Hold, now: Timestamp) -> Self {
        Self {
            hold_id: hold.hold_id.clone(),
            kind: hold.kind.name(),
            hazard: hold.hazard.map(|hazard| hazard.name()),
            scope: hold.scope.name(),
            place: hold.place.clone(),
            from: instant(hold.from),
            until: hold.until.map(instant),
            reason: hold.reason.clone(),
            by: hold.by.clone(),
            created_at: instant(hold.created_at),
            ended_at: hold.ended_at.map(instant),
            ended_by: hold.ended_by.clone(),
            holds: hold.holds(now),
        }
    }
}

/// Who is told of condition flags.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfficeView {
    pub office_id: String,
    pub level: &'static str,
    pub place_code: Option<String>,
    pub name: String,
    pub name_th: Option<String>,
    pub phone: Option<String>,
    pub messages_per_minute: Option<u32>,
    pub contacts: Vec<ContactView>,
}

impl OfficeView {
    pub fn of(office: &Office, contacts: Vec<ContactView>) -> Self {
        Self {
            office_id: office.office_id.clone(),
            level: office.level.name(),
            place_code: office.place_code.clone(),
            name: office.name.clone(),
            name_th: office.name_th.clone(),
            phone: office.phone.clone(),
            messages_per_minute: office.messages_per_minute,
            contacts,
        }
    }
}

/// One way to reach an office. Secrets are not shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactView {
    pub contact_id: String,
    pub name: Option<String>,
    pub channel: &'static str,
    pub address: Option<String>,
    pub language: &'static str,
    pub min_severity: &'static str,
    pub hazards: Vec<&'static str>,
    pub scopes: Vec<&'static str>,
    pub quiet_hours: Option<String>,
    pub digest: Option<String>,
    pub drills: bool,
    pub active: bool,
    pub unreachable_since: Option<String>,
    /// Whether anything may be sent to it now.
    pub reachable: bool,
}

impl From<&Contact> for ContactView {
    fn from(contact: &Contact) -> Self {
        Self {
            contact_id: contact.contact_id.clone(),
            name: contact.name.clone(),
            channel: contact.channel.name(),
            address: contact.address.clone(),
            language: contact.language.name(),
            min_severity: contact.min_severity.name(),
            hazards: contact.hazards.iter().map(|hazard| hazard.name()).collect(),
            scopes: contact.scopes.iter().map(|scope| scope.name()).collect(),
            quiet_hours: contact.quiet_hours.map(|hours| hours.to_string()),
            digest: contact.digest.map(|digest| digest.to_string()),
            drills: contact.drills,
            active: contact.active,
            unreachable_since: contact.unreachable_since.map(instant),
            reachable: contact.is_reachable(),
        }
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InviteRequest {
    /// How many days the code is good; 7 by default.
    pub days: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct InviteView {
    pub contact_id: String,
    /// To be sent to the channel of LINE as a message, once. Shown here only.
    pub code: String,
    pub expires_at: String,
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    pub idempotency_key: String,
    pub channel: String,
    pub flag_id: Option<String>,
    pub office_id: Option<String>,
    pub contact_id: Option<String>,
    /// `pending`, `delivered`, `dead` or `expired`.
    pub state: &'static str,
    pub attempts: u32,
    pub created_at: String,
    pub not_before: String,
    /// When it is tried next, of one that is pending.
    pub next_at: Option<String>,
    pub expires_at: Option<String>,
    pub digest: Option<String>,
    pub ended_at: Option<String>,
    /// The receipt, or the last reason why not.
    pub detail: Option<String>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        Self {
            idempotency_key: delivery.idempotency_key.clone(),
            channel: delivery.channel.clone(),
            flag_id: delivery.flag_id.clone(),
            office_id: delivery.office_id.clone(),
            contact_id: delivery.contact_id.clone(),
            state: delivery.state.name(),
            attempts: delivery.attempts,
            created_at: instant(delivery.created_at),
            not_before: instant(delivery.not_before),
            next_at: (delivery.state == DeliveryState::Pending).then(|| instant(delivery.next_at)),
            expires_at: delivery.expires_at.map(instant),
            digest: delivery.digest.clone(),
            ended_at: delivery.ended_at.map(instant),
            detail: delivery.detail.clone(),
        }
    }
}

/// Why a flag came to be what it is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FlagExplanationView {
    pub id: String,
    /// Lines of text.
    pub text_en: String,
    pub text_th: String,
    /// What was asked again of what was known then.
    pub reproduced: Vec<ReproducedView>,
}

/// A number of a transition's evidence, computed again from what was known then.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReproducedView {
    pub at: String,
    pub transition: Cow<'static, str>,
    /// To be run with `as_known_at` the instant.
    pub sql: String,
    /// The name of the number in the evidence.
    pub number: Option<Cow<'static, str>>,
    pub evidence: Option<f64>,
    pub computed: Option<f64>,
    /// `null` where nothing can be compared.
    pub reproduced: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovedView {
    pub identifier: String,
    /// Where it is.
    pub document: String,
    pub approved_by: String,
}

/// received = stored + duplicate + dead + pending, counted in readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    /// Durable and queryable, not yet compared with the archive.
    pub pending: u64,
    pub faults: Vec<FaultView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FaultView {
    pub reason: String,
    pub place: String,
    pub detail: String,
    pub readings: u64,
}

impl From<PostedReceipt> for ReceiptView {
    fn from(receipt: PostedReceipt) -> Self {
        let PostedReceipt { received, stored, duplicate, dead, pending, faults } = receipt;
        let faults = faults
            .into_iter()
            .map(|fault| FaultView {
                reason: fault.reason,
                place: fault.place,
                detail: fault.detail,
                readings: fault.readings,
            })
            .collect();
        Self { received, stored, duplicate, dead, pending, faults }
    }
}

/// What wants looking at in a province: what fell silent, batteries that run down, sensors that fail their tests or drift.
#[derive(Debug, Serialize, ToSchema)]
pub struct FleetView {
    pub province_code: String,
    pub items: u64,
    pub text_en: String,
    pub text_th: String,
}

impl From<FleetReport> for FleetView {
    fn from(report: FleetReport) -> Self {
        let FleetReport { province_code, items, text_en, text_th } = report;
        Self { province_code, items, text_en, text_th }
    }
}

/// Who asks, and what the role may.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// `null`: nobody who is known.
    pub name: Option<String>,
    pub role: Option<&'static str>,
    /// Of `view`, `read`, `sql`, `publish`, `review`, `acknowledge`, `administer`.
    pub may: Vec<&'static str>,
    /// Of a session: sent in the header `x-csrf-token` with whatever changes something.
    pub csrf: Option<String>,
    /// Whether anybody could log in with a password.
    pub accounts: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    pub name: String,
    pub password: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatewayView {
    pub gateway_id: String,
    pub last_seen: Option<String>,
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    pub pending: u64,
    pub clock_offset_s: Option<f64>,
    pub clock_zone: Option<String>,
    pub last_error: Option<String>,
}

impl From<&GatewayStanding> for GatewayView {
    fn from(standing: &GatewayStanding) -> Self {
        let record = &standing.record;
        Self {
            gateway_id: record.gateway_id.to_string(),
            last_seen: record.last_seen.map(instant),
            received: record.counts.received,
            stored: record.counts.stored,
            duplicate: record.counts.duplicate,
            dead: record.counts.dead,
            pending: standing.pending,
            clock_offset_s: finite(record.clock_offset_s),
            clock_zone: record.clock_zone.clone(),
            last_error: record.last_error.clone(),
        }
    }
}

/// One entry of the dead letters: what could not be stored, and why.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterView {
    pub id: i64,
    pub received_at: String,
    pub last_received_at: String,
    /// Messages.
    pub count: u64,
    pub readings: u64,
    pub gateway_id: String,
    pub topic: String,
    pub reason: String,
    pub detail: String,
    pub subject: String,
    pub payload_bytes: u64,
    /// Of the messages, those whose payload made room for newer ones: counted, not to be replayed any more.
    pub expired: u64,
}

impl From<&DeadLetterSummary> for DeadLetterView {
    fn from(letter: &DeadLetterSummary) -> Self {
        Self {
            id: letter.id.0,
            received_at: instant(letter.received_at),
            last_received_at: instant(letter.last_received_at),
            count: letter.count,
            readings: letter.readings,
            gateway_id: letter.gateway_id.to_string(),
            topic: letter.topic.clone(),
            reason: letter.reason.clone(),
            detail: letter.detail.clone(),
            subject: letter.subject.clone(),
            payload_bytes: letter.payload_bytes,
            expired: letter.expired,
        }
    }
}

/// One kept payload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PayloadView {
    pub received_at: String,
    pub topic: String,
    pub readings: u64,
    /// The payload where it is text.
    pub text: Option<String>,
    /// The payload in base64 where it is not.
    pub base64: Option<String>,
}

impl From<&DeadLetter> for PayloadView {
    fn from(letter: &DeadLetter) -> Self {
        use base64::Engine;
        let (text, base64) = match std::str::from_utf8(&letter.payload) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(base64::engine::general_purpose::STANDARD.encode(&letter.payload))),
        };
        Self {
            received_at: instant(letter.received_at),
            topic: letter.topic.clone(),
            readings: letter.readings,
            text,
            base64,
        }
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterDetail {
    #[serde(flatten)]
    pub letter: DeadLetterView,
    pub payloads: Vec<PayloadView>,
}

/// Which dead letters to replay; nothing given means all.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    pub id: Option<i64>,
    pub gateway: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ReplayView {
    pub letters: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
}

impl From<ReplayedLetters> for ReplayView {
    fn from(replayed: ReplayedLetters) -> Self {
        let ReplayedLetters { letters, stored, duplicate, dead } = replayed;
        Self { letters, stored, duplicate, dead }
    }
}

/// How many rows of a file were applied.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AppliedView {
    pub rows: u64,
    /// What contradicts itself or will not be judged in the registry as it is now.
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    pub part: Cow<'static, str>,
    pub ready: bool,
    pub detail: String,
    /// What to do about what is wrong, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<Cow<'static, str>>,
}

impl PartView {
    /// The part, and why it is as it is where that is told.
    pub fn told(&self) -> String {
        if self.detail.is_empty() { self.part.to_string() } else { format!("{}: {}", self.part, self.why()) }
    }

    pub fn why(&self) -> String {
        let mend = self.mend.iter().map(|mend| format!("; {mend}"));
        std::iter::once(self.detail.clone()).chain(mend).collect()
    }
}

impl From<PartState> for PartView {
    fn from(state: PartState) -> Self {
        let PartState { part, ready, detail, mend } = state;
        Self { part: Cow::Borrowed(part), ready, detail, mend: mend.map(Cow::Borrowed) }
    }
}

/// The process as a whole.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    pub version: String,
    pub now: String,
    pub ready: bool,
    pub parts: Vec<PartView>,
    pub wells: u64,
    #[serde(flatten)]
    pub counts: Option<CountsView>,
}

/// What the metadata know; left out while they cannot be asked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CountsView {
    pub gateways: u64,
    pub received: u64,
    pub stored: u64,
    pub duplicate: u64,
    pub dead: u64,
    pub pending: u64,
    pub open_flags: u64,
    pub dead_letters: u64,
}

/// A statement to run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    #[schema(example = "SELECT well_id, last_value(value ORDER BY time) FROM readings GROUP BY well_id")]
    pub sql: String,
    /// Every table as gwbank knew it at this instant (RFC 3339 with offset); now when left out.
    #[serde(default)]
    #[schema(example = "2026-05-01T00:00:00+07:00")]
    pub as_known_at: Option<String>,
}

/// Who takes note of a flag.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgeRequest {
    /// Taken from the credentials when left out.
    pub by: Option<String>,
    /// A remark; to take a flag back, why.
    #[serde(default)]
    pub text: Option<String>,
}

/// An RFC 9457 problem document. Some kinds carry further members.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemView {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
}
