//! `gwbank export`: readings of a selection into a file that is whole or not there.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use parquet::file::reader::{FileReader, SerializedFileReader};
use tempfile::NamedTempFile;

use super::output::{self, grouped};
use super::sql::{ANSWER_ID, BrokeOff, why};
use crate::arguments::{ExportArguments, ExportFormat, ExportInterval, General};
use crate::client::{Client, encoded};
use crate::failure::{Failure, Outcome};

/// How many readings are selected.
const READINGS: &str = "gwbank-readings";

/// The server counts what is selected before it answers.
const BEGIN_TIME: Duration = Duration::from_secs(600);

pub fn run(general: &General, asked: &ExportArguments) -> Outcome {
    let to_terminal = asked.out.is_none() && std::io::stdout().is_terminal();
    if to_terminal && asked.format == ExportFormat::Parquet {
        return Err(Failure::usage(anyhow::anyhow!("that format is not for a terminal; add --out FILE")));
    }
    let client = Client::needed(general, &asked.server)?.patient(BEGIN_TIME);
    let began = Instant::now();
    let mut reply = client.send("GET", &path(asked), &[], &[])?;
    let text = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (id, readings) = (text(ANSWER_ID), text(READINGS).and_then(|count| count.parse::<u64>().ok()));
    // What passes can be counted where a row has a line or an end of its own.
    let mark: Option<&[u8]> = match asked.format {
        ExportFormat::Csv => Some(b"\n"),
        ExportFormat::Waterml => Some(b"</wml2:point>"),
        ExportFormat::Parquet => None,
    };
    let of_rows = if asked.interval == ExportInterval::Raw { readings } else { None };
    let progress = if to_terminal { ProgressBar::hidden() } else { bar(of_rows.filter(|_| mark.is_some())) };
    let mut counted = Counted::new(reply.body_mut().as_reader(), mark, progress.clone());
    let written = match &asked.out {
        Some(path) => into_file(path, &mut counted),
        None => copy(&mut counted, &mut std::io::stdout().lock()),
    };
    progress.finish_and_clear();
    let (bytes, mut rows) = (counted.bytes, counted.rows());
    written.map_err(|failure| why(&client, id.as_deref(), failure))?;
    if asked.format == ExportFormat::Csv {
        rows = rows.map(|lines| lines.saturating_sub(1));
    }
    if let (ExportFormat::Parquet, Some(path)) = (asked.format, &asked.out) {
        rows = rows_of_parquet(path);
    }
    if let Some(path) = &asked.out {
        let took = began.elapsed().as_secs_f64();
        let rows = rows.map_or_else(String::new, |rows| format!("{} rows, ", grouped(rows)));
        let said = format!("{}: {rows}{} bytes in {took:.1} s\n", path.display(), grouped(bytes));
        output::write_all(&mut std::io::stderr(), crate::terminal::lines(&said).as_bytes())?;
    }
    Ok(())
}

fn path(asked: &ExportArguments) -> String {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
    let texts = |items: &[gwbank_model::Parameter]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
    let qualities: Vec<String> = asked.quality.iter().map(u8::to_string).collect();
    let given = [
        ("format", Some(asked.format.name().to_owned())),
        ("interval", Some(asked.interval.name().to_owned())),
        ("well", list(&asked.well)),
        ("province", list(&asked.province)),
        ("aquifer", asked.aquifer.clone()),
        ("parameter", list(&texts(&asked.parameter))),
        ("from", asked.from.clone()),
        ("to", asked.to.clone()),
        ("quality", list(&qualities)),
        ("approved", asked.approved.then(|| "true".to_owned())),
    ];
    let given = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(&value?))));
    format!("/api/v1/export?{}", given.collect::<Vec<_>>().join("&"))
}

fn bar(rows: Option<u64>) -> ProgressBar {
    let template = if rows.is_some() {
        "{bar:30} {human_pos} of {human_len} rows, {msg}, {elapsed}, {eta} left"
    } else {
        "{spinner} {msg}, {elapsed}"
    };
    // Drawn on standard error, and only where that is a terminal.
    let progress = rows.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    progress.with_style(style)
}

