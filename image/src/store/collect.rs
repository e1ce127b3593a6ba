//! Garbage collection: mark what names lead to, sweep the rest.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sealer_stdx::fs::At;

use super::graph::children;
use super::{Store, index, remove_if_there};
use crate::error::{Error, Result};
use crate::tree::{NodeKind, Tree};

pub(super) fn collect(store: &Store, views: &[PathBuf]) -> Result<u64> {
    let in_use = store.in_use.lock().expect("no holder panics");
    let path = store.root().join(".in-use");
    in_use.unlock().at(&path)?;
    let alone = in_use.try_lock().is_ok();
    let freed = if alone { sweep(store, views) } else { Ok(0) };
    in_use.lock_shared().at(&path)?;
    freed
}

fn sweep(store: &Store, views: &[PathBuf]) -> Result<u64> {
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
    for view in views {
        freed += sweep_view(view, &live)?;
    }
    Ok(freed)
}

/// Removes the unpacked images that have no name any more, with their lists.
fn sweep_view(view: &Path, live: &HashSet<String>) -> Result<u64> {
    if !view.is_dir() {
        return Ok(0);
    }
    let mut freed = 0;
    for (path, size) in files(view)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        let is_view = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_view || live.contains(digest) {
            continue;
        }
        if path.is_dir() {
            freed += unpacked_size(&path.with_extension("json"));
            fs::remove_dir_all(&path).at(&path)?;
        } else {
            remove_if_there(&path)?;
            freed += size;
        }
    }
    Ok(freed)
}

/// The bytes of an unpacked image's files, as its list has them; none where the list went before it.
fn unpacked_size(list: &Path) -> u64 {
    let tree: Option<Tree> = fs::read(list).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let sizes = tree.iter().flat_map(Tree::values).map(|node| match node.kind {
        NodeKind::File { size, .. } => size,
        NodeKind::Dir | NodeKind::Symlink { .. } => 0,
    });
    sizes.sum()
}

fn files(dir: &Path) -> Result<Vec<(std::path::PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).at(dir)? {
        let entry = entry.at(dir)?;
        files.push((entry.path(), entry.metadata().at(entry.path())?.len()));
    }
    // Folders before the lists of what is in them.
    files.sort();
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
