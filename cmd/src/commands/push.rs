//! `sealer push`: sends a local image to a registry.

use std::process::ExitCode;

use sealer_image::{attached, transfer};

use super::image_result;
use crate::cli::PushArgs;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn run(args: &PushArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let (store, registry) = (settings.store()?, settings.registry(&args.registry)?);
    let failed = |error| Failure::from(error).doing(format!("cannot push `{}`", args.image.familiar()));
    let task = settings.task();
    let descriptor = transfer::push(task, &store, &registry, &args.image).map_err(failed)?;
    attached::push(task, &store, &registry, &args.image, &descriptor).map_err(failed)?;
    if args.referrers {
        transfer::push_referrers(task, &store, &registry, &args.image, &descriptor).map_err(failed)?;
    }
    image_result(settings, "pushed", &args.image, &descriptor)
}
