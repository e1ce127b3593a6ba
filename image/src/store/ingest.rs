//! Taking content in: aside, verified, fsynced, renamed.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use oci_spec::image::{Descriptor, Digest};
use sealer_stdx::fs::{At, sync_dir};

use super::overflow::Overflow;
use super::{Store, remove_if_there};
use crate::content::Push;
use crate::digest::Hasher;
use crate::error::{Error, Result};

const BUFFER: usize = 256 * 1024;

/// What of an earlier, cut attempt is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The bytes that are there: the source is asked from there on.
    Prefix,
    /// Nothing: the source can only be read from its beginning.
    Nothing,
}

/// Takes in the content, unless it is there. Of several processes that want the same content, one
/// does the work and the others wait for it.
pub(super) fn ingest<'a>(
    store: &Store,
    content: &Descriptor,
    kept: Kept,
    open: impl FnOnce(u64) -> Result<Box<dyn Read + 'a>>,
) -> Result<()> {
    let path = store.ingest_dir().join(content.digest().digest());
    let mut file = loop {
        if store.exists(content)? {
            return Ok(());
        }
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).at(&path)?;
        file.lock().at(&path)?;
        // Whoever held the lock may have finished and renamed the file away meanwhile.
        if is_same_file(&file, &path) {
            break file;
        }
    };
    let mut hasher = Hasher::default();
    let from = match kept {
        Kept::Prefix => rehash(&mut file, content.size(), &mut hasher).at(&path)?,
        Kept::Nothing => file.set_len(0).map(|()| 0).at(&path)?,
    };
    let size = receive(&mut file, &path, content, from, &mut hasher, open)?;
    if let Err(error) = verify(content, size, &hasher.finish()) {
        remove_if_there(&path)?;
        return Err(error);
    }
    publish(&file, &path, &store.blob_path(content.digest()))
}

fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Hashes what an earlier attempt left and returns how much it is; more than there can be is thrown away.
fn rehash(file: &mut File, size: u64, hasher: &mut Hasher) -> io::Result<u64> {
    let there = file.metadata()?.len();
    if there > size {
        file.set_len(0)?;
        return Ok(0);
    }
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(there);
        }
        hasher.update(&buffer[..count]);
    }
}

fn receive<'a>(
    file: &mut File,
    path: &Path,
    content: &Descriptor,
    from: u64,
    hasher: &mut Hasher,
    open: impl FnOnce(u64) -> Result<Box<dyn Read + 'a>>,
) -> Result<u64> {
    let mut size = from;
    if from == content.size() && from > 0 {
        return Ok(size);
    }
    let mut reader = open(from)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::from_read(error, content.digest())),
        };
        size += count as u64;
        if count == 0 || size > content.size() {
            return Ok(size);
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).at(path).map_err(|error| match error.is_full() {
            true => Error::Full { path: path.to_owned(), missing: left_after(content, size, count) },
            false => error.into(),
        })?;
    }
}

/// How much of the content is not on the disk yet when the last `count` of `size` bytes are not.
fn left_after(content: &Descriptor, size: u64, count: usize) -> u64 {
    (content.size() + count as u64).saturating_sub(size)
}

fn verify(content: &Descriptor, size: u64, digest: &Digest) -> Result<()> {
    let detail = if size > content.size() {
        format!("more than {} bytes received", content.size())
    } else if size < content.size() {
        format!("{} bytes expected, {size} received", content.size())
    } else if digest != content.digest() {
        format!("its bytes are {digest}")
    } else {
        return Ok(());
    };
    Err(Error::Verify { what: what(content), digest: content.digest().clone(), detail })
}

fn what(content: &Descriptor) -> &'static str {
    let media_type = content.media_type().to_string();
    if media_type.contains("layer") || media_type.contains("diff.tar") {
        "layer"
    } else if media_type.contains("manifest") || media_type.contains("index") {
        "manifest"
    } else if media_type.contains("config") || media_type.contains("container.image") {
        "config"
    } else {
        "content"
    }
}

/// Gives a whole, verified file its name.
fn publish(file: &File, path: &Path, blob: &Path) -> Result<()> {
    file.set_permissions(Permissions::from_mode(0o444)).at(path)?;
    file.sync_all().at(path)?;
    fs::rename(path, blob).at(blob)?;
    Ok(sync_dir(blob.parent().expect("a blob stands in a folder"))?)
}

/// A blob that is being written; its digest is known at the end. Dropped without
/// [`NewBlob::finish`], it leaves nothing.
#[derive(Debug)]
pub struct NewBlob {
    store: Store,
    path: PathBuf,
    file: Overflow<File>,
    hasher: Hasher,
    size: u64,
    published: bool,
}

impl NewBlob {
    pub(super) fn begin(store: &Store) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("new-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = store.ingest_dir().join(name);
        let file = File::create(&path).at(&path)?;
        file.lock().at(&path)?;
        let file = Overflow::new(file);
        Ok(Self { store: store.clone(), path, file, hasher: Hasher::default(), size: 0, published: false })
    }

    /// Puts what was written into the store, and returns its digest and its size in bytes.
    ///
    /// # Errors
    /// When the store cannot be written; `Full`, with how much did not fit.
    pub fn finish(mut self) -> Result<(Digest, u64)> {
        let file = self.file.whole(&self.store.root)?;
        let digest = self.hasher.clone().finish();
        let blob = self.store.blob_path(&digest);
        if blob.exists() {
            return Ok((digest, self.size));
        }
        publish(file, &self.path, &blob)?;
        self.published = true;
        Ok((digest, self.size))
    }

    /// Returns where it is being written, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for NewBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now, the next collection removes.
            let _ = fs::remove_file(&self.path);
        }
    }
}
