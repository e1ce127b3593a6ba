//! The verbs that every place with content has.

use std::io::Read;

use oci_spec::image::Descriptor;

use crate::error::Result;

/// Reads content by its descriptor. The bytes are not verified here: `copy` does that, on the way.
pub trait Fetch: Sync {
    /// Opens the content from its byte `from` on.
    ///
    /// # Errors
    /// When the content is not there or cannot be reached.
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>>;
}

/// Keeps content. Idempotent: success says that the content is there, not that this call put it there.
pub trait Push: Sync {
    /// Tells whether the content is there, whole.
    ///
    /// # Errors
    /// When the place cannot be reached.
    fn exists(&self, content: &Descriptor) -> Result<bool>;

    /// Takes in the content's bytes, all of them, from `source`.
    ///
    /// # Errors
    /// When the bytes are not what the descriptor says, or cannot be kept.
    fn push(&self, content: &Descriptor, source: &dyn Fetch) -> Result<()>;
}
