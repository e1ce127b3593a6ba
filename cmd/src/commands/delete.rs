//! `sealer delete`: removes a cluster, or some of its hosts.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::process::ExitCode;

use sealer_runtime::cluster::{clusterfile, hosts};
use sealer_runtime::{DeleteRequest, Which, delete};

use super::apply::read;
use super::cluster::{login, world};
use crate::cli::{DeleteArgs, RegistryArgs};
use crate::failure::{Failure, Kind};
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
            confirm(&name, &doomed)?;
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

fn confirm(name: &str, hosts: &[String]) -> Result<(), Failure> {
    let question = format!("delete {} hosts of cluster `{name}` ({})", hosts.len(), hosts.join(", "));
    if !stdin().is_terminal() {
        let message = format!("will not {question} unasked");
        return Err(Failure::new(Kind::Usage, message).hint("`--force` deletes without asking"));
    }
    let cannot = |error| Failure::new(Kind::Failed, "cannot ask").because(error);
    write!(stderr(), "{question}? [y/N] ").map_err(cannot)?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(cannot)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Kind::Failed, "nothing was deleted")),
    }
}
