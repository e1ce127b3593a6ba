//! `ADD`: an archive of the context, as the entries that it holds.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use bzip2::bufread::MultiBzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use sealer_image::layer::{self, Entry, EntryKind, TarReader};
use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::{Cancelled, Task};
use tar::EntryType;

/// Where a tar archive says that it is one, and what it says.
const USTAR: (usize, &[u8]) = (257, b"ustar");
/// What unpacking xz may take of memory, in bytes: `xz -9` makes what takes 65 MiB.
const MOST_MEMORY: u64 = 80 << 20;
/// What is read of a file at once, in bytes.
const CHUNK: usize = 64 << 10;
/// So many zero bytes at once are a hole.
const HOLE: usize = 4096;

/// Why an archive cannot be unpacked.
pub(crate) enum Refused {
    /// What is wrong with it, as a phrase.
    Wrong(String),
    /// It could not be opened, or its files not be written.
    Path(PathError),
    /// The work was interrupted.
    Cancelled(Cancelled),
}

impl From<PathError> for Refused {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<Cancelled> for Refused {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

/// Tells whether a file is a tar archive, compressed or not: its first bytes tell, as in Docker.
pub(crate) fn is_archive(path: &Path) -> Result<bool, Refused> {
    let mut begin = Vec::new();
    match open(path)?.take(512).read_to_end(&mut begin) {
        Ok(_) => Ok(begin.get(USTAR.0..).is_some_and(|rest| rest.starts_with(USTAR.1))),
        Err(error) if wants_memory(&error) => Err(broken(&error)),
        // What only looks compressed is no archive.
        Err(_) => Ok(false),
    }
}

/// Returns what an archive holds, below `dest`. The files' content is put into `folder`.
pub(crate) fn entries(task: &Task, path: &Path, dest: &Path, folder: &Path) -> Result<Vec<Entry>, Refused> {
    let mut archive = TarReader::new(open(path)?);
    let mut entries = Vec::new();
    for (index, item) in archive.entries().map_err(|error| broken(&error))?.enumerate() {
        task.check()?;
        let mut item = item.map_err(|error| broken(&error))?;
        let name = PathBuf::from(OsStr::from_bytes(&item.path_bytes()));
        let path = dest.join(inside(&name)?);
        if path.as_os_str().is_empty() || item.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".wh.")) {
            return Err(Refused::Wrong(format!("holds `{}`, a mark of layers", name.display())));
        }
        let target = item.link_name_bytes().map(|name| PathBuf::from(OsStr::from_bytes(&name)));
        let kind = match (item.header().entry_type(), target) {
            (EntryType::Directory, _) => EntryKind::Dir,
            (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse, _) => {
                if item.size() > layer::LARGEST {
                    let reason = format!("says that `{}` is {} bytes large", name.display(), item.size());
                    return Err(Refused::Wrong(reason));
                }
                let file = folder.join(index.to_string());
                write(task, &mut item, &file)?;
                EntryKind::File(file)
            }
            (EntryType::Symlink, Some(target)) => EntryKind::Symlink(target),
            (EntryType::Link, Some(target)) => EntryKind::Hardlink(dest.join(inside(&target)?)),
            _ => {
                let reason = format!("holds `{}`, which is neither file, folder nor link", name.display());
                return Err(Refused::Wrong(reason));
            }
        };
        let mode = item.header().mode().map_err(|error| broken(&error))? & 0o7777;
        entries.push(Entry { path, kind, mode });
    }
    // What packed it ends with a checksum of all that it packed.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| broken(&error))?;
    Ok(entries)
}

/// What an archive holds, whatever it is compressed with: its first bytes tell.
fn open(path: &Path) -> Result<Box<dyn Read>, Refused> {
    let mut file = BufReader::with_capacity(CHUNK, File::open(path).at(path)?);
    let head = file.fill_buf().at(path)?;
    if head.starts_with(b"\xfd7zXZ\0") {
        let stream = Stream::new_stream_decoder(MOST_MEMORY, CONCATENATED);
        let stream = stream.map_err(|error| broken(&error.into()))?;
        return Ok(Box::new(XzDecoder::new_stream(file, stream)));
    }
    if head.starts_with(b"BZh") {
        return Ok(Box::new(MultiBzDecoder::new(file)));
    }
    layer::plain(file).map_err(|error| broken(&error))
}

fn wants_memory(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(liblzma::stream::Error::MemLimit))
}

fn broken(error: &io::Error) -> Refused {
    Refused::Wrong(match wants_memory(error) {
        true => format!(
            "takes more than {} MiB of memory to unpack: `xz -9` makes one that does not",
            MOST_MEMORY >> 20
        ),
        false => format!("is broken: {error}"),
    })
}

/// Writes a file of an archive. Its holes take no room.
fn write(task: &Task, item: &mut dyn Read, path: &Path) -> Result<(), Refused> {
    let mut file = File::create_new(path).at(path)?;
    let (mut buffer, mut size) = (vec![0; CHUNK], 0);
    loop {
        task.check()?;
        let count = match item.read(&mut buffer) {
            Ok(0) => return Ok(file.set_len(size).at(path)?),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(&error)),
        };
        size += count as u64;
        let written = match count >= HOLE && buffer[..count].iter().all(|byte| *byte == 0) {
            true => file.seek(SeekFrom::Start(size)).map(drop),
            false => file.write_all(&buffer[..count]),
        };
        written.at(path)?;
    }
}

/// A path of an archive, from where it is unpacked.
fn inside(name: &Path) -> Result<PathBuf, Refused> {
    let mut path = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Refused::Wrong(format!("holds `{}`, which leaves it by `..`", name.display())));
            }
        }
    }
    Ok(path)
}

/// Makes an empty folder for the content of one archive.
pub(crate) fn folder(parent: &Path, index: usize) -> io::Result<PathBuf> {
    let folder = parent.join(index.to_string());
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests;
