//! `sealer plan`: shows what `apply` would do, and keeps it for later.

use std::process::ExitCode;

use sealer_stdx::fs::write_atomic;

use super::apply::wanted;
use super::cluster::{Wanted, execute, options, world};
use crate::cli::PlanArgs;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::trust;

pub(super) fn run(args: &PlanArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let spec = wanted(&args.clusterfile, &args.flags, settings)?;
    let options = options(&args.flags);
    let store = settings.store()?;
    let keep = |plan: &sealer_runtime::PlanFile| match &args.out {
        Some(file) => {
            let text = serde_json::to_vec_pretty(plan).expect("a plan is plain data");
            Ok(write_atomic(file, &text, 0o600)?)
        }
        None => Ok(()),
    };
    world(settings, &store, &args.flags.reach.registry, |world| {
        trust::admit(&args.flags.policy, settings.task(), world, &spec.image)?;
        execute(world, spec, options, Wanted::Plan(&keep), settings)
    })
}
