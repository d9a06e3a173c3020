//! Bytes that no client sends, by themselves and at a door.
//!
//! `corpus/NNN-what.bin` is what a connection sent from its first byte on: clients' own dialogues, and what was broken of
//! them. A fuzzer begins with the same files and calls [`gwbank_pgwire::fuzz::read_connection`].

use std::path::Path;

use gwbank_pgwire::fuzz::read_connection;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::AsyncWriteExt;

use crate::support::{Door, kinds};

const CASES_MIN: usize = 40;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= CASES_MIN, "only {} cases", files.len());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Something of the corpus with bytes changed, cut off, or put in.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    let piece = proptest::collection::vec(any::<u8>(), 0..20);
    (select(corpus()), changes, any::<Index>(), piece, any::<bool>()).prop_map(
        |(mut bytes, changes, at, piece, cuts)| {
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let at = at.index(bytes.len() + 1);
            if cuts {
                bytes.truncate(at);
            } else {
                bytes.splice(at..at, piece);
            }
            bytes
        },
    )
}

fn rounds(default: u32) -> u32 {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

#[test]
fn the_corpus_is_read() {
    corpus().iter().for_each(|bytes| read_connection(bytes));
}

#[test]
fn no_bytes_break_the_reader() {
    let junk = proptest::collection::vec(any::<u8>(), 0..300);
    proptest!(ProptestConfig::with_cases(rounds(500)), |(bytes in prop_oneof![3 => spoilt(), 1 => junk])| {
        read_connection(&bytes);
    });
}

/// Sends bytes, before or after a start, and leaves.
async fn disturb(door: &Door, bytes: &[u8], after_start: bool) {
    let mut client = door.stranger().await;
    if after_start {
        client.start(&[("user", "gwbank")]).await;
    }
    let _refused = client.stream.write_all(bytes).await;
    let _refused = client.stream.shutdown().await;
    client.until_ready().await;
}

#[test]
fn no_bytes_break_the_door() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let door = runtime.block_on(Door::open());
    let message = (select(b"QPBDECHSXpdcfFz".to_vec()), proptest::collection::vec(any::<u8>(), 0..40));
    let framed = message.prop_map(|(kind, body)| [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), &body].concat());
    let messages = proptest::collection::vec(framed, 0..6).prop_map(|messages| messages.concat());
    let junk = proptest::collection::vec(any::<u8>(), 0..200);
    let bytes = prop_oneof![messages, junk, spoilt()];
    proptest!(ProptestConfig::with_cases(rounds(200)), |(bytes in bytes, start: bool)| {
        runtime.block_on(disturb(&door, &bytes, start));
    });
    runtime.block_on(async {
        assert_eq!(kinds(&door.client().await.query("rows 1").await), "TDCZ");
        door.until_empty().await;
    });
}
