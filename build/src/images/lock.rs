//! `image.lock`: which digest each name of an image led to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sealer_image::{Digest, Reference};

use super::layout::Slot;
use crate::yaml;

/// The lock's name, in a context and in an image's root.
pub const LOCK_FILE: &str = "image.lock";
/// The annotation of an image that holds the same as JSON.
pub const LOCK_ANNOTATION: &str = "io.sealer.image.lock.v1";

/// Names, complete, and the digests that they led to: an index's where there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock(pub BTreeMap<String, Digest>);

impl Lock {
    /// Reads the annotation of an image; what is none holds nothing.
    #[must_use]
    pub fn of_annotation(json: &str) -> Self {
        let names: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
        let digests = names.into_iter().filter_map(|(name, digest)| Some((name, digest.parse().ok()?)));
        Self(digests.collect())
    }

    /// The annotation's text.
    #[must_use]
    pub fn to_annotation(&self) -> String {
        let names: BTreeMap<&String, String> =
            self.0.iter().map(|(name, digest)| (name, digest.to_string())).collect();
        serde_json::to_string(&names).expect("names and digests are texts")
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let documents = yaml::documents(text).map_err(|mistake| (mistake.line, mistake.reason))?;
        let mut lock = Self::default();
        for (name, digest) in documents.iter().flat_map(yaml::Node::entries) {
            let (Some(text), Some(hash)) = (name.text(), digest.text()) else {
                return Err((name.line, "a line is `name: digest`".to_owned()));
            };
            let reference: Reference =
                text.parse().map_err(|error: sealer_image::Error| (name.line, error.to_string()))?;
            let hash: Digest = hash.parse().map_err(|_| (digest.line, format!("`{hash}` is no digest")))?;
            lock.0.insert(reference.to_string(), hash);
        }
        Ok(lock)
    }

    /// The lock file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text =
            "# The digests that sealer found under these names. A build with this file takes the same.\n"
                .to_owned();
        for (name, digest) in &self.0 {
            let _ = writeln!(text, "{name}: {digest}");
        }
        text
    }

    /// The digest of a name.
    pub(crate) fn get(&self, reference: &Reference) -> Option<&Digest> {
        self.0.get(&reference.to_string())
    }

    /// The other names that have the same place in the image's registry.
    pub(crate) fn beside<'l>(
        &'l self,
        reference: &'l Reference,
    ) -> impl Iterator<Item = (Reference, &'l Digest)> {
        let slot = Slot::of(reference);
        let others = self.0.iter().filter_map(|(name, digest)| Some((name.parse().ok()?, digest)));
        others.filter(move |(other, _): &(Reference, _)| {
            slot.tag.is_some() && other != reference && Slot::of(other) == slot
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let names = ["docker.io/library/nginx:1.27", "registry.example:5000/a/b:v1"];
        let lock = Lock(names.iter().map(|name| ((*name).to_owned(), digest.clone())).collect());
        assert_eq!(Lock::parse(&lock.to_text()), Ok(lock.clone()));
        assert_eq!(Lock::of_annotation(&lock.to_annotation()), lock);
    }

    #[test]
    fn what_is_no_lock_is_refused_with_its_line() {
        let wrong = |text: &str| Lock::parse(text).unwrap_err();
        assert_eq!(wrong("# x\nnginx:1: sha256:12\n"), (2, "`sha256:12` is no digest".to_owned()));
        assert_eq!(wrong("a:\n  - b\n"), (1, "a line is `name: digest`".to_owned()));
    }
}
