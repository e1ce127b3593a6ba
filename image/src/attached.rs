//! What hangs on an image without being part of it: signatures and bills of materials.
//!
//! Each is an image manifest of its own, named by the digest of what it hangs on, in the same
//! repository: `sha256-HEX.sig`, `sha256-HEX.sbom`. That is cosign's scheme of tags, which needs
//! nothing of a registry that older ones lack.

use std::collections::BTreeMap;

use oci_spec::image::{
    ConfigBuilder, Descriptor, Digest, ImageConfigurationBuilder, ImageManifest, ImageManifestBuilder,
    MediaType, RootFsBuilder,
};
use sealer_stdx::task::Task;

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::{Registry, RegistryError};
use crate::store::Store;
use crate::transfer::{self, Wanted};

/// What can hang on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signatures, one a layer.
    Signatures,
    /// A bill of materials, as its only layer.
    Sbom,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Signatures, Self::Sbom];

    fn suffix(self) -> &'static str {
        match self {
            Self::Signatures => "sig",
            Self::Sbom => "sbom",
        }
    }
}

/// Returns the name of what hangs on `digest` in the repository of `beside`.
#[must_use]
pub fn name(beside: &Reference, digest: &Digest, kind: Kind) -> Reference {
    let repository = format!("{}/{}", beside.registry(), beside.repository());
    let tag = format!("{}-{}.{}", digest.algorithm(), digest.digest(), kind.suffix());
    format!("{repository}:{tag}").parse().expect("a repository and a tag of letters are a reference")
}

/// Tells whether a name is that of something that hangs on an image.
#[must_use]
pub fn is_name(reference: &Reference) -> bool {
    subject(reference).is_some()
}

/// Returns the hexadecimal digest of what the thing of this name hangs on. A name without a suffix is that
/// of the list of what refers to an image ([`transfer::pull_referrers`]).
fn subject(reference: &Reference) -> Option<&str> {
    let name = reference.tag()?.strip_prefix("sha256-")?;
    let (hex, suffix) = name.split_once('.').map_or((name, None), |(hex, suffix)| (hex, Some(suffix)));
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours = suffix.is_none_or(|suffix| Kind::ALL.iter().any(|kind| kind.suffix() == suffix));
    (is_digest && is_ours).then_some(hex)
}

/// Returns what hangs on `digest` here, in whatever repository; the one of `beside` first.
///
/// # Errors
/// When the store cannot be read.
pub fn find(store: &Store, beside: &Reference, digest: &Digest, kind: Kind) -> Result<Option<Descriptor>> {
    let name = name(beside, digest, kind);
    let named = store.references()?;
    let own = named.iter().find(|(reference, _)| *reference == name);
    let other = || named.iter().find(|(reference, _)| reference.tag() == name.tag());
    Ok(own.or_else(other).map(|(_, descriptor)| descriptor.clone()))
}

/// Hangs layers on `digest`, in place of what hung there.
///
/// # Errors
/// When the store cannot be written.
pub(crate) fn put(
    store: &Store,
    beside: &Reference,
    digest: &Digest,
    kind: Kind,
    layers: Vec<Descriptor>,
) -> Result<Descriptor> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.digest().to_string()).collect();
    let root = RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build();
    let config = ImageConfigurationBuilder::default()
        .architecture("")
        .os("")
        .config(ConfigBuilder::default().build().expect("all of it has defaults"))
        .rootfs(root.expect("all fields are set"))
        .history(Vec::new())
        .build()
        .expect("all required fields are set");
    let config = put_json(store, MediaType::ImageConfig, &config)?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()
        .expect("all required fields are set");
    let manifest = put_json(store, MediaType::ImageManifest, &manifest)?;
    store.tag(&manifest, &name(beside, digest, kind))?;
    Ok(manifest)
}

/// Hangs a bill of materials on `digest`, in place of what hung there.
///
/// # Errors
/// When the store cannot be written.
pub fn put_sbom(
    store: &Store,
    beside: &Reference,
    digest: &Digest,
    (media_type, bytes): (&str, &[u8]),
) -> Result<Descriptor> {
    let layer = layer(store, media_type, bytes, BTreeMap::new())?;
    put(store, beside, digest, Kind::Sbom, vec![layer])
}

/// Puts bytes into the store as a layer with annotations.
pub(crate) fn layer(
    store: &Store,
    media_type: &str,
    bytes: &[u8],
    annotations: BTreeMap<String, String>,
) -> Result<Descriptor> {
    let mut layer = put_bytes(store, MediaType::from(media_type), bytes)?;
    layer.set_annotations(
        Some(annotations.into_iter().collect())
            .filter(|all: &std::collections::HashMap<_, _>| !all.is_empty()),
    );
    Ok(layer)
}

