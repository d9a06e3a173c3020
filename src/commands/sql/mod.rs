//! `gwbank sql`: one statement, or a shell.
//!
//! - [`shell`]: statements one after the other; [`editor`] reads them, [`input`] cuts them, [`command`] are the shell's own,
//!   [`words`] completes, [`door`] asks, [`grid`] shows rows.
//! - [`place`]: where in a statement an error is.

mod command;
mod door;
mod editor;
mod grid;
mod input;
mod place;
mod shell;
mod words;

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write};

use anyhow::Context as _;
use arrow::ipc::reader::StreamReader;
use arrow::util::pretty::pretty_format_batches;
use gwbank_server::encode::presentable;
use serde_json::{Value, json};

use super::output;
use crate::arguments::{General, SqlArguments, SqlFormat};
use crate::client::{self, Client};
use crate::failure::{Failure, Outcome};

/// Names the answer, so that the server says why it broke off: what comes after the first rows has no status any more.
pub(super) const ANSWER_ID: &str = "gwbank-answer";

#[derive(Debug)]
pub(super) struct BrokeOff;

impl fmt::Display for BrokeOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer broke off; the server's log says why")
    }
}

pub fn run(general: &General, asked: &SqlArguments) -> Outcome {
    let Some(statement) = &asked.statement else {
        if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
            let said = "a statement is missing: gwbank sql \"SELECT …\", or - to read it from standard input";
            return Err(Failure::usage(anyhow::anyhow!(said)));
        }
        return shell::run(&Client::needed(general, &asked.server)?, asked);
    };
    if asked.format.is_binary() && asked.out.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage(anyhow::anyhow!("that format is not for a terminal; add --out FILE")));
    }
    let mut statement = statement.clone();
    if statement == "-" {
        statement.clear();
        std::io::stdin().read_to_string(&mut statement)?;
    }
    let client = Client::needed(general, &asked.server)?;
    let headers = [("content-type", "application/json"), ("accept", asked.format.accept())];
    let body = match &asked.as_known_at {
        None => json!({ "sql": statement }),
        Some(at) => json!({ "sql": statement, "as_known_at": at }),
    };
    let body = body.to_string();
    let mut reply = client.send_any("POST", "/api/v1/sql", &headers, body.as_bytes())?;
    if !reply.status().is_success() {
        let text = reply.body_mut().read_to_string().unwrap_or_default();
        return Err(refused(&statement, reply.status().as_u16(), &text));
    }
    let id = reply.headers().get(ANSWER_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let shown = show(asked, &mut reply.body_mut().as_reader());
    shown.map_err(|failure| why(&client, id.as_deref(), failure))
}

/// What the server refused, with the place in the statement where it is known.
fn refused(statement: &str, status: u16, text: &str) -> Failure {
    let failure = client::refusal(status, text);
    let problem = serde_json::from_str::<Value>(text).unwrap_or_default();
    let member = |name: &str| problem[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let pointed =
        member("line").zip(member("column")).and_then(|(line, column)| place::pointed(statement, line, column));
    match (failure, pointed) {
        (Failure::Failed(error), Some(pointed)) => Failure::failed(format!("{error:#}\n{pointed}")),
        (failure, _) => failure,
    }
}

/// Puts the server's reason in the place of an answer that broke off.
pub(super) fn why(client: &Client, id: Option<&str>, failure: Failure) -> Failure {
    if !has_broken_off(&failure) {
        return failure;
    }
    let reason = id.and_then(|id| client.get::<Value>(&format!("/api/v1/sql/{id}")).ok());
    reason.map_or(failure, |problem| broken_off(&problem))
}

fn has_broken_off(failure: &Failure) -> bool {
    matches!(failure, Failure::Failed(error) if error.downcast_ref::<BrokeOff>().is_some())
}

fn broken_off(problem: &Value) -> Failure {
    let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
    Failure::failed(format!("the answer broke off: {}: {}", text("title"), text("detail")))
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
