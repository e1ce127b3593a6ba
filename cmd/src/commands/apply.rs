//! `sealer apply`: runs what a Clusterfile says.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use sealer_runtime::PlanFile;
use sealer_runtime::cluster::clusterfile;
use sealer_stdx::fs::At;

use super::cluster::{defaults, go};
use crate::cli::ApplyArgs;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;

pub(super) fn run(args: &ApplyArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let text = read(&args.file)?;
    let defaults = defaults(&args.ssh, &args.flags, settings)?;
    let spec = clusterfile::parse(&args.file.display().to_string(), &text, &defaults)?;
    let plan = args.plan.as_deref().map(kept).transpose()?;
    go(spec, (&args.ssh, &args.flags, &args.registry), plan, settings)
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file).at(file) {
        Err(error) if error.is_not_found() => {
            let message = format!("there is no Clusterfile at `{}`", file.display());
            Err(Failure::new(Kind::Input, message).hint("`-f FILE` names another one"))
        }
        read => Ok(read?),
    }
}

/// Reads a plan that was kept.
fn kept(file: &Path) -> Result<PlanFile, Failure> {
    PlanFile::parse(&fs::read_to_string(file).at(file)?).map_err(|reason| {
        Failure::new(Kind::Input, format!("`{}` holds no plan", file.display()))
            .cause(&reason)
            .hint("`sealer plan -o FILE` writes one")
    })
}