/// Returns the layers of what hangs on an image.
///
/// # Errors
/// When it is not here whole, or is no manifest.
pub(crate) fn layers(store: &Store, attached: &Descriptor) -> Result<Vec<Descriptor>> {
    let bytes = store.read(attached.digest())?;
    let manifest: ImageManifest = serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
        what: "manifest",
        digest: attached.digest().clone(),
        reason: error.to_string(),
    })?;
    Ok(manifest.layers().clone())
}

/// Brings what hangs on an image, and of an index on each of its images that is here, from the repository of
/// `beside`; there may be nothing.
///
/// # Errors
/// As [`transfer::pull`].
pub fn pull(
    task: &Task,
    store: &Store,
    registry: &Registry,
    beside: &Reference,
    image: &Descriptor,
) -> Result<()> {
    let digests = signed(store, image)?;
    let here = digests.iter().filter(|digest| store.blob_path(digest).exists());
    for (digest, kind) in here.flat_map(|digest| Kind::ALL.map(|kind| (digest, kind))) {
        pull_one(task, store, registry, &name(beside, digest, kind))?;
    }
    Ok(())
}

/// Brings what the repository of `beside` has hanging on a digest, of one kind; there may be nothing.
///
/// # Errors
/// As [`transfer::pull`].
pub fn pull_kind(
    task: &Task,
    store: &Store,
    registry: &Registry,
    beside: &Reference,
    (digest, kind): (&Digest, Kind),
) -> Result<()> {
    pull_one(task, store, registry, &name(beside, digest, kind))
}

fn pull_one(task: &Task, store: &Store, registry: &Registry, name: &Reference) -> Result<()> {
    let found = match registry.repository(task, name).find() {
        // Some registries say of what is not there that one may not have it.
        Err(Error::Registry(RegistryError::Unauthorized { .. } | RegistryError::Forbidden { .. })) => None,
        found => found?,
    };
    if let Some(found) = found {
        let task = task.child("pull", name.familiar(), None)?;
        let wanted = Wanted::For(Platform::host());
        transfer::bring(&task, store, &registry.repository(&task, name), name, found, &wanted)?;
        task.finish();
    }
    Ok(())
}

/// Sends what hangs here on an image, and on those of an index, to the repository of `beside`.
///
/// # Errors
/// As [`transfer::push`].
pub fn push(
    task: &Task,
    store: &Store,
    registry: &Registry,
    beside: &Reference,
    image: &Descriptor,
) -> Result<()> {
    for (digest, kind) in signed(store, image)?.iter().flat_map(|digest| Kind::ALL.map(|kind| (digest, kind)))
    {
        if let Some(found) = find(store, beside, digest, kind)? {
            let name = name(beside, digest, kind);
            store.tag(&found, &name)?;
            transfer::push(task, store, registry, &name)?;
        }
    }
    Ok(())
}

/// Returns images' names, each followed by the names of what hangs on it.
///
/// # Errors
/// `NotFound` when one names nothing.
pub fn with(store: &Store, images: &[Reference]) -> Result<Vec<Reference>> {
    let mut all = Vec::new();
    for image in images {
        all.push(image.clone());
        for digest in signed(store, &store.resolve(image)?)? {
            for kind in Kind::ALL {
                if let Some(found) = find(store, image, &digest, kind)? {
                    let name = name(image, &digest, kind);
                    store.tag(&found, &name)?;
                    all.push(name);
                }
            }
        }
    }
    Ok(all)
}

/// Takes away the names of what hangs on nothing that is named here.
///
/// # Errors
/// When the store cannot be read or written.
pub fn drop_orphans(store: &Store) -> Result<()> {
    let named = store.references()?;
    let (hanging, images): (Vec<_>, Vec<_>) = named.iter().partition(|(name, _)| is_name(name));
    let mut kept = Vec::new();
    for (_, image) in images {
        kept.extend(signed(store, image)?);
    }
    for (name, _) in hanging {
        if !kept.iter().any(|digest| Some(digest.digest()) == subject(name)) {
            store.untag(name)?;
        }
    }
    Ok(())
}

/// Returns the digests that an image is known by: its own, and for an index those of its images.
pub(crate) fn signed(store: &Store, image: &Descriptor) -> Result<Vec<Digest>> {
    let children = match crate::store::children(store, image) {
        // What is damaged here is still known by its own digest.
        Err(Error::Missing { .. } | Error::Verify { .. } | Error::Malformed { .. }) => Vec::new(),
        children => children?,
    };
    let manifests = children.iter().filter(|child| crate::registry::is_manifest(child.media_type()));
    Ok(std::iter::once(image).chain(manifests).map(|one| one.digest().clone()).collect())
}

fn put_json(store: &Store, media_type: MediaType, value: &impl serde::Serialize) -> Result<Descriptor> {
    put_bytes(store, media_type, &serde_json::to_vec(value).expect("it is plain data"))
}

fn put_bytes(store: &Store, media_type: MediaType, bytes: &[u8]) -> Result<Descriptor> {
    store.put_bytes(bytes)?;
    Ok(Descriptor::new(media_type, bytes.len() as u64, sha256(bytes)))
}
