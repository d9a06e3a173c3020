//! What a node remembers of its database, to start without it: wells, installations, and where the database stood.
//!
//! # Rules
//! 1. A position is written here after the database has committed it and before the journal is cut by it: so the journal
//!    always has what comes after the position here.
//! 2. A file is whole or the one before it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gwbank_model::Seq;
use gwbank_registry::Registry;
use gwbank_registry::import::{FileKind, parse_installations, parse_wells, write_installations_csv, write_wells_csv};

use crate::applier::Positions;

#[derive(Debug)]
pub(crate) struct LastKnown(PathBuf);

impl LastKnown {
    pub(crate) fn at(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    /// `None` where nothing is remembered yet.
    pub(crate) fn read(&self) -> io::Result<Option<(Positions, Registry)>> {
        let read = |name| match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let (Some(positions), Some(wells), Some(installations)) =
            (read(POSITIONS)?, read(WELLS)?, read(INSTALLATIONS)?)
        else {
            return Ok(None);
        };
        let strange = |file: &str, problem: String| {
            io::Error::other(format!("{} cannot be read: {problem}", self.0.join(file).display()))
        };
        let text = String::from_utf8_lossy(&positions);
        let mut seqs = text.split_whitespace().map(|seq| seq.parse().map(Seq::from_i64));
        let (Some(Ok(archive)), Some(Ok(metadata))) = (seqs.next(), seqs.next()) else {
            return Err(strange(POSITIONS, format!("{text:?} are not two positions")));
        };
        let faults = |faults: Vec<_>| format!("{faults:?}");
        let wells = parse_wells(&wells, FileKind::Csv).map_err(|found| strange(WELLS, faults(found)))?;
        let installations =
            parse_installations(&installations).map_err(|found| strange(INSTALLATIONS, faults(found)))?;
        Ok(Some((Positions { archive, metadata }, Registry::new(wells, installations))))
    }

    pub(crate) fn write_positions(&self, positions: Positions) -> io::Result<()> {
        let Positions { archive, metadata } = positions;
        self.replace(POSITIONS, &format!("{} {}\n", archive.as_i64(), metadata.as_i64()))
    }

    pub(crate) fn write_registry(&self, registry: &Registry) -> io::Result<()> {
        self.replace(WELLS, &write_wells_csv(registry.wells().iter().map(|well| &**well)))?;
        self.replace(INSTALLATIONS, &write_installations_csv(registry.installations()))
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let (draft, path) = (self.0.join(format!("{name}.new")), self.0.join(name));
        let mut file = File::create(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        sync_dir(&self.0)
    }
}

const POSITIONS: &str = "positions";
const WELLS: &str = "wells.csv";
const INSTALLATIONS: &str = "installations.csv";

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
