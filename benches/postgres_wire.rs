//! The door for PostgreSQL's clients against a real PostgreSQL with the same rows, in one run: COPY TO STDOUT by psql, all
//! rows by the extended protocol in text and in binary form, and how long the first row takes.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `GWBANK_BENCH_ROWS` | readings | 1,000,000 |

mod support;

use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gwbank_testkit::Postgres;
use support::stats::{grouped, median};
use support::{Error, Settings, number, print_machine};

const WELLS: usize = 200;
const STEP_SECONDS: usize = 900;
/// How long the server may take to start.
const START_PATIENCE: Duration = Duration::from_secs(60);

const SQL: &str = "SELECT well_id, time, value FROM readings";

/// Asks one side for so many rows; gives how long that took.
type Measure = fn(&Side, usize) -> Result<Duration, Error>;

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let rows = number("GWBANK_BENCH_ROWS", 1_000_000)? / WELLS * WELLS;
    println!("{} readings of {WELLS} wells, medians of {} rounds", grouped(rows as f64), settings.rounds.max(3));
    print_machine();
    let dir = settings.scratch()?;
    write_readings(&dir.path().join("readings.csv"), rows)?;
    let (postgres, server) = (Postgres::start(), Server::start(dir.path())?);
    let url = postgres.empty_database();
    postgres.psql(
        &url,
        &format!(
            "CREATE TABLE readings (well_id text, time timestamptz, parameter text, value double precision);
             COPY readings FROM '{}' CSV HEADER",
            dir.path().join("readings.csv").display()
        ),
    );
    postgres.psql(&url, "VACUUM ANALYZE readings");
    let (_, database) = url.split_once("/test_").ok_or("no database")?;
    let database = format!("test_{}", database.split('?').next().unwrap_or_default());
    let theirs = Side { address: format!("127.0.0.1:{}", postgres.port()), database };
    let ours = Side { address: server.address.clone(), database: "gwbank".to_owned() };
    let kinds: [(&str, Measure); 4] = [
        ("COPY TO STDOUT", copy),
        ("rows, text", |side, rows| all_rows(side, rows, 0)),
        ("rows, binary", |side, rows| all_rows(side, rows, 1)),
        ("first row", first_row),
    ];
    println!("{:<18} {:>12} {:>14} {:>8} {:>16}", "ms", "gwbank", "PostgreSQL", "ratio", "gwbank rows/s");
    for (name, measure) in kinds {
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds.max(3) {
            our_times.push(measure(&ours, rows)?.as_secs_f64() * 1e3);
            their_times.push(measure(&theirs, rows)?.as_secs_f64() * 1e3);
        }
        let (our, their) = (median(&our_times), median(&their_times));
        let rate = if name == "first row" { String::new() } else { grouped(rows as f64 / our * 1e3) };
        println!("{name:<18} {our:>12.1} {their:>14.1} {:>8.2} {rate:>16}", our / their);
    }
    Ok(())
}

/// Where a side answers.
struct Side {
    address: String,
    database: String,
}

/// Everything that psql gets, thrown away.
fn copy(side: &Side, rows: usize) -> Result<Duration, Error> {
    let url = format!("postgresql://gwbank@{}/{}?sslmode=disable", side.address, side.database);
    let began = Instant::now();
    let psql = Command::new("psql").args(["-X", "-q", &url, "-c", &format!("COPY ({SQL}) TO STDOUT")]).output()?;
    let took = began.elapsed();
    let lines = psql.stdout.iter().filter(|&&byte| byte == b'\n').count();
    if !psql.status.success() || lines != rows {
        return Err(format!("{lines} rows of {rows}: {}", String::from_utf8_lossy(&psql.stderr)).into());
    }
    Ok(took)
}

fn all_rows(side: &Side, rows: usize, format: u8) -> Result<Duration, Error> {
    let mut wire = Wire::open(side)?;
    let began = Instant::now();
    wire.ask(format)?;
    let found = wire.rows_until_ready()?;
    if found != rows {
        return Err(format!("{found} rows of {rows}").into());
    }
    Ok(began.elapsed())
}

