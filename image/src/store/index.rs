//! `index.json`: the names of the store.

use std::fs;
use std::path::PathBuf;

use oci_spec::image::{Descriptor, ImageIndex, ImageIndexBuilder, MediaType};
use sealer_stdx::fs::{At, Lock, write_atomic};

use super::Store;
use crate::error::{Error, Result};
use crate::reference::Reference;

/// The annotation of an index's entry that holds its name.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

pub(crate) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Checks the layout's version and makes what is missing.
pub(super) fn open(store: &Store) -> Result<()> {
    let path = store.root().join("oci-layout");
    match fs::read(&path).at(&path) {
        Ok(bytes) => check_version(&path, &bytes)?,
        Err(error) if error.is_not_found() => {
            let _lock = lock(store)?;
            write_atomic(&path, LAYOUT, 0o644)?;
        }
        Err(error) => return Err(error.into()),
    }
    if !index_path(store).exists() {
        let _lock = lock(store)?;
        if !index_path(store).exists() {
            write(store, &empty())?;
        }
    }
    Ok(())
}

fn check_version(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    let layout: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    let version = layout.as_ref().and_then(|layout| layout["imageLayoutVersion"].as_str());
    match version {
        Some(version) if version.starts_with("1.") => Ok(()),
        Some(version) => Err(Error::Layout {
            path: path.to_owned(),
            reason: format!("has version {version}; 1.0.0 is known"),
        }),
        None => Err(Error::Layout { path: path.to_owned(), reason: "is no OCI layout file".to_owned() }),
    }
}

pub(super) fn resolve(store: &Store, reference: &Reference) -> Result<Descriptor> {
    let name = reference.to_string();
    let index = read(store)?;
    let named = index.manifests().iter().find(|entry| name_of(entry) == Some(name.as_str()));
    let by_digest = || {
        let digest = reference.digest()?;
        let repository = format!("{}/{}", reference.registry(), reference.repository());
        index.manifests().iter().find(|entry| {
            let same_repository = name_of(entry).is_some_and(|name| name.starts_with(&repository));
            same_repository && entry.digest().to_string() == digest
        })
    };
    let found = named.or_else(by_digest).cloned().map(unnamed);
    found.ok_or_else(|| Error::NotFound { reference: reference.clone() })
}

pub(super) fn references(store: &Store) -> Result<Vec<(Reference, Descriptor)>> {
    let index = read(store)?;
    let named = index.manifests().iter().filter_map(|entry| {
        let reference: Reference = name_of(entry)?.parse().ok()?;
        Some((reference, unnamed(entry.clone())))
    });
    let mut references: Vec<_> = named.collect();
    references.sort_by_key(|(reference, _)| reference.to_string());
    Ok(references)
}

/// Everything that the index leads to, named or not.
pub(super) fn roots(store: &Store) -> Result<Vec<Descriptor>> {
    Ok(read(store)?.manifests().clone())
}

pub(super) fn tag(store: &Store, descriptor: &Descriptor, reference: &Reference) -> Result<()> {
    change(store, |entries| {
        let name = reference.to_string();
        entries.retain(|entry| name_of(entry) != Some(name.as_str()));
        let mut entry = descriptor.clone();
        let mut annotations = entry.annotations().clone().unwrap_or_default();
        annotations.insert(REF_NAME.to_owned(), name);
        entry.set_annotations(Some(annotations));
        entries.push(entry);
        Ok(())
    })
}

pub(super) fn untag(store: &Store, reference: &Reference) -> Result<()> {
    change(store, |entries| {
        let name = reference.to_string();
        let before = entries.len();
        entries.retain(|entry| name_of(entry) != Some(name.as_str()));
        if entries.len() == before { Err(Error::NotFound { reference: reference.clone() }) } else { Ok(()) }
    })
}

/// Takes the lock that every change of the index needs.
pub(super) fn lock(store: &Store) -> Result<Lock> {
    Ok(Lock::exclusive(&store.root().join(".lock"))?)
}

fn change(store: &Store, edit: impl FnOnce(&mut Vec<Descriptor>) -> Result<()>) -> Result<()> {
    let _lock = lock(store)?;
    let mut index = read(store)?;
    let mut entries = index.manifests().clone();
    edit(&mut entries)?;
    index.set_manifests(entries);
    write(store, &index)
}

fn read(store: &Store) -> Result<ImageIndex> {
    let path = index_path(store);
    let bytes = fs::read(&path).at(&path)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Layout { path, reason: format!("is no index: {error}") })
}

fn write(store: &Store, index: &ImageIndex) -> Result<()> {
    let path = index_path(store);
    let bytes = serde_json::to_vec(index).expect("an index is plain data");
    Ok(write_atomic(&path, &bytes, 0o644)?)
}

fn empty() -> ImageIndex {
    let index = ImageIndexBuilder::default().schema_version(2_u32).media_type(MediaType::ImageIndex);
    index.manifests(Vec::new()).build().expect("all required fields are set")
}

fn index_path(store: &Store) -> PathBuf {
    store.root().join("index.json")
}

pub(super) fn name_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations().as_ref()?.get(REF_NAME).map(String::as_str)
}

/// The descriptor as the image has it, without the name that the index gives it.
fn unnamed(mut entry: Descriptor) -> Descriptor {
    let mut annotations = entry.annotations().clone().unwrap_or_default();
    annotations.remove(REF_NAME);
    entry.set_annotations(if annotations.is_empty() { None } else { Some(annotations) });
    entry
}
