//! `sealer load`: takes images in from a file.

use std::process::ExitCode;

use sealer_image::{Error, Reference, archive, attached};
use serde::Serialize;

use crate::cli::LoadArgs;
use crate::failure::{Failure, Kind};
use crate::given;
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct Loaded {
    images: Vec<String>,
}

pub(super) fn run(args: &LoadArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    if !args.input.exists() {
        return Err(given::missing("-i", &args.input));
    }
    let loaded = archive::load(settings.task(), &settings.store()?, &args.input, args.tag.as_ref())
        .map_err(|error| failed(error).doing(format!("cannot load `{}`", args.input.display())))?;
    let images = loaded.iter().filter(|name| !attached::is_name(name));
    let images: Vec<String> = images.map(Reference::familiar).collect();
    render::result(settings, &format!("loaded {}", images.join(", ")), &Loaded { images })
}

/// What a registry may send right at the next try, a file never will.
fn failed(error: Error) -> Failure {
    match error {
        Error::Verify { .. } => {
            Failure::new(Kind::Failed, error.to_string()).hint("the file is damaged: copy it here again")
        }
        Error::Unnamed { .. } => Failure::from(error).hint("give it one: `--tag NAME`"),
        error => error.into(),
    }
}
