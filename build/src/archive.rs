//! `ADD`: an archive of the context, as the entries that it holds.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use sealer_image::layer::{self, Entry, EntryKind};
use tar::{Archive, EntryType};

/// Where a tar archive says that it is one, and what it says.
const USTAR: (usize, &[u8]) = (257, b"ustar");

/// Why an archive cannot be unpacked.
pub(crate) enum Refused {
    /// What is wrong with it, as a phrase.
    Wrong(String),
    /// It could not be read, or its files not be written.
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Tells whether a file is a tar archive, compressed or not: its first bytes tell, as in Docker.
pub(crate) fn is_archive(path: &Path) -> Result<bool, Refused> {
    let mut head = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut head)?;
    if head.starts_with(b"\xfd7zXZ\0") || head.starts_with(b"BZh") {
        return Err(Refused::Wrong(
            "is compressed with xz or bzip2, which `ADD` does not read: gzip and zstd it does".to_owned(),
        ));
    }
    let mut begin = Vec::new();
    // What only looks compressed is no archive.
    let read = layer::plain(BufReader::new(File::open(path)?))
        .and_then(|source| source.take(512).read_to_end(&mut begin));
    Ok(read.is_ok() && begin.get(USTAR.0..).is_some_and(|rest| rest.starts_with(USTAR.1)))
}

/// Returns what an archive holds, below `dest`. The files' content is put into `folder`.
pub(crate) fn entries(path: &Path, dest: &Path, folder: &Path) -> Result<Vec<Entry>, Refused> {
    let mut archive = Archive::new(layer::plain(BufReader::new(File::open(path)?))?);
    let mut entries = Vec::new();
    for (index, item) in archive.entries()?.enumerate() {
        let mut item = item?;
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
                let file = folder.join(index.to_string());
                io::copy(&mut item, &mut File::create_new(&file)?)?;
                EntryKind::File(file)
            }
            (EntryType::Symlink, Some(target)) => EntryKind::Symlink(target),
            (EntryType::Link, Some(target)) => EntryKind::Hardlink(dest.join(inside(&target)?)),
            _ => {
                let reason = format!("holds `{}`, which is neither file, folder nor link", name.display());
                return Err(Refused::Wrong(reason));
            }
        };
        let mode = item.header().mode()? & 0o7777;
        entries.push(Entry { path, kind, mode });
    }
    Ok(entries)
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
