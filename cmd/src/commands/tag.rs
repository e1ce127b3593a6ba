//! `sealer tag`: gives a local image another name.

use std::process::ExitCode;

use crate::cli::TagArgs;
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

pub(super) fn run(args: &TagArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let descriptor = store.resolve(&args.source)?;
    for name in &args.names {
        store.tag(&descriptor, name)?;
    }
    render::result(settings, "", &args.names)
}
