//! `gwbank doctor`: what is wrong, and what to do.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use gwbank_ingest::IngestError;
use gwbank_ingest::external::ExternalConfig;
use gwbank_ingest::publisher::{Publisher, PublisherConfig};
use gwbank_model::Seq;
use gwbank_timescale::{Database, DatabaseError};

use super::output;
use crate::arguments::{General, ServerArguments};
use crate::client::{Client, Found};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::node::addresses::Addresses;
use crate::node::offline::runtime;
use crate::node::settings;

/// Free space below which an archive of a busy day may not fit.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// A disk slower than this to sync makes every acknowledgement slow.
const FSYNC_SLOW: Duration = Duration::from_millis(50);
/// Clocks farther apart than this spoil the time rules of ingest.
const CLOCK_APART_S: i64 = 5;

#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn good(&self, part: &str, detail: &str) -> Outcome {
        output::line(&format!("ok     {part:<12} {detail}"))
    }
    fn wrong(&mut self, part: &str, detail: &str, mend: &str) -> Outcome {
        self.wrong += 1;
        output::line(&format!("WRONG  {part:<12} {detail}\n       {:<12} → {mend}", ""))
    }
}

pub fn run(general: &General, server: &ServerArguments) -> Outcome {
    let loaded = general.load()?;
    let data_dir = &loaded.config.data_dir;
    let mut found = Findings::default();
    found.good("config", &loaded.file.as_ref().map_or_else(|| "defaults".to_owned(), |f| f.display().to_string()))?;
    for warning in &loaded.warnings {
        found.wrong("config", &warning.to_string(), "see gwbank.example.toml")?;
    }
    if data_dir.is_dir() {
        check_disk(data_dir, &mut found)?;
        check_journal(&data_dir.join("journal"), loaded.config.journal.bytes_max, &mut found)?;
    } else {
        found.good("data_dir", &format!("{} is not there yet; `gwbank serve` makes it", data_dir.display()))?;
    }
    check_clock(&mut found)?;
    match Client::find(general, server) {
        Ok(Found::Running(client)) => check_server(&client, &mut found)?,
        Ok(Found::Nobody) => {
            if Addresses::read(data_dir).is_ok() {
                found.good("server", "none runs; the last one was killed, which the next start mends by itself")?;
            } else {
                found.good("server", "none runs")?;
            }
            check_records(&data_dir.join("journal"), &mut found)?;
            check_database(&loaded.config, &mut found)?;
            check_brokers(&loaded.config, &mut found)?;
        }
        Err(failure) => found.wrong("server", &failure.text(), "wait a moment, or look at its log")?,
    }
    match found.wrong {
        0 => Ok(()),
        count => Err(Failure::failed(format!("{count} things are wrong"))),
    }
}

fn check_disk(data_dir: &Path, found: &mut Findings) -> Outcome {
    let probe = data_dir.join(format!("doctor-{}.tmp", std::process::id()));
    let began = Instant::now();
    let written = std::fs::write(&probe, [0u8; 4096]).and_then(|()| std::fs::File::open(&probe)?.sync_all());
    let took = began.elapsed();
    let _ = std::fs::remove_file(&probe);
    match written {
        Err(error) => found.wrong(
            "disk",
            &format!("{} cannot be written: {error}", data_dir.display()),
            "mend its owner or mode, or free some space",
        )?,
        Ok(()) if took > FSYNC_SLOW => found.wrong(
            "disk",
            &format!("a sync takes {} ms", took.as_millis()),
            "use a faster disk, or let gateways send larger messages",
        )?,
        Ok(()) => found.good("disk", &format!("writes, a sync takes {:.1} ms", took.as_secs_f64() * 1e3))?,
    }
    match free_bytes(data_dir) {
        Some(bytes) if bytes < FREE_BYTES_MIN => {
            found.wrong("disk", &format!("{} MiB are free", bytes >> 20), "free some space")
        }
        Some(bytes) => found.good("disk", &format!("{} GiB are free", bytes >> 30)),
        None => Ok(()),
    }
}

