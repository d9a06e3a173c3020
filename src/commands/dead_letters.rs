//! `gwbank dead-letters list|show|replay`

use gwbank_model::GatewayId;
use serde_json::{Value, json};

use super::output::{self, cell};
use crate::arguments::{DeadLettersCommand, General};
use crate::client::{Client, query};
use crate::failure::Outcome;

pub fn run(general: &General, command: DeadLettersCommand) -> Outcome {
    match command {
        DeadLettersCommand::List { gateway, reason, server } => {
            let client = Client::needed(general, &server)?;
            let asked = query(&[
                ("gateway", gateway.as_ref().map(GatewayId::as_str)),
                ("reason", reason.as_deref()),
                ("limit", Some("10000")),
            ]);
            let list: Value = client.get(&format!("/api/v1/dead-letters{asked}"))?;
            let headers =
                ["id", "reason", "subject", "gateway_id", "count", "readings", "expired", "last_received_at", "detail"];
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rows = items.iter().map(|item| headers.map(|name| cell(&item[name])).to_vec()).collect();
            output::table(&headers, rows)?;
            output::line(&format!("{} dead letters", list["total"]))
        }
        DeadLettersCommand::Show { id, server } => {
            let client = Client::needed(general, &server)?;
            let letter: Value = client.get(&format!("/api/v1/dead-letters/{id}"))?;
            for name in ["id", "reason", "subject", "detail", "gateway_id", "topic", "received_at", "last_received_at"]
            {
                output::line(&format!("{name:<17}{}", cell(&letter[name])))?;
            }
            output::line(&format!("messages         {}, readings {}", letter["count"], letter["readings"]))?;
            if let expired @ 1.. = letter["expired"].as_u64().unwrap_or(0) {
                output::line(&format!(
                    "expired          {expired} of the payloads: counted, not to be replayed any more"
                ))?;
            }
            for payload in letter["payloads"].as_array().into_iter().flatten() {
                output::line(&format!("\n{} on {}", cell(&payload["received_at"]), cell(&payload["topic"])))?;
                let text = payload["text"].as_str().or(payload["base64"].as_str()).unwrap_or_default();
                // Indented, so that no line of a payload passes for one of ours.
                for line in text.lines() {
                    output::line(&format!("  {line}"))?;
                }
            }
            let number = |name: &str| letter[name].as_u64().unwrap_or(0);
            let shown = letter["payloads"].as_array().map_or(0, Vec::len) as u64;
            match number("count").saturating_sub(number("expired") + shown) {
                0 => Ok(()),
                further => output::line(&format!("\nand {further} later payloads")),
            }
        }
        DeadLettersCommand::Replay { id, gateway, reason, server } => {
            let client = Client::needed(general, &server)?;
            let body = json!({ "id": id, "gateway": gateway.as_ref().map(GatewayId::as_str), "reason": reason });
            let replayed: Value = client.post("/api/v1/dead-letters/replay", &body)?;
            output::line(&format!(
                "{} payloads replayed: {} readings stored, {} duplicate, {} still dead",
                replayed["letters"], replayed["stored"], replayed["duplicate"], replayed["dead"]
            ))
        }
    }
}
