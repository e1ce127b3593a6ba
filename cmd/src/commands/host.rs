//! `sealer host forget`: forgets a host's key.

use std::process::ExitCode;

use sealer_runtime::forget_host_key;
use serde::Serialize;

use super::cluster::world;
use crate::cli::{HostCommand, RegistryArgs};
use crate::failure::{Failure, Kind};
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct Forgotten<'a> {
    cluster: String,
    host: &'a str,
    keys: usize,
}

pub(super) fn run(command: &HostCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    let HostCommand::Forget { host, cluster } = command;
    let store = settings.store()?;
    let (cluster, keys) = world(settings, &store, &RegistryArgs::default(), |world| {
        Ok(forget_host_key(world, cluster.name.as_deref(), host)?)
    })?;
    if keys == 0 {
        let message = format!("cluster `{cluster}` has no key of `{host}`");
        return Err(Failure::new(Kind::Usage, message).hint("hosts are named by their address"));
    }
    let text = format!("forgot the key of {host} in cluster {cluster}");
    render::result(settings, &text, &Forgotten { cluster, host, keys })
}