/// As `df` says it; nothing where there is no `df`.
fn free_bytes(data_dir: &Path) -> Option<u64> {
    let output = std::process::Command::new("df").arg("-Pk").arg(data_dir).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kilobytes: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn check_journal(dir: &Path, bytes_max: u64, found: &mut Findings) -> Outcome {
    let Ok(files) = std::fs::read_dir(dir) else {
        return found.good("journal", "none yet");
    };
    let sizes: Vec<u64> = files.flatten().filter_map(|file| file.metadata().ok()).map(|data| data.len()).collect();
    let bytes: u64 = sizes.iter().sum();
    let detail = format!("{} MiB in {} files of at most {} MiB", bytes >> 20, sizes.len(), bytes_max >> 20);
    if bytes > bytes_max / 10 * 9 {
        found.wrong("journal", &detail, "the archive does not keep up: look at its part below and at the disk")
    } else {
        found.good("journal", &detail)
    }
}

/// Reads the journal as the next start will.
fn check_records(dir: &Path, found: &mut Findings) -> Outcome {
    if !dir.is_dir() {
        return Ok(());
    }
    let mut records = 0u64;
    let read = gwbank_journal::read_records(dir, Seq::ZERO).and_then(|replay| {
        for record in replay {
            record?;
            records += 1;
        }
        Ok(())
    });
    match read {
        Ok(()) => found.good("journal", &format!("{} records can be read", output::grouped(records))),
        Err(error) => found.wrong(
            "journal",
            &format!("{:#}", anyhow::Error::new(error)),
            "put the file back from a copy; until then `gwbank serve` does not start",
        ),
    }
}

/// The database of archive.kind = "timescale"; a running server tells of it itself.
fn check_database(config: &Config, found: &mut Findings) -> Outcome {
    if config.archive.kind != "timescale" {
        return Ok(());
    }
    let asked = runtime()?.block_on(async {
        let database = Database::new(&settings::database(config))?;
        database.check_schema().await?;
        database.layout().await.map(|layout| (format!("{database:?}"), layout))
    });
    match asked {
        Ok((place, layout)) => found.good("database", &format!("{place} has this version's schema ({layout:?})")),
        Err(error) => {
            let mend = match &error {
                DatabaseError::NotMigrated { .. } => "run `gwbank migrate`",
                DatabaseError::NewerSchema { .. } => "install the newer gwbank",
                DatabaseError::Connect(_) => {
                    "see that it runs and that archive.url names it, its user and the password"
                }
                _ => "see \"Operations\" in the README",
            };
            found.wrong("database", &format!("{:#}", anyhow::Error::new(error)), mend)
        }
    }
}

fn check_clock(found: &mut Findings) -> Outcome {
    let year_2025 = SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_600);
    if SystemTime::now() < year_2025 {
        return found.wrong("clock", "this machine's clock is years behind", "set it (timedatectl set-ntp true)");
    }
    found.good("clock", "plausible")
}

/// Connects as the server would, but for the client id: the session that a broker keeps for the server stays as it is.
fn check_brokers(config: &Config, found: &mut Findings) -> Outcome {
    const PART: &str = "external broker";
    let runtime = runtime()?;
    for (index, external) in settings::external(config).into_iter().enumerate() {
        let ExternalConfig { url, user, password, ca_file, .. } = external;
        let client_id = format!("gwbank-doctor-{}", std::process::id());
        let publisher = PublisherConfig { user, password, ca_file, ..PublisherConfig::new(url, client_id) };
        let entry = format!("mqtt.external[{index}]");
        match runtime.block_on(Publisher::connect(publisher)) {
            Ok(publisher) => {
                runtime.block_on(publisher.close());
                found.good(PART, &format!("{entry}: answers"))?;
            }
            Err(IngestError::Connection(problem)) => {
                found.wrong(PART, &format!("{entry}: {}", problem.problem), problem.mend)?;
            }
            Err(error) => found.wrong(PART, &format!("{entry}: {error}"), "mend the entry")?,
        }
    }
    runtime.shutdown_background();
    Ok(())
}

