//! The crate's error: conditions with fields. Sentences for people are made by the program.

use std::io;
use std::path::PathBuf;

use oci_spec::image::Digest;
use sealer_stdx::fs::PathError;
use sealer_stdx::task::Cancelled;

use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::RegistryError;

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with content. Each message reads on after a colon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is no reference.
    #[error("`{input}` is not an image reference: {reason}")]
    Reference {
        /// What was written.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A reference that the local store does not hold.
    #[error("`{reference}` is not in the local store")]
    NotFound {
        /// The reference.
        reference: Reference,
    },
    /// Content that the store lacks although something in it refers to it.
    #[error("content {digest} is missing from the store")]
    Missing {
        /// The content.
        digest: Digest,
    },
    /// An index without an image for the platform.
    #[error("there is no image for {wanted}, only for {}", list(available))]
    Platform {
        /// What was asked for.
        wanted: Platform,
        /// What there is.
        available: Vec<Platform>,
    },
    /// Images that are to be one and are for different platforms.
    #[error("one image is for {one}, another for {other}")]
    Platforms {
        /// What the first is for.
        one: Platform,
        /// What another is for.
        other: Platform,
    },
    /// Bytes that are not what their descriptor says.
    #[error("{what} {digest} is not what its descriptor says: {detail}")]
    Verify {
        /// `layer`, `manifest`, `config` or `content`.
        what: &'static str,
        /// The digest that was expected.
        digest: Digest,
        /// What differs: sizes or digests.
        detail: String,
    },
    /// A document that is no manifest, index or configuration.
    #[error("{what} {digest} cannot be read: {reason}")]
    Malformed {
        /// Which sort of document.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder or a file that is no image layout.
    #[error("{} {reason}", path.display())]
    Layout {
        /// The folder or the file.
        path: PathBuf,
        /// Why, as the rest of a sentence.
        reason: String,
    },
    /// An archive or a folder whose image has no name, where none was given either.
    #[error("{} holds an image that has no name", path.display())]
    Unnamed {
        /// The file or the folder.
        path: PathBuf,
    },
    /// An entry of a layer that would leave the image's root, or that cannot be unpacked.
    #[error("layer {layer} holds `{}`, which {reason}", entry.display())]
    Entry {
        /// The layer.
        layer: Digest,
        /// The entry's path as the layer has it.
        entry: PathBuf,
        /// Why it is refused, as the rest of a sentence: `leaves the image's root by `..``.
        reason: String,
    },
    /// More layers than container tools take.
    #[error("the image would have {count} layers; at most {most} are allowed")]
    Layers {
        /// How many there would be.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// A registry does not do what it is asked.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A source of content broke off.
    #[error("content {digest} cannot be read: {source}")]
    Read {
        /// The content.
        digest: Digest,
        /// What the source said.
        source: io::Error,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The file system is full, or would be.
    #[error("{}: the file system has not enough space: {missing} bytes are missing", path.display())]
    Full {
        /// The file or the folder.
        path: PathBuf,
        /// How much is missing at least, in bytes.
        missing: u64,
    },
    /// The work was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    /// Takes back the error that a reader of [`Fetch`](crate::Fetch) has wrapped into its own.
    #[must_use]
    pub fn from_read(error: io::Error, digest: &Digest) -> Self {
        error.downcast().unwrap_or_else(|source| Self::Read { digest: digest.clone(), source })
    }
}

/// For readers of [`Fetch`](crate::Fetch); [`Error::from_read`] is the way back.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

fn list(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
