//! Configurations, manifests and indexes of images.

use oci_spec::image::{Descriptor, MediaType};
use sealer_image::{Image, Platform, Store, image};

/// What stands between the documents.
const SEPARATOR: &str = "\n#####\n";

/// Puts the documents into a store and opens the last as an image. `@0@` in a document is the digest
/// of the first, and so on.
pub(crate) fn run(bytes: &[u8]) {
    let folder = super::folder();
    let store = Store::open(&folder.path().join("images")).expect("a store can be made");
    let (mut digests, mut last) = (Vec::new(), None);
    for text in super::texts(bytes, SEPARATOR).into_iter().take(4) {
        let mut text = text.to_owned();
        for (index, digest) in digests.iter().enumerate() {
            text = text.replace(&format!("@{index}@"), &format!("{digest}"));
        }
        let digest = store.put_bytes(text.as_bytes()).expect("a store can be written");
        last = Some(Descriptor::new(MediaType::ImageManifest, text.len() as u64, digest.clone()));
        digests.push(digest);
    }
    let Some(mut descriptor) = last else { return };
    for media_type in [MediaType::ImageManifest, MediaType::ImageIndex, MediaType::Other(String::new())] {
        descriptor.set_media_type(media_type);
        let _ = image::leads_to_many(&store, &descriptor);
        if let Ok(entries) = image::entries(&store, &descriptor) {
            let _ = image::assemble(&store, entries);
        }
        if let Ok(image) = Image::open(&store, &descriptor, &Platform::host()) {
            let _ = (image.platform(), image.diff_ids(), image.steps(&store));
        }
    }
}
