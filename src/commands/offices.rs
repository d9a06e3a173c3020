//! `gwbank offices import|list|export|invite|drill|deliveries`, on the running server.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::output::{self, cell};
use super::wells::told;
use crate::arguments::{General, OfficesCommand, ServerArguments};
use crate::client::{Client, encoded, query, read_all, read_json};
use crate::failure::{Failure, Outcome};

pub fn run(general: &General, command: OfficesCommand) -> Outcome {
    match command {
        OfficesCommand::Import { file, replace, server } => import(general, &server, &file, replace),
        OfficesCommand::List { server } => list(&Client::needed(general, &server)?),
        OfficesCommand::Export { out, server } => {
            let client = Client::needed(general, &server)?;
            let text = read_all(&mut client.send("GET", "/api/v1/offices", &[("accept", "text/csv")], &[])?)?;
            match out {
                Some(path) => Ok(std::fs::write(&path, text).with_context(|| path.display().to_string())?),
                None => output::write_all(&mut std::io::stdout().lock(), &text),
            }
        }
        OfficesCommand::Invite { contact, days, server } => {
            let client = Client::needed(general, &server)?;
            let path = format!("/api/v1/contacts/{}/invite", encoded(&contact));
            let invite: Value = client.post(&path, &json!({ "days": days }))?;
            output::line(&format!(
                "{}\nLet {} send this code to the channel of LINE as a message, once, before {}.",
                cell(&invite["code"]),
                cell(&invite["contact_id"]),
                cell(&invite["expires_at"])
            ))
        }
        OfficesCommand::Drill { kind, hazard, severity, place, server } => {
            let client = Client::needed(general, &server)?;
            let asked = json!({ "kind": kind, "hazard": hazard, "severity": severity, "place": place });
            let drill: Value = client.post("/api/v1/drills", &asked)?;
            output::line(&format!("{}: {} contacts are told", cell(&drill["drill_id"]), cell(&drill["told"])))
        }
        OfficesCommand::Deliveries { flag, state, server } => {
            let client = Client::needed(general, &server)?;
            let asked = query(&[("flag", flag.as_deref()), ("state", state.as_deref()), ("limit", Some("10000"))]);
            let list: Value = client.get(&format!("/api/v1/deliveries{asked}"))?;
            let headers = ["state", "channel", "contact_id", "attempts", "created_at", "ended_at", "detail", "flag_id"];
            output::table(&headers, rows(&list["items"], &headers))?;
            output::line(&format!("{} messages", list["total"]))
        }
    }
}

fn rows(items: &Value, headers: &[&str]) -> Vec<Vec<String>> {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| headers.iter().map(|name| cell(&item[*name])).collect()).collect()
}

fn import(general: &General, server: &ServerArguments, file: &Path, replace: bool) -> Outcome {
    let bytes =
        std::fs::read(file).with_context(|| format!("{} cannot be read", file.display())).map_err(Failure::usage)?;
    let client = Client::needed(general, server)?;
    let path = format!("/api/v1/offices?replace={replace}");
    let applied = client
        .send("PUT", &path, &[("content-type", "text/csv")], &bytes)
        .and_then(read_json::<gwbank_server::views::AppliedView>)
        .map_err(|failure| Failure::failed(format!("{}: {}", file.display(), failure.text())))?;
    told(&applied.warnings);
    output::line(&format!("{} contacts applied", applied.rows))
}

fn list(client: &Client) -> Outcome {
    let list: Value = client.get("/api/v1/offices")?;
    let mut rows = Vec::new();
    for office in list["items"].as_array().into_iter().flatten() {
        let contacts = office["contacts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut row = |contact: &Value| {
            let of_office = ["office_id", "level", "place_code", "name"].map(|name| cell(&office[name]));
            let of_contact = ["contact_id", "channel", "address", "language", "min_severity", "digest", "reachable"];
            rows.push(of_office.into_iter().chain(of_contact.map(|name| cell(&contact[name]))).collect());
        };
        if contacts.is_empty() {
            row(&Value::Null);
        }
        contacts.iter().for_each(row);
    }
    let headers = [
        "office_id",
        "level",
        "place_code",
        "name",
        "contact_id",
        "channel",
        "address",
        "language",
        "min_severity",
        "digest",
        "reachable",
    ];
    output::table(&headers, rows)?;
    output::line(&format!("{} offices", list["total"]))
}
