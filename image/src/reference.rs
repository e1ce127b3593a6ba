//! What a user calls an image: `registry/repository:tag@digest`, by Docker's rules.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};

/// A name of an image, complete: the registry and, without a digest, the tag are filled in.
///
/// Two spellings of one name are equal: `demo`, `demo:latest` and `docker.io/library/demo:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(oci_distribution::Reference);

impl Reference {
    /// Returns the registry's host, with its port if one was written: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.registry()
    }

    /// Returns the repository within the registry: `library/demo`.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// Returns the tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// Returns the digest, as written.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.0.digest()
    }

    /// Returns the short form that people write: `demo:v1` for `docker.io/library/demo:v1`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let whole = self.0.whole();
        let short = whole.strip_prefix("docker.io/").unwrap_or(&whole);
        short.strip_prefix("library/").unwrap_or(short).to_owned()
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let reference: oci_distribution::Reference =
            text.parse().map_err(|error: oci_spec::distribution::ParseError| Error::Reference {
                input: text.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self(reference))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.whole())
    }
}

impl Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
