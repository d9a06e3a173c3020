//! What is owed.

use gwbank_model::Timestamp;

use super::metadata::at;
use crate::{
    Became, DeliveryState, Metadata, OutboxCount, OutboxLease, OutboxMessage, OwedMessage, Settlement, WatchCommit,
};

fn message(key: &str, channel: &str) -> OutboxMessage {
    OutboxMessage::new(key.to_owned(), channel, "gwbank/v1/flags/30/drought".to_owned(), vec![0, 159, 255], at(0))
}

fn of_stream(key: &str, stream: &str) -> OutboxMessage {
    OutboxMessage { stream: Some(stream.to_owned()), ..message(key, "mqtt") }
}

async fn add(metadata: &dyn Metadata, outbox: Vec<OutboxMessage>) {
    metadata.commit_watch(WatchCommit { outbox, ..WatchCommit::default() }).await.expect("commit");
}

async fn lease(metadata: &dyn Metadata, now: Timestamp, limit: usize) -> Vec<OwedMessage> {
    let (channel, holder) = ("mqtt".to_owned(), "node-1".to_owned());
    let lease = OutboxLease { channel, holder, now, until: now.plus_secs(60), limit };
    metadata.lease_outbox(lease).await.expect("a lease")
}

fn keys(owed: &[OwedMessage]) -> Vec<&str> {
    owed.iter().map(|owed| owed.message.idempotency_key.as_str()).collect()
}

async fn settle(metadata: &dyn Metadata, key: &str, now: Timestamp, became: Became) {
    let settlement = Settlement { idempotency_key: key.to_owned(), at: now, became, detail: format!("{key} told") };
    metadata.settle_outbox(vec![settlement]).await.expect("settled");
}

pub(super) async fn messages_are_leased_and_settled(metadata: &dyn Metadata) {
    let full = OutboxMessage {
        flag_id: Some("f".to_owned()),
        office_id: Some("o".to_owned()),
        contact_id: Some("c".to_owned()),
        expires_at: Some(at(500)),
        ..message("k1", "mqtt")
    };
    let later = OutboxMessage { not_before: at(100), ..message("k4", "mqtt") };
    add(metadata, vec![full.clone(), message("k2", "webhook"), message("k3", "mqtt"), later]).await;
    // Written once a key.
    add(metadata, vec![OutboxMessage { body: Vec::new(), ..message("k1", "mqtt") }]).await;

    let first = lease(metadata, at(1), 1).await;
    let told = |owed: &[OwedMessage]| -> Vec<(u32, bool)> {
        owed.iter().map(|owed| (owed.attempts, owed.may_have_been_sent)).collect()
    };
    assert_eq!((&first[0].message, told(&first)), (&full, vec![(0, false)]));
    assert_eq!(keys(&lease(metadata, at(1), 10).await), ["k3"], "who leased a message has it alone");
    assert!(lease(metadata, at(60), 10).await.is_empty());
    assert_eq!(keys(&lease(metadata, at(61), 10).await), ["k1", "k3"], "a lease ends");
    metadata.release_outbox("node-2").await.expect("released");
    assert!(lease(metadata, at(62), 10).await.is_empty());
    metadata.release_outbox("node-1").await.expect("released");
    let again = lease(metadata, at(62), 10).await;
    assert_eq!(keys(&again), ["k1", "k3"], "or is ended by its holder");
    assert_eq!(told(&again), [(0, true), (0, true)], "whoever had it may have sent it");

    settle(metadata, "k1", at(63), Became::Retry(at(90))).await;
    settle(metadata, "k3", at(63), Became::Delivered).await;
    assert!(lease(metadata, at(89), 10).await.is_empty());
    let again = lease(metadata, at(90), 10).await;
    assert_eq!((keys(&again), again[0].attempts, again[0].may_have_been_sent), (vec!["k1"], 1, true));
    settle(metadata, "k1", at(91), Became::Postponed { until: at(95), digest: None }).await;
    let again = lease(metadata, at(100), 10).await;
    assert_eq!((keys(&again), again[0].attempts), (vec!["k1", "k4"], 1), "what was not tried is no attempt");
    settle(metadata, "k1", at(101), Became::Dead).await;
    settle(metadata, "k1", at(102), Became::Delivered).await;
    settle(metadata, "k4", at(102), Became::Expired).await;
    settle(metadata, "unknown", at(102), Became::Dead).await;
    assert!(lease(metadata, at(1_000), 10).await.is_empty(), "a message that has ended stays so");
    add(metadata, vec![message("k3", "mqtt")]).await;
    assert!(lease(metadata, at(1_000), 10).await.is_empty(), "and is not owed again");

    let told = metadata.deliveries(None).await.expect("deliveries");
    let states: Vec<_> = told.iter().map(|it| (it.idempotency_key.as_str(), it.state, it.attempts)).collect();
    use DeliveryState::{Dead, Delivered, Expired, Pending};
    assert_eq!(states, [("k1", Dead, 2), ("k2", Pending, 0), ("k3", Delivered, 1), ("k4", Expired, 0)]);
    assert_eq!((told[0].ended_at, told[0].detail.as_deref()), (Some(at(101)), Some("k1 told")));
    assert_eq!(metadata.deliveries(Some("f")).await.expect("deliveries"), told[..1]);
    let attempts = metadata.delivery_attempts(Some("k1")).await.expect("attempts");
    let outcomes: Vec<_> = attempts.iter().map(|attempt| (attempt.outcome.as_str(), attempt.at)).collect();
    assert_eq!(outcomes[..3], [("retry", at(63)), ("postponed", at(91)), ("dead", at(101))]);
    assert!(metadata.delivery_attempts(None).await.expect("attempts").len() >= attempts.len());
    let counts = metadata.outbox_counts().await.expect("counts");
    let pending = OutboxCount { channel: "webhook".to_owned(), state: Pending, messages: 1, oldest: at(0) };
    assert!(counts.contains(&pending), "{counts:?}");
    assert_eq!(counts.iter().map(|count| count.messages).sum::<u64>(), 4);
}

