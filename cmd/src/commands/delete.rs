//! `sealer delete`: removes a cluster, or some of its hosts.

use std::process::ExitCode;

use sealer_runtime::cluster::{clusterfile, hosts};
use sealer_runtime::{DeleteRequest, Which, delete};

use super::apply::read;
use super::cluster::{confirm, login, world};
use crate::cli::{DeleteArgs, RegistryArgs};
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

/// How many hosts are cleaned at once.
const PARALLEL: usize = 50;

pub(super) fn run(args: &DeleteArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let deleted = world(settings, &store, &RegistryArgs::default(), |world| {
        let request = request(args, settings)?;
        let (name, doomed) = request.look(world)?;
        if !args.force {
            let (count, doomed) = (doomed.len(), doomed.join(", "));
            confirm(&format!("delete {count} hosts of cluster `{name}` ({doomed})"), "nothing was deleted")?;
        }
        Ok(delete(settings.task(), &request, world)?)
    })?;
    let mut text = match deleted.hosts.as_slice() {
        [] => format!("forgot {}, no host of it was cleaned", deleted.cluster),
        hosts => format!("deleted {} of {}", hosts.join(", "), deleted.cluster),
    };
    if !deleted.unreachable.is_empty() {
        text.push_str(&format!("; not reached, and left as they are: {}", deleted.unreachable.join(", ")));
    }
    if !deleted.left.is_empty() {
        text.push_str(&format!(
            "; {} files are left that were changed since they were made",
            deleted.left.len()
        ));
    }
    render::result(settings, &text, &deleted)
}

fn request(args: &DeleteArgs, settings: &Settings) -> Result<DeleteRequest, Failure> {
    let parse = |flag, text: &Option<String>| text.as_ref().map(|text| hosts::parse(flag, text)).transpose();
    let (masters, nodes) = (parse("-m", &args.masters)?, parse("-n", &args.nodes)?);
    let which = match (masters, nodes) {
        (None, None) => Which::All,
        (masters, nodes) => Which::Hosts(masters.into_iter().chain(nodes).flatten().collect()),
    };
    let defaults = login(&args.ssh, settings)?;
    let cluster = match &args.file {
        Some(file) => {
            let text = read(file)?;
            Some(clusterfile::parse(&file.display().to_string(), &text, &defaults)?.name)
        }
        None => args.cluster.clone(),
    };
    let known_hosts = args.ssh.known_hosts.clone();
    Ok(DeleteRequest { cluster, which, defaults, force: args.force, parallel: PARALLEL, known_hosts })
}
