//! The rules of dead letters.

use gwbank_model::Seq;

use super::metadata::{at, gateway, seq};
use crate::{
    DeadLetter, DeadLetterCause, DeadLetterFilter, DeadLetterId, DeadLetterSummary, DeadMessage, GatewayCounts,
    GatewayRecord, IngestCommit, Metadata, NewDeadLetter, PayloadPage, SettledDeadLetter,
};

const ALL: PayloadPage = PayloadPage { after: Seq::ZERO, payloads_max: usize::MAX, bytes_max: usize::MAX };

fn cause(subject: &str) -> DeadLetterCause {
    DeadLetterCause { reason: "unknown_well".to_owned(), subject: subject.to_owned() }
}

/// A message with letters of these subjects and readings.
fn message(gateway_id: &str, n: i64, letters: &[(&str, u64)]) -> DeadMessage {
    let letter = |(subject, readings): &(&str, u64)| NewDeadLetter {
        cause: cause(subject),
        detail: "well is not registered; import it and replay".to_owned(),
        readings: *readings,
    };
    DeadMessage {
        seq: seq(n),
        received_at: at(n),
        gateway_id: gateway(gateway_id),
        topic: "gwbank/v1/gw/readings".to_owned(),
        payload: format!("payload {n} {}", "x".repeat(100)).into(),
        letters: letters.iter().map(letter).collect(),
    }
}

fn settled(entry: &DeadLetterSummary, n: i64, readings: u64) -> SettledDeadLetter {
    SettledDeadLetter { id: entry.id, seq: seq(n), readings }
}

async fn list(metadata: &dyn Metadata, filter: DeadLetterFilter) -> Vec<DeadLetterSummary> {
    metadata.dead_letters(filter).await.expect("list")
}

async fn payloads(metadata: &dyn Metadata, id: DeadLetterId, page: PayloadPage) -> Vec<DeadLetter> {
    metadata.dead_letter_payloads(id, page).await.expect("payloads")
}

async fn settle(metadata: &dyn Metadata, settled_dead_letters: Vec<SettledDeadLetter>) {
    let commit = IngestCommit { settled_dead_letters, ..IngestCommit::default() };
    metadata.commit_ingest(commit).await.expect("commit");
}

pub(super) async fn are_one_entry_a_cause(metadata: &dyn Metadata) {
    let messages = vec![
        message("a", 1, &[("W-1", 2)]),
        message("a", 2, &[("W-2", 2)]),
        message("a", 3, &[("W-1", 2)]),
        message("b", 4, &[("W-1", 2)]),
    ];
    let commit = IngestCommit { through: Some(seq(4)), dead_messages: messages.clone(), ..IngestCommit::default() };
    metadata.commit_ingest(commit.clone()).await.expect("commit");
    metadata.commit_ingest(commit).await.expect("the same commit");
    let all = list(metadata, DeadLetterFilter::default()).await;
    assert_eq!(all.len(), 3);
    let entry = &all[0];
    assert_eq!((entry.subject.as_str(), entry.count, entry.readings, entry.expired), ("W-1", 2, 4, 0));
    assert_eq!((entry.received_at, entry.last_received_at), (at(1), at(3)));
    assert_eq!(entry.payload_bytes, 2 * messages[0].payload.len() as u64);
    let filtered = async |filter| list(metadata, filter).await.len();
    assert_eq!(filtered(DeadLetterFilter { gateway_id: Some(gateway("b")), ..Default::default() }).await, 1);
    assert_eq!(filtered(DeadLetterFilter { reason: Some("clock".to_owned()), ..Default::default() }).await, 0);
    assert_eq!(filtered(DeadLetterFilter { id: Some(entry.id), ..Default::default() }).await, 1);
    assert_eq!(filtered(DeadLetterFilter { limit: Some(2), ..Default::default() }).await, 2);

    let kept = payloads(metadata, entry.id, ALL).await;
    assert_eq!(kept.iter().map(|p| p.seq).collect::<Vec<_>>(), [seq(1), seq(3)]);
    assert_eq!(kept[1].payload, messages[2].payload);
    assert_eq!((kept[1].readings, kept[1].received_at), (2, at(3)));
    assert!(kept[1].beside.is_empty());

    settle(metadata, vec![settled(entry, 3, 2), settled(entry, 99, 2)]).await;
    let left = list(metadata, DeadLetterFilter { id: Some(entry.id), ..Default::default() }).await;
    assert_eq!((left[0].count, left[0].readings), (1, 2));
    settle(metadata, vec![settled(entry, 1, 2)]).await;
    assert_eq!(list(metadata, DeadLetterFilter::default()).await.len(), 2);
    assert!(payloads(metadata, entry.id, ALL).await.is_empty());
}

