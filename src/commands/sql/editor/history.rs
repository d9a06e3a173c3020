//! What was typed before, kept in a file that only its user reads.
//!
//! Statements tell what somebody looks into. Each is a line of JSON, so that statements of several lines are one entry; a line
//! that is damaged is left out.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Entries that are gone through.
const ENTRIES_MAX: usize = 1000;

/// Beyond it the file is written anew with the newest entries.
const FILE_ENTRIES_MAX: usize = 2 * ENTRIES_MAX;

#[derive(Debug, Default)]
pub struct History {
    entries: Vec<String>,
    path: Option<PathBuf>,
}

impl History {
    /// Of this session alone.
    #[cfg(test)]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Reads a file, or begins it with the first entry.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let mut entries = Vec::new();
        match File::open(&path) {
            Ok(file) => {
                let lines = BufReader::new(file).split(b'\n').collect::<io::Result<Vec<_>>>()?;
                entries.extend(lines.iter().filter_map(|line| serde_json::from_slice::<String>(line).ok()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let too_long = entries.len() > FILE_ENTRIES_MAX;
        entries.drain(..entries.len().saturating_sub(ENTRIES_MAX));
        if too_long {
            write_anew(&path, &entries)?;
        }
        Ok(Self { entries, path: Some(path) })
    }

    /// The last entry is not repeated.
    pub fn add(&mut self, entry: &str) -> io::Result<()> {
        if self.entries.last().is_some_and(|last| last == entry) {
            return Ok(());
        }
        self.entries.push(entry.to_owned());
        let Some(path) = &self.path else { return Ok(()) };
        let mut file = private().append(true).create(true).open(path)?;
        // One write: two shells at a time do not mix their lines.
        file.write_all(line_of(entry).as_bytes())
    }

    /// From the newest back.
    pub fn back(&self, place: usize) -> Option<&str> {
        self.entries.iter().rev().nth(place).map(String::as_str)
    }

    /// The newest entry from `place` back that contains a text, and its place.
    pub fn search(&self, text: &str, place: usize) -> Option<(usize, &str)> {
        let entries = self.entries.iter().rev().enumerate().skip(place);
        let mut found = entries.filter(|(_, entry)| !text.is_empty() && entry.contains(text));
        found.next().map(|(place, entry)| (place, entry.as_str()))
    }
}

fn line_of(entry: &str) -> String {
    format!("{}\n", serde_json::Value::from(entry))
}

fn write_anew(path: &Path, entries: &[String]) -> io::Result<()> {
    let next = path.with_extension("new");
    let mut file = private().write(true).create(true).truncate(true).open(&next)?;
    file.write_all(entries.iter().map(|entry| line_of(entry)).collect::<String>().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(next, path)
}

fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn entries_are_there_again_and_nobody_elses_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let mut history = History::open(path.clone()).unwrap();
        for entry in ["SELECT 1;", "SELECT 1;", "SELECT\n'บ่อ';"] {
            history.add(entry).unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, [std::fs::read(&path).unwrap(), b"damaged \xff\n".to_vec()].concat()).unwrap();
        let again = History::open(path).unwrap();
        assert_eq!(again.entries, ["SELECT 1;", "SELECT\n'บ่อ';"]);
        assert_eq!(again.back(0), Some("SELECT\n'บ่อ';"));
        assert_eq!(again.search("SELECT", 1), Some((1, "SELECT 1;")));
        assert_eq!(again.search("", 0), None);
    }

    #[test]
    fn a_long_file_is_shortened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let lines: String = (0..=FILE_ENTRIES_MAX).map(|number| line_of(&format!("SELECT {number};"))).collect();
        std::fs::write(&path, lines).unwrap();
        let history = History::open(path.clone()).unwrap();
        assert_eq!(history.entries.len(), ENTRIES_MAX);
        assert_eq!(history.back(0), Some(format!("SELECT {FILE_ENTRIES_MAX};").as_str()));
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), ENTRIES_MAX);
    }
}
