//! What a topic carries.
//!
//! `gwbank/v1/{gateway}/readings` and `…/senml` carry readings; `gwbank/v1/{gateway}/status` and `gwbank/v1/flags/…`
//! are the server's own; every other topic is told apart as unknown (ours, but without decoder) or foreign.

use gwbank_model::GatewayId;

use crate::Reason;
use crate::fault::excerpt;

/// Where a published message belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Native JSON.
    Readings { gateway: GatewayId },
    /// SenML, JSON or CBOR: see [`Format::of_senml`](crate::Format::of_senml).
    Senml { gateway: GatewayId },
    /// The server publishes here, retained; nobody else may.
    ServerOwned,
    /// Under `gwbank/v1/`, but nothing is read there.
    Unknown { gateway: Option<GatewayId>, reason: Reason, detail: String },
    /// Not a topic of gwbank.
    Foreign,
}

/// Says what `topic` carries.
pub fn route(topic: &str) -> Route {
    let Some(rest) = topic.strip_prefix("gwbank/v1/") else {
        return Route::Foreign;
    };
    let (gateway_level, kind) = rest.split_once('/').unwrap_or((rest, ""));
    if GatewayId::RESERVED.contains(&gateway_level) {
        return Route::ServerOwned;
    }
    let gateway = match GatewayId::of_sender(gateway_level) {
        Ok(gateway) => gateway,
        Err(error) => {
            let detail = format!("the gateway level {} of the topic is no gateway id: {error}", excerpt(gateway_level));
            return Route::Unknown { gateway: None, reason: Reason::BadId, detail };
        }
    };
    match kind {
        "readings" => Route::Readings { gateway },
        "senml" => Route::Senml { gateway },
        "status" => Route::ServerOwned,
        _ => {
            let detail = format!(
                "nothing reads {} below a gateway: publish JSON to gwbank/v1/{gateway}/readings or SenML to \
                 gwbank/v1/{gateway}/senml",
                excerpt(kind)
            );
            Route::Unknown { gateway: Some(gateway), reason: Reason::UnknownTopic, detail }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> GatewayId {
        GatewayId::new("gw-3001-02").unwrap()
    }

    #[test]
    fn readings_and_senml_name_their_gateway() {
        assert_eq!(route("gwbank/v1/gw-3001-02/readings"), Route::Readings { gateway: gateway() });
        assert_eq!(route("gwbank/v1/gw-3001-02/senml"), Route::Senml { gateway: gateway() });
    }

    #[test]
    fn the_server_owns_status_and_flags() {
        for topic in
            ["gwbank/v1/gw-3001-02/status", "gwbank/v1/flags/30/drought", "gwbank/v1/flags", "gwbank/v1/flags/readings"]
        {
            assert_eq!(route(topic), Route::ServerOwned, "{topic}");
        }
    }

    #[test]
    fn other_topics_are_unknown_or_foreign() {
        for topic in [
            "",
            "gwbank",
            "gwbank/v2/x/readings",
            "v3/app@t/devices/d/up",
            "/gwbank/v1/g/readings",
            "GWBANK/v1/g/readings",
        ] {
            assert_eq!(route(topic), Route::Foreign, "{topic}");
        }
        for (topic, expected) in [
            ("gwbank/v1/gw-3001-02/line", Reason::UnknownTopic),
            ("gwbank/v1/gw-3001-02", Reason::UnknownTopic),
            ("gwbank/v1/gw-3001-02/", Reason::UnknownTopic),
            ("gwbank/v1/gw-3001-02/readings/extra", Reason::UnknownTopic),
            ("gwbank/v1//readings", Reason::BadId),
            ("gwbank/v1/a b/readings", Reason::BadId),
            ("gwbank/v1/", Reason::BadId),
        ] {
            match route(topic) {
                Route::Unknown { reason, .. } => assert_eq!(reason, expected, "{topic}"),
                other => panic!("{topic}: {other:?}"),
            }
        }
    }
}
