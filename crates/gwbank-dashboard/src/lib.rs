//! The dashboard's files, as they were built and committed: the server needs no Node and no files of its own.
//!
//! ```text
//! web/      sources: TypeScript with Preact, one style sheet; `npm run build` there writes
//! built/    what browsers load, committed; a test builds it again and compares
//! ```
//!
//! # Invariants: what is absent
//! - No inline script and no inline style: the server's policy forbids them.
//! - Nothing from elsewhere: fonts, outlines of provinces and libraries are all here.

use std::borrow::Cow;

use rust_embed::Embed;

#[derive(Embed)]
#[folder = "built"]
struct Built;

/// A file that browsers load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    pub content_type: String,
    pub bytes: Cow<'static, [u8]>,
    /// Its name changes with its content: it can be kept for ever.
    pub is_hashed: bool,
}

/// The page that all places of the dashboard begin with.
pub fn page() -> Asset {
    asset("index.html").expect("a test builds it")
}

/// By its path, such as `assets/index-B2gGjvUX.css`. `None` where there is none.
pub fn asset(path: &str) -> Option<Asset> {
    let file = Built::get(path)?;
    let content_type = file.metadata.mimetype().to_owned();
    Some(Asset { content_type, bytes: file.data, is_hashed: path.starts_with("assets/") })
}

/// Of all files.
pub fn paths() -> impl Iterator<Item = Cow<'static, str>> {
    Built::iter()
}
