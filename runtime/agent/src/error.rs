//! What can go wrong on a host during a distribution.

use std::io;
use std::path::{Path, PathBuf};

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong. Each message reads on after a colon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the host cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A connection broke, or was silent for too long.
    #[error("the connection broke off: {0}")]
    Wire(io::Error),
    /// What was said makes no sense.
    #[error("what it says makes no sense")]
    Garbled,
    /// A piece is not what its digest says.
    #[error("piece {index} is not what its digest says")]
    Lie {
        /// The piece.
        index: u32,
    },
    /// What the operator sends is another than it said it would be.
    #[error("piece {index} is not what it was when the run began: the unpacked image has changed")]
    Changed {
        /// The piece.
        index: u32,
    },
    /// The keys of the run are no keys.
    #[error("the keys are refused: {0}")]
    Keys(#[from] rustls::Error),
}

impl Error {
    /// Names the file of an error.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// Tells whether the file system is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::File { source, .. } if full(source.kind()))
    }
}
