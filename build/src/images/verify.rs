//! Whether a finished image holds every container image that it needs: no network, no trust in its lock.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::{Digest, Image, ImageManifest, Store, layer};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use super::charts;
use super::layout::{ROOT, Slot};
use super::list::Ignored;
use super::needed::{Needed, Place, sort};
use super::sources::Sources;
use crate::cache::Cache;
use crate::error::Result;

/// What an image lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What the files call it.
    pub name: String,
    /// Where it is named.
    pub places: Vec<Place>,
    /// What is the matter, as a phrase.
    pub why: String,
}

/// What was found out about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many container images it needs.
    pub needed: usize,
    /// What it lacks of them.
    pub lacking: Vec<Lack>,
}

/// Looks through an image as it is unpacked in `work_dir`: every image that its manifests, charts,
/// static pods and lists name must be in its registry, with all its blobs.
///
/// # Errors
/// When the image cannot be unpacked or read.
pub fn verify(
    task: &Task,
    store: &Store,
    image: &Image,
    work_dir: &Path,
    ignored_lists: &[PathBuf],
) -> Result<Verified> {
    let task = task.child("verify", image.descriptor.digest().to_string(), None)?;
    let unpacked = layer::unpacked(&task, store, image, &work_dir.join("rootfs"))?;
    let sources = Sources::of_folder(&unpacked.dir)?;
    let cache = Cache::open(work_dir.join("cache"), true)?;
    let mut ignored = Ignored::default();
    for path in ignored_lists {
        ignored.add(&fs::read_to_string(path).at(path)?);
    }
    let (of_charts, unrendered) = charts::mentions(&cache, sources.files(), &[])?;
    let mentions = sources.mentions().into_iter().chain(of_charts).collect();
    let sorted = sort(mentions, |name, reference| ignored.holds(name, reference));
    let registry = Served { root: unpacked.dir.join(ROOT), tags: sources.tags() };
    let needed = sorted.needed.len();
    let mut lacking: Vec<Lack> = unrendered
        .into_iter()
        .map(|one| Lack {
            name: one.place.file.clone(),
            places: vec![one.place],
            why: format!("the chart cannot be rendered: {}", one.message),
        })
        .collect();
    lacking.extend(sorted.broken.into_iter().map(|(mention, reason)| Lack {
        name: mention.name,
        places: vec![mention.place],
        why: format!("it is no image's name: {reason}"),
    }));
    lacking.extend(sorted.needed.into_iter().filter_map(|one| {
        let why = registry.lacks(&one)?;
        Some(Lack { name: one.reference.familiar(), places: one.places, why })
    }));
    task.finish();
    Ok(Verified { needed, lacking })
}

/// The registry's folder of an unpacked image.
struct Served {
    root: PathBuf,
    tags: BTreeMap<Slot, Digest>,
}

impl Served {
    /// What is missing of an image; nothing where it is there whole.
    fn lacks(&self, needed: &Needed) -> Option<String> {
        let slot = Slot::of(&needed.reference);
        let digest = match needed.reference.digest() {
            Some(digest) => digest.parse().ok(),
            None => self.tags.get(&slot).cloned(),
        };
        let Some(digest) = digest else { return Some("it is not in the image's registry".to_owned()) };
        let link = self.root.join("repositories").join(&slot.repository).join("_manifests/revisions");
        let link = link.join(digest.algorithm().as_ref()).join(digest.digest()).join("link");
        if !link.is_file() {
            return Some(format!("{digest} is not in the image's registry"));
        }
        self.manifest_lacks(&digest)
    }

    fn manifest_lacks(&self, digest: &Digest) -> Option<String> {
        let bytes = match fs::read(self.blob(digest)) {
            Ok(bytes) if sealer_image::digest::sha256(&bytes) == *digest => bytes,
            Ok(_) => return Some(format!("its manifest {digest} is not what its digest says")),
            Err(_) => return Some(format!("its manifest {digest} is missing")),
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(children) = value["manifests"].as_array() {
            // Of an index, the image for the platform is there: one is enough.
            let digests = children.iter().filter_map(|child| child["digest"].as_str()?.parse().ok());
            let there: Vec<Digest> = digests.filter(|digest| self.blob(digest).is_file()).collect();
            return match there.first() {
                Some(child) => self.manifest_lacks(child),
                None => Some(format!("of its index {digest} no image is there")),
            };
        }
        let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&bytes) else {
            return Some(format!("its manifest {digest} cannot be read"));
        };
        let mut parts = std::iter::once(manifest.config()).chain(manifest.layers());
        let missing = parts.find(|part| {
            let there = fs::metadata(self.blob(part.digest()));
            there.map_or(true, |metadata| metadata.len() != part.size())
        });
        missing.map(|part| format!("its blob {} is missing or cut", part.digest()))
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.digest();
        let folder = self.root.join("blobs").join(digest.algorithm().as_ref());
        folder.join(hex.get(..2).unwrap_or_default()).join(hex).join("data")
    }
}
