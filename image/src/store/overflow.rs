//! A file on a disk that may be full: then what is written is counted, so that the end can tell how much is
//! missing, and what was written is given back at once.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes to a file, and only counts from where the disk is full.
#[derive(Debug)]
pub(crate) struct Overflow<F> {
    file: F,
    /// What did not fit, in bytes.
    lost: u64,
}

impl<F> Overflow<F> {
    pub(crate) fn new(file: F) -> Self {
        Self { file, lost: 0 }
    }

    /// The file, when all of it is there.
    ///
    /// # Errors
    /// `Full`, with what did not fit.
    pub(crate) fn whole(&self, path: &Path) -> Result<&F> {
        match self.lost {
            0 => Ok(&self.file),
            missing => Err(Error::Full { path: path.to_owned(), missing }),
        }
    }
}

impl Write for Overflow<File> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Overflow::write(&mut self.lost, &mut self.file, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Overflow<&mut File> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Overflow::write(&mut self.lost, self.file, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Overflow<()> {
    fn write(lost: &mut u64, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        if *lost == 0 {
            match file.write(bytes) {
                Err(source) if is_full(&source) => {
                    // Others may need the room; a failure to give it back changes nothing.
                    let _ = file.set_len(0);
                }
                written => return written,
            }
        }
        *lost += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// Tells whether a file system has said that it is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Checks that there is room for so many bytes in a folder. A file system that does not tell is found out
/// when it is full.
///
/// # Errors
/// `Full`, with what is missing.
pub(crate) fn check_room(folder: &Path, wanted: u64) -> Result<()> {
    let Ok(space) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let there = space.f_bavail.saturating_mul(space.f_frsize);
    match wanted.checked_sub(there) {
        Some(missing) if missing > 0 => Err(Error::Full { path: folder.to_owned(), missing }),
        _ => Ok(()),
    }
}
