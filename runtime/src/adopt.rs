//! Picking a cluster up again on a machine that knows nothing of it: its masters know.

use std::fs;
use std::path::PathBuf;

use sealer_stdx::fs::At;
use sealer_stdx::task::Task;
use serde::Serialize;

use crate::cluster::clusterfile;
use crate::cluster::flags::{Defaults, is_cluster_name};
use crate::cluster::hosts::Endpoint;
use crate::cluster::shared::{self, Header, Shared};
use crate::cluster::state::State;
use crate::cluster::{ClusterSpec, Env, HostSpec};
use crate::error::{Error, HostFailure, Result, all};
use crate::execute::{Member, fetch_kubeconfig};
use crate::host::{Keys, must};
use crate::run::{World, observe, refresh};

/// The folder of clusters on a host.
const DATA: &str = "/var/lib/sealer/data";

/// A cluster that is to be picked up.
#[derive(Debug, Clone)]
pub struct AdoptRequest {
    /// Masters of it that can be reached: one is enough.
    pub masters: Vec<Endpoint>,
    /// Its name; the only one that they are masters of where none is given.
    pub cluster: Option<String>,
    /// How to log in.
    pub defaults: Defaults,
    /// How many hosts are asked at once.
    pub parallel: usize,
    /// A list of host keys, outside of which none is taken.
    pub known_hosts: Option<PathBuf>,
}

/// What was picked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// The cluster.
    pub cluster: String,
    /// Its image.
    pub image: String,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Who changed it last.
    pub changed_by: String,
    /// When, in RFC 3339.
    pub changed_at: String,
    /// Whether a run has not come to its end.
    pub unfinished: bool,
}

/// Takes a cluster's state over from the master that has the latest. Changes nothing on hosts; what this
/// machine knows of the cluster goes, unless it is as late.
///
/// # Errors
/// When a master that is named does not answer, or none keeps a state of the cluster.
pub fn adopt(task: &Task, request: &AdoptRequest, world: &World<'_>) -> Result<Adopted> {
    fs::create_dir_all(&world.root).at(&world.root)?;
    let scratch = tempfile::tempdir_in(&world.root).at(&world.root)?;
    // The keys go to the cluster's own list when its name is known.
    let pinned = scratch.path().join("known_hosts");
    let keys = Keys::new(pinned.clone(), request.known_hosts.clone(), true, request.parallel);
    let hosts: Vec<HostSpec> = request.masters.iter().map(|master| host(master, &request.defaults)).collect();
    let asked = task.child("connect", format!("{} hosts", hosts.len()), None)?;
    let members = all(observe::reach(&hosts, DATA, &keys, request.parallel)).map_err(Error::Hosts)?;
    asked.finish();
    let (name, shared) = find(&members, request.cluster.as_deref())?;
    let state = State::open(&world.clusters(), &name)?;
    if shared.header.token > state.token() {
        state.take(&shared)?;
    }
    if pinned.exists() {
        state.add_keys(&fs::read_to_string(&pinned).at(&pinned)?)?;
    }
    let keys = Keys::new(state.known_hosts(), request.known_hosts.clone(), true, request.parallel);
    let masters = reach_masters(task, &kept(&state, &request.defaults)?, &keys, request.parallel)?;
    refresh(&state, &masters, &format!("{DATA}/{name}"))?;
    if let Some(master) = masters.first() {
        let fetched = fetch_kubeconfig(master, &state.kubeconfig());
        fetched.map_err(|failure| Error::Hosts(vec![failure.on(&master.name)]))?;
    }
    let spec = kept(&state, &request.defaults)?;
    let headers = masters.iter().filter_map(|master| Header::parse(&master.facts.state));
    let header = headers.max_by_key(|header| header.token).unwrap_or(shared.header);
    Ok(Adopted {
        cluster: name,
        image: spec.image.familiar(),
        hosts: spec.hosts.iter().map(HostSpec::name).collect(),
        changed_by: header.who,
        changed_at: header.at,
        unfinished: state.journal()?.open().is_some(),
    })
}

