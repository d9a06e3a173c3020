//! `COPY … TO STDOUT`.

use bytes::{BufMut, BytesMut};

use super::Connection;
use super::rows::Rows;
use super::socket::Stop;
use crate::error::PgError;
use crate::protocol::backend;
use crate::sql::CopyFormat;
use crate::types::{Column, Format, columns};

impl Connection {
    /// Sends all rows as the format has them; gives how many.
    pub(super) async fn copy_rows(&mut self, rows: &mut Rows, format: &CopyFormat) -> Result<usize, Stop> {
        let zone = self.session.settings.zone().clone();
        let formats = vec![Format::Text; rows.width()];
        let mut interrupts = self.interrupts();
        backend::copy_out(&mut self.socket.output, rows.width());
        let writer = Writer::new(format);
        if format.header() {
            let names: Vec<&str> = rows.schema().fields().iter().map(|field| field.name().as_str()).collect();
            backend::message(&mut self.socket.output, b'd', |out| writer.header(&names, out));
        }
        let mut copied = 0;
        while let Some(batch) = rows.batch(&mut self.socket, &mut interrupts).await? {
            let columns = columns(&batch, &formats, &zone)
                .map_err(|error| PgError::new("XX000", format!("the answer cannot be written: {error}")))?;
            for row in 0..batch.num_rows() {
                backend::message(&mut self.socket.output, b'd', |out| writer.row(&columns, row, out));
                self.socket.flush_much(&mut interrupts).await?;
            }
            copied += batch.num_rows();
        }
        backend::copy_done(&mut self.socket.output);
        Ok(copied)
    }
}

impl CopyFormat {
    fn header(&self) -> bool {
        match self {
            Self::Text { header, .. } | Self::Csv { header, .. } => *header,
        }
    }

    fn delimiter(&self) -> u8 {
        match self {
            Self::Text { delimiter, .. } | Self::Csv { delimiter, .. } => *delimiter,
        }
    }

    fn null(&self) -> &str {
        match self {
            Self::Text { null, .. } | Self::Csv { null, .. } => null,
        }
    }
}

struct Writer<'a> {
    format: &'a CopyFormat,
    /// By byte: whether a value that has it is not written as it is.
    special: [bool; 256],
}

impl<'a> Writer<'a> {
    fn new(format: &'a CopyFormat) -> Self {
        let mut special = [false; 256];
        let bytes: &[u8] = match format {
            CopyFormat::Text { delimiter, .. } => &[b'\\', b'\n', b'\r', b'\t', *delimiter],
            CopyFormat::Csv { delimiter, quote, .. } => &[b'\n', b'\r', *delimiter, *quote],
        };
        bytes.iter().for_each(|&byte| special[usize::from(byte)] = true);
        Self { format, special }
    }

    fn header(&self, names: &[&str], out: &mut BytesMut) {
        for (index, name) in names.iter().enumerate() {
            self.separate(index, out);
            let start = out.len();
            out.put_slice(name.as_bytes());
            self.escape_from(start, out);
        }
        out.put_u8(b'\n');
    }

    fn row(&self, columns: &[Column], row: usize, out: &mut BytesMut) {
        for (index, column) in columns.iter().enumerate() {
            self.separate(index, out);
            let start = out.len();
            if column.put_bare_text(row, out) {
                self.escape_from(start, out);
            } else {
                out.put_slice(self.format.null().as_bytes());
            }
        }
        out.put_u8(b'\n');
    }

    fn separate(&self, index: usize, out: &mut BytesMut) {
        if index > 0 {
            out.put_u8(self.format.delimiter());
        }
    }

    /// Escapes the value that was written from `start` on; most need nothing of it.
    fn escape_from(&self, start: usize, out: &mut BytesMut) {
        let value = &out[start..];
        let is_plain = !value.iter().any(|&byte| self.special[usize::from(byte)])
            && match self.format {
                CopyFormat::Text { .. } => true,
                CopyFormat::Csv { null, quote_all, .. } => !quote_all && value != null.as_bytes() && value != b"\\.",
            };
        if !is_plain {
            let value = out[start..].to_vec();
            out.truncate(start);
            self.put_escaped(&value, out);
        }
    }

    fn put_escaped(&self, value: &[u8], out: &mut BytesMut) {
        match self.format {
            CopyFormat::Text { delimiter, .. } => {
                for &byte in value {
                    match byte {
                        b'\\' => out.put_slice(b"\\\\"),
                        b'\n' => out.put_slice(b"\\n"),
                        b'\r' => out.put_slice(b"\\r"),
                        b'\t' => out.put_slice(b"\\t"),
                        byte if byte == *delimiter => out.put_slice(&[b'\\', byte]),
                        byte => out.put_u8(byte),
                    }
                }
            }
            CopyFormat::Csv { quote, escape, .. } => {
                out.put_u8(*quote);
                for &byte in value {
                    if byte == *quote || byte == *escape {
                        out.put_u8(*escape);
                    }
                    out.put_u8(byte);
                }
                out.put_u8(*quote);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: CopyFormat, value: &str) -> String {
        let mut out = BytesMut::new();
        out.put_slice(b"before");
        out.put_slice(value.as_bytes());
        Writer::new(&format).escape_from(6, &mut out);
        String::from_utf8(out[6..].to_vec()).unwrap()
    }

    #[test]
    fn values_are_escaped() {
        let text = || CopyFormat::Text { header: false, delimiter: b'\t', null: "\\N".into() };
        assert_eq!(written(text(), "a\tb\\\n"), "a\\tb\\\\\\n");
        let csv = || CopyFormat::Csv {
            header: false,
            delimiter: b',',
            null: String::new(),
            quote: b'"',
            escape: b'"',
            quote_all: false,
        };
        assert_eq!(written(csv(), "plain"), "plain");
        assert_eq!(written(csv(), "a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(written(csv(), ""), "\"\"", "an empty text is no null");
    }
}
