//! Files: errors that name their path, writes that are whole or not there, locks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An I/O error and the path it is about.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct PathError {
    /// The path.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl PathError {
    /// Tells whether the path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Tells whether the file system is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Adds the path to an I/O result.
pub trait At<T> {
    /// Names the path that the result is about.
    ///
    /// # Errors
    /// The I/O error, with the path.
    fn at(self, path: impl AsRef<Path>) -> Result<T, PathError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T, PathError> {
        self.map_err(|source| PathError { path: path.as_ref().to_owned(), source })
    }
}

/// How often this process has written a file aside.
static TURN: AtomicU64 = AtomicU64::new(0);

/// Replaces a file by `bytes` with the permission bits `mode`.
///
/// On disk when this returns; a crash leaves the old file, the new one, or a stray file beside it
/// whose name begins with `.` and ends with `.new`.
///
/// # Errors
/// Any I/O error, with the path.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PathError> {
    // A bare name has the empty path as its parent.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Two threads may write one file at once: the later stands.
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let aside = dir.join(format!(".{name}.{}-{turn}.new", std::process::id()));
    let written = write_synced(&aside, bytes, mode).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written.at(path)?;
    sync_dir(dir)
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts a folder's entries on disk, so that a rename in it survives a crash.
///
/// # Errors
/// Any I/O error, with the path.
pub fn sync_dir(dir: &Path) -> Result<(), PathError> {
    File::open(dir).and_then(|file| file.sync_all()).at(dir)
}

/// An exclusive lock on a file, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock. The file is made if it is missing.
    ///
    /// # Errors
    /// Any I/O error, with the path.
    pub fn exclusive(path: &Path) -> Result<Self, PathError> {
        let file = lock_file(path)?;
        file.lock().at(path)?;
        Ok(Self { _file: file })
    }

    /// Takes the lock if nobody holds it, else returns `None` at once.
    ///
    /// # Errors
    /// Any I/O error, with the path.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, PathError> {
        let file = lock_file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(source).at(path),
        }
    }
}

fn lock_file(path: &Path) -> Result<File, PathError> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn writes_the_whole_file_with_its_mode_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        write_atomic(&path, b"old", 0o600).unwrap();
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = Lock::exclusive(&path).unwrap();
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn an_error_names_its_path() {
        let error = fs::read("/no/such/file").at("/no/such/file").unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "/no/such/file: No such file or directory (os error 2)");
    }
}
