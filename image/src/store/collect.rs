//! Garbage collection: mark what names lead to, sweep the rest.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;

use sealer_stdx::fs::At;

use super::graph::children;
use super::{Store, index, remove_if_there};
use crate::error::{Error, Result};

pub(super) fn collect(store: &Store) -> Result<u64> {
    let in_use = store.in_use.lock().expect("no holder panics");
    let path = store.root().join(".in-use");
    in_use.unlock().at(&path)?;
    let alone = in_use.try_lock().is_ok();
    let freed = if alone { sweep(store) } else { Ok(0) };
    in_use.lock_shared().at(&path)?;
    freed
}

fn sweep(store: &Store) -> Result<u64> {
    let _lock = index::lock(store)?;
    let live = mark(store)?;
    let mut freed = 0;
    let blobs = store.root().join("blobs/sha256");
    for (path, size) in files(&blobs)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !live.contains(&name) {
            remove_if_there(&path)?;
            freed += size;
        }
    }
    for (path, size) in files(&store.ingest_dir())? {
        let file = File::open(&path).at(&path)?;
        if file.try_lock().is_ok() {
            remove_if_there(&path)?;
            freed += size;
        }
    }
    Ok(freed)
}

fn files(dir: &Path) -> Result<Vec<(std::path::PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).at(dir)? {
        let entry = entry.at(dir)?;
        files.push((entry.path(), entry.metadata().at(entry.path())?.len()));
    }
    Ok(files)
}

/// Returns the hexadecimal digests of all content that the index leads to.
fn mark(store: &Store) -> Result<HashSet<String>> {
    let mut live = HashSet::new();
    let mut todo = index::roots(store)?;
    while let Some(descriptor) = todo.pop() {
        if live.insert(descriptor.digest().digest().to_owned()) {
            match children(store, &descriptor) {
                // What cannot be read leads nowhere; its own name stays, for whoever mends it.
                Err(Error::Missing { .. } | Error::Verify { .. } | Error::Malformed { .. }) => {}
                found => todo.extend(found?),
            }
        }
    }
    Ok(live)
}
