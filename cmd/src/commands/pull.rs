//! `sealer pull`: fetches an image from a registry.

use std::process::ExitCode;

use super::image_result;
use crate::cli::PullArgs;
use crate::failure::Failure;
use crate::settings::{Settings, platform};
use crate::trust;

pub(super) fn run(args: &PullArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let (store, registry) = (settings.store()?, settings.registry(&args.registry)?);
    let platform = platform(args.platform.clone());
    let descriptor = trust::pull(settings.task(), &store, &registry, &args.image, &platform)
        .map_err(|error| Failure::from(error).doing(format!("cannot pull `{}`", args.image.familiar())))?;
    image_result(settings, "pulled", &args.image, &descriptor)
}
