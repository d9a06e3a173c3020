//! The protocol from outside, byte by byte.

mod fuzz;
mod leaks;
mod support;

use std::sync::atomic::Ordering;

use gwbank_pgwire::{Limits, User, Users, Verifier};
use tokio::io::AsyncWriteExt;

use support::{Client, Door, code, kinds};

/// Parse, Bind, Describe the portal, Execute up to so many rows.
async fn extended(client: &mut Client, sql: &str, parameter: Option<&[u8]>, rows_max: u32) {
    client.send(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat()).await;
    let values = match parameter {
        Some(value) => [&[0, 1][..], &(value.len() as u32).to_be_bytes(), value].concat(),
        None => vec![0, 0],
    };
    client.send(b'B', &[&b"\0\0\0\x01\0\x01"[..], &values, &[0, 1, 0, 1]].concat()).await;
    client.send(b'D', b"P\0").await;
    client.send(b'E', &[&b"\0"[..], &rows_max.to_be_bytes()].concat()).await;
}

#[tokio::test]
async fn simple_queries_one_after_the_other() {
    let door = Door::open().await;
    let mut client = door.client().await;
    assert_eq!(kinds(&client.query("rows 2; rows 0; BEGIN").await), "TDDCTCCZ");
    let failed = client.query("rows 1; nonsense; rows 1").await;
    assert_eq!((kinds(&failed).as_str(), code(&failed).as_str()), ("TDCEZ", "42601"));
    assert_eq!(failed.last().unwrap().1, b"E");
    assert_eq!(code(&client.query("rows 1").await), "25P02");
    assert_eq!(client.query("ROLLBACK").await.last().unwrap().1, b"I");
    assert_eq!(kinds(&client.query(" ; ").await), "IZ");
}

#[tokio::test]
async fn a_portal_gives_its_rows_in_parts() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.query("BEGIN").await;
    extended(&mut client, "rows 3", None, 2).await;
    client.send(b'E', b"\0\0\0\0\x02").await;
    client.send(b'E', b"\0\0\0\0\x02").await;
    client.send(b'S', b"").await;
    // The rest, and then nothing more.
    assert_eq!(kinds(&client.until_ready().await), "12TDDsDCCZ");
    client.query("COMMIT").await;
    door.until_idle().await;
}

#[tokio::test]
async fn values_are_bound_in_binary() {
    let door = Door::open().await;
    let mut client = door.client().await;
    extended(&mut client, "value", Some(&41i64.to_be_bytes()), 0).await;
    client.send(b'S', b"").await;
    let received = client.until_ready().await;
    assert_eq!(kinds(&received), "12TDCZ");
    assert_eq!(received[3].1, [&[0, 1, 0, 0, 0, 8][..], &41i64.to_be_bytes()].concat());
    extended(&mut client, "value", Some(b"short"), 0).await;
    client.send(b'S', b"").await;
    let received = client.until_ready().await;
    assert_eq!((kinds(&received).as_str(), code(&received).as_str()), ("1EZ", "22P03"));
}

#[tokio::test]
async fn a_query_ends_with_its_client() {
    let door = Door::open().await;
    for sql in ["endless", "silent"] {
        let mut client = door.client().await;
        client.send(b'Q', &[sql.as_bytes(), b"\0"].concat()).await;
        door.until_busy().await;
        drop(client);
        door.until_idle().await;
    }
}

#[tokio::test]
async fn a_query_is_cancelled_or_runs_out_of_time() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.send(b'Q', b"silent\0").await;
    door.until_busy().await;
    door.cancel(&client).await;
    assert_eq!(code(&client.until_ready().await), "57014");
    door.until_idle().await;
    client.query("SET statement_timeout = 50").await;
    assert_eq!(code(&client.query("silent").await), "57014");
    assert_eq!(kinds(&client.query("rows 1").await), "TDCZ");
    door.until_idle().await;
}

#[tokio::test]
async fn an_answer_that_is_sent_is_cancelled_or_runs_out_of_time() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.send(b'Q', b"wide\0").await;
    client.receive().await;
    door.cancel(&client).await;
    let received = client.until_ready().await;
    assert_eq!((code(&received).as_str(), &kinds(&received)[kinds(&received).len() - 2..]), ("57014", "EZ"));
    assert_eq!(door.stats.counts().cancels, 1);
    client.query("SET statement_timeout = 50").await;
    for sql in ["wide", "COPY (wide) TO STDOUT"] {
        assert_eq!(code(&client.query(sql).await), "57014", "{sql}");
    }
    assert_eq!(kinds(&client.query("rows 1").await), "TDCZ");
    door.until_idle().await;
}

