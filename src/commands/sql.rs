//! `gwbank sql`

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write};

use anyhow::Context as _;
use arrow::ipc::reader::StreamReader;
use arrow::util::pretty::pretty_format_batches;
use gwbank_server::encode::presentable;
use serde_json::json;

use super::output;
use crate::arguments::{General, SqlArguments, SqlFormat};
use crate::client::Client;
use crate::failure::{Failure, Outcome};

/// Names the answer, so that the server says why it broke off: what comes after the first rows has no status any more.
const ANSWER_ID: &str = "gwbank-answer";

#[derive(Debug)]
struct BrokeOff;

impl fmt::Display for BrokeOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer broke off; the server's log says why")
    }
}

pub fn run(general: &General, asked: &SqlArguments) -> Outcome {
    let binary = matches!(asked.format, SqlFormat::Parquet | SqlFormat::Arrow);
    if binary && asked.out.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage(anyhow::anyhow!("that format is not for a terminal; add --out FILE")));
    }
    let mut statement = asked.statement.clone();
    if statement == "-" {
        statement.clear();
        std::io::stdin().read_to_string(&mut statement)?;
    }
    let accept = match asked.format {
        SqlFormat::Csv => "text/csv",
        SqlFormat::Json => "application/json",
        SqlFormat::Parquet => "application/vnd.apache.parquet",
        SqlFormat::Table | SqlFormat::Arrow => "application/vnd.apache.arrow.stream",
    };
    let client = Client::needed(general, &asked.server)?;
    let headers = [("content-type", "application/json"), ("accept", accept)];
    let body = match &asked.as_known_at {
        None => json!({ "sql": statement }),
        Some(at) => json!({ "sql": statement, "as_known_at": at }),
    };
    let body = body.to_string();
    let mut reply = client.send("POST", "/api/v1/sql", &headers, body.as_bytes())?;
    let id = reply.headers().get(ANSWER_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let shown = show(asked, &mut reply.body_mut().as_reader());
    shown.map_err(|failure| why(&client, id.as_deref(), failure))
}

/// Puts the server's reason in the place of an answer that broke off.
fn why(client: &Client, id: Option<&str>, failure: Failure) -> Failure {
    let Failure::Failed(error) = &failure else { return failure };
    if error.downcast_ref::<BrokeOff>().is_none() {
        return failure;
    }
    let reason = id.and_then(|id| client.get::<serde_json::Value>(&format!("/api/v1/sql/{id}")).ok());
    match reason {
        Some(problem) => {
            let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
            Failure::failed(format!("the answer broke off: {}: {}", text("title"), text("detail")))
        }
        None => failure,
    }
}

fn show(asked: &SqlArguments, rows: &mut dyn Read) -> Outcome {
    if asked.format == SqlFormat::Table {
        let text = table(rows)?;
        return match &asked.out {
            Some(path) => Ok(std::fs::write(path, text).with_context(|| path.display().to_string())?),
            None => output::print(&text),
        };
    }
    match &asked.out {
        Some(path) => {
            let mut file = File::create(path).with_context(|| path.display().to_string())?;
            let copied = std::io::copy(rows, &mut file).context(BrokeOff);
            // Half a file would pass for a whole one.
            copied.inspect_err(|_| drop(std::fs::remove_file(path)))?;
            file.sync_all()?;
        }
        None => {
            let mut out = std::io::stdout().lock();
            let mut buffer = vec![0u8; 1 << 16];
            loop {
                let count = rows.read(&mut buffer).context(BrokeOff)?;
                if count == 0 {
                    break;
                }
                match out.write_all(&buffer[..count]) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                    written => written?,
                }
            }
            if asked.format == SqlFormat::Json {
                output::write_all(&mut out, b"\n")?;
            }
        }
    }
    Ok(())
}

fn table(rows: &mut dyn Read) -> Outcome<String> {
    let reader = StreamReader::try_new(Breaking(rows), None).context(BrokeOff)?;
    let empty = arrow::array::RecordBatch::new_empty(reader.schema());
    let mut batches = Vec::new();
    for batch in reader {
        batches.push(presentable(&batch.context(BrokeOff)?)?);
    }
    let count: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    if batches.is_empty() {
        batches.push(presentable(&empty)?);
    }
    let plural = if count == 1 { "row" } else { "rows" };
    Ok(format!("{}\n{count} {plural}\n", pretty_format_batches(&batches)?))
}

/// A reader of Arrow takes an unexpected end between two batches for the end.
struct Breaking<R>(R);

impl<R: Read> Read for Breaking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer).map_err(std::io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::ipc::writer::StreamWriter;

    use super::*;

    struct BreaksOff;

    impl Read for BreaksOff {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    #[test]
    fn a_table_that_breaks_off_between_batches_is_no_table() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![1, 2]))]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new(&mut bytes, &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.flush().unwrap();
        drop(writer);
        assert!(table(&mut bytes.as_slice().chain(BreaksOff)).is_err());
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]); // the end of a stream
        assert!(table(&mut bytes.as_slice()).unwrap().contains("2 rows"));
    }
}
