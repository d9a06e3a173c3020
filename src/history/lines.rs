//! Text files as every system writes them, with lines that can be counted.
//!
//! The CSV reader takes the line feed of a CRLF, and blank lines, for part of the row that follows: the line that it names
//! would be too low. Behind [`UnixLines`] every line ends with one LF, so that the end of a row is known for certain.
//!
//! It also takes whatever follows a quote that is never closed for one field, and says nothing: [`UnixLines::open_quote`]
//! does.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Where a text that has ended has a quote open.
#[derive(Debug, Clone, Default)]
pub struct OpenQuote(Rc<Cell<Option<u64>>>);

impl OpenQuote {
    /// The line, from 1, of the quote; `None` where all are closed, and before the end.
    pub fn get(&self) -> Option<u64> {
        self.0.get()
    }
}

/// What of CSV must be known to tell where quotes open and close.
struct Quotes {
    delimiter: u8,
    line: u64,
    opened_at: Option<u64>,
    /// The last byte closed a quote; another quote would make both of them one of the text.
    just_closed: Option<u64>,
    at_field_start: bool,
}

impl Quotes {
    fn see(&mut self, byte: u8) {
        let closed = self.just_closed.take();
        match (self.opened_at, byte) {
            (Some(line), b'"') => {
                self.opened_at = None;
                self.just_closed = Some(line);
            }
            (Some(_), _) => {}
            (None, b'"') if closed.is_some() => self.opened_at = closed,
            (None, b'"') if self.at_field_start => self.opened_at = Some(self.line),
            (None, _) => self.at_field_start = byte == self.delimiter || byte == b'\n',
        }
        self.line += u64::from(byte == b'\n');
    }
}

/// Turns CRLF into LF and ends the text with LF.
pub struct UnixLines<R> {
    source: R,
    quotes: Quotes,
    open_quote: OpenQuote,
    /// The last byte was a CR that has not been given on.
    holds_return: bool,
    /// The last byte given on.
    last: u8,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
}

const CHUNK_BYTES: usize = 1 << 16;

impl<R: Read> UnixLines<R> {
    pub fn new(source: R, delimiter: u8) -> Self {
        let quotes = Quotes { delimiter, line: 1, opened_at: None, just_closed: None, at_field_start: true };
        Self {
            source,
            quotes,
            open_quote: OpenQuote::default(),
            holds_return: false,
            last: b'\n',
            chunk: Vec::new(),
            at: 0,
            ended: false,
        }
    }

    pub fn open_quote(&self) -> OpenQuote {
        self.open_quote.clone()
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let mut raw = vec![0; CHUNK_BYTES];
        let read = loop {
            match self.source.read(&mut raw) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.chunk.clear();
        self.at = 0;
        for &byte in &raw[..read] {
            if self.holds_return && byte != b'\n' {
                self.chunk.push(b'\r');
            }
            self.holds_return = byte == b'\r';
            if !self.holds_return {
                self.chunk.push(byte);
            }
        }
        if read == 0 {
            self.ended = true;
            if self.holds_return {
                self.chunk.push(b'\r');
            }
            if self.chunk.last().copied().unwrap_or(self.last) != b'\n' {
                self.chunk.push(b'\n');
            }
        }
        self.last = self.chunk.last().copied().unwrap_or(self.last);
        self.chunk.iter().for_each(|byte| self.quotes.see(*byte));
        if self.ended {
            self.open_quote.0.set(self.quotes.opened_at);
        }
        Ok(())
    }
}

impl<R: Read> Read for UnixLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() && !self.ended {
            self.next_chunk()?;
        }
        let rest = &self.chunk[self.at..];
        let given = rest.len().min(buffer.len());
        buffer[..given].copy_from_slice(&rest[..given]);
        self.at += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_ends_with_one_line_feed() {
        for (text, expected) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\nb", "a\nb\n"),
            ("a\rb\r", "a\rb\r\n"),
            ("\r\n\r\n", "\n\n"),
            ("", ""),
            ("\"x\r\ny\",1", "\"x\ny\",1\n"),
        ] {
            let mut read = String::new();
            UnixLines::new(text.as_bytes(), b',').read_to_string(&mut read).unwrap();
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn a_pair_that_two_reads_tear_apart_is_one_line_end() {
        let torn = b"a\r".chain(&b"\nb"[..]);
        let mut read = String::new();
        UnixLines::new(torn, b',').read_to_string(&mut read).unwrap();
        assert_eq!(read, "a\nb\n");
    }
}
