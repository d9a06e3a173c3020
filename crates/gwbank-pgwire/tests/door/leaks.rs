//! What clients leave behind: nothing, however they go and however many they were.

use std::time::Duration;

use gwbank_pgwire::{Limits, Users};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncWriteExt;

use crate::support::{Client, Door, kinds};

/// Side by side: more than the door has places for, so that refusals are among them.
const AT_ONCE: usize = 20;
const PLACES: usize = 16;
/// The first ones warm the allocator and the runtime up.
const WARM_UP: usize = 100;
/// Of memory that is still there after all are gone, whatever their number: what an allocator keeps.
const KEPT_BYTES_MAX: u64 = 24 << 20;

fn clients() -> usize {
    std::env::var("GWBANK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(400)
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// One client that comes to no good end.
async fn misbehave(door: &Door, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut client = door.stranger().await;
    let way = random.random_range(0..10);
    if way < 2 {
        // Never says who it is, or says nonsense.
        let mut bytes = vec![0; random.random_range(0..200)];
        random.fill(&mut bytes[..]);
        let _gone = client.stream.write_all(&bytes[..]).await;
        return;
    }
    client.start(&[("user", "gwbank")]).await;
    if way == 2 {
        return;
    }
    let greeting = client.until_ready().await;
    let Some((_, key)) = greeting.iter().find(|(kind, _)| *kind == b'K') else { return };
    client.key = key.clone();
    match way {
        3 => drop(client.query("rows 100").await),
        // Half a message.
        4 => drop(client.stream.write_all(b"Q\0\0\x10\0SELECT").await),
        5 => client.send(b'Q', b"silent\0").await,
        6 => drop(client.query("BEGIN; DECLARE c CURSOR FOR endless; FETCH 10 FROM c").await),
        7 => {
            client.send(b'P', b"s\0endless\0\0\0").await;
            client.send(b'B', b"p\0s\0\0\0\0\0\0\0").await;
            client.send(b'E', b"p\0\0\0\0\x05").await;
            client.send(b'H', b"").await;
            client.receive().await;
        }
        8 => {
            client.send(b'Q', b"wide\0").await;
            client.receive().await;
            door.cancel(&client).await;
            client.until_ready().await;
        }
        // Vanishes in the middle of an answer.
        _ => {
            client.send(b'Q', b"wide\0").await;
            for _ in 0..random.random_range(0..50) {
                client.receive().await;
            }
        }
    }
    vanish(client, random.random());
}

/// Leaves with or without a word to the network.
fn vanish(client: Client, abruptly: bool) {
    if abruptly {
        let _refused = client.stream.get_ref().set_zero_linger();
    }
}

#[test]
fn nothing_is_left_of_clients_that_are_gone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let limits = Limits { connections_max: PLACES, startup_time: Duration::from_secs(30) };
        let door = std::sync::Arc::new(Door::with(Users::Everybody, limits).await);
        let run = async |from: usize, to: usize| {
            for start in (from..to).step_by(AT_ONCE) {
                let clients: Vec<_> = (start..to.min(start + AT_ONCE))
                    .map(|number| {
                        let door = door.clone();
                        tokio::spawn(async move { misbehave(&door, number as u64).await })
                    })
                    .collect();
                for client in clients {
                    client.await.unwrap();
                }
            }
            door.until_empty().await;
        };
        run(0, WARM_UP).await;
        let (files, memory) = (open_files(), resident_bytes());
        run(WARM_UP, WARM_UP + clients()).await;
        assert!(open_files() <= files, "{} files are open, {files} were before", open_files());
        let kept = resident_bytes().saturating_sub(memory);
        assert!(kept < KEPT_BYTES_MAX, "{kept} bytes are kept of {} clients", clients());
        let counts = door.stats.counts();
        assert!(counts.accepted >= (WARM_UP + clients()) as u64);
        // And the next one is served.
        assert_eq!(kinds(&door.client().await.query("rows 1").await), "TDCZ");
    });
}
