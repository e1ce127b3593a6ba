//! Some files of an image, read from its layers without unpacking them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use oci_spec::image::{Descriptor, Digest};
use sealer_stdx::task::Task;
use serde::{Deserialize, Serialize};

use super::read::LayerReader;
use super::unpack::{OPAQUE, WHITEOUT};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::store::Store;

/// What a layer does to a path that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It holds a regular file of this content, or a hard link to one.
    File(PathBuf, Vec<u8>),
    /// It removes or replaces what lower layers hold at this path and below. What the layer itself
    /// holds there comes after.
    Gone(PathBuf),
}

/// Returns the regular files of an image whose path `wanted` takes, upper layers winning.
///
/// # Errors
/// When a layer is missing or broken, or a wanted file is larger than `most` bytes.
pub fn read_files(
    task: &Task,
    store: &Store,
    image: &Image,
    most: u64,
    wanted: impl Fn(&Path) -> bool,
) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let diff_ids = image.diff_ids();
    for (index, layer) in image.manifest.layers().iter().enumerate() {
        for change in read_changes(task, store, layer, diff_ids.get(index), most, &wanted)? {
            match change {
                Change::File(path, bytes) => {
                    found.insert(path, bytes);
                }
                Change::Gone(below) => found.retain(|path, _| !path.starts_with(&below)),
            }
        }
    }
    Ok(found)
}

/// Returns what one layer does to the paths that `wanted` takes, and to whatever is above them:
/// first what it removes, then what it holds.
///
/// # Errors
/// As [`read_files`].
pub fn read_changes(
    task: &Task,
    store: &Store,
    layer: &Descriptor,
    diff_id: Option<&Digest>,
    most: u64,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<Change>> {
    task.check()?;
    let (mut gone, mut made) = (Vec::new(), BTreeMap::new());
    let mut archive = LayerReader::archive(store, layer)?;
    let broken = |error| Error::from_read(error, layer.digest());
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = plain(Path::new(OsStr::from_bytes(&entry.path_bytes())));
        if let Some(hidden) = hidden(&path) {
            gone.push(hidden);
            continue;
        }
        let kind = entry.header().entry_type();
        if !kind.is_dir() {
            gone.push(path.clone());
        }
        made.remove(&path);
        if !kind.is_file() || !wanted(&path) {
            continue;
        }
        if entry.size() > most {
            let reason = format!("is larger than {most} bytes");
            return Err(Error::Entry { layer: layer.digest().clone(), entry: path, reason });
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        made.insert(path, bytes);
    }
    archive.into_inner().finish(layer, diff_id)?;
    // What is replaced matters only where something was, or something below it.
    gone.retain(|path| !made.contains_key(path));
    let gone = gone.into_iter().map(Change::Gone);
    Ok(gone.chain(made.into_iter().map(|(path, bytes)| Change::File(path, bytes))).collect())
}

/// The path that a whiteout hides, where this is one.
fn hidden(path: &Path) -> Option<PathBuf> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    if name == OPAQUE {
        return Some(path.parent().unwrap_or(Path::new("")).to_owned());
    }
    name.strip_prefix(WHITEOUT).map(|hidden| path.with_file_name(OsStr::from_bytes(hidden)))
}

fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}