pub(super) async fn share_a_payload_and_come_in_by_parts(metadata: &dyn Metadata) {
    let message = message("a", 1, &[("W-1", 1), ("W-2", 2), ("payload 0a", 7)]);
    let commit = IngestCommit { dead_messages: vec![message.clone()], ..IngestCommit::default() };
    metadata.commit_ingest(commit).await.expect("commit");
    let entries = list(metadata, DeadLetterFilter::default()).await;
    assert_eq!(entries.iter().map(|entry| entry.readings).collect::<Vec<_>>(), [1, 2, 7]);
    let rest = &entries[2];
    let kept = payloads(metadata, rest.id, ALL).await;
    assert_eq!((kept.len(), &kept[0].payload), (1, &message.payload));
    assert_eq!(kept[0].beside, [(cause("W-1"), 1), (cause("W-2"), 2)]);

    settle(metadata, vec![settled(&entries[0], 1, 1), settled(rest, 1, 3)]).await;
    let left = list(metadata, DeadLetterFilter::default()).await;
    assert_eq!(left.iter().map(|entry| (entry.count, entry.readings)).collect::<Vec<_>>(), [(1, 2), (1, 4)]);
    let kept = payloads(metadata, rest.id, ALL).await;
    assert_eq!((kept.len(), kept[0].readings), (1, 4), "the payload stays for the rest");
    assert_eq!(kept[0].beside, [(cause("W-1"), 0), (cause("W-2"), 2)], "what came in was never of this letter");

    settle(metadata, vec![settled(rest, 1, 4)]).await;
    settle(metadata, vec![settled(rest, 1, 4)]).await;
    let left = list(metadata, DeadLetterFilter::default()).await;
    assert_eq!(left.iter().map(|entry| entry.subject.as_str()).collect::<Vec<_>>(), ["W-2"]);
    assert!(metadata.dead_letter_usage().await.expect("usage").bytes > 0);
    settle(metadata, vec![settled(&entries[1], 1, 2)]).await;
    assert!(list(metadata, DeadLetterFilter::default()).await.is_empty());
    assert_eq!(metadata.dead_letter_usage().await.expect("usage").bytes, 0, "nothing is left of the message");
}

pub(super) async fn can_be_filed_under_another_cause(metadata: &dyn Metadata) {
    let commit = |letters: &[(&str, u64)], settled_dead_letters: Vec<SettledDeadLetter>| IngestCommit {
        dead_messages: vec![message("a", 1, letters)],
        settled_dead_letters,
        ..IngestCommit::default()
    };
    metadata.commit_ingest(commit(&[("W-1", 3), ("W-2", 2)], Vec::new())).await.expect("commit");
    let entries = list(metadata, DeadLetterFilter::default()).await;
    let moved = vec![settled(&entries[0], 1, 3)];
    metadata.commit_ingest(commit(&[("W-2", 2), ("W-3", 1)], moved)).await.expect("commit");
    let left = list(metadata, DeadLetterFilter::default()).await;
    let told: Vec<(&str, u64, u64)> = left.iter().map(|e| (e.subject.as_str(), e.count, e.readings)).collect();
    assert_eq!(told, [("W-2", 1, 4), ("W-3", 1, 1)], "still one message");
    let kept = payloads(metadata, left[0].id, ALL).await;
    assert_eq!((kept.len(), kept[0].readings), (1, 4));
    assert_eq!(kept[0].beside, [(cause("W-1"), 0), (cause("W-3"), 1)]);
    settle(metadata, vec![settled(&left[0], 1, 4), settled(&left[1], 1, 1)]).await;
    assert!(list(metadata, DeadLetterFilter::default()).await.is_empty());
    assert_eq!(metadata.dead_letter_usage().await.expect("usage").bytes, 0);
}

