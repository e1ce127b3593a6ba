//! An image as a value: its manifest and configuration, read from the store or written to it.

mod commit;
mod index;
mod merge;

use oci_spec::image::{Descriptor, Digest, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use crate::config::{ANNOTATION, EXTENSION_ANNOTATION, SealerConfig};
use crate::error::{Error, Result};
use crate::layer;
use crate::legacy::{self, ImageObject};
use crate::platform::Platform;
use crate::store::Store;
use crate::transfer::{MOST_NESTED, nested};

pub(crate) use commit::put;
pub use commit::{NewImage, commit};
pub use index::{assemble, entries, for_platform, leads_to_many, platform_of};
pub use merge::merge;

/// An image that is in the store, for one platform.
#[derive(Debug, Clone)]
pub struct Image {
    /// The manifest's descriptor. Its digest names the image.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: ImageManifest,
    /// The OCI configuration.
    pub config: ImageConfiguration,
    /// What sealer keeps beyond it; the default for an image that sealer did not build.
    pub sealer: SealerConfig,
}

impl Image {
    /// Reads the image that `descriptor`, a manifest's or an index's, leads to.
    ///
    /// # Errors
    /// When content is missing or malformed, or an index has nothing for the platform.
    pub fn open(store: &Store, descriptor: &Descriptor, platform: &Platform) -> Result<Self> {
        let mut descriptor = descriptor.clone();
        let mut bytes = store.read(descriptor.digest())?;
        let mut depth = 0;
        while is_index(&descriptor, &bytes) {
            if depth == MOST_NESTED {
                return Err(nested(&descriptor));
            }
            let index: ImageIndex = parse("index", descriptor.digest(), &bytes)?;
            descriptor = choose(&index, platform)?.clone();
            bytes = store.read(descriptor.digest())?;
            depth += 1;
        }
        let manifest: ImageManifest = parse("manifest", descriptor.digest(), &bytes)?;
        let digest = manifest.config().digest();
        let bytes = store.read(digest)?;
        if let Some(object) = ImageObject::of_config(&bytes) {
            let (config, sealer) = (object.configuration(), object.sealer());
            return Ok(Self { descriptor, manifest, config, sealer });
        }
        let config = parse("configuration", digest, &bytes)?;
        let annotation = |name| manifest.annotations().as_ref().and_then(|annotations| annotations.get(name));
        let sealer = match (annotation(ANNOTATION), annotation(EXTENSION_ANNOTATION)) {
            (Some(json), _) => parse("annotation of manifest", descriptor.digest(), json.as_bytes())?,
            (None, Some(json)) => legacy::extension(json).unwrap_or_default(),
            (None, None) => SealerConfig::default(),
        };
        Ok(Self { descriptor, manifest, config, sealer })
    }

    /// Returns what the image is for, as its configuration says.
    #[must_use]
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.config.os().to_string(),
            architecture: self.config.architecture().to_string(),
            variant: self.config.variant().clone(),
        }
    }

    /// Returns the layers, lowest first, each with the digest of its unpacked archive and the
    /// instruction that made it.
    ///
    /// # Errors
    /// When the configuration does not know the digests, and a layer cannot be read.
    pub fn steps(&self, store: &Store) -> Result<Vec<(Descriptor, Digest, String)>> {
        let diff_ids = self.diff_ids();
        let history = self.config.history().iter().flatten().filter(|step| step.empty_layer() != Some(true));
        let mut made = history.map(|step| step.created_by().clone().unwrap_or_default());
        let mut steps = Vec::new();
        for (index, layer) in self.manifest.layers().iter().enumerate() {
            let diff_id = match diff_ids.get(index) {
                Some(diff_id) => diff_id.clone(),
                None => layer::diff_id(store, layer)?,
            };
            steps.push((layer.clone(), diff_id, made.next().unwrap_or_default()));
        }
        Ok(steps)
    }

    /// Returns the digests of the uncompressed layers, lowest first; none for an image of the
    /// original's 0.5 to 0.8, which does not know them.
    #[must_use]
    pub fn diff_ids(&self) -> Vec<Digest> {
        self.config.rootfs().diff_ids().iter().filter_map(|id| id.parse().ok()).collect()
    }
}

/// Returns the entry of an index that is for the platform. An entry without a variant suits any.
///
/// # Errors
/// `Platform` when there is none.
pub fn choose<'a>(index: &'a ImageIndex, wanted: &Platform) -> Result<&'a Descriptor> {
    let suits = |entry: &&Descriptor| {
        platform_of(entry).is_some_and(|found| {
            let variant =
                wanted.variant.is_none() || found.variant.is_none() || wanted.variant == found.variant;
            found.os == wanted.os && found.architecture == wanted.architecture && variant
        })
    };
    index.manifests().iter().find(suits).ok_or_else(|| Error::Platform {
        wanted: wanted.clone(),
        available: index.manifests().iter().filter_map(platform_of).collect(),
    })
}

fn is_index(descriptor: &Descriptor, bytes: &[u8]) -> bool {
    match descriptor.media_type() {
        MediaType::ImageIndex => true,
        MediaType::Other(other) if other.contains("manifest.list") => true,
        MediaType::ImageManifest => false,
        _ => serde_json::from_slice::<serde_json::Value>(bytes)
            .is_ok_and(|value| value["manifests"].is_array()),
    }
}

fn parse<T: serde::de::DeserializeOwned>(what: &'static str, digest: &Digest, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::Malformed {
        what,
        digest: digest.clone(),
        reason: error.to_string(),
    })
}
