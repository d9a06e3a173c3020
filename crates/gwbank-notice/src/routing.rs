//! Who is told of a transition, and when.
//!
//! # Rules
//! 1. An office hears of the places that it is responsible for, of the sizes that its contact asks for, and of nothing else.
//! 2. Whoever heard that something is bad hears that it has become better: the severity before counts as well as the one now.
//! 3. Quiet hours hold up everything but high groundwater that got severe, and its withdrawal. What waits keeps its order.
//! 4. What concerns the operator is told in digests.
//! 5. That somebody has seen a flag is told to programs, not to people: they see it where they look at the flag.

use gwbank_model::Timestamp;
use gwbank_model::condition::{Hazard, Scope, Severity, Transition};
use gwbank_registry::office::{Channel, Contact, DigestTime, Office, OfficeLevel, Offices};
use gwbank_store::ConditionFlag;

/// What a transition is to whoever may hear of it.
#[derive(Debug, Clone)]
pub struct Told<'a> {
    pub flag: &'a ConditionFlag,
    pub transition: Transition,
    pub severity_before: Option<Severity>,
    pub at: Timestamp,
    /// The local administrative organisations that the flag's place belongs to.
    pub laos: &'a [String],
    /// Contacts that take part in drills only.
    pub is_drill: bool,
}

/// A contact that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener<'a> {
    pub office: &'a Office,
    pub contact: &'a Contact,
    pub not_before: Timestamp,
    /// The digest that it is told in.
    pub digest: Option<String>,
}

/// Everybody who is told of it, by contact.
pub fn route<'a>(offices: &'a Offices, told: &Told<'_>) -> Vec<Listener<'a>> {
    offices.all().filter_map(|(office, contact)| listener(office, contact, told)).collect()
}

fn listener<'a>(office: &'a Office, contact: &'a Contact, told: &Told<'_>) -> Option<Listener<'a>> {
    let flag = told.flag;
    let worst = told.severity_before.map_or(flag.severity, |before| before.max(flag.severity));
    let is_for_programs = told.transition == Transition::Acknowledged;
    let wants = contact.is_reachable()
        && covers(office, flag, told.laos)
        && contact.hazards.contains(&flag.hazard)
        && wants_scope(office, contact, flag.scope)
        && worst >= contact.min_severity
        && (contact.drills || !told.is_drill)
        && (contact.channel == Channel::Webhook || !is_for_programs);
    if !wants {
        return None;
    }
    // What takes an alarm back goes the way of the alarm.
    let is_news = matches!(told.transition, Transition::Raised | Transition::Escalated | Transition::Cancelled);
    let is_severe = flag.severity >= Severity::Severe && is_news;
    let is_of_operator = matches!(flag.hazard, Hazard::NoData | Hazard::RapidChange);
    let digest = match (contact.digest, is_of_operator) {
        // A drill tries the way that a message takes when it matters.
        _ if told.is_drill || contact.channel == Channel::Webhook => None,
        (digest, true) => Some(digest.unwrap_or(DigestTime::USUAL)),
        (Some(digest), false) if !is_severe => Some(digest),
        _ => None,
    };
    let (not_before, digest) = match digest {
        Some(digest) => {
            let due = digest.next_after(told.at);
            (due, Some(format!("{}@{}", contact.contact_id, due.as_secs())))
        }
        None => {
            let may_wake = flag.hazard == Hazard::Flood && is_severe;
            let quiet = contact.quiet_hours.filter(|_| !may_wake).and_then(|hours| hours.end(told.at));
            (quiet.unwrap_or(told.at), None)
        }
    };
    Some(Listener { office, contact, not_before, digest })
}

fn covers(office: &Office, flag: &ConditionFlag, laos: &[String]) -> bool {
    let place = office.place_code.as_deref();
    match office.level {
        OfficeLevel::National => true,
        OfficeLevel::Province => place == Some(&flag.province_code),
        OfficeLevel::District => place.is_some() && place == flag.district_code.as_deref(),
        OfficeLevel::Lao => place.is_some_and(|place| laos.iter().any(|lao| lao == place)),
    }
}

fn wants_scope(office: &Office, contact: &Contact, scope: Scope) -> bool {
    if !contact.scopes.is_empty() {
        return contact.scopes.contains(&scope);
    }
    // A gateway is no place: whoever asks for its hazards hears of it.
    scope == Scope::Gateway || office.level.usual_scopes().contains(&scope)
}
