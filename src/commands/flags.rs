//! `gwbank flags list|show|explain|acknowledge|comment|cancel|approve`

use gwbank_server::views::FlagExplanationView;
use serde_json::{Value, json};

use super::output::{self, cell};
use crate::arguments::{FlagsCommand, General};
use crate::client::{Client, encoded, query};
use crate::failure::Outcome;

pub fn run(general: &General, command: FlagsCommand) -> Outcome {
    match command {
        FlagsCommand::List { state, province, hazard, server } => {
            let client = Client::needed(general, &server)?;
            let asked = query(&[
                ("state", state.as_deref()),
                ("province", province.as_deref()),
                ("hazard", hazard.as_deref()),
                ("limit", Some("10000")),
            ]);
            let list: Value = client.get(&format!("/api/v1/flags{asked}"))?;
            let headers = ["severity", "hazard", "scope", "place", "state", "raised_at", "headline_en", "id"];
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rows = items.iter().map(|item| headers.map(|name| cell(&item[name])).to_vec()).collect();
            output::table(&headers, rows)?;
            output::line(&format!("{} condition flags", list["total"]))
        }
        FlagsCommand::Show { id, server } => {
            let client = Client::needed(general, &server)?;
            let flag: Value = client.get(&format!("/api/v1/flags/{}", encoded(&id)))?;
            output::line(&serde_json::to_string_pretty(&flag)?)
        }
        FlagsCommand::Explain { id, thai, server } => {
            let client = Client::needed(general, &server)?;
            let explained: FlagExplanationView = client.get(&format!("/api/v1/flags/{}/explanation", encoded(&id)))?;
            output::print(if thai { &explained.text_th } else { &explained.text_en })
        }
        FlagsCommand::Acknowledge { id, by, server } => {
            let client = Client::needed(general, &server)?;
            let body = json!({ "by": by });
            let flag: Value = client.post(&format!("/api/v1/flags/{}/acknowledge", encoded(&id)), &body)?;
            output::line(&format!(
                "{} acknowledged by {} at {}",
                cell(&flag["id"]),
                cell(&flag["acknowledged_by"]),
                cell(&flag["acknowledged_at"])
            ))
        }
        FlagsCommand::Comment { id, text, by, server } => {
            let client = Client::needed(general, &server)?;
            let body = json!({ "by": by, "text": text });
            let flag: Value = client.post(&format!("/api/v1/flags/{}/comment", encoded(&id)), &body)?;
            output::line(&format!("the remark on {} is kept", cell(&flag["id"])))
        }
        FlagsCommand::Cancel { id, reason, by, server } => {
            let client = Client::needed(general, &server)?;
            let body = json!({ "by": by, "text": reason });
            let flag: Value = client.post(&format!("/api/v1/flags/{}/cancel", encoded(&id)), &body)?;
            output::line(&format!("{} is {}", cell(&flag["id"]), cell(&flag["state"])))
        }
        FlagsCommand::Approve { id, server } => {
            let client = Client::needed(general, &server)?;
            let approved: Value = client.post(&format!("/api/v1/flags/{}/approve", encoded(&id)), &json!({}))?;
            output::line(&format!("{} approved by {}", cell(&approved["document"]), cell(&approved["approved_by"])))
        }
    }
}
