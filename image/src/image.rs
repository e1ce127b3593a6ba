//! An image as a value: its manifest and configuration, read from the store or written to it.

use std::collections::BTreeMap;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};
use sealer_stdx::task::Task;

use crate::config::SealerConfig;
use crate::error::Result;
use crate::layer::Layer;
use crate::platform::Platform;
use crate::store::Store;

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
        let _ = (store, descriptor, platform);
        unimplemented!("Image::open")
    }
}

/// What an image is to be made of.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The image it stands on. Its layers, environment, labels, commands and arguments come first.
    pub base: Option<Image>,
    /// The new layers, lowest first, each with the instruction that made it (`COPY . .`), which
    /// goes into the history.
    pub layers: Vec<(Layer, String)>,
    /// What it is for.
    pub platform: Platform,
    /// `ENV`, by name; the base's are kept unless they stand here again.
    pub env: BTreeMap<String, String>,
    /// `LABEL`, by name; likewise.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The commands and arguments of this image alone; the base's are put before them.
    pub sealer: SealerConfig,
    /// When it was made, in seconds since the epoch: zero unless SOURCE_DATE_EPOCH was given.
    pub time: u64,
}

/// Writes configuration and manifest into the store and returns the manifest's descriptor. The
/// image has no name yet: `Store::tag` gives one.
///
/// # Errors
/// When there are more than 128 layers or the store cannot be written.
pub fn commit(task: &Task, store: &Store, image: NewImage) -> Result<Descriptor> {
    let _ = (task, store, image);
    unimplemented!("image::commit")
}
