//! What a power cut leaves of a real directory, for programs that libraries make use a real one.
//!
//! The program works on the directory as ever and tells the shadow of each operation *before* it does it. The shadow
//! remembers what is durable: bytes that were synced, under names whose directory was synced. [`ShadowDir::power_cut`] then
//! makes of the directory what could be left of it, by the rules of [`PowerCutDisk`](crate::PowerCutDisk); directories are
//! names like others, and a file is lost with the name of its directory. What changed in the directory without a word to
//! the shadow is as good as any other change that was not synced.
//!
//! A process that is killed leaves the directory as it is, and the shadow as well: what was not synced then still is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng;

use crate::inode::Inode;

/// The shadow of one directory. Clones are the same shadow.
#[derive(Clone)]
pub struct ShadowDir(Arc<Mutex<State>>);

struct State {
    root: PathBuf,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    /// As the program sees them.
    names: Names,
    durable_names: Names,
    /// Not synced yet, in order. Each happens as a whole or not at all.
    changes: Vec<NameChange>,
}

type Names = BTreeMap<PathBuf, Node>;
type NameChange = Vec<(PathBuf, Option<Node>)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(u64),
}

impl ShadowDir {
    /// Of an empty directory, which is itself durable.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Mutex::new(State {
            root: root.into(),
            inodes: BTreeMap::new(),
            next_inode: 0,
            names: Names::new(),
            durable_names: Names::new(),
            changes: Vec::new(),
        })))
    }

    pub fn create_dir(&self, path: &Path) {
        self.0.lock().change(vec![(path.to_owned(), Some(Node::Dir))]);
    }

    /// A new file, or an old one that is emptied.
    pub fn create_file(&self, path: &Path) {
        self.0.lock().file(path);
    }

    pub fn sync_file(&self, path: &Path) {
        let state = &mut *self.0.lock();
        let inode = state.file(path);
        if let Ok(bytes) = fs::read(path) {
            state.inodes.entry(inode).or_default().set_durable(bytes);
        }
    }

    pub fn link(&self, from: &Path, to: &Path) {
        let state = &mut *self.0.lock();
        if !state.names.contains_key(to) {
            let inode = state.file(from);
            state.change(vec![(to.to_owned(), Some(Node::File(inode)))]);
        }
    }

    pub fn rename(&self, from: &Path, to: &Path) {
        let state = &mut *self.0.lock();
        state.look_at(to);
        let inode = state.file(from);
        state.change(vec![(from.to_owned(), None), (to.to_owned(), Some(Node::File(inode)))]);
    }

    pub fn remove(&self, path: &Path) {
        let state = &mut *self.0.lock();
        if state.names.contains_key(path) {
            state.look_at(path);
            state.change(vec![(path.to_owned(), None)]);
        }
    }

    pub fn sync_dir(&self, dir: &Path) {
        let state = &mut *self.0.lock();
        let of_dir = |change: &NameChange| change.first().is_some_and(|(path, _)| path.parent() == Some(dir));
        let (synced, rest): (Vec<NameChange>, _) = std::mem::take(&mut state.changes).into_iter().partition(of_dir);
        state.changes = rest;
        synced.iter().for_each(|change| apply(&mut state.durable_names, change));
    }

    /// Makes of the directory what a power cut could have left of it. Nobody may be using it.
    pub fn power_cut(&self, rng: &mut impl Rng) {
        let state = &mut *self.0.lock();
        state.look_at_everything();
        let survival = [0.0, 0.5, 1.0][rng.random_range(0..3)];
        for change in std::mem::take(&mut state.changes) {
            if rng.random_bool(survival) {
                apply(&mut state.durable_names, &change);
            }
        }
        state.drop_what_has_no_directory();
        state.names = state.durable_names.clone();
        let named: BTreeSet<u64> = state.names.values().filter_map(|node| node.inode()).collect();
        state.inodes.retain(|inode, _| named.contains(inode));
        state.inodes.values_mut().for_each(|inode| inode.power_cut(rng));
        state.materialize();
    }
}

impl Node {
    fn inode(self) -> Option<u64> {
        match self {
            Node::Dir => None,
            Node::File(inode) => Some(inode),
        }
    }
}

