//! A file system in memory that keeps apart what a program sees and what a power cut leaves.
//!
//! # What it promises
//! As little as POSIX does. After [`PowerCutDisk::power_cut`]:
//! - bytes and length that [`DiskFile::sync_data`] made durable are there;
//! - of what was written since, each 512-byte sector holds its durable content or one that it had since, whatever its
//!   neighbours hold; the length is the durable one, one that the file had since, or something in between;
//! - of the names that were created, renamed or removed since the last [`Disk::sync_dir`], each change happened or not.
//!
//! After [`PowerCutDisk::restart`] (the process was killed, the machine goes on) everything that was written is seen,
//! durable or not. Both make every handle of the former process useless.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gwbank_journal::{Disk, DiskFile};
use parking_lot::{Mutex, MutexGuard};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::PowerSwitch;
use crate::inode::Inode;

/// What goes wrong, from now on. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DiskFaults {
    /// How likely a write takes only a part of the bytes, which is no error.
    pub short_write: f64,
    /// Bytes of all files together that fit.
    pub capacity_bytes: Option<u64>,
    /// The n-th operation from now that changes or syncs something, and every one after it, fails: as if power or
    /// process were gone at that instant. A write or sync may be half done.
    pub dies_after: Option<u64>,
    /// The n-th sync of a file from now fails, and pages may be lost by it.
    pub sync_fails_after: Option<u64>,
}

/// The machine's disk. Clones are the same disk.
#[derive(Clone)]
pub struct PowerCutDisk(Arc<Mutex<State>>);

struct State {
    rng: SmallRng,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Not synced yet, in order. Each happens as a whole or not at all.
    name_changes: Vec<NameChange>,
    faults: DiskFaults,
    /// Handles of earlier processes fail.
    process: u64,
    is_dead: bool,
    power: PowerSwitch,
}

type NameChange = Vec<(PathBuf, Option<u64>)>;

impl PowerCutDisk {
    pub fn new(seed: u64) -> Self {
        Self::powered_by(PowerSwitch::default(), seed)
    }

    /// A disk that dies when a switch is off, and counts its operations there.
    pub fn powered_by(power: PowerSwitch, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: SmallRng::seed_from_u64(seed),
            inodes: BTreeMap::new(),
            next_inode: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            name_changes: Vec::new(),
            faults: DiskFaults::default(),
            process: 0,
            is_dead: false,
            power,
        })))
    }

    /// The disk as the running process sees it.
    pub fn process(&self) -> Arc<dyn Disk> {
        Arc::new(ProcessView { disk: self.clone(), process: self.0.lock().process })
    }

    pub fn set_faults(&self, faults: DiskFaults) {
        self.0.lock().faults = faults;
    }

    /// `dies_after` came true.
    pub fn is_dead(&self) -> bool {
        self.0.lock().is_dead
    }

    pub fn power_cut(&self, rng: &mut impl Rng) {
        let state = &mut *self.0.lock();
        let survival = [0.0, 0.5, 1.0][rng.random_range(0..3)];
        for change in std::mem::take(&mut state.name_changes) {
            if rng.random_bool(survival) {
                apply(&mut state.durable_names, &change);
            }
        }
        state.names.clone_from(&state.durable_names);
        let linked: Vec<u64> = state.names.values().copied().collect();
        state.inodes.retain(|inode, _| linked.contains(inode));
        for inode in state.inodes.values_mut() {
            inode.power_cut(rng);
        }
        state.next_process();
    }

    pub fn restart(&self) {
        self.0.lock().next_process();
    }

    pub fn files(&self) -> Vec<PathBuf> {
        self.0.lock().names.keys().cloned().collect()
    }

    /// What a reader sees.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.lock();
        Some(state.inodes.get(state.names.get(path)?)?.volatile.clone())
    }

    /// Puts a file there, durable.
    pub fn set_contents(&self, path: &Path, bytes: Vec<u8>) {
        let state = &mut *self.0.lock();
        let inode = state.names.get(path).copied().unwrap_or_else(|| state.new_inode());
        state.change_durable(path, Some(inode));
        state.inodes.entry(inode).or_default().set_durable(bytes);
    }

    /// Removes a file, durable.
    pub fn remove_file(&self, path: &Path) {
        self.0.lock().change_durable(path, None);
    }

    /// Damages what is stored.
    pub fn flip_bit(&self, path: &Path, bit: usize) {
        let state = &mut *self.0.lock();
        if let Some(inode) = state.names.get(path).and_then(|inode| state.inodes.get_mut(inode)) {
            inode.flip_bit(bit);
        }
    }
}

