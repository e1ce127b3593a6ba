//! `sealer push`: sends a local image to a registry.

use std::process::ExitCode;

use sealer_image::{attached, transfer};

use super::image_result;
use crate::cli::PushArgs;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn run(args: &PushArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let (store, registry) = (settings.store()?, settings.registry(&args.registry)?);
    let pushed = transfer::push(settings.task(), &store, &registry, &args.image).and_then(|image| {
        attached::push(settings.task(), &store, &registry, &args.image, image.digest())?;
        Ok(image)
    });
    let descriptor = pushed
        .map_err(|error| Failure::from(error).doing(format!("cannot push `{}`", args.image.familiar())))?;
    image_result(settings, "pushed", &args.image, &descriptor)
}
