//! Layers: a file tree's change as a tar archive, compressed, the same bytes for the same input.

mod compress;
mod disk;
mod read;
mod reader;
mod root;
mod unpack;
mod view;
mod write;
mod writer;

use std::path::PathBuf;

use oci_spec::image::{Descriptor, Digest, MediaType};

use crate::error::Result;
use crate::store::Store;

pub use read::plain;
pub use reader::{Metered, TarEntries, TarReader};
pub use unpack::{LARGEST, Unpacked, trees, unpack, unpacked};
pub use view::{Change, read_changes, read_files};
pub use write::write;
pub(crate) use writer::{LayerWriter, import};

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// `tar+zstd`, level 3.
    #[default]
    Zstd,
    /// `tar+gzip`, level 6, for tools that know nothing newer.
    Gzip,
    /// Plain `tar`, for what is compressed already.
    Plain,
}

/// One entry of a layer to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the image: relative, without `.` and `..`.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
    /// The permission bits, with setuid, setgid and sticky.
    pub mode: u32,
}

/// What an entry of a layer is. Owner and time are not kept: uid 0, gid 0 and the epoch (or
/// `WriteOptions::time`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Dir,
    /// A regular file, read from this path when the layer is written. Extended attributes
    /// (`security.capability`, `user.*`) go along.
    File(PathBuf),
    /// A regular file of these bytes.
    Bytes(Vec<u8>),
    /// A symbolic link to this target.
    Symlink(PathBuf),
    /// A hard link to an earlier entry of the same layer.
    Hardlink(PathBuf),
    /// The removal of what lower layers hold at this path (`.wh.NAME`).
    Whiteout,
    /// A folder that hides what lower layers hold in it (`.wh..wh..opq`).
    OpaqueDir,
}

/// How a layer is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// The compression.
    pub compression: Compression,
    /// The time of every entry, in seconds since the epoch (SOURCE_DATE_EPOCH).
    pub time: u64,
}

/// A layer that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The compressed blob.
    pub descriptor: Descriptor,
    /// The digest of the uncompressed archive.
    pub diff_id: Digest,
}

/// Computes the digest of a layer's unpacked archive.
///
/// # Errors
/// When the layer is missing or broken.
pub fn diff_id(store: &Store, layer: &Descriptor) -> Result<Digest> {
    read::LayerReader::open(store, layer)?.digest(layer)
}

/// The bytes of a layer's unpacked archive; the layer is verified on the way.
pub(crate) fn unpacked_bytes(store: &Store, layer: &Descriptor) -> Result<impl std::io::Read + use<>> {
    read::LayerReader::open(store, layer)
}

/// The layer's descriptor with OCI's word for what it is, where it has docker's.
pub(crate) fn plain_words(layer: &Descriptor) -> Descriptor {
    let mut plain = layer.clone();
    let media_type = match layer.media_type().to_string().as_str() {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => MediaType::ImageLayerGzip,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => MediaType::ImageLayerZstd,
        "application/vnd.docker.image.rootfs.diff.tar" => MediaType::ImageLayer,
        _ => return plain,
    };
    plain.set_media_type(media_type);
    plain
}

#[cfg(test)]
mod tests;
