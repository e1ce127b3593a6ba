//! The local store: one OCI image layout that skopeo, umoci and podman read as it stands.
//!
//! Blobs are written aside, verified, fsynced, renamed; `index.json` is replaced atomically under a
//! lock. A crash at any point leaves the old state, the new state, or a stray ingest file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest};

use crate::content::{Fetch, Push};
use crate::error::Result;
use crate::reference::Reference;

/// The images of this machine.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the layout in the folder `root`, and makes it if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds something that is no layout of a known version.
    pub fn open(root: &Path) -> Result<Self> {
        let _ = root;
        unimplemented!("Store::open")
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns what a reference names here: a manifest's or an index's descriptor.
    ///
    /// # Errors
    /// `NotFound` when it names nothing.
    pub fn resolve(&self, reference: &Reference) -> Result<Descriptor> {
        let _ = reference;
        unimplemented!("Store::resolve")
    }

    /// Lists all names and what they name, sorted by name.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn references(&self) -> Result<Vec<(Reference, Descriptor)>> {
        unimplemented!("Store::references")
    }

    /// Gives `descriptor` a name, which it takes from whatever had it.
    ///
    /// # Errors
    /// When the content is missing or the index cannot be written.
    pub fn tag(&self, descriptor: &Descriptor, reference: &Reference) -> Result<()> {
        let _ = (descriptor, reference);
        unimplemented!("Store::tag")
    }

    /// Takes a name away. The content stays until [`Store::collect`].
    ///
    /// # Errors
    /// `NotFound` when the name is not there.
    pub fn untag(&self, reference: &Reference) -> Result<()> {
        let _ = reference;
        unimplemented!("Store::untag")
    }

    /// Removes all content that no name leads to, and returns how many bytes that freed. Leaves
    /// what another process is taking in.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn collect(&self) -> Result<u64> {
        unimplemented!("Store::collect")
    }

    /// Returns where a blob stands, whether it exists or not.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().as_ref()).join(digest.digest())
    }

    /// Opens a blob.
    ///
    /// # Errors
    /// `Missing` when it is not there.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let _ = digest;
        unimplemented!("Store::open_blob")
    }

    /// Puts a small document (manifest, configuration) into the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest> {
        let _ = bytes;
        unimplemented!("Store::put_bytes")
    }
}

impl Fetch for Store {
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        let _ = (content, from);
        unimplemented!("Store::fetch")
    }
}

impl Push for Store {
    fn exists(&self, content: &Descriptor) -> Result<bool> {
        let _ = content;
        unimplemented!("Store::exists")
    }

    fn push(&self, content: &Descriptor, source: &dyn Fetch) -> Result<()> {
        let _ = (content, source);
        unimplemented!("Store::push")
    }
}
