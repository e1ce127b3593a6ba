//! Files to send: real ones, of this machine.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::command::{Failure, Result};

/// Where files are taken from: libraries, programs, data and text, large and small.
pub(super) const SOURCES: [&str; 3] = ["/usr/lib", "/usr/bin", "/usr/share"];

/// No file may be more than this part of the whole.
const LARGEST: u64 = 10;

/// What was collected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) files: usize,
    pub(super) bytes: u64,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {} MB", self.files, self.bytes / 1_000_000)
    }
}

/// Copies about so many bytes of this machine's files into a folder: the same ones each time.
pub(super) fn collect(folder: &Path, size: u64, sources: &[&str]) -> Result<Content> {
    let mut files = Vec::new();
    for source in sources {
        list(Path::new(source), &mut files);
    }
    // In an order that has nothing to do with what they are.
    files.sort_by_key(|(path, _)| {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        hasher.finish()
    });
    let mut content = Content { files: 0, bytes: 0 };
    for (path, length) in files {
        if length > size / LARGEST || content.bytes + length > size {
            continue;
        }
        let target = folder.join(path.strip_prefix("/").unwrap_or(&path));
        let parent = target.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(Failure::file(parent))?;
        fs::copy(&path, &target).map_err(Failure::file(&path))?;
        content.files += 1;
        content.bytes += length;
    }
    Ok(content)
}

/// Lists the files below a folder, with their sizes; nothing where it is missing.
pub(super) fn list(folder: &Path, files: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            list(&entry.path(), files);
        } else if metadata.is_file() {
            files.push((entry.path(), metadata.len()));
        }
    }
}
