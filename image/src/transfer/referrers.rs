//! What refers to an image, copied with it: signatures, inventories.
//!
//! The store keeps the list of it under the tag by which clients make up for registries without the API
//! (OCI distribution 1.1, "Referrers Tag Schema"): so it goes when its name goes, and every tool that reads
//! the layout finds it.

use std::collections::HashSet;

use oci_spec::image::{Descriptor, Digest, ImageIndex, MediaType};
use sealer_stdx::task::Task;

use super::{copy, parse, read_manifest};
use crate::error::{Error, Result};
use crate::image;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::Store;

/// Brings what refers to an image that is in the store, of one artifact type or all, and returns how much
/// there is of it.
///
/// # Errors
/// Those of the registry and of the store.
pub fn pull_referrers(
    task: &Task,
    store: &Store,
    registry: &Registry,
    reference: &Reference,
    image: &Descriptor,
    of_type: Option<&str>,
) -> Result<usize> {
    let repository = registry.repository(task, reference);
    let found = repository.referrers(image.digest(), of_type)?;
    for one in &found {
        copy(task, &repository, store, one, registry.settings().parallel)?;
    }
    if !found.is_empty() {
        let name = list_name(reference, image.digest())?;
        let all = merged(listed(store, &name)?, found.clone());
        let list = image::put(store, MediaType::ImageIndex, &index(all))?;
        store.tag(&list, &name)?;
    }
    Ok(found.len())
}

/// Sends what the store has that refers to an image, which is in the registry, and returns how much that
/// is. A registry without the API is given the list of it too, with what it has in its own.
///
/// # Errors
/// Those of the registry and of the store.
pub fn push_referrers(
    task: &Task,
    store: &Store,
    registry: &Registry,
    reference: &Reference,
    image: &Descriptor,
) -> Result<usize> {
    let name = list_name(reference, image.digest())?;
    let ours = listed(store, &name)?;
    if ours.is_empty() {
        return Ok(0);
    }
    let repository = registry.repository(task, reference);
    for one in &ours {
        copy(task, store, &repository, one, registry.settings().parallel)?;
    }
    if repository.listed_referrers(image.digest(), None)?.is_none() {
        let all = merged(repository.tagged_referrers(image.digest())?, ours.clone());
        let list = image::put(store, MediaType::ImageIndex, &index(all))?;
        registry.repository(task, &name).tag(&list, store)?;
    }
    Ok(ours.len())
}

/// `REPOSITORY:sha256-HEX`.
fn list_name(reference: &Reference, subject: &Digest) -> Result<Reference> {
    let (registry, repository) = (reference.registry(), reference.repository());
    format!("{registry}/{repository}:{}-{}", subject.algorithm(), subject.digest()).parse()
}

/// What the store's list has: nothing where there is none.
fn listed(store: &Store, name: &Reference) -> Result<Vec<Descriptor>> {
    match store.resolve(name) {
        Ok(list) => {
            let index: ImageIndex = parse(&list, &read_manifest(store, &list)?)?;
            Ok(index.manifests().clone())
        }
        Err(Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Both lists, each entry once.
fn merged(mut first: Vec<Descriptor>, second: Vec<Descriptor>) -> Vec<Descriptor> {
    let known: HashSet<Digest> = first.iter().map(|one| one.digest().clone()).collect();
    first.extend(second.into_iter().filter(|one| !known.contains(one.digest())));
    first
}

fn index(manifests: Vec<Descriptor>) -> ImageIndex {
    let mut index = ImageIndex::default();
    index.set_schema_version(2);
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(manifests);
    index
}
