//! How fast the demo's history is made: `cargo run --release -p gwbank-sim --example generate_speed`.

use std::io::Write as _;
use std::time::Instant;

use gwbank_model::Timestamp;
use gwbank_sim::{SimConfig, World};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let start = Instant::now();
    let world = World::new(SimConfig::demo(Timestamp::from_secs(1_795_403_700)))?;
    writeln!(out, "world of {} wells: {:.2} s", world.wells().len(), start.elapsed().as_secs_f64())?;
    let start = Instant::now();
    let history = world.history();
    let about = history.readings_about();
    let (mut readings, mut messages, mut bytes) = (0u64, 0u64, 0u64);
    for message in history {
        readings += u64::from(message.readings);
        messages += 1;
        bytes += message.payload.len() as u64;
    }
    let seconds = start.elapsed().as_secs_f64();
    writeln!(
        out,
        "{readings} readings (announced {about}) in {messages} messages, {} MB: {:.2} s, {:.2} M readings/s",
        bytes / 1_000_000,
        seconds,
        readings as f64 / seconds / 1e6
    )?;
    Ok(())
}
