//! `sealer save`: writes local images into one file.

use std::process::ExitCode;

use sealer_image::{Reference, archive};
use serde::Serialize;

use crate::cli::SaveArgs;
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct Saved {
    file: String,
    images: Vec<String>,
}

pub(super) fn run(args: &SaveArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let file = args.o.display().to_string();
    archive::save(settings.task(), &settings.store()?, &args.images, &args.o)
        .map_err(|error| Failure::from(error).doing(format!("cannot save to `{file}`")))?;
    let images: Vec<String> = args.images.iter().map(Reference::familiar).collect();
    render::result(settings, &format!("saved {} to {file}", images.join(", ")), &Saved { file, images })
}
