//! Offices, contacts and what was sent to them.

use gwbank_registry::office::{Contact, Office};
use gwbank_store::{Delivery, DeliveryState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::instant;

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
