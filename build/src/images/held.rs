//! The container images that a finished image holds, by name and digest.

use std::path::Path;

use sealer_image::{Digest, Reference};

use super::layout::Slot;
use super::lock::Lock;
use super::sources::Sources;
use crate::error::Result;

/// A container image in an image's registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldImage {
    /// Its name: complete, where the lock has it; else what the registry calls it.
    pub(crate) name: String,
    /// Its repository, as far as it is known.
    pub(crate) repository: String,
    /// Nothing where its name is a digest.
    pub(crate) tag: Option<String>,
    /// Of the manifest that the name leads to.
    pub(crate) digest: Digest,
}

/// Lists what the registry of an unpacked image holds, sorted by name. `lock` says under which names they came.
pub(crate) fn images(root: &Path, lock: &Lock) -> Result<Vec<HeldImage>> {
    let named: Vec<Reference> = lock.0.keys().filter_map(|name| name.parse().ok()).collect();
    let of_slot = |slot: &Slot| named.iter().find(|name| Slot::of(name) == *slot);
    let tags = Sources::of_folder(root)?.tags();
    let mut held: Vec<HeldImage> = tags
        .iter()
        .map(|(slot, digest)| {
            let repository = of_slot(slot).map_or_else(|| slot.repository.clone(), repository_of);
            let tag = slot.tag.clone();
            let name = format!("{repository}:{}", tag.as_deref().unwrap_or_default());
            HeldImage { name, repository, tag, digest: digest.clone() }
        })
        .collect();
    held.extend(named.iter().filter(|name| name.tag().is_none()).filter_map(|name| {
        let (repository, digest) = (repository_of(name), name.digest()?.parse().ok()?);
        Some(HeldImage { name: format!("{repository}@{digest}"), repository, tag: None, digest })
    }));
    held.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(held)
}

fn repository_of(name: &Reference) -> String {
    format!("{}/{}", name.registry(), name.repository())
}
