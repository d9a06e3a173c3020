//! `gwbank sql`

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

/// What comes after the first rows cannot be told by the status any more.
const BROKE_OFF: &str = "the answer broke off; the server's log says why";

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
    let body = json!({ "sql": statement }).to_string();
    let mut reply = client.send("POST", "/api/v1/sql", &headers, body.as_bytes())?;

    let mut rows: Box<dyn Read> = Box::new(reply.body_mut().as_reader());
    if asked.format == SqlFormat::Table {
        let text = table(&mut rows)?;
        return match &asked.out {
            Some(path) => Ok(std::fs::write(path, text).with_context(|| path.display().to_string())?),
            None => output::print(&text),
        };
    }
    match &asked.out {
        Some(path) => {
            let mut file = File::create(path).with_context(|| path.display().to_string())?;
            std::io::copy(&mut rows, &mut file).context(BROKE_OFF)?;
            file.sync_all()?;
        }
        None => {
            let mut out = std::io::stdout().lock();
            let mut buffer = vec![0u8; 1 << 16];
            loop {
                let count = rows.read(&mut buffer).context(BROKE_OFF)?;
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
    let reader = StreamReader::try_new(Breaking(rows), None).context(BROKE_OFF)?;
    let empty = arrow::array::RecordBatch::new_empty(reader.schema());
    let mut batches = Vec::new();
    for batch in reader {
        batches.push(presentable(&batch.context(BROKE_OFF)?)?);
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
