//! Which layer an instruction gave: a build that changes nothing reads no file's content.
//!
//! An entry is trusted because its key holds everything the layer depends on: the instruction's
//! effect, and of each file its size, times and inode, which the system changes with the content.

use std::fs;
use std::path::PathBuf;

use sealer_image::digest::Hasher;
use sealer_image::layer::Layer;
use sealer_image::{Push, Store};
use sealer_stdx::fs::{At, write_atomic};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The cache's folder; `None` where a build is told not to look.
pub(crate) struct Cache {
    dir: PathBuf,
    reads: bool,
}

/// What a layer depends on, piece by piece.
#[derive(Default)]
pub(crate) struct Key(Hasher);

#[derive(Serialize, Deserialize)]
struct Kept {
    descriptor: sealer_image::Descriptor,
    diff_id: sealer_image::Digest,
}

impl Key {
    pub(crate) fn add(&mut self, piece: impl AsRef<[u8]>) {
        let piece = piece.as_ref();
        self.0.update(&(piece.len() as u64).to_le_bytes());
        self.0.update(piece);
    }

    fn name(&self) -> String {
        self.0.clone().finish().digest().to_owned()
    }
}

impl Cache {
    pub(crate) fn open(dir: PathBuf, reads: bool) -> Result<Self> {
        fs::create_dir_all(&dir).at(&dir)?;
        Ok(Self { dir, reads })
    }

    /// Returns the layer of a key, if it is in the store still.
    pub(crate) fn find(&self, store: &Store, key: &Key) -> Option<Layer> {
        if !self.reads {
            return None;
        }
        let bytes = fs::read(self.dir.join(key.name())).ok()?;
        let kept: Kept = serde_json::from_slice(&bytes).ok()?;
        let there = store.exists(&kept.descriptor).unwrap_or(false);
        there.then_some(Layer { descriptor: kept.descriptor, diff_id: kept.diff_id })
    }

    pub(crate) fn keep(&self, key: &Key, layer: &Layer) -> Result<()> {
        let kept = Kept { descriptor: layer.descriptor.clone(), diff_id: layer.diff_id.clone() };
        let bytes = serde_json::to_vec(&kept).expect("an entry is plain data");
        Ok(write_atomic(&self.dir.join(key.name()), &bytes, 0o600)?)
    }
}
