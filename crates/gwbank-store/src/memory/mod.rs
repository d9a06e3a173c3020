//! Archive and metadata in memory: for tests of what stands above the ports, and as the plainest statement of their rules.
//!
//! # Invariant
//! Nothing here is durable, and nothing is bounded: never for a server.

mod archive;
mod dead_letters;
mod metadata;
mod outbox;

pub use archive::MemoryArchive;
pub use metadata::MemoryMetadata;
