//! All layers of an image, merged into one folder.

use std::fs;
use std::io::Read;
use std::ops::RangeBounds;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest};
use sealer_stdx::fs::{At, Lock, sync_dir, write_atomic};
use sealer_stdx::task::Task;
use tar::EntryType;

use super::disk::Disk;
use super::read::LayerReader;
use super::root::{Origin, Root};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::store::Store;
use crate::tree::Tree;

/// The prefix of an entry that says that something of the layers below is gone.
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// No file of an image is larger, in bytes: holes in one cost nothing to claim.
pub const LARGEST: u64 = 1 << 40;
/// The entry that says that a folder hides what the layers below hold in it.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Unpacks all layers of an image, merged, into the empty or missing folder `dest`, and returns
/// what stands there. Nothing is written outside `dest`, whatever the layers say.
///
/// # Errors
/// When a layer is missing, is not what its descriptor or diff id says, or holds an entry that
/// leaves the root.
pub fn unpack(task: &Task, store: &Store, image: &Image, dest: &Path) -> Result<Tree> {
    let mut root = Root::new(Disk::folder(dest)?);
    unpack_layers(task, store, image, 0.., &mut root)?;
    root.finish()
}

/// Returns what two images hold, without writing it anywhere. Layers that both begin with are read once.
///
/// # Errors
/// Those of [`unpack`].
pub fn trees(task: &Task, store: &Store, images: (&Image, &Image)) -> Result<(Tree, Tree)> {
    let (one, other) = (images.0.manifest.layers(), images.1.manifest.layers());
    let shared = one.iter().zip(other).take_while(|(one, other)| one.digest() == other.digest()).count();
    let mut first = Root::new(Disk::nowhere());
    unpack_layers(task, store, images.0, ..shared, &mut first)?;
    let mut second = first.clone();
    unpack_layers(task, store, images.0, shared.., &mut first)?;
    unpack_layers(task, store, images.1, shared.., &mut second)?;
    Ok((first.finish()?, second.finish()?))
}

fn unpack_layers(
    task: &Task,
    store: &Store,
    image: &Image,
    which: impl RangeBounds<usize>,
    root: &mut Root,
) -> Result<()> {
    let diff_ids = image.diff_ids();
    let layers = image.manifest.layers().iter().enumerate();
    for (index, layer) in layers.filter(|(index, _)| which.contains(index)) {
        task.check()?;
        root.begin_layer();
        unpack_layer(task, store, layer, diff_ids.get(index), root)?;
    }
    Ok(())
}

/// An image that is unpacked on this machine.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// The folder.
    pub dir: PathBuf,
    /// What stands in it.
    pub tree: Tree,
}

/// Unpacks an image into a folder of its own below `parent`, named by its digest, unless it stands
/// there already. A folder of that name is whole: it is made aside and renamed.
///
/// # Errors
/// Those of [`unpack`].
pub fn unpacked(task: &Task, store: &Store, image: &Image, parent: &Path) -> Result<Unpacked> {
    fs::create_dir_all(parent).at(parent)?;
    let name = image.descriptor.digest().digest();
    let (dir, list) = (parent.join(name), parent.join(format!("{name}.json")));
    let lock_path = parent.join(format!(".{name}.lock"));
    let _lock = Lock::exclusive(&lock_path)?;
    if dir.is_dir()
        && let Some(tree) = fs::read(&list).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
    {
        return Ok(Unpacked { dir, tree });
    }
    let aside = parent.join(format!(".{name}.new"));
    for stale in [&dir, &aside] {
        if stale.exists() {
            fs::remove_dir_all(stale).at(stale)?;
        }
    }
    let total = image.manifest.layers().iter().map(Descriptor::size).sum();
    let task = task.child("unpack", image.descriptor.digest().to_string(), Some(total))?;
    let tree = unpack(&task, store, image, &aside)?;
    write_atomic(&list, &serde_json::to_vec(&tree).expect("a tree is plain data"), 0o600)?;
    fs::rename(&aside, &dir).at(&dir)?;
    sync_dir(parent)?;
    task.finish();
    Ok(Unpacked { dir, tree })
}

fn unpack_layer(
    task: &Task,
    store: &Store,
    layer: &Descriptor,
    diff_id: Option<&Digest>,
    root: &mut Root,
) -> Result<()> {
    let mut archive = LayerReader::archive(store, layer)?;
    let broken = |error| Error::from_read(error, layer.digest());
    for entry in archive.entries().map_err(broken)? {
        task.check()?;
        let mut entry = entry.map_err(broken)?;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(&entry.path_bytes()));
        let origin = Origin { layer: layer.digest(), entry: &path };
        unpack_entry(&mut entry, &path, root, &origin)?;
    }
    archive.into_inner().finish(layer, diff_id)?;
    task.advance(layer.size());
    Ok(())
}

fn unpack_entry<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &Path,
    root: &mut Root,
    origin: &Origin<'_>,
) -> Result<()> {
    let resolved = root.resolve(path, origin)?;
    let name = resolved.file_name().unwrap_or_default().as_bytes();
    if name == OPAQUE {
        return root.whiteout_below(resolved.parent().unwrap_or(Path::new("")));
    }
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        return root.whiteout(&resolved.with_file_name(std::ffi::OsStr::from_bytes(hidden)));
    }
    let malformed = |error: std::io::Error| origin.refuse(format!("cannot be read: {error}"));
    let mode = entry.header().mode().map_err(malformed)? & 0o7777;
    let kind = entry.header().entry_type();
    let target = entry.link_name_bytes().map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(&name)));
    match kind {
        EntryType::Directory if resolved.as_os_str().is_empty() => Ok(()),
        EntryType::Directory => root.make_dir(resolved, mode, origin),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            if entry.size() > LARGEST {
                return Err(origin.refuse(format!("says that it is {} bytes large", entry.size())));
            }
            let attributes = attributes(entry).map_err(malformed)?;
            root.make_file(resolved.clone(), mode, entry, origin)?;
            attributes.iter().try_for_each(|(name, value)| root.set_attribute(&resolved, name, value))
        }
        EntryType::Symlink => {
            let target = target.ok_or_else(|| origin.refuse("is a link to nowhere"))?;
            root.make_symlink(resolved, &target, origin)
        }
        EntryType::Link => {
            let target = target.ok_or_else(|| origin.refuse("is a link to nowhere"))?;
            root.make_hardlink(resolved, &target, origin)
        }
        EntryType::XGlobalHeader => Ok(()),
        EntryType::Char | EntryType::Block => Err(origin.refuse("is a device: a cluster image holds none")),
        EntryType::Fifo => Err(origin.refuse("is a named pipe: a cluster image holds none")),
        other => Err(origin.refuse(format!("is of an unknown sort ({:#04x})", other.as_byte()))),
    }
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut attributes = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix("SCHILY.xattr.")) {
            attributes.push((name.to_owned(), extension.value_bytes().to_vec()));
        }
    }
    Ok(attributes)
}
