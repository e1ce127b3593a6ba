//! `sealer apply`: runs what a Clusterfile says.

use std::fs;
use std::process::ExitCode;

use sealer_runtime::cluster::clusterfile;
use sealer_stdx::fs::At;

use super::cluster::{defaults, go};
use crate::cli::ApplyArgs;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;

pub(super) fn run(args: &ApplyArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let text = read(args)?;
    let defaults = defaults(&args.ssh, &args.flags, settings)?;
    let spec = clusterfile::parse(&args.file.display().to_string(), &text, &defaults)?;
    go(spec, (&args.ssh, &args.flags, &args.registry), settings)
}

fn read(args: &ApplyArgs) -> Result<String, Failure> {
    match fs::read_to_string(&args.file).at(&args.file) {
        Err(error) if error.is_not_found() => {
            let message = format!("there is no Clusterfile at `{}`", args.file.display());
            Err(Failure::new(Kind::Input, message).hint("`-f FILE` names another one"))
        }
        read => Ok(read?),
    }
}
