//! An OCI image layout, in a tar or a folder: what it holds, and its index.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::Path;

use oci_spec::image::{Descriptor, ImageIndex, MediaType};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use super::wrong;
use crate::content::Push;
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::store::{REF_NAME, Store, children};

/// Where containerd and docker keep an image's whole name; `REF_NAME` is the tag alone there.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Lists content and all that it refers to, children first, each once.
pub(super) fn gather(
    store: &Store,
    descriptor: &Descriptor,
    seen: &mut HashSet<String>,
    content: &mut Vec<Descriptor>,
) -> Result<()> {
    if !seen.insert(descriptor.digest().to_string()) {
        return Ok(());
    }
    for child in children(store, descriptor)? {
        gather(store, &child, seen, content)?;
    }
    content.push(descriptor.clone());
    Ok(())
}

/// The index of a layout that holds these images.
pub(super) fn index(roots: &[(&Reference, Descriptor)]) -> ImageIndex {
    let entries = roots.iter().map(|(reference, root)| {
        let mut entry = root.clone();
        let mut annotations = entry.annotations().clone().unwrap_or_default();
        annotations.insert(REF_NAME.to_owned(), reference.to_string());
        entry.set_annotations(Some(annotations));
        entry
    });
    let mut index = ImageIndex::default();
    index.set_schema_version(2);
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(entries.collect());
    index
}

/// Takes in a folder's blobs, and returns its index.
pub(super) fn load_dir(task: &Task, store: &Store, input: &Path) -> Result<Vec<u8>> {
    for entry in walkdir::WalkDir::new(input.join("blobs")).min_depth(2).max_depth(2) {
        task.check()?;
        let entry = entry.map_err(|error| wrong(input, format!("cannot be read: {error}")))?;
        let size = entry.metadata().map_err(|error| wrong(input, error.to_string()))?.len();
        let path = entry.path().strip_prefix(input).expect("it was found there");
        if let Some(descriptor) = blob(path, size) {
            store.take_in(&descriptor, &mut File::open(entry.path()).at(entry.path())?)?;
        }
    }
    let index = input.join("index.json");
    Ok(fs::read(&index).at(&index)?)
}

/// What the name of a blob's file says of its content.
pub(super) fn blob(path: &Path, size: u64) -> Option<Descriptor> {
    let rest = path.strip_prefix("blobs").ok()?;
    let digest = rest.to_str()?.replacen('/', ":", 1);
    let digest: oci_spec::image::Digest = digest.parse().ok()?;
    Some(Descriptor::new(MediaType::Other("application/octet-stream".to_owned()), size, digest))
}

/// Names the images of an index whose content is in the store. `name` is for the only one.
pub(super) fn name_all(
    store: &Store,
    input: &Path,
    index: &[u8],
    name: Option<&Reference>,
) -> Result<Vec<Reference>> {
    let index: ImageIndex = serde_json::from_slice(index)
        .map_err(|error| wrong(input, format!("holds an index that cannot be read: {error}")))?;
    let mut loaded = Vec::new();
    let only = index.manifests().len() == 1;
    for entry in index.manifests() {
        check_whole(store, entry)?;
        let reference = match (name, own_name(entry)) {
            (Some(name), _) if only => name.clone(),
            (_, Some(own)) => own,
            (_, None) => continue,
        };
        let mut root = entry.clone();
        root.set_annotations(None);
        store.tag(&root, &reference)?;
        loaded.push(reference);
    }
    Ok(loaded)
}

/// An image's name in an index. A bare tag, as some tools write there, is none.
fn own_name(entry: &Descriptor) -> Option<Reference> {
    let annotations: &HashMap<String, String> = entry.annotations().as_ref()?;
    if let Some(name) = annotations.get(CONTAINERD_NAME) {
        return name.parse().ok();
    }
    let name = annotations.get(REF_NAME)?;
    if name.contains([':', '/', '@']) { name.parse().ok() } else { None }
}

fn check_whole(store: &Store, root: &Descriptor) -> Result<()> {
    if !store.exists(root)? {
        return Err(Error::Missing { digest: root.digest().clone() });
    }
    for child in children(store, root)? {
        check_whole(store, &child)?;
    }
    Ok(())
}
