//! `gwbank review list|approve|reject|correct|withdraw`

use serde_json::{Value, json};

use super::output::{self, cell, grouped};
use crate::arguments::{CorrectionArguments, General, ReviewCommand, ReviewReason, ReviewStretch, ServerArguments};
use crate::client::{Client, query};
use crate::failure::Outcome;

pub fn run(general: &General, command: ReviewCommand) -> Outcome {
    match command {
        ReviewCommand::List { well, parameter, withdrawn, server } => {
            let asked = query(&[
                ("well_id", well.as_deref()),
                ("parameter", parameter.map(gwbank_model::Parameter::name)),
                ("withdrawn", withdrawn.then_some("true")),
                ("limit", Some("10000")),
            ]);
            let list: Value = Client::needed(general, &server)?.get(&format!("/api/v1/reviews{asked}"))?;
            let mut headers = vec![
                "review_id",
                "well_id",
                "parameter",
                "from",
                "to",
                "action",
                "amount",
                "amount_end",
                "readings",
                "author",
                "reason",
                "created_at",
                "done_at",
            ];
            if withdrawn {
                headers.extend(["withdrawn_by", "withdrawn_reason", "withdrawn_at"]);
            }
            let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rows = items.iter().map(|item| headers.iter().map(|name| cell(&item[*name])).collect()).collect();
            output::table(&headers, rows)?;
            output::line(&format!("{} reviews", list["total"]))
        }
        ReviewCommand::Approve { stretch, server } => decide(general, &server, stretch, "approve", (None, None)),
        ReviewCommand::Reject { stretch, server } => decide(general, &server, stretch, "reject", (None, None)),
        ReviewCommand::Correct { stretch, correction, server } => {
            let (action, amounts) = amounts(&correction);
            decide(general, &server, stretch, action, amounts)
        }
        ReviewCommand::Withdraw { review_id, why: ReviewReason { reason, author }, server } => {
            let client = Client::needed(general, &server)?;
            let body = json!({ "reason": reason, "author": author });
            let review: Value = client.post(&format!("/api/v1/reviews/{review_id}/withdraw"), &body)?;
            output::line(&format!(
                "review {review_id} ({} of {}/{}) is withdrawn by {}",
                cell(&review["action"]),
                cell(&review["well_id"]),
                cell(&review["parameter"]),
                cell(&review["withdrawn_by"])
            ))
        }
    }
}

/// By their group one of them is there.
fn amounts(correction: &CorrectionArguments) -> (&'static str, (Option<f64>, Option<f64>)) {
    let CorrectionArguments { add, drift, scale, value } = correction;
    if let Some([start, end]) = drift.as_deref() {
        return ("drift", (Some(*start), Some(*end)));
    }
    let single = [("add", add), ("scale", scale), ("set", value)].into_iter().find(|(_, amount)| amount.is_some());
    single.map_or(("set", (None, None)), |(action, amount)| (action, (*amount, None)))
}

fn decide(
    general: &General,
    server: &ServerArguments,
    stretch: ReviewStretch,
    action: &str,
    (amount, amount_end): (Option<f64>, Option<f64>),
) -> Outcome {
    let ReviewStretch { well, parameter, from, to, why: ReviewReason { reason, author } } = stretch;
    let body = json!({
        "well_id": well.as_str(), "parameter": parameter.name(), "from": from, "to": to, "action": action,
        "amount": amount, "amount_end": amount_end, "reason": reason, "author": author,
    });
    let review: Value = Client::needed(general, server)?.post("/api/v1/reviews", &body)?;
    let readings = review["readings"].as_u64().unwrap_or_default();
    output::line(&format!(
        "review {}: {action} {} readings of {well}/{parameter}, by {}; take it back with `gwbank review withdraw {}`",
        review["review_id"],
        grouped(readings),
        cell(&review["author"]),
        review["review_id"]
    ))
}