#[tokio::test]
async fn who_does_not_read_keeps_no_query_beyond_its_time() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.query("SET statement_timeout = 100").await;
    for sql in ["wide", "COPY (wide) TO STDOUT"] {
        client.send(b'Q', &[sql.as_bytes(), b"\0"].concat()).await;
        client.receive().await;
        // Nothing more of the answer is read.
        door.until_idle().await;
        let received = client.until_ready().await;
        assert_eq!(code(&received), "57014", "what was sent is whole, and the error follows it");
    }
    client.query("SET statement_timeout = 0").await;
    client.send(b'Q', b"wide\0").await;
    client.receive().await;
    door.cancel(&client).await;
    door.until_idle().await;
    assert_eq!(code(&client.until_ready().await), "57014");
}

#[tokio::test]
async fn an_answer_without_end_is_fetched_in_parts() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.query("BEGIN; DECLARE c CURSOR FOR endless").await;
    for part in 1..=50 {
        let received = client.query("FETCH 1000 FROM c").await;
        assert_eq!(kinds(&received), format!("T{}CZ", "D".repeat(1000)), "part {part}");
        // A batch has a hundred rows: what is not fetched is not made.
        assert!(door.engine.batches.load(Ordering::SeqCst) <= part * 10 + 1);
    }
    client.query("COMMIT").await;
    door.until_idle().await;
}

#[tokio::test]
async fn statements_and_refusals_are_counted() {
    let door = Door::with(Users::Everybody, Limits { connections_max: 1, ..Limits::default() }).await;
    let mut client = door.client().await;
    client.query("rows 1; nonsense").await;
    extended(&mut client, "rows 2", None, 0).await;
    client.send(b'S', b"").await;
    client.until_ready().await;
    let mut second = door.stranger().await;
    second.start(&[("user", "gwbank")]).await;
    assert_eq!(code(&second.until_ready().await), "53300");
    let mut third = door.stranger().await;
    third.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    third.until_ready().await;
    let counts = door.stats.counts();
    assert_eq!((counts.statements, counts.running, counts.sessions, counts.accepted), (3, 0, 1, 3));
    let refused = counts.refused.map(|(refusal, count)| (refusal.name(), count));
    assert_eq!(refused, [("credentials", 0), ("places", 1), ("tls", 0), ("startup", 1)]);
    drop((client, second, third));
    door.until_empty().await;
}

#[tokio::test]
async fn a_stop_ends_who_rests_and_says_so() {
    let door = Door::open().await;
    let mut client = door.client().await;
    door.trigger.stop();
    let received = client.until_ready().await;
    assert_eq!((kinds(&received).as_str(), code(&received).as_str()), ("E", "57P01"));
}

#[tokio::test]
async fn places_are_bounded() {
    let door = Door::with(Users::Everybody, Limits { connections_max: 1, ..Limits::default() }).await;
    let _first = door.client().await;
    let mut second = door.stranger().await;
    second.start(&[("user", "gwbank")]).await;
    assert_eq!(code(&second.until_ready().await), "53300");
}

#[tokio::test]
async fn a_password_is_asked_for() {
    let user = User { verifier: Verifier::new("secret"), may_query: true };
    let users = Users::Known([("somchai".to_owned(), user)].into());
    let door = Door::with(users, Limits::default()).await;
    for name in ["somchai", "nobody"] {
        let mut client = door.stranger().await;
        client.start(&[("user", name)]).await;
        let (kind, body) = client.receive().await.unwrap();
        assert_eq!((kind, &body[..]), (b'R', &b"\0\0\0\x0aSCRAM-SHA-256\0\0"[..]));
        client.send(b'p', b"SCRAM-SHA-256\0\0\0\0\x0dn,,n=,r=abcde").await;
        let (_, body) = client.receive().await.unwrap();
        let first = String::from_utf8(body[4..].to_vec()).unwrap();
        let nonce = first.split(',').next().unwrap();
        client.send(b'p', format!("c=biws,{nonce},p={}=", "A".repeat(43)).as_bytes()).await;
        assert_eq!(code(&client.until_ready().await), "28P01", "{name}");
        // Nothing but a password is read from a stranger.
        let mut client = door.stranger().await;
        client.start(&[("user", name)]).await;
        client.receive().await;
        client.send(b'Q', b"rows 1\0").await;
        assert_eq!(code(&client.until_ready().await), "08P01");
    }
}
