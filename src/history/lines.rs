//! Text files as every system writes them, with lines that can be counted.
//!
//! The CSV reader takes the line feed of a CRLF, and blank lines, for part of the row that follows: the line that it names
//! would be too low. Behind [`UnixLines`] every line ends with one LF, so that the end of a row is known for certain.

use std::io::{self, Read};

/// Turns CRLF into LF and ends the text with LF.
pub struct UnixLines<R> {
    source: R,
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
    pub fn new(source: R) -> Self {
        Self { source, holds_return: false, last: b'\n', chunk: Vec::new(), at: 0, ended: false }
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
            UnixLines::new(text.as_bytes()).read_to_string(&mut read).unwrap();
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn a_pair_that_two_reads_tear_apart_is_one_line_end() {
        let torn = b"a\r".chain(&b"\nb"[..]);
        let mut read = String::new();
        UnixLines::new(torn).read_to_string(&mut read).unwrap();
        assert_eq!(read, "a\nb\n");
    }
}
