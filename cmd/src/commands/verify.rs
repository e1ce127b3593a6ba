//! `sealer verify --offline`: whether an image holds every container image that it needs.

use std::process::ExitCode;

use sealer_build::images::{Lack, verify};
use sealer_image::Image;
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::failure::{Failure, Kind};
use crate::render;
use crate::settings::{Settings, platform};

#[derive(Serialize)]
struct Answer {
    image: String,
    needed: usize,
}

pub(super) fn run(args: &VerifyArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let name = args.image.familiar();
    let image = Image::open(&store, &store.resolve(&args.image)?, &platform(args.platform.clone()))?;
    let verified = verify(settings.task(), &store, &image, &settings.build_dir(), &args.ignored_image_list)?;
    if !verified.lacking.is_empty() {
        return Err(lacking(&name, &verified.lacking));
    }
    let count = verified.needed;
    let text = format!("{name} holds all {count} container images that it needs");
    render::result(settings, &text, &Answer { image: name, needed: count })
}

fn lacking(name: &str, lacking: &[Lack]) -> Failure {
    let failure = Failure::new(Kind::Failed, format!("`{name}` cannot run offline"));
    let failure = lacking.iter().fold(failure, |failure, lack| {
        let place = lack.places.first().map(|place| format!("{place}: ")).unwrap_or_default();
        failure.details(&format!("  {place}`{}`: {}", lack.name, lack.why))
    });
    failure
        .hint("`sealer build` brings what manifests, charts and lists name; `--image-list FILE` names more")
        .hint("`--ignored-image-list FILE` leaves images out")
}
