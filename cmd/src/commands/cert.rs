//! `sealer cert`: renews a cluster's certificates.

use std::process::ExitCode;

use sealer_runtime::{RenewRequest, kept, renew_certificates};
use serde::Serialize;

use super::cluster::{login, world};
use crate::cli::CertArgs;
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct Renewed {
    cluster: String,
    masters: Vec<String>,
}

pub(super) fn run(args: &CertArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let defaults = login(&args.reach.ssh, settings)?;
    let store = settings.store()?;
    let renewed = world(settings, &store, &args.reach.registry, |world| {
        let spec = kept(world, args.cluster.name.as_deref(), &defaults)?;
        let (cluster, alt_names) = (spec.name.clone(), args.alt_names.clone());
        let known_hosts = args.reach.ssh.known_hosts.clone();
        let request = RenewRequest { spec, alt_names, parallel: args.reach.parallel.get(), known_hosts };
        Ok(Renewed { cluster, masters: renew_certificates(settings.task(), request, world)? })
    })?;
    let text = format!("renewed the certificates of {} of {}", renewed.masters.join(", "), renewed.cluster);
    render::result(settings, &text, &renewed)
}
