//! An image as a value: its manifest and configuration, read from the store or written to it.

mod commit;

use oci_spec::image::{Descriptor, Digest, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use crate::config::{ANNOTATION, SealerConfig};
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::store::Store;

pub use commit::{NewImage, commit};

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
        let bytes = store.read(descriptor.digest())?;
        if is_index(descriptor, &bytes) {
            let index: ImageIndex = parse("index", descriptor.digest(), &bytes)?;
            return Self::open(store, choose(&index, platform)?, platform);
        }
        let manifest: ImageManifest = parse("manifest", descriptor.digest(), &bytes)?;
        let config =
            parse("configuration", manifest.config().digest(), &store.read(manifest.config().digest())?)?;
        let sealer = match manifest.annotations().as_ref().and_then(|annotations| annotations.get(ANNOTATION))
        {
            Some(json) => parse("annotation of manifest", descriptor.digest(), json.as_bytes())?,
            None => SealerConfig::default(),
        };
        Ok(Self { descriptor: descriptor.clone(), manifest, config, sealer })
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

    /// Returns the digests of the uncompressed layers, lowest first.
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
    let platform_of = |entry: &Descriptor| {
        let platform = entry.platform().as_ref()?;
        Some(Platform {
            os: platform.os().to_string(),
            architecture: platform.architecture().to_string(),
            variant: platform.variant().clone(),
        })
    };
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
