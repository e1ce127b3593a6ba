//! `sealer save`: writes local images into one file.

use std::process::ExitCode;

use sealer_image::archive::{self, Format, SaveOptions};
use sealer_image::{Reference, attached};
use serde::Serialize;

use crate::cli::{FormatName, SaveArgs};
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
    let format = match args.format {
        FormatName::OciArchive => Format::OciArchive,
        FormatName::DockerArchive => Format::DockerArchive,
        FormatName::Dir => Format::Dir,
    };
    let options = SaveOptions { format, zstd: args.zstd };
    let store = settings.store()?;
    let all = match format {
        Format::OciArchive => attached::with(&store, &args.images)?,
        Format::DockerArchive | Format::Dir => args.images.clone(),
    };
    archive::save(settings.task(), &store, &all, &args.o, options)
        .map_err(|error| Failure::from(error).doing(format!("cannot save to `{file}`")))?;
    let images: Vec<String> = args.images.iter().map(Reference::familiar).collect();
    render::result(settings, &format!("saved {} to {file}", images.join(", ")), &Saved { file, images })
}
