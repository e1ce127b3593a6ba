//! What content refers to.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::Store;
use crate::error::{Error, Result};

/// Returns what a manifest or an index in the store refers to, configurations and layers alike;
/// nothing for other content. Images of an index that are not here are left out: a pull brings one
/// platform.
pub(crate) fn children(store: &Store, descriptor: &Descriptor) -> Result<Vec<Descriptor>> {
    let media_type = descriptor.media_type().to_string();
    if !media_type.contains("manifest") && !media_type.contains("index") {
        return Ok(Vec::new());
    }
    let bytes = store.read(descriptor.digest())?;
    if let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&bytes) {
        let mut children = manifest.layers().clone();
        children.push(manifest.config().clone());
        return Ok(children);
    }
    let index: ImageIndex = serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
        what: "manifest",
        digest: descriptor.digest().clone(),
        reason: error.to_string(),
    })?;
    Ok(index.manifests().iter().filter(|child| store.blob_path(child.digest()).exists()).cloned().collect())
}