pub(super) async fn a_stream_keeps_its_order(metadata: &dyn Metadata) {
    add(metadata, vec![of_stream("a1", "a"), of_stream("a2", "a"), of_stream("b1", "b"), message("c1", "mqtt")]).await;
    assert_eq!(keys(&lease(metadata, at(1), 10).await), ["a1", "b1", "c1"]);
    assert!(lease(metadata, at(2), 10).await.is_empty());
    settle(metadata, "a1", at(3), Became::Retry(at(50))).await;
    settle(metadata, "b1", at(3), Became::Dead).await;
    assert!(lease(metadata, at(4), 10).await.is_empty(), "what is to be tried again is before what follows");
    assert_eq!(keys(&lease(metadata, at(50), 10).await), ["a1"]);
    settle(metadata, "a1", at(51), Became::Delivered).await;
    assert_eq!(keys(&lease(metadata, at(51), 10).await), ["a2"]);
}

pub(super) async fn what_waits_goes_with_what_may_not(metadata: &dyn Metadata) {
    let waits = OutboxMessage { not_before: at(100), ..of_stream("a1", "a") };
    add(metadata, vec![waits.clone(), OutboxMessage { idempotency_key: "b1".to_owned(), stream: None, ..waits }]).await;
    assert!(lease(metadata, at(1), 10).await.is_empty());
    let urgent = OutboxMessage { created_at: at(2), not_before: at(2), ..of_stream("a2", "a") };
    add(metadata, vec![urgent]).await;
    assert_eq!(keys(&lease(metadata, at(2), 10).await), ["a1"]);
    settle(metadata, "a1", at(3), Became::Delivered).await;
    assert_eq!(keys(&lease(metadata, at(3), 10).await), ["a2"]);
    assert_eq!(keys(&lease(metadata, at(100), 10).await), ["b1", "a2"], "its lease ended");
}

pub(super) async fn a_message_moves_into_a_digest(metadata: &dyn Metadata) {
    add(metadata, vec![of_stream("a1", "a"), of_stream("a2", "a")]).await;
    assert_eq!(keys(&lease(metadata, at(1), 10).await), ["a1"]);
    let digest = Some("c-morning".to_owned());
    settle(metadata, "a1", at(2), Became::Postponed { until: at(100), digest: digest.clone() }).await;
    assert_eq!(keys(&lease(metadata, at(2), 10).await), ["a2"], "it holds its stream up no more");
    settle(metadata, "a2", at(3), Became::Delivered).await;
    let due = lease(metadata, at(100), 10).await;
    assert_eq!((keys(&due), &due[0].message.digest), (vec!["a1"], &digest));
}

pub(super) async fn a_digest_is_leased_whole(metadata: &dyn Metadata) {
    let of_digest = |key: &str| OutboxMessage { digest: Some("d".to_owned()), ..message(key, "mqtt") };
    add(metadata, vec![of_digest("d1"), message("a1", "mqtt"), of_digest("d2"), of_digest("d3")]).await;
    assert_eq!(keys(&lease(metadata, at(1), 1).await), ["d1", "d2", "d3"]);
    assert_eq!(keys(&lease(metadata, at(1), 1).await), ["a1"]);
}

pub(super) async fn what_waits_for_a_digest_goes_with_what_may_not(metadata: &dyn Metadata) {
    let of = |key: &str, flag: &str| OutboxMessage {
        flag_id: Some(flag.to_owned()),
        contact_id: Some("c".to_owned()),
        ..message(key, "mqtt")
    };
    let held =
        |key: &str, flag: &str| OutboxMessage { digest: Some("d".to_owned()), not_before: at(100), ..of(key, flag) };
    add(metadata, vec![held("a1", "a"), held("b1", "b")]).await;
    let stream = Some("a c".to_owned());
    let urgent = OutboxMessage { created_at: at(2), not_before: at(2), stream, ..of("a2", "a") };
    add(metadata, vec![urgent]).await;
    let first = lease(metadata, at(2), 10).await;
    assert_eq!((keys(&first), &first[0].message.digest), (vec!["a1"], &None), "before what came of it");
    settle(metadata, "a1", at(3), Became::Delivered).await;
    assert_eq!(keys(&lease(metadata, at(3), 10).await), ["a2"]);
    settle(metadata, "a2", at(4), Became::Delivered).await;
    assert_eq!(keys(&lease(metadata, at(100), 10).await), ["b1"]);
}
