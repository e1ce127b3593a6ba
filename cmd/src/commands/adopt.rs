//! `sealer adopt`: picks a cluster up again on another machine.

use std::process::ExitCode;

use sealer_runtime::cluster::hosts;
use sealer_runtime::{AdoptRequest, Adopted, adopt};

use super::cluster::{login, world};
use crate::cli::{AdoptArgs, RegistryArgs};
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

pub(super) fn run(args: &AdoptArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let request = AdoptRequest {
        masters: hosts::parse("-m", &args.masters)?,
        cluster: args.cluster.clone(),
        defaults: login(&args.ssh, settings)?,
        parallel: args.parallel.get(),
        known_hosts: args.ssh.known_hosts.clone(),
    };
    let store = settings.store()?;
    let adopted = world(settings, &store, &RegistryArgs::default(), |world| {
        Ok(adopt(settings.task(), &request, world)?)
    })?;
    let Adopted { cluster, image, hosts, changed_by, changed_at, unfinished } = &adopted;
    let mut text = format!(
        "adopted cluster {cluster}: {image} on {} hosts, last changed by {changed_by} at {changed_at}",
        hosts.len()
    );
    if *unfinished {
        text.push_str(&format!("; a run is not finished: `sealer resume -c {cluster}` goes on with it"));
    }
    render::result(settings, &text, &adopted)
}
