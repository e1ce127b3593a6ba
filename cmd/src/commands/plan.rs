//! `sealer plan`: shows what `apply` would do, and keeps it for later.

use std::process::ExitCode;

use sealer_runtime::cluster::clusterfile;
use sealer_stdx::fs::write_atomic;

use super::apply::read;
use super::cluster::{Wanted, defaults, execute, options, world};
use crate::cli::PlanArgs;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) fn run(args: &PlanArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let text = read(&args.file)?;
    let defaults = defaults(&args.ssh, &args.flags, settings)?;
    let spec = clusterfile::parse(&args.file.display().to_string(), &text, &defaults)?;
    let options = options(&args.ssh, &args.flags);
    let store = settings.store()?;
    let keep = |plan: &sealer_runtime::PlanFile| match &args.out {
        Some(file) => {
            let text = serde_json::to_vec_pretty(plan).expect("a plan is plain data");
            Ok(write_atomic(file, &text, 0o600)?)
        }
        None => Ok(()),
    };
    world(settings, &store, &args.registry, |world| {
        execute(world, spec, options, Wanted::Plan(&keep), settings)
    })
}