impl State {
    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }

    /// The file of a name; a new one where the name is new.
    fn file(&mut self, path: &Path) -> u64 {
        if let Some(Node::File(inode)) = self.names.get(path) {
            return *inode;
        }
        self.next_inode += 1;
        let inode = self.next_inode;
        self.inodes.insert(inode, Inode::default());
        self.change(vec![(path.to_owned(), Some(Node::File(inode)))]);
        inode
    }

    /// Takes notice of what was written to a file.
    fn look_at(&mut self, path: &Path) {
        if let (Some(Node::File(inode)), Ok(bytes)) = (self.names.get(path), fs::read(path)) {
            self.inodes.entry(*inode).or_default().rewrite(&bytes);
        }
    }

    /// Takes notice of all that happened to the directory, told or not.
    fn look_at_everything(&mut self) {
        let mut found = Names::new();
        self.walk(&self.root.clone(), &mut found);
        let gone: Vec<PathBuf> = self.names.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in gone {
            self.change(vec![(path, None)]);
        }
        for (path, node) in found {
            match node {
                Node::Dir if self.names.contains_key(&path) => {}
                Node::Dir => self.change(vec![(path, Some(Node::Dir))]),
                Node::File(_) => {
                    self.file(&path);
                    self.look_at(&path);
                }
            }
        }
    }

    /// Names below a directory; the numbers of files mean nothing.
    fn walk(&self, dir: &Path, found: &mut Names) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.walk(&path, found);
                found.insert(path, Node::Dir);
            } else {
                found.insert(path, Node::File(0));
            }
        }
    }

    fn drop_what_has_no_directory(&mut self) {
        let names = &mut self.durable_names;
        // From the top downwards: a directory's name sorts before all that is in it.
        let paths: Vec<PathBuf> = names.keys().cloned().collect();
        for path in paths {
            let parent = path.parent().unwrap_or(&self.root);
            if parent != self.root && names.get(parent) != Some(&Node::Dir) {
                names.remove(&path);
            }
        }
    }

    /// Writes names and durable bytes into the directory, and nothing else.
    fn materialize(&self) {
        let failed = "the directory of the test can be written";
        fs::remove_dir_all(&self.root).expect(failed);
        fs::create_dir_all(&self.root).expect(failed);
        let mut first_names: BTreeMap<u64, &Path> = BTreeMap::new();
        for (path, node) in &self.names {
            match node {
                Node::Dir => fs::create_dir(path).expect(failed),
                Node::File(inode) => match first_names.get(inode) {
                    Some(first) => fs::hard_link(first, path).expect(failed),
                    None => {
                        fs::write(path, &self.inodes[inode].durable).expect(failed);
                        first_names.insert(*inode, path);
                    }
                },
            }
        }
    }
}

fn apply(names: &mut Names, change: &NameChange) {
    for (path, node) in change {
        match node {
            Some(node) => names.insert(path.clone(), *node),
            None => names.remove(path),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    /// What the contents of `d/a` may be after a power cut.
    fn outcomes(act: impl Fn(&ShadowDir, &Path)) -> BTreeSet<Option<Vec<u8>>> {
        let root = std::env::temp_dir().join(format!(
            "gwbank-shadow-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let outcomes = (0..100).map(|seed| {
            let _ = fs::remove_dir_all(&root);
            fs::create_dir_all(&root).expect("a directory");
            let shadow = ShadowDir::new(&root);
            let dir = root.join("d");
            shadow.create_dir(&dir);
            fs::create_dir(&dir).expect("created");
            act(&shadow, &dir.join("a"));
            shadow.power_cut(&mut SmallRng::seed_from_u64(seed));
            fs::read(dir.join("a")).ok()
        });
        let outcomes = outcomes.collect();
        let _ = fs::remove_dir_all(&root);
        outcomes
    }

    fn put(shadow: &ShadowDir, path: &Path, bytes: &[u8]) {
        shadow.create_file(path);
        fs::write(path, bytes).expect("written");
        shadow.sync_file(path);
    }

    #[test]
    fn a_file_is_durable_with_its_name_and_those_above() {
        let all = outcomes(|shadow, path| {
            put(shadow, path, b"abc");
            shadow.sync_dir(path.parent().expect("a directory"));
            shadow.sync_dir(path.ancestors().nth(2).expect("the root"));
        });
        assert_eq!(all, [Some(b"abc".to_vec())].into());
        let without_dir = outcomes(|shadow, path| {
            put(shadow, path, b"abc");
            shadow.sync_dir(path.parent().expect("a directory"));
        });
        assert_eq!(without_dir, [None, Some(b"abc".to_vec())].into());
    }

    #[test]
    fn what_the_shadow_was_not_told_is_not_durable() {
        let all = outcomes(|shadow, path| {
            shadow.sync_dir(path.ancestors().nth(2).expect("the root"));
            fs::write(path, b"abc").expect("written");
            shadow.sync_dir(path.parent().expect("a directory"));
        });
        assert!(
            all.contains(&None) && all.contains(&Some(b"abc".to_vec())) && all.contains(&Some(Vec::new())),
            "{all:?}"
        );
    }

    #[test]
    fn a_removed_file_may_come_back() {
        let all = outcomes(|shadow, path| {
            put(shadow, path, b"abc");
            shadow.sync_dir(path.parent().expect("a directory"));
            shadow.sync_dir(path.ancestors().nth(2).expect("the root"));
            shadow.remove(path);
            fs::remove_file(path).expect("removed");
        });
        assert_eq!(all, [None, Some(b"abc".to_vec())].into());
    }
}
