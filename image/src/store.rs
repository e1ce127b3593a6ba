//! The local store: one OCI image layout that skopeo, umoci and podman read as it stands.
//!
//! Blobs are written aside, verified, fsynced, renamed; `index.json` is replaced atomically under a
//! lock. A crash at any point leaves the old state, the new state, or a stray ingest file.

mod collect;
mod graph;
mod index;
mod ingest;
pub(crate) mod overflow;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use oci_spec::image::{Descriptor, Digest};
use sealer_stdx::fs::{At, PathError};

use crate::content::{Fetch, Push};
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::reference::Reference;

pub use collect::{Garbage, GarbageKind};
pub(crate) use graph::children;
pub(crate) use index::{LAYOUT, REF_NAME};
pub use ingest::NewBlob;

/// The images of this machine.
///
/// Every open store shares a lock, which [`Store::collect`] must have alone: content that another
/// process has brought but not named yet is never swept away.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    in_use: Arc<Mutex<File>>,
}

impl Store {
    /// Opens the layout in the folder `root`, and makes it if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds something that is no layout of a known version.
    pub fn open(root: &Path) -> Result<Self> {
        for folder in ["blobs/sha256", "ingest"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).at(&path)?;
        }
        let lock = root.join(".in-use");
        let in_use = File::options().create(true).append(true).open(&lock).at(&lock)?;
        in_use.lock_shared().at(&lock)?;
        let store = Self { root: root.to_owned(), in_use: Arc::new(Mutex::new(in_use)) };
        index::open(&store)?;
        Ok(store)
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
        index::resolve(self, reference)
    }

    /// Lists all names and what they name, sorted by name.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn references(&self) -> Result<Vec<(Reference, Descriptor)>> {
        index::references(self)
    }

    /// Gives `descriptor` a name, which it takes from whatever had it.
    ///
    /// # Errors
    /// When the content is missing or the index cannot be written.
    pub fn tag(&self, descriptor: &Descriptor, reference: &Reference) -> Result<()> {
        if !self.blob_path(descriptor.digest()).exists() {
            return Err(Error::Missing { digest: descriptor.digest().clone() });
        }
        index::tag(self, descriptor, reference)
    }

    /// Takes a name away. The content stays until [`Store::collect`].
    ///
    /// # Errors
    /// `NotFound` when the name is not there.
    pub fn untag(&self, reference: &Reference) -> Result<()> {
        index::untag(self, reference)
    }

    /// Removes all content that no name leads to, and what of it [`unpacked`](crate::layer::unpacked)
    /// has put below the folders `views`. Returns how many bytes that freed. While another process
    /// has the store open, nothing is removed: a later call does it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn collect(&self, views: &[PathBuf]) -> Result<u64> {
        collect::collect(self, views)
    }

    /// Lists what [`Store::collect`] would remove, if nobody else had the store open.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn garbage(&self, views: &[PathBuf]) -> Result<Vec<Garbage>> {
        collect::garbage(self, views)
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
        let path = self.blob_path(digest);
        match File::open(&path).at(&path) {
            Err(error) if error.is_not_found() => Err(Error::Missing { digest: digest.clone() }),
            opened => Ok(opened?),
        }
    }

    /// Reads a small document (manifest, configuration) and checks that it is what its name says.
    ///
    /// # Errors
    /// `Missing` when it is not there; `Verify` when its bytes are not those of the digest.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?.read_to_end(&mut bytes).at(self.blob_path(digest))?;
        let found = sha256(&bytes);
        if found == *digest {
            return Ok(bytes);
        }
        Err(Error::Verify {
            what: "content",
            digest: digest.clone(),
            detail: format!("its bytes are {found}"),
        })
    }

    /// Puts a small document (manifest, configuration) into the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = sha256(bytes);
        if self.blob_path(&digest).exists() {
            return Ok(digest);
        }
        let mut blob = self.new_blob()?;
        let path = blob.path().to_owned();
        blob.write_all(bytes).at(&path)?;
        Ok(blob.finish()?.0)
    }

    /// Begins a blob whose digest is known only when it is written.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn new_blob(&self) -> Result<NewBlob> {
        NewBlob::begin(self)
    }

    /// Takes in content from a reader that cannot be asked twice. Idempotent.
    ///
    /// # Errors
    /// `Verify` when the bytes are not what the descriptor says; `Read` when the reader fails.
    pub fn take_in(&self, content: &Descriptor, reader: &mut dyn Read) -> Result<()> {
        ingest::ingest(self, content, ingest::Kept::Nothing, |_| {
            let whole: Box<dyn Read + '_> = Box::new(reader);
            Ok(whole)
        })
    }

    /// Checks that there is room for content that is to come.
    ///
    /// # Errors
    /// `Full`, with what is missing.
    pub(crate) fn check_room(&self, content: &[Descriptor]) -> Result<()> {
        let mut wanted = 0;
        for one in content {
            if !self.exists(one)? {
                let partial = fs::metadata(self.ingest_dir().join(one.digest().digest()));
                wanted += one.size().saturating_sub(partial.map_or(0, |partial| partial.len()));
            }
        }
        overflow::check_room(&self.root, wanted)
    }

    fn ingest_dir(&self) -> PathBuf {
        self.root.join("ingest")
    }
}

impl Fetch for Store {
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        let mut file = self.open_blob(content.digest())?;
        file.seek(SeekFrom::Start(from)).at(self.blob_path(content.digest()))?;
        Ok(Box::new(file))
    }
}

impl Push for Store {
    fn exists(&self, content: &Descriptor) -> Result<bool> {
        let path = self.blob_path(content.digest());
        match fs::metadata(&path).at(&path) {
            // A file cut short by a disk that lost it is not there: it is fetched again.
            Ok(metadata) => Ok(metadata.len() == content.size()),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn push(&self, content: &Descriptor, source: &dyn Fetch) -> Result<()> {
        ingest::ingest(self, content, ingest::Kept::Prefix, |from| {
            let reader: Box<dyn Read + '_> = source.fetch(content, from)?;
            Ok(reader)
        })
    }
}

fn remove_if_there(path: &Path) -> std::result::Result<(), PathError> {
    match fs::remove_file(path).at(path) {
        Err(error) if error.is_not_found() => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
