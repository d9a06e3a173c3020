//! `gateways` and `dead_letters`: how well the gateways are heard.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use gwbank_model::GatewayId;
use gwbank_store::{DeadLetterFilter, DeadLetterSummary, Metadata, PayloadPage};

use super::batch::BatchOf;
use super::small::{Rows, Wanted, internal};
use super::{GatewayRow, GatewaySource};
use crate::error::QueryError;

#[derive(Debug)]
pub(super) struct Gateways(pub(super) Arc<dyn GatewaySource>);

fn of_gateways(rows: &[GatewayRow]) -> BatchOf<'_, GatewayRow> {
    BatchOf::new(rows)
        .text("gateway_id", |g| Some(g.record.gateway_id.as_str()))
        .time("last_seen", |g| g.record.last_seen)
        .count("received", |g| Some(g.record.counts.received))
        .count("stored", |g| Some(g.record.counts.stored))
        .count("duplicate", |g| Some(g.record.counts.duplicate))
        .count("dead", |g| Some(g.record.counts.dead))
        .count("pending", |g| Some(g.pending))
        .number("clock_offset_s", |g| g.record.clock_offset_s)
        .text("clock_zone", |g| g.record.clock_zone.as_deref())
        .text("last_error", |g| g.record.last_error.as_deref())
}

#[async_trait]
impl Rows for Gateways {
    fn schema(&self) -> SchemaRef {
        of_gateways(&[]).schema()
    }
    async fn load(&self, _: Wanted) -> Result<RecordBatch, QueryError> {
        let rows = self.0.gateways().await.map_err(QueryError::metadata)?;
        of_gateways(&rows).finish().map_err(internal)
    }
}

/// One row an open entry; the payload is the oldest one kept.
#[derive(Debug)]
pub(super) struct DeadLetters {
    pub(super) metadata: Arc<dyn Metadata>,
    pub(super) gateways: Arc<dyn GatewaySource>,
}

type Letter = (DeadLetterSummary, Option<String>);

fn of_letters(rows: &[Letter]) -> BatchOf<'_, Letter> {
    BatchOf::new(rows)
        .count("id", |(letter, _)| u64::try_from(letter.id.0).ok())
        .time("received_at", |(letter, _)| Some(letter.received_at))
        .text("gateway_id", |(letter, _)| Some(letter.gateway_id.as_str()))
        .text("topic", |(letter, _)| Some(letter.topic.as_str()))
        .text("reason", |(letter, _)| Some(letter.reason.as_str()))
        .text("detail", |(letter, _)| Some(letter.detail.as_str()))
        .text("payload", |(_, payload)| payload.as_deref())
        .text("subject", |(letter, _)| Some(letter.subject.as_str()))
        .time("last_received_at", |(letter, _)| Some(letter.last_received_at))
        .count("messages", |(letter, _)| Some(letter.count))
        .count("readings", |(letter, _)| Some(letter.readings))
        .count("payload_bytes", |(letter, _)| Some(letter.payload_bytes))
        .count("expired", |(letter, _)| Some(letter.expired))
}

#[async_trait]
impl Rows for DeadLetters {
    fn schema(&self) -> SchemaRef {
        of_letters(&[]).schema()
    }

    fn narrowed_by(&self) -> &'static [&'static str] {
        &["gateway_id", "reason"]
    }

    async fn load(&self, wanted: Wanted) -> Result<RecordBatch, QueryError> {
        let gateway_id = wanted.text("gateway_id").and_then(|id| GatewayId::new(id).ok());
        let reason = wanted.text("reason").map(str::to_owned);
        let filter = DeadLetterFilter { gateway_id, reason, ..DeadLetterFilter::default() };
        // Not added to what the metadata has, as counts of gateways are: an entry gets its id, by which it is shown and
        // replayed, from the metadata.
        self.gateways.account_dead_letters().await.map_err(QueryError::metadata)?;
        let summaries = self.metadata.dead_letters(filter).await.map_err(QueryError::metadata)?;
        let mut rows = Vec::with_capacity(summaries.len());
        for summary in summaries {
            let payload = if wanted.column("payload") {
                let kept = self.metadata.dead_letter_payloads(summary.id, PayloadPage::FIRST).await;
                let kept = kept.map_err(QueryError::metadata)?;
                kept.into_iter().next().map(|letter| readable(letter.payload.into()))
            } else {
                None
            };
            rows.push((summary, payload));
        }
        of_letters(&rows).finish().map_err(internal)
    }
}

/// Text as it came, other bytes as PostgreSQL writes them: `\x` and hexadecimal digits.
fn readable(payload: Vec<u8>) -> String {
    String::from_utf8(payload).unwrap_or_else(|error| {
        let mut text = String::from("\\x");
        for byte in error.as_bytes() {
            write!(text, "{byte:02x}").expect("writing to a string succeeds");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn payloads_are_readable() {
        assert_eq!(super::readable(b"{\"a\":1}".to_vec()), "{\"a\":1}");
        assert_eq!(super::readable(vec![0xff, 0x0a]), "\\xff0a");
    }
}
