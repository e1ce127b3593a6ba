//! Images from registries into layers of the image that is built.

use std::collections::HashMap;

use sealer_image::attached::{self, Kind};
use sealer_image::layer::{self, Compression, Entry, Layer, WriteOptions};
use sealer_image::signature::{Lack, Policy, PolicyError};
use sealer_image::{
    Descriptor, Digest, ImageManifest, MediaType, Platform, Reference, Registry, Store, transfer,
};
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;
use serde::{Deserialize, Serialize};

use super::Why;
use super::layout::{self, Slot};
use super::sources::IMAGE_LAYER;
use crate::cache::{Cache, Kept, Key};

/// As many images are asked for at once.
const PARALLEL: usize = 4;
/// An image that is built may have so many layers before images share them: what is built upon it
/// needs some too, and 128 are all there can be.
const MOST_LAYERS: usize = 100;

/// Brings images.
pub(super) struct Fetcher<'a> {
    pub(super) task: &'a Task,
    /// Where the image that is built is.
    pub(super) store: &'a Store,
    /// Where what comes from registries stays until it is in layers.
    pub(super) nested: &'a Store,
    pub(super) cache: &'a Cache,
    pub(super) registry: &'a Registry,
    /// Which images may be used, where somebody has said so.
    pub(super) policy: Option<&'a Policy>,
    pub(super) platform: &'a Platform,
}

/// What a name led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) reference: Reference,
    /// What the name itself names: an index, or the image.
    pub(super) named: Digest,
    facts: Facts,
}

/// What is so for ever, for it follows from a digest and a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    image: Digest,
    media_type: MediaType,
    /// The size of the image's manifest.
    length: u64,
    /// The sizes of its blobs together.
    size: u64,
    /// Whether its layers are compressed.
    packed: bool,
}

impl Resolved {
    fn key(&self) -> String {
        let pinned = self.reference.digest().is_some();
        let slot = Slot::of(&self.reference);
        format!("{} {:?} {pinned} {} {}", slot.repository, slot.tag, self.named, self.facts.image)
    }
}

impl Fetcher<'_> {
    /// Finds out what names lead to, and whether it may be used. `locked` is the digest that an earlier build
    /// found.
    pub(super) fn resolve(&self, wanted: Vec<(Reference, Option<Digest>)>) -> Vec<Result<Resolved, Why>> {
        fanout(PARALLEL, wanted, |(reference, locked)| {
            let found = self.resolve_one(reference, locked.as_ref()).map_err(Why::Fetch)?;
            self.admit(&found).map(|()| found).map_err(|error| match error {
                PolicyError::Image(error) => Why::Fetch(error),
                error => Why::Refused(Box::new(error)),
            })
        })
    }

    /// Holds an image against the policy, with the signatures that its registry has. The image itself may be
    /// signed, or the index that its name leads to and that names it by digest.
    fn admit(&self, one: &Resolved) -> Result<(), PolicyError> {
        let Some(policy) = self.policy else { return Ok(()) };
        let check = |digest: &Digest| policy.check_digest(self.nested, &one.reference, digest);
        let mut checked = check(&one.facts.image).or_else(|_| check(&one.named));
        for digest in [&one.facts.image, &one.named] {
            match &checked {
                Err(PolicyError::Refused(refusal)) if refusal.why != Lack::Rejected => {}
                _ => break,
            }
            let about = (digest, Kind::Signatures);
            attached::pull_kind(self.task, self.nested, self.registry, &one.reference, about)?;
            checked = check(digest);
        }
        checked
    }

    fn resolve_one(&self, reference: Reference, locked: Option<&Digest>) -> sealer_image::Result<Resolved> {
        self.task.check()?;
        if let Some(named) = locked
            && let Some(facts) = self.cache.noted(&self.facts_key(named))
        {
            return Ok(Resolved { reference, named: named.clone(), facts });
        }
        let asked = match locked {
            Some(digest) => pinned(&reference, digest)?,
            None => reference.clone(),
        };
        let repository = self.registry.repository(self.task, &asked);
        let named = repository.resolve()?;
        let key = self.facts_key(named.digest());
        if let Some(facts) = self.cache.noted(&key) {
            return Ok(Resolved { reference, named: named.digest().clone(), facts });
        }
        let image = transfer::find(self.nested, &repository, &named, self.platform)?;
        let facts = facts(&image, &self.nested.read(image.digest())?)?;
        // A cache that cannot be written is no reason to fail; the layer will find that out.
        let _ = self.cache.note(&key, &facts);
        Ok(Resolved { reference, named: named.digest().clone(), facts })
    }

    fn facts_key(&self, named: &Digest) -> Key {
        let mut key = Key::default();
        key.add("FACTS 1");
        key.add(self.platform.to_string());
        key.add(named.to_string());
        key
    }

    /// Makes a layer of each image, with the instruction for the history; the smallest share one
    /// where there are too many. `before` is how many layers there are already.
    pub(super) fn layers(
        &self,
        images: &[Resolved],
        before: usize,
    ) -> crate::error::Result<Vec<(Layer, String)>> {
        let groups = groups(images, MOST_LAYERS.saturating_sub(before).max(1));
        let made = fanout(PARALLEL, groups, |group| self.layer(&group));
        let layers: crate::error::Result<Vec<Option<(Layer, String)>>> = made.into_iter().collect();
        Ok(layers?.into_iter().flatten().collect())
    }

    fn layer(&self, group: &[&Resolved]) -> crate::error::Result<Option<(Layer, String)>> {
        let mut key = Key::default();
        key.add("IMAGES 1");
        group.iter().for_each(|one| key.add(one.key()));
        let names: Vec<String> = group.iter().map(|one| one.reference.familiar()).collect();
        let task = self.task.child("image", names.join(" "), None)?;
        let instruction = format!("IMAGE {}", names.join(" "));
        if let Some(Kept { layer: Some(layer), .. }) = self.cache.find(self.store, &key) {
            task.skip();
            return Ok(Some((marked(layer, &names), instruction)));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for one in group {
            entries.extend(self.bring(&task, one)?);
        }
        // What is compressed already is not compressed again.
        let packed = group.iter().all(|one| one.facts.packed);
        let compression = if packed { Compression::Plain } else { Compression::Zstd };
        // The time is none: the layer is the same in every image that holds these.
        let layer = layer::write(&task, self.store, entries, WriteOptions { compression, time: 0 })?;
        let kept = Kept { layer: Some(layer), touched: Vec::new() };
        self.cache.keep(&key, &kept)?;
        task.finish();
        Ok(kept.layer.map(|layer| (marked(layer, &names), instruction)))
    }

    /// Brings what an image is made of and returns the entries that it is in the registry's folder.
    fn bring(&self, task: &Task, one: &Resolved) -> crate::error::Result<Vec<Entry>> {
        let facts = &one.facts;
        let asked = pinned(&one.reference, &one.named)?;
        let repository = self.registry.repository(task, &asked);
        let named = repository.resolve()?;
        transfer::find(self.nested, &repository, &named, self.platform)?;
        let image = Descriptor::new(facts.media_type.clone(), facts.length, facts.image.clone());
        transfer::copy(task, &repository, self.nested, &image, self.registry.settings().parallel)?;
        let pinned = one.reference.digest().is_some();
        Ok(layout::entries(self.nested, &Slot::of(&one.reference), pinned, &one.named, &facts.image)?)
    }
}

