//! Some files of an image, read from its layers without unpacking them.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use sealer_stdx::task::Task;
use tar::Archive;

use super::read::LayerReader;
use super::unpack::{OPAQUE, WHITEOUT};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::store::Store;

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
    for (index, layer) in image.manifest.layers().iter().enumerate() {
        task.check()?;
        let mut made: HashSet<PathBuf> = HashSet::new();
        let mut archive = Archive::new(LayerReader::open(store, layer)?);
        let broken = |error| Error::from_read(error, layer.digest());
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = plain(Path::new(OsStr::from_bytes(&entry.path_bytes())));
            if hide(&mut found, &made, &path) {
                continue;
            }
            found.remove(&path);
            if !entry.header().entry_type().is_file() || !wanted(&path) {
                continue;
            }
            if entry.size() > most {
                let reason = format!("is larger than {most} bytes");
                return Err(Error::Entry { layer: layer.digest().clone(), entry: path, reason });
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            made.insert(path.clone());
            found.insert(path, bytes);
        }
        archive.into_inner().finish(layer, image.diff_ids().get(index))?;
    }
    Ok(found)
}

/// Removes what a whiteout hides, unless this layer made it. Tells whether it was a whiteout.
fn hide(found: &mut BTreeMap<PathBuf, Vec<u8>>, made: &HashSet<PathBuf>, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let below = if name == OPAQUE {
        path.parent().unwrap_or(Path::new("")).to_owned()
    } else if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        path.with_file_name(OsStr::from_bytes(hidden))
    } else {
        return false;
    };
    found.retain(|other, _| !other.starts_with(&below) || made.contains(other));
    true
}

fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}
