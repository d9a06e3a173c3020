//! Who is asked beside gwbank.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::StreamReader;
use futures::StreamExt;
use gwbank_query::QueryEngine;
use gwbank_testkit::Postgres;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::answers::{Answer, same};
use super::questions::Question;
use super::support::Error;

pub trait Peer {
    fn name(&self) -> &'static str;
    /// Seconds that it took.
    fn ask(&mut self, question: &Question) -> Result<f64, Error>;
    /// Whether the last answer was the same.
    fn compare(&self, question: &Question, ours: &[RecordBatch]) -> Result<(), Error>;
}

pub struct DuckDb {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    dir: PathBuf,
}

impl DuckDb {
    pub fn start(dir: &Path, memory: usize) -> Result<Self, Error> {
        let python = std::env::var("GWBANK_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/questions/duckdb_peer.py");
        let mut child = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{python}: {error}; GWBANK_BENCH_PYTHON names a Python"))?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut peer = Self { child, input, output, dir: dir.to_owned() };
        let hint = "does it have duckdb and pyarrow? pip install duckdb==2.0.0 pyarrow==26.0.1";
        let version = peer.line().map_err(|error| format!("{python} does not run the peer ({error}): {hint}"))?;
        println!("DuckDB {}", version["version"].as_str().unwrap_or("?"));
        let threads = std::thread::available_parallelism()?;
        for setting in [
            format!("SET threads = {threads}"),
            format!("SET memory_limit = '{memory}B'"),
            format!("SET TimeZone = '{}'", super::zone()),
            // What a temporary file is to gwbank.
            format!("SET temp_directory = '{}'", dir.join("duckdb-spill").display()),
        ] {
            peer.run(&setting)?;
        }
        Ok(peer)
    }

    fn line(&mut self) -> Result<Value, Error> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("DuckDB: {error}").into()),
            None => Ok(answer),
        }
    }

    fn say(&mut self, document: &Value) -> Result<Value, Error> {
        writeln!(self.input, "{document}")?;
        self.line()
    }

    fn run(&mut self, sql: &str) -> Result<(), Error> {
        self.say(&json!({ "do": sql })).map(drop)
    }

    /// A table of the rows that gwbank answers.
    pub fn take_table(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        engine: &QueryEngine,
        name: &str,
        sql: &str,
    ) -> Result<(), Error> {
        let path = self.dir.join(format!("{name}.parquet"));
        runtime.block_on(async {
            let mut answer = engine.query(sql).await?;
            let schema = plain_schema(&answer.schema);
            let mut writer = ArrowWriter::try_new(std::fs::File::create(&path)?, schema.clone(), None)?;
            while let Some(batch) = answer.stream.next().await {
                writer.write(&plain(&batch?, &schema)?)?;
            }
            writer.close()?;
            Ok::<_, Error>(())
        })?;
        self.run(&format!("CREATE TABLE {name} AS SELECT * FROM read_parquet('{}')", path.display()))?;
        Ok(std::fs::remove_file(path)?)
    }

    pub fn take_places(&mut self, runtime: &tokio::runtime::Runtime, engine: &QueryEngine) -> Result<(), Error> {
        self.take_table(runtime, engine, "wells", "SELECT well_id, province_code FROM wells")?;
        self.take_table(runtime, engine, "provinces", "SELECT province_code, name_en FROM provinces")
    }

    pub fn see_files(&mut self, files: &[PathBuf]) -> Result<(), Error> {
        let list: Vec<String> = files.iter().map(|path| format!("'{}'", path.display())).collect();
        self.run(&format!(
            "CREATE VIEW readings AS SELECT well_id, parameter, time, value, quality FROM read_parquet([{}], \
             hive_partitioning = true) WHERE NOT superseded",
            list.join(", ")
        ))
    }
}

impl Peer for DuckDb {
    fn name(&self) -> &'static str {
        "DuckDB"
    }

    fn ask(&mut self, question: &Question) -> Result<f64, Error> {
        let into = self.dir.join("answer.arrow");
        let said = self
            .say(&json!({ "ask": question.sql, "into": into }))
            .map_err(|error| format!("{}: {error}", question.name))?;
        said["seconds"].as_f64().ok_or_else(|| "DuckDB tells no time".into())
    }

    fn compare(&self, question: &Question, ours: &[RecordBatch]) -> Result<(), Error> {
        let reader = StreamReader::try_new(std::fs::File::open(self.dir.join("answer.arrow"))?, None)?;
        let theirs: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
        same(question.name, &Answer::of_batches(ours)?, &Answer::of_batches(&theirs)?)
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Texts as DuckDB's reader of Parquet takes them without a copy of its own.
fn plain_schema(schema: &Schema) -> std::sync::Arc<Schema> {
    let field = |field: &std::sync::Arc<Field>| match field.data_type() {
        DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    };
    std::sync::Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

fn plain(batch: &RecordBatch, schema: &std::sync::Arc<Schema>) -> Result<RecordBatch, Error> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?)
}

pub struct Psql<'a> {
    postgres: &'a Postgres,
    url: &'a str,
    last: String,
}

impl<'a> Psql<'a> {
    pub fn new(postgres: &'a Postgres, url: &'a str) -> Self {
        postgres.psql(url, "VACUUM ANALYZE");
        // For psql, as gwbank does for itself: compiling costs these queries more than it gains.
        let database = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ";
        let zone = format!("timezone = ''{}''", super::zone());
        for setting in ["jit = off", &zone, "work_mem = ''256MB''"] {
            postgres.psql(url, &format!("{database}{setting}', current_database()); END $$"));
        }
        Self { postgres, url, last: String::new() }
    }
}

impl Peer for Psql<'_> {
    fn name(&self) -> &'static str {
        "psql"
    }

    fn ask(&mut self, question: &Question) -> Result<f64, Error> {
        let began = Instant::now();
        self.last = self.postgres.psql(self.url, &question.sql);
        Ok(began.elapsed().as_secs_f64())
    }

    fn compare(&self, question: &Question, ours: &[RecordBatch]) -> Result<(), Error> {
        let ours = Answer::of_batches(ours)?;
        let theirs = Answer::of_lines(&self.last, &ours)?;
        same(question.name, &ours, &theirs)
    }
}
