//! `sealer convert`: writes an old Clusterfile, or one of sealos, anew.

use std::process::ExitCode;

use sealer_runtime::cluster::convert::convert;

use crate::cli::ConvertArgs;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::{given, render};

pub(super) fn run(args: &ConvertArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let text = given::text("FILE", &args.file)?;
    let converted = convert(&args.file.display().to_string(), &text)?;
    for note in &converted.notes {
        settings.task().warn(note);
    }
    render::print(&converted.text)?;
    Ok(ExitCode::SUCCESS)
}