/// Bytes on their way, counted.
struct Counted<'a, R> {
    inner: R,
    mark: Option<&'a [u8]>,
    /// How much of a mark stood at the end of what was read.
    matched: usize,
    marks: u64,
    bytes: u64,
    began: Instant,
    progress: ProgressBar,
}

impl<'a, R: Read> Counted<'a, R> {
    fn new(inner: R, mark: Option<&'a [u8]>, progress: ProgressBar) -> Self {
        Self { inner, mark, matched: 0, marks: 0, bytes: 0, began: Instant::now(), progress }
    }

    fn rows(&self) -> Option<u64> {
        self.mark.map(|_| self.marks)
    }

    /// Counts marks, over the borders of pieces too. A mark begins with a byte that it does not have again, so a failed match
    /// can only begin anew at the byte that failed.
    fn count(&mut self, bytes: &[u8]) {
        let Some(mark) = self.mark else { return };
        for &byte in bytes {
            if byte != mark[self.matched] {
                self.matched = 0;
            }
            if byte == mark[self.matched] {
                self.matched += 1;
            }
            if self.matched == mark.len() {
                (self.matched, self.marks) = (0, self.marks + 1);
            }
        }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        self.count(&buffer[..count]);
        self.progress.set_position(self.marks);
        let rate = self.bytes as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        let (bytes, rate) = (indicatif::HumanBytes(self.bytes), indicatif::HumanBytes(rate as u64));
        self.progress.set_message(format!("{bytes}, {rate}/s"));
        Ok(count)
    }
}

fn copy(from: &mut impl Read, to: &mut dyn Write) -> Outcome {
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let count = from.read(&mut buffer).context(BrokeOff)?;
        if count == 0 {
            return Ok(to.flush()?);
        }
        match to.write_all(&buffer[..count]) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
}

/// Beside its place first, synced, and then under its name: half a file never stands there, not even after a power cut.
fn into_file(path: &Path, from: &mut impl Read) -> Outcome {
    let named = || path.display().to_string();
    if path.exists() && !path.is_file() {
        // A pipe or a device, which a file would only take the place of.
        let mut to = File::options().write(true).open(path).with_context(named)?;
        return copy(from, &mut to);
    }
    // What a link points to, or the link would be gone.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = match target.parent() {
        Some(dir) if dir != Path::new("") => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = temporary(&dir).with_context(named)?;
    copy(from, file.as_file_mut())?;
    file.as_file().sync_all().with_context(named)?;
    file.persist(&target).map_err(|error| error.error).with_context(named)?;
    Ok(File::open(&dir).and_then(|dir| dir.sync_all()).with_context(|| dir.display().to_string())?)
}

/// With the permissions that any new file has.
fn temporary(dir: &Path) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".gwbank-export-").permissions(permissions).tempfile_in(dir)
}

fn rows_of_parquet(path: &Path) -> Option<u64> {
    let reader = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    u64::try_from(reader.metadata().file_metadata().num_rows()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct BreaksOff;

    impl Read for BreaksOff {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    #[test]
    fn rows_are_counted_over_the_borders_of_pieces() {
        let text = "<wml2:point>1</wml2:point><<wml2:point></wml2:poin</wml2:point>".as_bytes();
        for cut in 0..text.len() {
            let mut counted = Counted::new(std::io::empty(), Some(b"</wml2:point>"), ProgressBar::hidden());
            counted.count(&text[..cut]);
            counted.count(&text[cut..]);
            assert_eq!(counted.rows(), Some(2), "{cut}");
        }
    }

    #[test]
    fn half_a_file_is_no_file_and_leaves_the_former_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        assert!(into_file(&path, &mut b"half".chain(BreaksOff)).is_err());
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
        into_file(&path, &mut &b"whole"[..]).unwrap();
        assert!(into_file(&path, &mut b"half".chain(BreaksOff)).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        into_file(Path::new("/dev/null"), &mut &b"x"[..]).unwrap();
        assert!(!Path::new("/dev/null").is_file());
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        into_file(&link, &mut &b"new"[..]).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert!(link.is_symlink());
    }
}
