//! `sealer upgrade` and `sealer rollback`: another version of Kubernetes, and back.

use std::process::ExitCode;

use sealer_image::Reference;
use sealer_runtime::{
    Course, Distributor, RunOptions, UpgradeRequest, World, kept, prepare_upgrade, previous_image,
};

use super::cluster::{login, trust, world};
use crate::cli::{RollbackArgs, UpgradeArgs, UpgradeFlags};
use crate::failure::{Failure, Kind};
use crate::render;
use crate::settings::Settings;

pub(super) fn run(args: &UpgradeArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let image: Reference =
        args.image.parse().map_err(|error| Failure::new(Kind::Usage, error_text(&args.image, &error)))?;
    go(&args.flags, settings, false, &|_, _| Ok(image.clone()))
}

pub(super) fn back(args: &RollbackArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    go(&args.flags, settings, true, &|world, cluster| Ok(previous_image(world, cluster)?))
}

fn error_text(image: &str, error: &impl std::fmt::Display) -> String {
    format!("`{image}` is no image: {error}")
}

/// Finds the image for a cluster.
type Find<'a> = &'a dyn Fn(&World<'_>, &str) -> Result<Reference, Failure>;

fn go(flags: &UpgradeFlags, settings: &Settings, back: bool, image: Find<'_>) -> Result<ExitCode, Failure> {
    let reach = &flags.reach;
    let defaults = login(&reach.ssh, settings)?;
    let options = RunOptions {
        parallel: reach.parallel.get(),
        dry_run: flags.dry_run,
        known_hosts: reach.ssh.known_hosts.clone(),
        course: Course::GoOn,
        distributor: Distributor::Auto,
        bandwidth: 0,
        max_failures: 0,
        trust: trust(false),
    };
    let store = settings.store()?;
    world(settings, &store, &reach.registry, |world| {
        let spec = kept(world, flags.cluster.name.as_deref(), &defaults)?;
        let image = image(world, &spec.name)?;
        let max_unavailable = flags.max_unavailable.get();
        let request = UpgradeRequest { spec, image, back, max_unavailable, options };
        let (prepared, upgraded) = prepare_upgrade(settings.task(), request, world)?;
        if flags.dry_run {
            let plan = prepared.plan().clone();
            return render::result(settings, &plan.to_string(), &plan);
        }
        prepared.execute(settings.task())?;
        let text =
            format!("cluster {} runs Kubernetes {}, not {}", upgraded.cluster, upgraded.to, upgraded.from);
        render::result(settings, &text, &upgraded)
    })
}
