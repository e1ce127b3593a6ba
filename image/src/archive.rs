//! Images in a file or folder that is carried from one machine to another, in the forms that tools
//! have for that.

mod docker;
mod layout;
mod load;
mod original;
mod save;

use std::path::Path;

use crate::error::Error;

pub use load::load;
pub use save::save;

/// What [`save`] writes. [`load`] finds out by itself what it has before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A tar of an OCI image layout, which holds any number of images.
    #[default]
    OciArchive,
    /// What `docker save` writes and `docker load` reads: layers unpacked.
    DockerArchive,
    /// A folder of one image's manifest and blobs, as skopeo's `dir:`.
    Dir,
}

/// How images are saved.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaveOptions {
    /// The form.
    pub format: Format,
    /// Whether the file as a whole is compressed by zstd. Of use where its layers are not.
    pub zstd: bool,
}

fn wrong(path: &Path, reason: impl Into<String>) -> Error {
    Error::Layout { path: path.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests;
