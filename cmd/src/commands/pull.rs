//! `sealer pull`: fetches an image from a registry.

use std::process::ExitCode;

use sealer_image::attached;
use sealer_image::transfer::{self, Wanted};

use super::image_result;
use crate::cli::PullArgs;
use crate::failure::Failure;
use crate::settings::{Settings, platform};

pub(super) fn run(args: &PullArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let (store, registry) = (settings.store()?, settings.registry(&args.registry)?);
    let wanted = match args.all_platforms {
        true => Wanted::All,
        false => Wanted::For(platform(args.platform.clone())),
    };
    let failed = |error| Failure::from(error).doing(format!("cannot pull `{}`", args.image.familiar()));
    let task = settings.task();
    let descriptor = transfer::pull_wanted(task, &store, &registry, &args.image, &wanted).map_err(failed)?;
    attached::pull(task, &store, &registry, &args.image, &descriptor).map_err(failed)?;
    if let Some(of_type) = &args.referrers {
        transfer::pull_referrers(task, &store, &registry, &args.image, &descriptor, of_type.as_deref())
            .map_err(failed)?;
    }
    image_result(settings, "pulled", &args.image, &descriptor)
}
