//! `sealer sbom`: what a local image is made of, for other tools.

use std::process::ExitCode;

use sealer_build::sbom::{self, Document, MEDIA_TYPE};
use sealer_image::{Descriptor, Image, Reference, Store, attached, image};
use serde::Serialize;

use crate::cli::SbomArgs;
use crate::failure::Failure;
use crate::render;
use crate::settings::{Settings, platform};

#[derive(Serialize)]
struct Attached {
    image: String,
    digests: Vec<String>,
}

pub(super) fn run(args: &SbomArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let found = store.resolve(&args.image)?;
    if args.attach {
        let digests = attach(settings, &store, &args.image, &found)?;
        let image = args.image.familiar();
        let text = format!("attached to {image}: {}", digests.join(", "));
        return render::result(settings, &text, &Attached { image, digests });
    }
    let image = Image::open(&store, &found, &platform(args.platform.clone()))?;
    render::print(&make(settings, &store, &args.image, &image)?.to_json())?;
    Ok(ExitCode::SUCCESS)
}

/// Hangs a bill of materials on each image that a name leads to and that is here. Returns their digests.
pub(super) fn attach(
    settings: &Settings,
    store: &Store,
    name: &Reference,
    found: &Descriptor,
) -> Result<Vec<String>, Failure> {
    let here = |one: &Descriptor| store.blob_path(one.digest()).exists();
    let mut digests = Vec::new();
    for one in image::entries(store, found)?.into_iter().filter(here) {
        let of = image::platform_of(&one).unwrap_or_else(|| platform(None));
        let image = Image::open(store, &one, &of)?;
        let document = make(settings, store, name, &image)?.to_json();
        attached::put_sbom(store, name, one.digest(), (MEDIA_TYPE, document.as_bytes()))?;
        digests.push(one.digest().to_string());
    }
    Ok(digests)
}

fn make(settings: &Settings, store: &Store, name: &Reference, image: &Image) -> Result<Document, Failure> {
    let made =
        sbom::sbom(settings.task(), store, (name, image), &settings.build_dir(), env!("CARGO_PKG_VERSION"));
    Ok(made?)
}
