//! What can go wrong with throwaway hosts.

use std::io;
use std::path::{Path, PathBuf};

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong. Each message reads on after a colon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Only root can make network namespaces and mounts.
    #[error("only root can make hosts")]
    NotRoot,
    /// Programs are missing.
    #[error("these programs are missing: {}", .0.iter().map(|(tool, _)| *tool).collect::<Vec<_>>().join(", "))]
    Tools(
        /// Each with the Debian package that has it.
        Vec<(&'static str, &'static str)>,
    ),
    /// A program failed.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The command line.
        command: String,
        /// What it said.
        message: String,
    },
    /// A host did not come up.
    #[error("host `{host}` does not answer: {message}")]
    NoAnswer {
        /// The host.
        host: String,
        /// The last of what it said.
        message: String,
    },
    /// No host has that name or address.
    #[error("there is no host `{host}`")]
    Unknown {
        /// The name or address.
        host: String,
    },
    /// The host's processes are gone.
    #[error("host `{host}` is dead")]
    Dead {
        /// The host.
        host: String,
    },
    /// All networks, or all addresses of one, are taken.
    #[error("no network is left in 10.77.0.0/16")]
    Full,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
