//! How many readings a second one core decodes: `cargo run --release -p gwbank-wire --example decode_speed [ROUNDS]`.
//! Few rounds are for counting instructions, which a busy machine does not blur.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use gwbank_model::Timestamp;
use gwbank_wire::{Context, Format, decode};

const READINGS: usize = 100;
const ROUNDS: usize = 20_000;

fn main() -> std::io::Result<()> {
    let now = Timestamp::from_secs(1_795_403_700);
    let context = Context::live(now);
    let time = |index: usize| now.plus_secs(-900 * index as i64).to_rfc3339(7 * 3600);

    let mut named = String::from("[");
    let mut keyed = String::from("[");
    let mut senml = String::from("[");
    for index in 0..READINGS {
        let comma = if index == 0 { "" } else { "," };
        let value = 3.0 + index as f64 * 0.013;
        let text = time(index);
        write!(
            named,
            r#"{comma}{{"well":"TH3001-0007","time":"{text}","parameter":"depth_to_water","value":{value:.3}}}"#
        )
        .and_then(|()| {
            if index % 2 == 1 {
                return Ok(());
            }
            write!(
                keyed,
                r#"{comma}{{"well":"TH3001-0007","time":"{text}","depth_to_water":{value:.3},"water_temperature":27.9}}"#
            )
        })
        .and_then(|()| {
            let epoch = now.plus_secs(-900 * index as i64).as_secs();
            write!(senml, r#"{comma}{{"n":"TH3001-0007:depth_to_water","t":{epoch},"v":{value:.3}}}"#)
        })
        .map_err(std::io::Error::other)?;
    }
    for text in [&mut named, &mut keyed, &mut senml] {
        text.push(']');
    }

    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let mut out = std::io::stdout().lock();
    for (what, format, payload) in [
        ("JSON, parameter + value", Format::Json, &named),
        ("JSON, parameters as keys", Format::Json, &keyed),
        ("SenML JSON", Format::SenmlJson, &senml),
    ] {
        let start = Instant::now();
        let mut readings = 0;
        for _ in 0..rounds {
            readings += std::hint::black_box(decode(format, payload.as_bytes(), &context)).readings.len();
        }
        let seconds = start.elapsed().as_secs_f64();
        let bytes = payload.len();
        writeln!(out, "{what}: {bytes} bytes, {:.2} M readings/s", readings as f64 / seconds / 1e6)?;
    }
    Ok(())
}