pub(super) async fn leave_no_error_behind_with_the_last_one(metadata: &dyn Metadata) {
    let record = |gateway_id: &str, error: Option<&str>| GatewayRecord {
        gateway_id: gateway(gateway_id),
        last_seen: None,
        counts: GatewayCounts::default(),
        clock_offset_s: None,
        clock_zone: None,
        last_error: error.map(str::to_owned),
    };
    let errors = async || -> Vec<Option<String>> {
        let gateways = metadata.gateways().await.expect("gateways");
        gateways.into_iter().map(|record| record.last_error).collect()
    };
    let (said, other) = (Some("unknown_well".to_owned()), Some("clock".to_owned()));
    let commit = IngestCommit {
        gateways: vec![record("a", said.as_deref()), record("b", other.as_deref())],
        dead_messages: vec![
            message("a", 1, &[("W-1", 2)]),
            message("a", 2, &[("W-2", 1)]),
            message("b", 3, &[("W-1", 1)]),
        ],
        ..IngestCommit::default()
    };
    metadata.commit_ingest(commit).await.expect("commit");
    let entries = list(metadata, DeadLetterFilter::default()).await;
    settle(metadata, vec![settled(&entries[0], 1, 2)]).await;
    assert_eq!(errors().await, [said.clone(), other.clone()], "a letter of the gateway is open");

    let commit = IngestCommit {
        gateways: vec![record("a", Some("clock"))],
        dead_messages: vec![message("a", 4, &[("W-4", 1)])],
        settled_dead_letters: vec![settled(&entries[1], 2, 1)],
        ..IngestCommit::default()
    };
    metadata.commit_ingest(commit).await.expect("commit");
    assert_eq!(errors().await, [other.clone(), other.clone()], "a new one came with the end of the former");
    let newest = list(metadata, DeadLetterFilter { gateway_id: Some(gateway("a")), ..Default::default() }).await;
    settle(metadata, vec![settled(&newest[0], 4, 1)]).await;
    assert_eq!(errors().await, [None, other], "nothing is left to mend, and the other gateway has its own");
}

pub(super) async fn are_read_page_by_page(metadata: &dyn Metadata) {
    let messages: Vec<DeadMessage> = (1..=5).map(|n| message("a", n, &[("W-1", 1)])).collect();
    let bytes = messages[0].payload.len();
    let commit = IngestCommit { dead_messages: messages, ..IngestCommit::default() };
    metadata.commit_ingest(commit).await.expect("commit");
    let id = list(metadata, DeadLetterFilter::default()).await[0].id;
    let seqs = async |page| payloads(metadata, id, page).await.iter().map(|letter| letter.seq).collect::<Vec<_>>();
    assert_eq!(seqs(PayloadPage::FIRST).await, [seq(1)], "one at least, however long");
    assert_eq!(seqs(PayloadPage { payloads_max: 2, ..ALL }).await, [seq(1), seq(2)]);
    assert_eq!(seqs(PayloadPage { after: seq(2), bytes_max: bytes * 2, ..ALL }).await, [seq(3), seq(4)]);
    assert_eq!(seqs(PayloadPage { after: seq(5), ..ALL }).await, []);
}
