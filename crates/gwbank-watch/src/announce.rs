//! What a change owes to everybody who is told of it: MQTT's retained topic, and the contacts of offices.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gwbank_model::Timestamp;
use gwbank_model::condition::{FlagState, Scope, Transition};
use gwbank_notice::{Listener, Notice, Told, flag_json, notice_key, route};
use gwbank_registry::Registry;
use gwbank_registry::office::Offices;
use gwbank_store::{ConditionFlag, Drill, FlagTransition, OutboxMessage};

use crate::book::Change;
use crate::config::Contacts;
use crate::texts;
use crate::topics::{MQTT_CHANNEL, flag_topic};

/// Who is told, as it is known when a change is committed.
#[derive(Debug, Clone)]
pub(crate) struct Audience {
    pub offices: Arc<Offices>,
    pub registry: Arc<Registry>,
    /// A message that could not be delivered for so long is not worth telling any more.
    pub age_max: Duration,
}

impl Audience {
    pub fn messages(&self, change: &Change, at: Timestamp) -> Vec<OutboxMessage> {
        let Change { flag, transition, severity_before, month: _ } = change;
        let what = transition.as_ref().map_or("updated", |transition| transition.transition.name());
        let topic = flag_topic(flag);
        let retained = OutboxMessage {
            flag_id: Some(flag.id.clone()),
            stream: Some(format!("{MQTT_CHANNEL} {topic}")),
            ..OutboxMessage::new(
                format!("{}-{what}-{}", flag.id, at.as_micros()),
                MQTT_CHANNEL,
                topic,
                // An empty message removes the retained one.
                if flag.state == FlagState::Closed { Vec::new() } else { flag_json(flag).to_string().into_bytes() },
                at,
            )
        };
        let Some(transition) = transition else { return vec![retained] };
        let laos = self.laos_of(flag);
        let told = Told {
            flag,
            transition: transition.transition,
            severity_before: *severity_before,
            at,
            laos: &laos,
            is_drill: false,
        };
        let listeners = route(&self.offices, &told);
        let mut messages = vec![retained];
        if !listeners.is_empty() {
            let notice = Notice::of(flag, transition, *severity_before);
            let key = notice_key(&flag.id, transition);
            messages.extend(contact_messages(listeners, &notice, (&key, &flag.id), at, self.age_max));
        }
        messages
    }

    /// The messages of a drill, and to how many contacts they go. Nothing of it is retained.
    pub fn drill(&self, drill: &Drill, contacts: &Contacts) -> (Vec<OutboxMessage>, usize) {
        let flag = texts::drill_flag(drill, &self.registry, contacts);
        let transition = FlagTransition {
            flag_id: flag.id.clone(),
            at: drill.at,
            transition: Transition::Raised,
            severity: drill.severity,
            evidence: "{}".to_owned(),
        };
        let laos = self.laos_of(&flag);
        let told = Told {
            flag: &flag,
            transition: Transition::Raised,
            severity_before: None,
            at: drill.at,
            laos: &laos,
            is_drill: true,
        };
        let mut notice = Notice::of(&flag, &transition, None);
        notice.kind = format!("drill.{}", drill.kind.name());
        notice.data.practice = Some(drill.kind.into());
        let listeners = route(&self.offices, &told);
        let told = listeners.len();
        (contact_messages(listeners, &notice, (&drill.drill_id, &flag.id), drill.at, self.age_max), told)
    }

    /// The local administrative organisations that a flag's place belongs to.
    fn laos_of(&self, flag: &ConditionFlag) -> Vec<String> {
        match flag.scope {
            Scope::Lao => vec![flag.place.clone()],
            Scope::Well => self.registry.well(&flag.place).and_then(|well| well.lao_code.clone()).into_iter().collect(),
            Scope::Subdistrict => {
                let lie_there =
                    self.registry.wells().iter().filter(|well| well.subdistrict_code.as_deref() == Some(&flag.place));
                let laos: BTreeSet<String> = lie_there.filter_map(|well| well.lao_code.clone()).collect();
                laos.into_iter().collect()
            }
            Scope::District | Scope::Province | Scope::Aquifer | Scope::Gateway => Vec::new(),
        }
    }
}

/// The same notice to each of them.
pub(crate) fn contact_messages(
    listeners: Vec<Listener<'_>>,
    notice: &Notice,
    (key, flag_id): (&str, &str),
    at: Timestamp,
    age_max: Duration,
) -> Vec<OutboxMessage> {
    let body = notice.to_bytes();
    let age_max = i64::try_from(age_max.as_micros()).unwrap_or(i64::MAX);
    let message = |listener: Listener<'_>| {
        let Listener { office, contact, not_before, digest } = listener;
        OutboxMessage {
            idempotency_key: format!("{key}@{}", contact.contact_id),
            channel: contact.channel.name().to_owned(),
            target: contact.address.clone().unwrap_or_default(),
            body: body.clone(),
            created_at: at,
            flag_id: Some(flag_id.to_owned()),
            office_id: Some(office.office_id.clone()),
            contact_id: Some(contact.contact_id.clone()),
            // A digest is told at its time; what is told at once keeps its order.
            stream: digest.is_none().then(|| format!("{flag_id} {}", contact.contact_id)),
            not_before,
            expires_at: Some(not_before.plus_micros(age_max)),
            digest,
        }
    };
    listeners.into_iter().map(message).collect()
}