fn check_server(client: &Client, found: &mut Findings) -> Outcome {
    let status: gwbank_server::views::StatusView = client.get("/api/v1/status")?;
    found.good("server", &format!("{} answers at {}", status.version, client.base()))?;
    for part in &status.parts {
        if part.ready {
            found.good(&part.part, &part.detail)?;
        } else {
            found.wrong(
                &part.part,
                &part.detail,
                part.mend.as_deref().unwrap_or("mend what is named; else see the server's log"),
            )?;
        }
    }
    if let Some(there) = gwbank_model::Timestamp::parse_rfc3339(&status.now) {
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let apart = there.as_secs() - here;
        if apart.abs() > CLOCK_APART_S {
            found.wrong("clock", &format!("the server's clock is {apart} s from this one"), "set both by NTP")?;
        }
    }
    // With the database away nobody knows them; its part has said so above.
    let list: serde_json::Value = client.get("/api/v1/gateways").unwrap_or_default();
    for gateway in list["items"].as_array().into_iter().flatten() {
        let id = gateway["gateway_id"].as_str().unwrap_or_default();
        if let Some((detail, mend)) = gateway["clock_offset_s"].as_f64().and_then(|offset| clock_advice(id, offset)) {
            found.wrong("clock", &detail, &mend)?;
        }
    }
    if let Some(counts) = status.counts.filter(|counts| counts.dead_letters > 0) {
        let detail = format!("{} kinds, {} readings", counts.dead_letters, counts.dead);
        found.good("dead letters", &format!("{detail}; see `gwbank dead-letters list`"))?;
    }
    Ok(())
}

/// What is wrong with a gateway's clock and what to do; nothing where the clock is right.
fn clock_advice(gateway: &str, offset_s: f64) -> Option<(String, String)> {
    let seconds = offset_s.round() as i64;
    let (apart, minutes) = (seconds.unsigned_abs(), seconds.unsigned_abs().div_ceil(60));
    let length = format!("{apart} s ({} h {:02} min)", minutes / 60, minutes % 60);
    match seconds {
        0 => None,
        1.. => {
            let mend = match zone_of(seconds) {
                Some(zone) => format!(
                    "it seems to send local time as UTC: let it send the offset {zone}, or none and set \
                     clock_zone = \"{zone}\" for it under [[ingest.gateways]]"
                ),
                None => "set the device's clock".to_owned(),
            };
            Some((format!("gateway {gateway}'s clock is {length} ahead"), mend))
        }
        _ => {
            let detail = format!("gateway {gateway}'s newest readings are always {length} old");
            Some((detail, "set the device's clock and zone; if they are right, it holds its messages back".to_owned()))
        }
    }
}

/// The zone whose local time, sent as UTC, would be ahead by so much.
fn zone_of(ahead_s: i64) -> Option<String> {
    const ZONE_STEP_S: i64 = 1800;
    /// A clock's own error, and what a transmission takes.
    const SLACK_S: i64 = 300;
    const EASTERNMOST_S: i64 = 14 * 3600;
    let nearest = (ahead_s + ZONE_STEP_S / 2) / ZONE_STEP_S * ZONE_STEP_S;
    let is_zone = nearest > 0 && nearest <= EASTERNMOST_S && (ahead_s - nearest).abs() <= SLACK_S;
    is_zone.then(|| format!("+{:02}:{:02}", nearest / 3600, nearest % 3600 / 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_named_with_its_mend() {
        let (detail, mend) = clock_advice("gw-7", 25_200.0).unwrap();
        assert_eq!(detail, "gateway gw-7's clock is 25200 s (7 h 00 min) ahead");
        assert!(mend.contains("local time as UTC") && mend.contains("clock_zone = \"+07:00\""), "{mend}");
        assert_eq!(clock_advice("gw-7", 700.0).unwrap().1, "set the device's clock");
        assert!(clock_advice("gw-7", -25_200.0).unwrap().0.ends_with("always 25200 s (7 h 00 min) old"));
        assert_eq!(clock_advice("gw-7", 0.0), None);
    }

    #[test]
    fn zones_in_steps_of_half_an_hour() {
        assert_eq!(zone_of(25_000).as_deref(), Some("+07:00"));
        assert_eq!(zone_of(19_800).as_deref(), Some("+05:30"));
        for none in [250, 900, 26_000, 15 * 3600, 543 * 365 * 86_400] {
            assert_eq!(zone_of(none), None, "{none}");
        }
    }
}