fn first_row(side: &Side, _: usize) -> Result<Duration, Error> {
    let mut wire = Wire::open(side)?;
    let began = Instant::now();
    wire.ask(1)?;
    while wire.message()? != b'D' {}
    Ok(began.elapsed())
}

/// A connection that counts messages and keeps none.
struct Wire {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Wire {
    fn open(side: &Side) -> Result<Self, Error> {
        let stream = TcpStream::connect(&side.address)?;
        stream.set_nodelay(true)?;
        let mut wire = Self { stream: BufReader::with_capacity(256 << 10, stream), body: Vec::new() };
        let parameters = format!("user\0gwbank\0database\0{}\0\0", side.database);
        let length = (8 + parameters.len()) as u32;
        let start = [&length.to_be_bytes()[..], &(3u32 << 16).to_be_bytes(), parameters.as_bytes()].concat();
        wire.stream.get_mut().write_all(&start)?;
        wire.rows_until_ready()?;
        Ok(wire)
    }

    /// Parse, Bind, Describe, Execute, Sync; results in the format.
    fn ask(&mut self, format: u8) -> Result<(), Error> {
        let message = |kind: u8, body: &[u8]| [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat();
        let parse = message(b'P', &[b"\0", SQL.as_bytes(), b"\0\0\0"].concat());
        let bind = message(b'B', &[0, 0, 0, 0, 0, 0, 0, 1, 0, format]);
        let rest = [message(b'D', b"P\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat();
        self.stream.get_mut().write_all(&[parse, bind, rest].concat())?;
        Ok(())
    }

    fn message(&mut self) -> Result<u8, Error> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        self.body.resize(length.checked_sub(4).ok_or("a message of no length")?, 0);
        self.stream.read_exact(&mut self.body)?;
        if head[0] == b'E' {
            return Err(String::from_utf8_lossy(&self.body).replace('\0', " ").into());
        }
        Ok(head[0])
    }

    fn rows_until_ready(&mut self) -> Result<usize, Error> {
        let mut rows = 0;
        loop {
            match self.message()? {
                b'D' => rows += 1,
                b'Z' => return Ok(rows),
                _ => {}
            }
        }
    }
}

fn write_readings(file: &Path, rows: usize) -> Result<(), Error> {
    let mut text = String::from("well_id,time,parameter,value\n");
    for step in 0..rows / WELLS {
        let seconds = step * STEP_SECONDS;
        let (day, hour, minute) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        // Months of 28 days: as many as there are in every year.
        let (year, month, day) = (2020 + day / 336, day / 28 % 12 + 1, day % 28 + 1);
        for well in 0..WELLS {
            let value = 3.0 + (step * 7 + well * 13) as f64 % 2000.0 / 1000.0;
            writeln!(text, "TH-{well},{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z,depth_to_water,{value:.3}")?;
        }
    }
    std::fs::write(file, text)?;
    Ok(())
}

/// The program as it is installed, on a data directory of its own.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(dir: &Path) -> Result<Self, Error> {
        let program = || {
            let mut program = Command::new(env!("CARGO_BIN_EXE_gwbank"));
            program.current_dir(dir).env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null());
            program
        };
        let mut serve = program();
        serve.args(["serve", "--data-dir", "data", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"]);
        let mut server =
            Self { child: serve.args(["--postgres-listen", "127.0.0.1:0"]).spawn()?, address: String::new() };
        let began = Instant::now();
        let addresses = loop {
            let text = std::fs::read_to_string(dir.join("data/addresses.json")).unwrap_or_default();
            match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(addresses) if addresses["postgres_wire"].is_string() => break addresses,
                _ if began.elapsed() > START_PATIENCE => return Err("the server does not start".into()),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        server.address = addresses["postgres_wire"].as_str().unwrap_or_default().to_owned();
        let wells: String = (0..WELLS).map(|well| format!("TH-{well},30,observation,\n")).collect();
        std::fs::write(dir.join("wells.csv"), format!("well_id,province_code,bank_type,depth\n{wells}"))?;
        for import in [["wells", "import", "wells.csv"], ["readings", "import", "readings.csv"]] {
            if !program().args(import).args(["--data-dir", "data"]).status()?.success() {
                return Err(format!("{import:?} failed").into());
            }
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
