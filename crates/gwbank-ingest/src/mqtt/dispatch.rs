//! What a published message is for us.

use bytes::Bytes;
use gwbank_model::GatewayId;
use gwbank_wire::{Format, Reason, Route, route};

use crate::Message;

/// Files dead letters of which nobody knows the gateway.
const UNIDENTIFIED: &str = "unidentified";

/// What to do with a publish.
#[derive(Debug)]
pub(crate) enum Dispatch {
    Ingest(Message),
    /// Server topics: nobody else may publish there.
    Forbidden,
    /// No topic of ours.
    Other,
}

/// `publisher` is the gateway that has authenticated itself, `None` where the connection is anonymous.
pub(crate) fn dispatch(publisher: Option<&GatewayId>, topic: &str, payload: &Bytes) -> Dispatch {
    let (gateway, format) = match route(topic) {
        Route::Readings { gateway } => (gateway, Format::Json),
        Route::Senml { gateway } => (gateway, Format::of_senml(payload)),
        Route::ServerOwned => return Dispatch::Forbidden,
        Route::Unknown { gateway, reason, detail } => {
            let gateway = publisher.cloned().or(gateway).unwrap_or_else(unidentified);
            return Dispatch::Ingest(Message::undecoded(gateway, topic, payload.clone(), reason, detail));
        }
        Route::Foreign if topic == "gwbank" || topic.starts_with("gwbank/") => {
            let gateway = publisher.cloned().unwrap_or_else(unidentified);
            let detail = "gateways publish below gwbank/v1/{gateway}/: mend the topic".to_owned();
            return Dispatch::Ingest(Message::undecoded(gateway, topic, payload.clone(), Reason::UnknownTopic, detail));
        }
        Route::Foreign => return Dispatch::Other,
    };
    match publisher {
        Some(publisher) if *publisher != gateway => {
            let detail = format!(
                "gateway {publisher} published under the topic of gateway {gateway}: mend the topic, or the credentials"
            );
            let publisher = publisher.clone();
            Dispatch::Ingest(Message::undecoded(publisher, topic, payload.clone(), Reason::ForeignTopic, detail))
        }
        _ => Dispatch::Ingest(Message::new(gateway, topic, format, payload.clone())),
    }
}

/// A message of an external broker: whatever it is, it is taken in.
pub(crate) fn dispatch_external(topic: &str, payload: &Bytes) -> Message {
    match dispatch(None, topic, payload) {
        Dispatch::Ingest(message) => message,
        Dispatch::Forbidden | Dispatch::Other => {
            let detail = "no decoder reads this topic: subscribe to topics that gateways publish to".to_owned();
            Message::undecoded(unidentified(), topic, payload.clone(), Reason::UnknownTopic, detail)
        }
    }
}

fn unidentified() -> GatewayId {
    GatewayId::new(UNIDENTIFIED).expect("a valid id")
}

/// Levels below `gwbank/v1/{gateway}/` that carry readings, now or later.
const INGEST_LEVELS: &[&str] = &["readings", "senml", "line"];

/// Whether a subscription could see what gateways publish. Such messages are not routed; but a will would be, and it
/// would look like a reading that was never taken in.
pub(crate) fn may_match_ingest_topics(filter: &str) -> bool {
    let filter = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/')).map_or(filter, |(_, rest)| rest);
    INGEST_LEVELS.iter().any(|kind| {
        let mut levels = filter.split('/');
        for expected in [Some("gwbank"), Some("v1"), None, Some(*kind)] {
            match levels.next() {
                Some("#") => return true,
                Some("+") => {}
                // `flags` is no gateway.
                Some("flags") if expected.is_none() => return false,
                Some(level) if expected.is_none_or(|expected| expected == level) => {}
                _ => return false,
            }
        }
        matches!(levels.next(), None | Some("#"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_that_would_see_readings_are_known() {
        for filter in
            ["#", "gwbank/#", "+/v1/+/senml", "gwbank/v1/+/+", "$share/g/gwbank/v1/#", "gwbank/v1/gw/readings/#"]
        {
            assert!(may_match_ingest_topics(filter), "{filter}");
        }
        for filter in [
            "gwbank/v1/+/status",
            "gwbank/v1/flags/#",
            "gwbank/v1/flags/+/+",
            "other/#",
            "gwbank/v1/gw/status",
            "$SYS/#",
        ] {
            assert!(!may_match_ingest_topics(filter), "{filter}");
        }
    }

    #[test]
    fn a_gateway_speaks_for_itself_only() {
        let gateway = GatewayId::new("gw-1").unwrap();
        let payload = Bytes::from_static(b"{}");
        let reason = |publisher: Option<&GatewayId>, topic: &str| match dispatch(publisher, topic, &payload) {
            Dispatch::Ingest(message) => match message.content {
                crate::MessageContent::Undecoded { reason, .. } => format!("{} {reason}", message.gateway),
                crate::MessageContent::Payload { format, .. } => format!("{} {format}", message.gateway),
            },
            Dispatch::Forbidden => "forbidden".to_owned(),
            Dispatch::Other => "other".to_owned(),
        };
        assert_eq!(reason(Some(&gateway), "gwbank/v1/gw-1/readings"), "gw-1 json");
        assert_eq!(reason(None, "gwbank/v1/gw-2/senml"), "gw-2 senml_json");
        assert_eq!(reason(Some(&gateway), "gwbank/v1/gw-2/readings"), "gw-1 foreign_topic");
        assert_eq!(reason(None, "gwbank/v1/gw-2/line"), "gw-2 unknown_topic");
        assert_eq!(reason(None, "gwbank/v9/x"), "unidentified unknown_topic");
        assert_eq!(reason(None, "gwbank/v1/gw-1/status"), "forbidden");
        assert_eq!(reason(None, "gwbank/v1/flags/30/flood"), "forbidden");
        assert_eq!(reason(Some(&gateway), "elsewhere"), "other");
    }
}
