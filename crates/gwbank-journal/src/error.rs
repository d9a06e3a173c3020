use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::disk::is_no_space;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("journal setting {setting} {problem}")]
    Config { setting: &'static str, problem: &'static str },

    #[error("journal cannot {operation} {}", path.display())]
    Io { operation: Operation, path: PathBuf, source: io::Error },

    /// A record or header that had been durable is not whole.
    #[error(
        "journal file {} is damaged at byte {offset}: {problem}; put back the file from a copy, or, to give up what \
         it holds from there on, move this file and all with a higher number out of the directory",
        path.display()
    )]
    Damaged { path: PathBuf, offset: u64, problem: &'static str },

    #[error(
        "journal segment {} is missing while older and newer ones are there; put it back from a copy, or, to give up \
         all from there on, move the files with a higher number out of the directory",
        path.display()
    )]
    MissingSegment { path: PathBuf },

    #[error(
        "journal file {} does not follow the one before it: {problem}; it was renamed or comes from another journal; \
         put the right file in its place, or move this file and all with a higher number out of the directory",
        path.display()
    )]
    Misplaced { path: PathBuf, problem: &'static str },

    #[error(
        "journal file {} has format version {found}, this program reads version {supported}; start the version of the \
         program that wrote it, let it drain the journal, then upgrade",
        path.display()
    )]
    UnsupportedVersion { path: PathBuf, found: u16, supported: u16 },

    #[error(
        "journal file {} was written by node {found}, but this node is {configured}; set node.id back to {found}, or \
         give the node a data directory of its own",
        path.display()
    )]
    NodeMismatch { path: PathBuf, found: u8, configured: u8 },

    #[error("the journal's writer thread panicked")]
    WriterPanicked,

    #[error("the journal's writer thread cannot be started")]
    Spawn { source: io::Error },
}

impl JournalError {
    pub(crate) fn io(operation: Operation, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }

    /// A full disk that left everything durable as it was: nothing was synced since.
    pub(crate) fn is_full_disk(&self) -> bool {
        match self {
            Self::Io { operation: Operation::Create | Operation::Write | Operation::Rename, source, .. } => {
                is_no_space(source)
            }
            _ => false,
        }
    }
}

/// What was asked of the file system when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    List,
    Open,
    Read,
    Write,
    Resize,
    Rename,
    Remove,
    Sync,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write to",
            Self::Resize => "resize",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Sync => "sync",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Only from `try_append`; `append` waits instead.
    #[error("the journal is full")]
    Full,
    #[error("the journal is closed")]
    Closed,
    #[error("a record of {bytes} bytes can never fit into the journal, which takes {bytes_max}")]
    TooLarge { bytes: u64, bytes_max: u64 },
}
