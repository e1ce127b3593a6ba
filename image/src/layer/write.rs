//! Entries → tar → compressed blob, each file read once, everything hashed on the way.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::Task;
use tar::{Builder, EntryType, Header};

use super::writer::LayerWriter;
use super::{Entry, EntryKind, Layer, WriteOptions};
use crate::error::Result;
use crate::store::Store;

/// Extended attributes that mean something on another machine.
const KEPT_ATTRIBUTES: [&str; 2] = ["security.capability", "user."];

/// Writes entries as a layer into the store. The same entries give the same digest, in whatever
/// order they come: they are sorted by path, and missing parent folders are added with mode 0755.
///
/// # Errors
/// When a file cannot be read, changes its size meanwhile, or the store cannot be written.
pub fn write(task: &Task, store: &Store, entries: Vec<Entry>, options: WriteOptions) -> Result<Layer> {
    let writer = LayerWriter::begin(store, options.compression)?;
    let place = writer.place().to_owned();
    let mut builder = Builder::new(writer);
    for entry in sorted(entries) {
        task.check()?;
        let path = sort_key(&entry).into_owned();
        append(task, &mut builder, &path, entry, options.time).map_err(|error| match error {
            Failure::Source(error) => error,
            Failure::Sink(source) => PathError { path: place.clone(), source },
        })?;
    }
    builder.into_inner().at(&place)?.finish()
}

/// Sorts entries by path, later ones winning, and adds the parents that none of them is. Hard links come
/// after all that they may be links to. In place: of very many files, their names are what takes memory.
fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut parents: BTreeSet<PathBuf> = BTreeSet::new();
    for entry in &entries {
        for parent in entry.path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()) {
            // Whose parent is known, all above it is.
            if parents.contains(parent) {
                break;
            }
            parents.insert(parent.to_owned());
        }
    }
    // Before what is given, which wins.
    let made = parents.into_iter().map(|path| Entry { path, kind: EntryKind::Dir, mode: 0o755 });
    entries.splice(0..0, made);
    entries.sort_by(|one, other| sort_key(one).cmp(&sort_key(other)));
    entries.reverse();
    entries.dedup_by(|later, kept| sort_key(later) == sort_key(kept));
    entries.reverse();
    entries.sort_by_key(|entry| matches!(entry.kind, EntryKind::Hardlink(_)));
    entries
}

/// Where an entry stands in the archive: a whiteout is a file of another name.
fn sort_key(entry: &Entry) -> Cow<'_, Path> {
    match entry.kind {
        EntryKind::Whiteout => {
            let mut name = std::ffi::OsString::from(".wh.");
            name.push(entry.path.file_name().unwrap_or_default());
            Cow::Owned(entry.path.with_file_name(name))
        }
        _ => Cow::Borrowed(&entry.path),
    }
}

enum Failure {
    Source(PathError),
    Sink(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Sink(error)
    }
}

fn append<W: Write>(
    task: &Task,
    builder: &mut Builder<W>,
    path: &Path,
    entry: Entry,
    time: u64,
) -> std::result::Result<(), Failure> {
    let mut header = header(entry.mode, time);
    match entry.kind {
        EntryKind::Dir => folder(builder, header, path)?,
        EntryKind::OpaqueDir => {
            folder(builder, header.clone(), path)?;
            header.set_mode(0o644);
            empty(builder, header, &path.join(".wh..wh..opq"))?;
        }
        EntryKind::Whiteout => {
            header.set_mode(0o644);
            empty(builder, header, path)?;
        }
        EntryKind::Symlink(target) => link(builder, header, EntryType::Symlink, path, &target)?,
        EntryKind::Hardlink(target) => link(builder, header, EntryType::Link, path, &target)?,
        EntryKind::Bytes(bytes) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice())?;
        }
        EntryKind::File(source) => file(task, builder, header, path, &source)?,
    }
    Ok(())
}

fn header(mode: u32, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode & 0o7777);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

fn folder<W: Write>(builder: &mut Builder<W>, mut header: Header, path: &Path) -> io::Result<()> {
    header.set_entry_type(EntryType::Directory);
    let mut name = path.as_os_str().to_owned();
    name.push("/");
    builder.append_data(&mut header, Path::new(&name), io::empty())
}

fn empty<W: Write>(builder: &mut Builder<W>, mut header: Header, path: &Path) -> io::Result<()> {
    header.set_entry_type(EntryType::Regular);
    builder.append_data(&mut header, path, io::empty())
}

fn link<W: Write>(
    builder: &mut Builder<W>,
    mut header: Header,
    kind: EntryType,
    path: &Path,
    target: &Path,
) -> io::Result<()> {
    header.set_entry_type(kind);
    builder.append_link(&mut header, path, target)
}

fn file<W: Write>(
    task: &Task,
    builder: &mut Builder<W>,
    mut header: Header,
    path: &Path,
    source: &Path,
) -> std::result::Result<(), Failure> {
    let opened = File::open(source).at(source).map_err(Failure::Source)?;
    let size = opened.metadata().at(source).map_err(Failure::Source)?.len();
    let attributes = attributes(source).map_err(Failure::Source)?;
    if !attributes.is_empty() {
        builder.append_pax_extensions(
            attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice())),
        )?;
    }
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    let mut source = Source { file: opened, path: source, left: size, failed: None };
    let appended = builder.append_data(&mut header, path, &mut source);
    if let Some(error) = source.failed {
        return Err(Failure::Source(error));
    }
    appended?;
    task.advance(size);
    Ok(())
}

fn attributes(source: &Path) -> std::result::Result<Vec<(String, Vec<u8>)>, PathError> {
    let names = match xattr::list(source) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(Vec::new()),
        Err(error) => return Err(error).at(source),
    };
    let mut kept = Vec::new();
    for name in names {
        let Some(text) = name.to_str() else { continue };
        if KEPT_ATTRIBUTES.iter().any(|prefix| text.starts_with(prefix)) {
            let value = xattr::get(source, &name).at(source)?.unwrap_or_default();
            kept.push((format!("SCHILY.xattr.{text}"), value));
        }
    }
    kept.sort();
    Ok(kept)
}

/// Exactly as many bytes of a file as its size was, or a failure that names the file.
struct Source<'a> {
    file: File,
    path: &'a Path,
    left: u64,
    failed: Option<PathError>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len()).max(1);
        let result = match self.file.read(&mut buffer[..most]) {
            Ok(0) if self.left == 0 => return Ok(0),
            Ok(count) if self.left > 0 && count > 0 => Ok(count),
            Ok(_) => Err(io::Error::other("its size changed while it was read")),
            Err(error) => Err(error),
        };
        match result {
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(PathError { path: self.path.to_owned(), source: error });
                Err(told)
            }
        }
    }
}
