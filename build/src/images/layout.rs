//! Images in the layout that `registry:2` serves from its disk.
//!
//! `registry/docker/registry/v2/{blobs,repositories}`: the `pathMapper` of distribution's storage
//! driver (`registry/storage/paths.go`). A repository has no registry's name: the cluster's container
//! runtime asks the cluster's registry for every name (docs/reference/kubefile.md).

use std::path::{Path, PathBuf};

use sealer_image::layer::{Entry, EntryKind};
use sealer_image::{Digest, ImageManifest, Reference, Store};

/// Where the registry's folder stands in an image.
pub(crate) const ROOT: &str = "registry/docker/registry/v2";

/// An image's place in the registry: what is left of its name without the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) repository: String,
    /// Nothing where the name has a digest alone.
    pub(crate) tag: Option<String>,
}

impl Slot {
    pub(crate) fn of(reference: &Reference) -> Self {
        Self { repository: reference.repository().to_owned(), tag: reference.tag().map(str::to_owned) }
    }
}

/// The entries of an image whose content is in `store`: `named` is what its name led to, an index or
/// the image itself. A name that pins a digest finds that digest.
pub(crate) fn entries(
    store: &Store,
    slot: &Slot,
    pinned: bool,
    named: &Digest,
    image: &Digest,
) -> sealer_image::Result<Vec<Entry>> {
    let bytes = store.read(image)?;
    let manifest: ImageManifest = serde_json::from_slice(&bytes).map_err(|error| {
        sealer_image::Error::Malformed { what: "manifest", digest: image.clone(), reason: error.to_string() }
    })?;
    let repository = Path::new(ROOT).join("repositories").join(&slot.repository);
    let mut entries = vec![blob(store, image), link(&revision(&repository, image), image)];
    let found = if pinned { named } else { image };
    if pinned && named != image {
        entries.extend([blob(store, named), link(&revision(&repository, named), named)]);
    }
    for part in std::iter::once(manifest.config()).chain(manifest.layers()) {
        entries.extend([
            blob(store, part.digest()),
            link(&by_digest(&repository.join("_layers"), part.digest()), part.digest()),
        ]);
    }
    if let Some(tag) = &slot.tag {
        let tag = repository.join("_manifests/tags").join(tag);
        entries.push(link(&tag.join("current"), found));
        entries.push(link(&by_digest(&tag.join("index"), found), found));
    }
    Ok(entries)
}

fn blob(store: &Store, digest: &Digest) -> Entry {
    let hex = digest.digest();
    let folder = Path::new(ROOT).join("blobs").join(digest.algorithm().as_ref()).join(&hex[..2]).join(hex);
    Entry { path: folder.join("data"), kind: EntryKind::File(store.blob_path(digest)), mode: 0o644 }
}

fn revision(repository: &Path, digest: &Digest) -> PathBuf {
    by_digest(&repository.join("_manifests/revisions"), digest)
}

fn by_digest(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(digest.algorithm().as_ref()).join(digest.digest())
}

fn link(folder: &Path, digest: &Digest) -> Entry {
    let bytes = digest.to_string().into_bytes();
    Entry { path: folder.join("link"), kind: EntryKind::Bytes(bytes), mode: 0o644 }
}

/// What a path of an image says that its registry holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The tag of a repository.
    Tag(Slot),
    /// A manifest of a repository, by its digest.
    Revision(String, String),
}

/// Reads the path of a link.
pub(crate) fn held(path: &Path) -> Option<Held> {
    let text = path.strip_prefix(ROOT).ok()?.strip_prefix("repositories").ok()?.to_str()?;
    let (repository, rest) = text.split_once("/_manifests/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts[..] {
        ["tags", tag, "current", "link"] => {
            Some(Held::Tag(Slot { repository: repository.to_owned(), tag: Some(tag.to_owned()) }))
        }
        ["revisions", algorithm, hex, "link"] => {
            Some(Held::Revision(repository.to_owned(), format!("{algorithm}:{hex}")))
        }
        _ => None,
    }
}
