//! The targets, one a file, and what several of them need.

pub(crate) mod auth;
pub(crate) mod chart;
pub(crate) mod clusterfile;
pub(crate) mod ignore;
pub(crate) mod kubefile;
pub(crate) mod layer;
pub(crate) mod lists;
pub(crate) mod manifest;
pub(crate) mod plugin;
pub(crate) mod reach;
pub(crate) mod reference;
pub(crate) mod run;
pub(crate) mod trust;
pub(crate) mod word;

use std::path::Path;

use tempfile::TempDir;

/// A folder of its own, in memory where the machine has such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a folder can be made")
}

/// Splits an input into texts, at lines that are `separator`.
fn texts<'a>(bytes: &'a [u8], separator: &str) -> Vec<&'a str> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.split(separator).collect()
}
