//! What is sent: nothing of it can be compressed, so that every way has the same bytes to move.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::sealer;
use crate::bench::content;
use crate::command::{Failure, Result};
use crate::stage::Stage;

/// How many files an image of small ones has.
const SMALL: u64 = 20_000;
/// How much of a release is another than before.
const CHANGED: u64 = 50;

/// What an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Content {
    /// One file that nothing compresses
    Big,
    /// 20,000 small files that nothing compresses
    Small,
    /// Files of this machine, which compress as they do
    Real,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Big => "big",
            Self::Small => "small",
            Self::Real => "real",
        })
    }
}

/// Two releases, as folders and as images.
pub(super) struct Images {
    pub(super) folders: [PathBuf; 2],
    pub(super) files: usize,
    pub(super) bytes: u64,
}

/// The images' names.
pub(super) const NAMES: [&str; 2] = ["bench:v1", "bench:v2"];

/// Makes both releases.
pub(super) fn make(stage: &Stage, what: Content, size: u64) -> Result<Images> {
    let folders = ["v1", "v2"].map(|name| stage.place().join(name).join("files"));
    for (release, folder) in folders.iter().enumerate() {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
        match what {
            Content::Big => big(folder, size, release)?,
            Content::Small => small(folder, size / SMALL, release as u64)?,
            Content::Real => content::collect(folder, size, &content::SOURCES).map(|_| ())?,
        }
        let context = folder.parent().unwrap_or(folder);
        let kubefile = context.join("Kubefile");
        fs::write(&kubefile, "FROM scratch\nCOPY files .\n").map_err(Failure::file(&kubefile))?;
        sealer(stage, &["build", "--quiet", "-t", NAMES[release], &context.to_string_lossy()])?;
    }
    let mut files = Vec::new();
    content::list(&folders[0], &mut files);
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    Ok(Images { files: files.len(), bytes, folders })
}

/// One file; in the second release, a stretch in its middle is another.
fn big(folder: &Path, size: u64, release: usize) -> Result<()> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut bytes = noise(1, size);
    if release == 1 {
        let changed = size / CHANGED as usize;
        bytes[size / 2..size / 2 + changed].copy_from_slice(&noise(2, changed));
    }
    let path = folder.join("big");
    fs::write(&path, bytes).map_err(Failure::file(&path))
}

/// Many files of half to one and a half times `size`; in the second release, some are others.
fn small(folder: &Path, size: u64, release: u64) -> Result<()> {
    for index in 0..SMALL {
        let below = folder.join(format!("{:03}", index / 100));
        fs::create_dir_all(&below).map_err(Failure::file(&below))?;
        let path = below.join(format!("{index:05}"));
        let other = if index % CHANGED == 0 { release } else { 0 };
        let bytes = noise(index * 2 + other + 1, (size / 2 + index * 7919 % size.max(1)) as usize);
        fs::write(&path, bytes).map_err(Failure::file(&path))?;
        // What is the same in both releases has the same time in both: rsync goes by it.
        if other == 0 {
            let file = fs::File::options().append(true).open(&path).map_err(Failure::file(&path))?;
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
            file.set_modified(time).map_err(Failure::file(&path))?;
        }
    }
    Ok(())
}

/// Bytes that nothing makes less.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}
