//! Images for several platforms under one name.

use oci_spec::image::{Arch, Descriptor, ImageIndex, MediaType, Os, PlatformBuilder};

use super::commit::put;
use super::{Image, is_index, parse};
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::store::Store;

/// Returns the images that `descriptor` leads to, each with its platform: those of an index, or the
/// one that it is.
///
/// # Errors
/// When content is missing or malformed.
pub fn entries(store: &Store, descriptor: &Descriptor) -> Result<Vec<Descriptor>> {
    let bytes = store.read(descriptor.digest())?;
    if is_index(descriptor, &bytes) {
        let index: ImageIndex = parse("index", descriptor.digest(), &bytes)?;
        return Ok(index.manifests().clone());
    }
    let image = Image::open(store, descriptor, &Platform::host())?;
    Ok(vec![for_platform(descriptor, &image.platform())])
}

/// Tells whether `descriptor` is an index.
///
/// # Errors
/// When it is not in the store.
pub fn leads_to_many(store: &Store, descriptor: &Descriptor) -> Result<bool> {
    Ok(is_index(descriptor, &store.read(descriptor.digest())?))
}

/// Puts an index of these images into the store, sorted by platform. Of two for one platform the
/// later stays. It has no name yet.
///
/// # Errors
/// `Missing` when one of the images is not in the store; when the store cannot be written.
pub fn assemble(store: &Store, images: Vec<Descriptor>) -> Result<Descriptor> {
    let mut kept: Vec<Descriptor> = Vec::new();
    for image in images {
        if !store.blob_path(image.digest()).exists() {
            return Err(Error::Missing { digest: image.digest().clone() });
        }
        let platform = platform_of(&image);
        kept.retain(|other| other.digest() != image.digest() && platform_of(other) != platform);
        kept.push(image);
    }
    kept.sort_by_key(platform_of);
    let mut index = ImageIndex::default();
    index.set_schema_version(2);
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(kept);
    put(store, MediaType::ImageIndex, &index)
}

/// Returns the descriptor with a platform.
#[must_use]
pub fn for_platform(descriptor: &Descriptor, platform: &Platform) -> Descriptor {
    let mut builder = PlatformBuilder::default()
        .os(Os::from(platform.os.as_str()))
        .architecture(Arch::from(platform.architecture.as_str()));
    if let Some(variant) = &platform.variant {
        builder = builder.variant(variant.clone());
    }
    let mut described = descriptor.clone();
    described.set_platform(Some(builder.build().expect("all required fields are set")));
    described.set_annotations(None);
    described
}

/// Returns the platform that a descriptor names.
#[must_use]
pub fn platform_of(descriptor: &Descriptor) -> Option<Platform> {
    let platform = descriptor.platform().as_ref()?;
    Some(Platform {
        os: platform.os().to_string(),
        architecture: platform.architecture().to_string(),
        variant: platform.variant().clone(),
    })
}
