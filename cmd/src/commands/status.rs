//! `sealer status`: compares a cluster's hosts with what was asked for.

use std::process::ExitCode;

use sealer_runtime::{Course, Distributor, HostStatus, RunOptions, kept, prepare};
use serde::Serialize;

use super::cluster::{login, trust, world};
use crate::cli::StatusArgs;
use crate::failure::{Failure, Kind};
use crate::render::{self, size, table};
use crate::settings::Settings;

#[derive(Serialize)]
struct Status {
    cluster: String,
    image: String,
    digest: String,
    hosts: Vec<HostStatus>,
}

pub(super) fn run(args: &StatusArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let options = RunOptions {
        parallel: args.reach.parallel.get(),
        dry_run: true,
        known_hosts: args.reach.ssh.known_hosts.clone(),
        course: Course::GoOn,
        distributor: Distributor::default(),
        bandwidth: 0,
        trust: trust(args.drift),
        max_failures: 0,
    };
    let defaults = login(&args.reach.ssh, settings)?;
    let store = settings.store()?;
    let status = world(settings, &store, &args.reach.registry, |world| {
        let spec = kept(world, args.cluster.name.as_deref(), &defaults)?;
        let prepared = prepare(settings.task(), spec, world, options)?;
        let hosts = prepared.status();
        let plan = prepared.plan();
        Ok(Status {
            cluster: plan.cluster.clone(),
            image: plan.image.clone(),
            digest: plan.digest.clone(),
            hosts,
        })
    })?;
    let off = status.hosts.iter().filter(|host| !host.is_in_step()).count();
    let row = |host: &HostStatus| vec![host.address.clone(), host.roles.join(","), state(host)];
    let table = table::table(&["HOST", "ROLES", "STATE"], status.hosts.iter().map(row).collect());
    let text = format!("cluster {}, image {} ({})\n{table}\n", status.cluster, status.image, status.digest);
    render::result(settings, &text, &status)?;
    if args.drift && off > 0 {
        let message = format!("{off} of {} hosts are not as they were asked for", status.hosts.len());
        return Err(
            Failure::new(Kind::Failed, message).hint("`sealer run` or `sealer apply` mends what differs")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn state(host: &HostStatus) -> String {
    let mut parts = Vec::new();
    match host.differs.files {
        0 if !host.in_place => parts.push("the root file system differs".to_owned()),
        0 => {}
        files => parts.push(format!("{files} files differ ({})", size::bytes(host.differs.bytes))),
    }
    if !host.steps.is_empty() {
        parts.push(format!("not done: {}", host.steps.join(", ")));
    }
    if parts.is_empty() { "as asked for".to_owned() } else { parts.join("; ") }
}
