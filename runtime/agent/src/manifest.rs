//! What an image's root is made of: entries, and the chunks that files are cut into.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// A SHA-256.
pub type Digest = [u8; 32];

/// The most bytes of a chunk; what is longer is no chunk.
pub const MOST_CHUNK: usize = 512 * 1024;

/// Computes the SHA-256 of bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Piece of a file, cut where its content says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u32,
}

/// An entry of the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path below the root, as bytes.
    pub path: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A folder.
    Dir,
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A file.
    File {
        /// Of all its bytes.
        digest: Digest,
        /// Its chunks in order, by their place in the manifest.
        chunks: Vec<u32>,
    },
}

/// What the hosts of a run are to have, all of them together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The chunks, each once.
    pub chunks: Vec<Chunk>,
    /// The entries; parents stand before what is in them.
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// Writes it down, compressed.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub fn pack(&self) -> Result<Vec<u8>> {
        let bytes = postcard::to_allocvec(self).map_err(|_| Error::Garbled)?;
        zstd::encode_all(bytes.as_slice(), 3).map_err(Error::Wire)
    }

    /// Reads what [`Manifest::pack`] wrote, and checks that it points nowhere else.
    ///
    /// # Errors
    /// When it is none.
    pub fn unpack(packed: &[u8]) -> Result<Self> {
        let bytes = zstd::decode_all(packed).map_err(Error::Wire)?;
        let manifest: Self = postcard::from_bytes(&bytes).map_err(|_| Error::Garbled)?;
        let known = |chunk: &u32| (*chunk as usize) < manifest.chunks.len();
        let is_sound = |entry: &Entry| {
            let within = !entry.path.starts_with(b"/")
                && entry.path.split(|byte| *byte == b'/').all(|part| !part.is_empty() && part != b"..");
            let whole = match &entry.kind {
                Kind::File { chunks, .. } => chunks.iter().all(known),
                _ => true,
            };
            within && whole
        };
        let fits = manifest.chunks.iter().all(|chunk| chunk.size as usize <= MOST_CHUNK);
        if fits && manifest.entries.iter().all(is_sound) { Ok(manifest) } else { Err(Error::Garbled) }
    }

    /// The bytes of a file's chunks.
    #[must_use]
    pub fn size(&self, chunks: &[u32]) -> u64 {
        chunks.iter().map(|chunk| u64::from(self.chunks[*chunk as usize].size)).sum()
    }
}
