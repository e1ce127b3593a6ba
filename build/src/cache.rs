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
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::check::Touched;
use crate::error::Result;

/// The cache's folder; `None` where a build is told not to look.
pub(crate) struct Cache {
    dir: PathBuf,
    reads: bool,
}

/// What a layer depends on, piece by piece.
#[derive(Default)]
pub(crate) struct Key(Hasher);

/// What an instruction gave.
pub(crate) struct Kept {
    /// Nothing where it changed nothing.
    pub(crate) layer: Option<Layer>,
    /// What it did to the plugin folders.
    pub(crate) touched: Vec<Touched>,
}

/// [`Kept`] as a file.
#[derive(Serialize, Deserialize)]
struct Document {
    layer: Option<(sealer_image::Descriptor, sealer_image::Digest)>,
    touched: Vec<Touched>,
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

    /// Returns what a key gave, if its layer is in the store still.
    pub(crate) fn find(&self, store: &Store, key: &Key) -> Option<Kept> {
        if !self.reads {
            return None;
        }
        let bytes = fs::read(self.dir.join(key.name())).ok()?;
        let kept: Document = serde_json::from_slice(&bytes).ok()?;
        let layer = kept.layer.map(|(descriptor, diff_id)| Layer { descriptor, diff_id });
        let there = layer.as_ref().is_none_or(|layer| store.exists(&layer.descriptor).unwrap_or(false));
        there.then_some(Kept { layer, touched: kept.touched })
    }

    /// Returns what was noted under a key.
    pub(crate) fn noted<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let bytes = fs::read(self.dir.join(key.name())).ok().filter(|_| self.reads)?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Notes what follows from a key alone.
    pub(crate) fn note<T: Serialize>(&self, key: &Key, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec(value).expect("what is noted is plain data");
        Ok(write_atomic(&self.dir.join(key.name()), &bytes, 0o600)?)
    }

    pub(crate) fn keep(&self, key: &Key, kept: &Kept) -> Result<()> {
        let layer = kept.layer.clone().map(|layer| (layer.descriptor, layer.diff_id));
        let document = Document { layer, touched: kept.touched.clone() };
        let bytes = serde_json::to_vec(&document).expect("an entry is plain data");
        Ok(write_atomic(&self.dir.join(key.name()), &bytes, 0o600)?)
    }
}
