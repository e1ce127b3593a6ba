//! `sealer logout`: forgets the credentials for a registry.

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{LogoutArgs, RegistryArgs};
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct LoggedOut<'a> {
    registry: &'a str,
    forgotten: bool,
}

pub(super) fn run(args: &LogoutArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let forgotten = settings.registry(&RegistryArgs::default())?.logout(&args.registry)?;
    let text = match forgotten {
        true => format!("logged out of {}", args.registry),
        false => format!("there were no credentials for {}", args.registry),
    };
    render::result(settings, &text, &LoggedOut { registry: &args.registry, forgotten })
}