impl State {
    fn next_process(&mut self) {
        self.process += 1;
        self.is_dead = false;
        self.faults = DiskFaults::default();
    }

    fn new_inode(&mut self) -> u64 {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, Inode::default());
        self.next_inode
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.name_changes.push(change);
    }

    fn change_durable(&mut self, path: &Path, inode: Option<u64>) {
        let change = vec![(path.to_owned(), inode)];
        apply(&mut self.names, &change);
        apply(&mut self.durable_names, &change);
    }

    fn named(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&mut self, dir: &Path) {
        let (synced, rest) =
            std::mem::take(&mut self.name_changes).into_iter().partition(|change| change[0].0.parent() == Some(dir));
        self.name_changes = rest;
        let synced: Vec<NameChange> = synced;
        for change in &synced {
            apply(&mut self.durable_names, change);
        }
    }

    /// Counts an operation. `Err` when this is the one at which everything ends.
    fn operate(&mut self) -> Result<(), io::Error> {
        self.power.operate()?;
        match &mut self.faults.dies_after {
            Some(0) => {
                self.is_dead = true;
                Err(gone())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How many of these bytes fit on the disk.
    fn room_for(&self, inode: u64, bytes: usize, offset: usize) -> usize {
        let Some(capacity) = self.faults.capacity_bytes else { return bytes };
        let used: usize =
            self.names.values().filter_map(|inode| self.inodes.get(inode)).map(|inode| inode.volatile.len()).sum();
        let size = self.inodes.get(&inode).map_or(0, |inode| inode.volatile.len());
        let growth = (offset + bytes).saturating_sub(size);
        let free = usize::try_from(capacity).unwrap_or(usize::MAX).saturating_sub(used);
        bytes - growth.saturating_sub(free).min(bytes)
    }
}

fn apply(names: &mut BTreeMap<PathBuf, u64>, change: &NameChange) {
    for (path, inode) in change {
        match inode {
            Some(inode) => names.insert(path.clone(), *inode),
            None => names.remove(path),
        };
    }
}

fn gone() -> io::Error {
    io::Error::other("the machine or the process is gone")
}

struct ProcessView {
    disk: PowerCutDisk,
    process: u64,
}

impl ProcessView {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.0.lock();
        let is_alive = state.process == self.process && !state.is_dead && !state.power.is_off();
        if is_alive { Ok(state) } else { Err(gone()) }
    }

    fn file(&self, inode: u64) -> Box<dyn DiskFile> {
        Box::new(OpenFile { view: Self { disk: self.disk.clone(), process: self.process }, inode })
    }
}

impl Disk for ProcessView {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        self.state().map(drop)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state()?;
        state.operate()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.new_inode();
        state.change(vec![(path.to_owned(), Some(inode))]);
        Ok(self.file(inode))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.state()?.named(path)?;
        Ok(self.file(inode))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        state.operate()?;
        let inode = state.named(from)?;
        state.change(vec![(from.to_owned(), None), (to.to_owned(), Some(inode))]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        state.named(path)?;
        state.operate()?;
        state.change(vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state()?;
        let operated = state.operate();
        // Killed in the middle of a sync: it may have been done.
        if operated.is_ok() || state.rng.random_bool(0.5) {
            state.sync_dir(dir);
        }
        operated
    }
}

struct OpenFile {
    view: ProcessView,
    inode: u64,
}

impl OpenFile {
    fn with<T>(&self, act: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.view.state()?;
        if !state.inodes.contains_key(&self.inode) {
            return Err(gone());
        }
        act(&mut state, self.inode)
    }
}

impl DiskFile for OpenFile {
    fn size(&self) -> io::Result<u64> {
        self.with(|state, inode| Ok(state.inodes[&inode].volatile.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state, inode| {
            let bytes = &state.inodes[&inode].volatile;
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            let read = rest.len().min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            Ok(read)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.with(|state, inode| {
            let operated = state.operate();
            let mut taken = state.room_for(inode, bytes.len(), offset);
            if taken == 0 && operated.is_ok() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let short_write = state.faults.short_write;
            if taken > 0 && (operated.is_err() || state.rng.random_bool(short_write)) {
                taken = state.rng.random_range(1..=taken);
            }
            if let Some(inode) = state.inodes.get_mut(&inode) {
                inode.write(&bytes[..taken], offset);
            }
            operated.map(|()| taken)
        })
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.with(|state, inode| {
            state.operate()?;
            if let Some(inode) = state.inodes.get_mut(&inode) {
                inode.resize(bytes as usize);
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state, inode| {
            let operated = state.operate();
            let fails = match &mut state.faults.sync_fails_after {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            };
            let State { inodes, rng, .. } = state;
            let Some(inode) = inodes.get_mut(&inode) else { return Err(gone()) };
            if fails {
                inode.fail_sync(rng);
                return Err(io::Error::other("input/output error"));
            }
            // Killed in the middle of a sync: it may have been done.
            if operated.is_ok() || rng.random_bool(0.5) {
                inode.sync();
            }
            operated
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        Path::new("/d").join(name)
    }

    /// What the contents of `a` may be after a power cut.
    fn outcomes(act: impl Fn(&dyn Disk)) -> std::collections::BTreeSet<Option<Vec<u8>>> {
        (0..200)
            .map(|seed| {
                let disk = PowerCutDisk::new(seed);
                act(&*disk.process());
                disk.power_cut(&mut SmallRng::seed_from_u64(seed));
                disk.contents(&path("a"))
            })
            .collect()
    }

    #[test]
    fn what_is_synced_stays() {
        let outcomes = outcomes(|disk| {
            let file = disk.create_new(&path("a")).expect("created");
            file.write_at(b"abc", 0).expect("written");
            file.sync_data().expect("synced");
            disk.sync_dir(Path::new("/d")).expect("synced");
        });
        assert_eq!(outcomes, [Some(b"abc".to_vec())].into());
    }

    #[test]
    fn a_name_that_is_not_synced_may_be_gone() {
        let outcomes = outcomes(|disk| {
            let file = disk.create_new(&path("a")).expect("created");
            file.write_at(b"abc", 0).expect("written");
            file.sync_data().expect("synced");
        });
        assert_eq!(outcomes, [None, Some(b"abc".to_vec())].into());
    }

    #[test]
    fn sectors_survive_one_by_one() {
        let old = vec![1; 1024];
        let outcomes = outcomes(|disk| {
            let file = disk.create_new(&path("a")).expect("created");
            file.write_at(&old, 0).expect("written");
            file.sync_data().expect("synced");
            disk.sync_dir(Path::new("/d")).expect("synced");
            file.write_at(&[2; 1024], 0).expect("written");
        });
        let of = |first: u8, second: u8| Some([vec![first; 512], vec![second; 512]].concat());
        assert_eq!(outcomes, [of(1, 1), of(1, 2), of(2, 1), of(2, 2)].into());
    }

    #[test]
    fn a_failed_sync_loses_pages_for_good() {
        let outcomes = outcomes(|disk| {
            let file = disk.create_new(&path("a")).expect("created");
            file.write_at(b"abc", 0).expect("written");
            file.sync_data().expect("synced");
            disk.sync_dir(Path::new("/d")).expect("synced");
        });
        assert_eq!(outcomes.len(), 1);
        let lost = (0..50).any(|seed| {
            let disk = PowerCutDisk::new(seed);
            let view = disk.process();
            let file = view.create_new(&path("a")).expect("created");
            view.sync_dir(Path::new("/d")).expect("synced");
            disk.set_faults(DiskFaults { sync_fails_after: Some(0), ..DiskFaults::default() });
            file.write_at(b"abc", 0).expect("written");
            assert!(file.sync_data().is_err());
            disk.set_faults(DiskFaults::default());
            file.sync_data().expect("nothing is dirty any more");
            assert_eq!(disk.contents(&path("a")), Some(b"abc".to_vec()));
            disk.power_cut(&mut SmallRng::seed_from_u64(seed));
            disk.contents(&path("a")) != Some(b"abc".to_vec())
        });
        assert!(lost);
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let disk = PowerCutDisk::new(1);
        disk.set_faults(DiskFaults { capacity_bytes: Some(4), ..DiskFaults::default() });
        let view = disk.process();
        let file = view.create_new(&path("a")).expect("created");
        assert_eq!(file.write_at(b"abcdef", 0).expect("in part"), 4);
        assert_eq!(file.write_at(b"ef", 4).expect_err("full").kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.write_at(b"xy", 0).expect("overwriting takes no space"), 2);
    }

    #[test]
    fn handles_of_a_dead_process_are_useless() {
        let disk = PowerCutDisk::new(1);
        disk.set_faults(DiskFaults { dies_after: Some(1), ..DiskFaults::default() });
        let view = disk.process();
        let file = view.create_new(&path("a")).expect("the first operation");
        assert!(file.write_at(b"abc", 0).is_err());
        assert!(disk.is_dead() && view.list(Path::new("/d")).is_err());
        disk.restart();
        assert!(view.list(Path::new("/d")).is_err());
        assert_eq!(disk.process().list(Path::new("/d")).expect("a new process"), ["a"]);
    }
}
