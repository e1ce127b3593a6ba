//! `sealer resume`: goes on with a run that was not finished.

use std::process::ExitCode;

use sealer_runtime::{Course, RunOptions, kept};

use super::cluster::{Wanted, distributor, execute, login, trust, world};
use crate::cli::ResumeArgs;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::trust;

pub(super) fn run(args: &ResumeArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let options = RunOptions {
        parallel: args.reach.parallel.get(),
        dry_run: false,
        known_hosts: args.reach.ssh.known_hosts.clone(),
        course: Course::Resume,
        distributor: distributor(args.distribution),
        bandwidth: args.distribution.bandwidth.unwrap_or_default(),
        trust: trust(args.distribution.verify),
        max_failures: args.distribution.max_failures,
    };
    let defaults = login(&args.reach.ssh, settings)?;
    let store = settings.store()?;
    world(settings, &store, &args.reach.registry, |world| {
        let spec = kept(world, args.cluster.name.as_deref(), &defaults)?;
        trust::admit(&args.policy, settings.task(), world, &spec.image)?;
        execute(world, spec, options, Wanted::Unasked, settings)
    })
}