/// Returns the latest state that hosts keep of a cluster, and the cluster's name.
fn find(members: &[Member], cluster: Option<&str>) -> Result<(String, Shared)> {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for member in members {
        match states(member) {
            Ok(states) => found.extend(states),
            Err(failure) => errors.push(failure.on(&member.name)),
        }
    }
    if !errors.is_empty() {
        return Err(Error::Hosts(errors));
    }
    let mut known: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
    known.sort();
    known.dedup();
    let asked: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let none = |reason: String| Err(Error::NotAdopted { reason, known: known.clone() });
    let name = match (cluster, known.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => return none(format!("{} is master of no cluster", asked.join(", "))),
        (None, _) => return none(format!("{} is master of several clusters", asked.join(", "))),
    };
    let of_name = found.into_iter().filter(|(of, _)| *of == name).map(|(_, shared)| shared);
    match of_name.max_by_key(|shared| (shared.header.token, shared.header.journal)) {
        Some(latest) => Ok((name, latest)),
        None => none(format!("{} keeps no state of a cluster `{name}`", asked.join(", "))),
    }
}

/// The states that a host keeps, by cluster.
fn states(member: &Member) -> std::result::Result<Vec<(String, Shared)>, HostFailure> {
    let names = must(&*member.host, shared::NAMES)?;
    let names = String::from_utf8_lossy(&names).into_owned();
    let read = |name: &str| {
        let text = must(&*member.host, &shared::get(&format!("{DATA}/{name}")))?;
        let shared = Shared::parse(&String::from_utf8_lossy(&text)).map_err(|reason| {
            HostFailure::Unfit(format!("the state of cluster `{name}` cannot be read: {reason}"))
        })?;
        match is_cluster_name(name) && shared.header.cluster == name {
            true => Ok((name.to_owned(), shared)),
            false => Err(HostFailure::Unfit(format!("`{name}` keeps the state of another cluster"))),
        }
    };
    names.lines().map(read).collect()
}

/// Logs in to all masters that answer.
fn reach_masters(task: &Task, spec: &ClusterSpec, keys: &Keys, parallel: usize) -> Result<Vec<Member>> {
    let mut masters = spec.hosts.clone();
    masters.retain(|host| host.has_role("master"));
    let task = task.child("connect", format!("{} masters", masters.len()), None)?;
    let mut members = Vec::new();
    for result in observe::reach(&masters, &spec.data_dir(), keys, parallel) {
        match result {
            Ok(member) => members.push(member),
            Err(error) => task.warn(error.to_string()),
        }
    }
    task.finish();
    Ok(members)
}

/// The cluster as it is kept here. Keys that are on another machine only give way to this one's.
fn kept(state: &State, defaults: &Defaults) -> Result<ClusterSpec> {
    let texts = state.clusterfiles()?;
    let text = texts.first().map(String::as_str).unwrap_or_default();
    let mut spec = clusterfile::parse("Clusterfile", text, defaults).map_err(Error::Input)?;
    let missing = |host: &HostSpec| host.ssh.keys.iter().any(|key| !key.exists());
    if spec.hosts.iter().any(missing) {
        for host in spec.hosts.iter_mut().filter(|host| missing(host)) {
            host.ssh.keys = defaults.of_host(host.address).keys;
        }
        state.keep_spec(&spec)?;
    }
    Ok(spec)
}

/// A host of which nothing is known but how it is reached.
fn host((address, port): &Endpoint, defaults: &Defaults) -> HostSpec {
    let mut ssh = defaults.of_host(*address);
    ssh.port = port.unwrap_or(ssh.port);
    defaults.unlock(&mut ssh);
    HostSpec { address: *address, roles: vec!["master".to_owned()], env: Env::new(), ssh }
}
