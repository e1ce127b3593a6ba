//! `sealer push`: sends a local image to a registry.

use std::process::ExitCode;

use sealer_image::transfer;

use super::image_result;
use crate::cli::PushArgs;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn run(args: &PushArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let (store, registry) = (settings.store()?, settings.registry(&args.registry));
    let descriptor = transfer::push(settings.task(), &store, &registry, &args.image)
        .map_err(|error| Failure::from(error).doing(format!("cannot push `{}`", args.image.familiar())))?;
    image_result(settings, "pushed", &args.image, &descriptor)
}
