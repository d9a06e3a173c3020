//! `gwbank indicators`

use gwbank_server::views::ExplanationView;
use serde_json::Value;

use super::output::{self, cell};
use crate::arguments::{General, IndicatorsArguments};
use crate::client::{Client, encoded, query};
use crate::failure::Outcome;

fn explain(client: &Client, asked: &IndicatorsArguments) -> Outcome {
    let full = asked.full.then_some("true");
    let of = query(&[("indicator", asked.indicator.as_deref()), ("month", asked.month.as_deref()), ("full", full)]);
    let place = match (&asked.well, &asked.province) {
        (Some(well), _) => format!("wells/{}/indicators", encoded(well)),
        (None, province) => format!("provinces/{}", encoded(province.as_deref().unwrap_or_default())),
    };
    let explained: ExplanationView = client.get(&format!("/api/v1/{place}/explanation{of}"))?;
    output::print(if asked.thai { &explained.text_th } else { &explained.text_en })
}

pub fn run(general: &General, asked: &IndicatorsArguments) -> Outcome {
    let client = Client::needed(general, &asked.server)?;
    if asked.explain {
        return explain(&client, asked);
    }
    let answer: Value = match (&asked.well, &asked.province) {
        (Some(well), _) => {
            let only = query(&[("indicator", asked.indicator.as_deref())]);
            client.get(&format!("/api/v1/wells/{}/indicators{only}", encoded(well)))?
        }
        (None, province) => {
            client.get(&format!("/api/v1/provinces/{}", encoded(province.as_deref().unwrap_or_default())))?
        }
    };
    let all = answer["indicators"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted: Vec<&Value> = all
        .iter()
        .filter(|row| asked.indicator.as_ref().is_none_or(|name| row["indicator"] == name.as_str()))
        .collect();
    let mut periods: Vec<String> = wanted.iter().map(|row| cell(&row["period"])).collect();
    periods.sort();
    periods.dedup();
    let from = periods.len().saturating_sub(asked.months);
    let shown = &periods[from..];
    let headers = ["period", "indicator", "value", "class", "n", "years", "confidence"];
    let rows = wanted
        .iter()
        .filter(|row| shown.contains(&cell(&row["period"])))
        .map(|row| headers.map(|name| cell(&row[name])).to_vec())
        .collect();
    output::table(&headers, rows)
}
