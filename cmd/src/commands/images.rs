//! `sealer images`: lists the local images.

use std::process::ExitCode;

use sealer_image::{Descriptor, Image, Platform, Reference, Store, attached};
use serde::Serialize;

use crate::failure::Failure;
use crate::render::{self, size, table};
use crate::settings::Settings;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    size_bytes: u64,
}

pub(super) fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let references = store.references()?;
    let named = references.iter().filter(|(name, _)| !attached::is_name(name));
    let images: Vec<Listed> = named.map(|(name, descriptor)| listed(&store, name, descriptor)).collect();
    let rows = images.iter().map(row).collect();
    render::data(settings, &table::table(&["IMAGE", "DIGEST", "PLATFORM", "SIZE"], rows), &images)
}

/// An image that cannot be opened is listed all the same, without what only its content tells.
fn listed(store: &Store, name: &Reference, descriptor: &Descriptor) -> Listed {
    let image = Image::open(store, descriptor, &Platform::host()).ok();
    let size_bytes = image.as_ref().map_or(0, |image| {
        let layers = image.manifest.layers().iter().map(Descriptor::size).sum::<u64>();
        layers + image.manifest.config().size() + image.descriptor.size()
    });
    Listed {
        name: name.familiar(),
        digest: descriptor.digest().to_string(),
        platform: image.as_ref().map(Image::platform),
        created: image.as_ref().and_then(|image| image.config.created().clone()),
        size_bytes,
    }
}

fn row(image: &Listed) -> Vec<String> {
    let digest = image.digest.trim_start_matches("sha256:");
    vec![
        image.name.clone(),
        digest[..digest.len().min(12)].to_owned(),
        image.platform.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        size::bytes(image.size_bytes),
    ]
}
