//! `sealer merge`: one image of several.

use std::process::ExitCode;

use sealer_image::{Image, image};

use super::image_result;
use crate::cli::MergeArgs;
use crate::failure::Failure;
use crate::settings::{Settings, platform};

pub(super) fn run(args: &MergeArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let platform = platform(args.platform.clone());
    let mut images = Vec::new();
    for name in &args.images {
        images.push(Image::open(&store, &store.resolve(name)?, &platform)?);
    }
    let time = settings.source_date_epoch.unwrap_or_default();
    let merged = image::merge(settings.task(), &store, &images, time).map_err(|error| {
        Failure::from(error).doing(format!("cannot merge images into `{}`", args.tag.familiar()))
    })?;
    store.tag(&merged, &args.tag)?;
    image_result(settings, "merged", &args.tag, &merged)
}
