//! `sealer rmi`: removes local images and the content that nothing else needs.

use std::process::ExitCode;

use sealer_image::attached;
use serde::Serialize;

use crate::cli::RmiArgs;
use crate::failure::Failure;
use crate::render::{self, size};
use crate::settings::Settings;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    images: Vec<String>,
    freed_bytes: u64,
}

pub(super) fn run(args: &RmiArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    // All names are looked up before the first is taken away: a mistyped one changes nothing.
    for image in &args.images {
        store.resolve(image)?;
    }
    for image in &args.images {
        store.untag(image)?;
    }
    attached::drop_orphans(&store)?;
    let freed_bytes = store.collect(&[settings.root.join("rootfs"), settings.build_dir().join("rootfs")])?;
    let images: Vec<String> = args.images.iter().map(sealer_image::Reference::familiar).collect();
    let text = format!("removed {} ({} freed)", images.join(", "), size::bytes(freed_bytes));
    render::result(settings, &text, &Removed { images, freed_bytes })
}