/// The same repository, by a digest.
fn pinned(reference: &Reference, digest: &Digest) -> sealer_image::Result<Reference> {
    format!("{}/{}@{digest}", reference.registry(), reference.repository()).parse()
}

fn facts(image: &Descriptor, bytes: &[u8]) -> sealer_image::Result<Facts> {
    let manifest: ImageManifest =
        serde_json::from_slice(bytes).map_err(|error| sealer_image::Error::Malformed {
            what: "manifest",
            digest: image.digest().clone(),
            reason: error.to_string(),
        })?;
    let is_packed = |layer: &Descriptor| !layer.media_type().to_string().ends_with("tar");
    Ok(Facts {
        image: image.digest().clone(),
        media_type: image.media_type().clone(),
        length: image.size(),
        size: manifest.layers().iter().map(Descriptor::size).sum(),
        packed: manifest.layers().iter().all(is_packed),
    })
}

fn marked(mut layer: Layer, names: &[String]) -> Layer {
    let annotations = HashMap::from([(IMAGE_LAYER.to_owned(), names.join(" "))]);
    layer.descriptor.set_annotations(Some(annotations));
    layer
}

/// One image a group, in order; beyond `most` groups the smallest images are together in the last.
fn groups(images: &[Resolved], most: usize) -> Vec<Vec<&Resolved>> {
    if images.len() <= most {
        return images.iter().map(|image| vec![image]).collect();
    }
    let mut by_size: Vec<&Resolved> = images.iter().collect();
    by_size.sort_by(|one, other| {
        (other.facts.size, one.reference.to_string()).cmp(&(one.facts.size, other.reference.to_string()))
    });
    let (large, small) = by_size.split_at(most - 1);
    let in_order = |image: &&Resolved| large.contains(image);
    let mut groups: Vec<Vec<&Resolved>> = images.iter().filter(in_order).map(|image| vec![image]).collect();
    let mut small = small.to_vec();
    small.sort_by_key(|image| image.reference.to_string());
    groups.push(small);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(name: &str, size: u64) -> Resolved {
        let digest: Digest = format!("sha256:{size:064x}").parse().unwrap();
        let media_type = MediaType::ImageManifest;
        let facts = Facts { image: digest.clone(), media_type, length: 1, size, packed: true };
        Resolved { reference: name.parse().unwrap(), named: digest, facts }
    }

    #[test]
    fn the_smallest_images_share_a_layer_where_there_are_too_many() {
        let images = [resolved("a:1", 5), resolved("b:1", 1), resolved("c:1", 9), resolved("d:1", 2)];
        let names = |most: usize| -> Vec<String> {
            let joined = |group: &Vec<&Resolved>| {
                group.iter().map(|one| one.reference.familiar()).collect::<Vec<_>>().join(" ")
            };
            groups(&images, most).iter().map(joined).collect()
        };
        assert_eq!(names(4), ["a:1", "b:1", "c:1", "d:1"]);
        assert_eq!(names(3), ["a:1", "c:1", "b:1 d:1"]);
        assert_eq!(names(1), ["a:1 b:1 c:1 d:1"]);
    }
}
