//! What a host keeps across images and clusters: the files of roots by their digest, linked to where
//! they stand, and the manifests that say which chunks are where in them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::manifest::{Chunk, Digest, Kind, Manifest, digest};

/// So many manifests are kept, the latest.
const MANIFESTS: usize = 8;

/// A host's cache.
pub(crate) struct Cache {
    dir: PathBuf,
    /// How many bytes it may hold that no root holds.
    limit: u64,
    /// Where each chunk is: the file's digest, and the offset in it.
    index: HashMap<Digest, (Digest, u64)>,
}

impl Cache {
    /// Reads what there is. A cache that cannot be read is an empty one.
    pub(crate) fn open(dir: &Path, limit: u64) -> Self {
        let mut index = HashMap::new();
        for (_, path) in newest_first(&dir.join("manifests")) {
            let manifest = fs::read(&path).ok().and_then(|packed| Manifest::unpack(&packed).ok());
            for entry in manifest.iter().flat_map(|manifest| &manifest.entries) {
                let (Kind::File { digest, chunks }, Some(manifest)) = (&entry.kind, &manifest) else {
                    continue;
                };
                let mut offset = 0;
                for chunk in chunks.iter().map(|chunk| &manifest.chunks[*chunk as usize]) {
                    index.entry(chunk.digest).or_insert((*digest, offset));
                    offset += u64::from(chunk.size);
                }
            }
        }
        Self { dir: dir.to_owned(), limit, index }
    }

    /// Returns a chunk that it has. A file that is not what it was is thrown out: somebody wrote to
    /// the root that it is linked to.
    pub(crate) fn find(&self, chunk: &Chunk) -> Option<Vec<u8>> {
        let (file, offset) = self.index.get(&chunk.digest)?;
        let path = self.dir.join("files").join(hex(file));
        let mut bytes = vec![0; chunk.size as usize];
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut bytes, *offset));
        if read.is_ok() && digest(&bytes) == chunk.digest {
            return Some(bytes);
        }
        let _ = fs::remove_file(&path);
        None
    }

    /// Keeps the files of a root, and throws out the oldest of what no root has.
    pub(crate) fn keep(&self, disk: &Disk, packed: &[u8]) -> Result<()> {
        let (files, manifests) = (self.dir.join("files"), self.dir.join("manifests"));
        for dir in [&files, &manifests] {
            fs::create_dir_all(dir).map_err(Error::file(dir))?;
        }
        for (path, digest) in disk.files() {
            let kept = files.join(hex(digest));
            match fs::hard_link(&path, &kept) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::file(&kept)(error));
                }
                _ => {}
            }
        }
        let name = manifests.join(hex(&digest(packed)));
        let aside = manifests.join(".new");
        fs::write(&aside, packed).map_err(Error::file(&aside))?;
        fs::rename(&aside, &name).map_err(Error::file(&name))?;
        for (_, old) in newest_first(&manifests).into_iter().skip(MANIFESTS) {
            fs::remove_file(&old).map_err(Error::file(&old))?;
        }
        self.shrink(&files)
    }

    fn shrink(&self, files: &Path) -> Result<()> {
        let mut held = 0;
        for (found, path) in newest_first(files) {
            if found.nlink > 1 {
                continue;
            }
            held += found.size;
            if held > self.limit {
                fs::remove_file(&path).map_err(Error::file(&path))?;
            }
        }
        Ok(())
    }
}

struct Found {
    size: u64,
    nlink: u64,
}

/// The files of a folder, those first that were written last.
fn newest_first(dir: &Path) -> Vec<(Found, PathBuf)> {
    let mut files: Vec<(SystemTime, Found, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if let Ok(found) = entry.metadata() {
            let written = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((written, Found { size: found.len(), nlink: found.nlink() }, entry.path()));
        }
    }
    files.sort_by(|one, other| (other.0, &one.2).cmp(&(one.0, &other.2)));
    files.into_iter().map(|(_, found, path)| (found, path)).collect()
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
