//! Garbage collection: mark what names lead to, sweep the rest.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sealer_stdx::fs::At;

use super::graph::children;
use super::{Store, index, remove_if_there};
use crate::error::{Error, Result};
use crate::tree::{NodeKind, Tree};

/// What no name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// The file or folder.
    pub path: PathBuf,
    /// What it takes, in bytes.
    pub size: u64,
    /// What it is.
    pub kind: GarbageKind,
}

/// What garbage was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GarbageKind {
    /// Content of images.
    Content,
    /// Content that was never taken in whole.
    Partial,
    /// An unpacked image, or its list.
    Unpacked,
}

pub(super) fn collect(store: &Store, views: &[PathBuf]) -> Result<u64> {
    alone(store, 0, || {
        let mut freed = 0;
        for garbage in find(store, views)? {
            if garbage.kind == GarbageKind::Partial && !abandoned(&garbage.path)? {
                continue;
            }
            if garbage.path.is_dir() {
                fs::remove_dir_all(&garbage.path).at(&garbage.path)?;
            } else {
                remove_if_there(&garbage.path)?;
            }
            freed += garbage.size;
        }
        Ok(freed)
    })
}

pub(super) fn garbage(store: &Store, views: &[PathBuf]) -> Result<Vec<Garbage>> {
    let _lock = index::lock(store)?;
    find(store, views)
}

/// Does something while nobody else has the store open, or gives `otherwise`.
fn alone<T>(store: &Store, otherwise: T, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let in_use = store.in_use.lock().expect("no holder panics");
    let path = store.root().join(".in-use");
    in_use.unlock().at(&path)?;
    let done = match in_use.try_lock() {
        Ok(()) => index::lock(store).and_then(|_lock| act()),
        Err(_) => Ok(otherwise),
    };
    in_use.lock_shared().at(&path)?;
    done
}

/// Folders come before the lists of what is in them.
fn find(store: &Store, views: &[PathBuf]) -> Result<Vec<Garbage>> {
    let live = mark(store)?;
    let mut garbage = Vec::new();
    for (path, size) in files(&store.root().join("blobs/sha256"))? {
        if !live.contains(name(&path).as_ref()) {
            garbage.push(Garbage { path, size, kind: GarbageKind::Content });
        }
    }
    let partial = files(&store.ingest_dir())?;
    garbage.extend(partial.into_iter().map(|(path, size)| Garbage {
        path,
        size,
        kind: GarbageKind::Partial,
    }));
    for view in views.iter().filter(|view| view.is_dir()) {
        garbage.extend(unpacked(view, &live)?);
    }
    Ok(garbage)
}

/// The unpacked images that have no name any more, with their lists.
fn unpacked(view: &Path, live: &HashSet<String>) -> Result<Vec<Garbage>> {
    let mut garbage = Vec::new();
    for (path, size) in files(view)? {
        let name = name(&path);
        let digest = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        let is_view = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_view || live.contains(digest) {
            continue;
        }
        let size = if path.is_dir() { unpacked_size(&path.with_extension("json")) } else { size };
        garbage.push(Garbage { path, size, kind: GarbageKind::Unpacked });
    }
    Ok(garbage)
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Whoever takes content in holds its file's lock.
fn abandoned(path: &Path) -> Result<bool> {
    Ok(File::open(path).at(path)?.try_lock().is_ok())
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

fn files(dir: &Path) -> Result<Vec<(PathBuf, u64)>> {
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
