//! `sealer apply`: runs what a Clusterfile says.

use std::path::Path;
use std::process::ExitCode;

use sealer_runtime::cluster::clusterfile;
use sealer_runtime::{ClusterSpec, PlanFile};

use super::cluster::{Wanted, defaults, go};
use crate::cli::{ApplyArgs, ClusterfileArg, RunFlags};
use crate::failure::{Failure, Kind};
use crate::given;
use crate::settings::Settings;

pub(super) fn run(args: &ApplyArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let spec = wanted(&args.clusterfile, &args.flags, settings)?;
    let plan = args.plan.as_deref().map(kept).transpose()?;
    let wanted = match plan {
        Some(plan) => Wanted::Just(Box::new(plan)),
        None if args.force => Wanted::Unasked,
        None => Wanted::Asked,
    };
    go(spec, &args.flags, wanted, settings)
}

/// Reads what a Clusterfile asks for.
pub(super) fn wanted(
    ClusterfileArg { file }: &ClusterfileArg,
    flags: &RunFlags,
    settings: &Settings,
) -> Result<ClusterSpec, Failure> {
    let text = read(file)?;
    Ok(clusterfile::parse(&file.display().to_string(), &text, &defaults(flags, settings)?)?)
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    if file.exists() {
        return given::text("-f", file);
    }
    let message = format!("there is no Clusterfile at `{}`", file.display());
    let failure = Failure::new(Kind::Input, message);
    let failure = given::alike(file).into_iter().fold(failure, Failure::hint);
    Err(failure.hint("`-f FILE` names another one"))
}

/// Reads a plan that was kept.
fn kept(file: &Path) -> Result<PlanFile, Failure> {
    PlanFile::parse(&given::text("--plan", file)?).map_err(|reason| {
        Failure::new(Kind::Input, format!("`{}` holds no plan", file.display()))
            .cause(&reason)
            .hint("`sealer plan -o FILE` writes one")
    })
}
