//! A delete: what a run made is taken away again, also after a run that failed half way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sealer_image::{Image, Platform, layer};
use sealer_plugin::{PluginSet, PluginSpec};
use sealer_stdx::task::Task;
use serde::Serialize;

use crate::cluster::ClusterSpec;
use crate::cluster::flags::Defaults;
use crate::cluster::hosts::Endpoint;
use crate::cluster::state::{self, State};
use crate::distribute::{Distributor, Trust};
use crate::error::{Error, HostError, HostFailure, InputError, Result, all};
use crate::execute::{Crew, Left, Member};
use crate::host::Keys;
use crate::kubernetes::{Pods, guard_members, remove_node};
use crate::lease::{Lease, Wanted};
use crate::plan::{self, PluginInput, RemoveInput};
use crate::run::{Course, RunOptions, World, kept, leave, observe, prepare, refresh, targets, undone};

/// What is to be deleted.
#[derive(Debug, Clone)]
pub enum Which {
    /// The whole cluster.
    All,
    /// These of its hosts.
    Hosts(Vec<Endpoint>),
}

/// A delete as it is wanted.
#[derive(Debug, Clone)]
pub struct DeleteRequest {
    /// The cluster; the only one there is where none is named.
    pub cluster: Option<String>,
    /// What of it.
    pub which: Which,
    /// How to log in.
    pub defaults: Defaults,
    /// Whether hosts that cannot be reached are passed over and forgotten.
    pub force: bool,
    /// How many hosts are worked on at once.
    pub parallel: usize,
    /// A list of host keys, outside of which none is taken.
    pub known_hosts: Option<PathBuf>,
}

/// What a delete did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// The cluster.
    pub cluster: String,
    /// The hosts that were cleaned.
    pub hosts: Vec<String>,
    /// The hosts that were passed over.
    pub unreachable: Vec<String>,
    /// What commands made on hosts and somebody has changed since: it is left.
    pub left: Vec<Left>,
}

impl DeleteRequest {
    /// Returns the cluster's name and the hosts that would be cleaned. Reads this machine only.
    ///
    /// # Errors
    /// When there is no such cluster or host, or the first master is to go alone.
    pub fn look(&self, world: &World<'_>) -> Result<(String, Vec<String>)> {
        let name = state::pick(&world.clusters(), self.cluster.as_deref())?;
        let hosts = self.hosts(&self.spec(world, &name)?)?;
        Ok((name, hosts))
    }

    /// The cluster as it was asked for last. All of it is also what a run that broke off was taking out.
    fn spec(&self, world: &World<'_>, name: &str) -> Result<ClusterSpec> {
        let mut texts = state::clusterfiles(&world.clusters().join(name))?;
        if matches!(self.which, Which::Hosts(_)) {
            texts.truncate(1);
        }
        Ok(leave::everybody(&texts, &self.defaults)?.expect("a cluster that is kept has a Clusterfile"))
    }

    fn hosts(&self, spec: &ClusterSpec) -> Result<Vec<String>> {
        let all: Vec<String> = spec.hosts.iter().map(crate::HostSpec::name).collect();
        let Which::Hosts(wanted) = &self.which else { return Ok(all) };
        let mut errors = Vec::new();
        let mut error = |message: String, hint: &str| {
            errors.push(InputError { place: "-m or -n".to_owned(), message, hint: Some(hint.to_owned()) });
        };
        for (address, _) in wanted {
            if !all.contains(&address.to_string()) {
                error(
                    format!("`{address}` is no host of cluster `{}`", spec.name),
                    &format!("its hosts are {}", all.join(", ")),
                );
            }
        }
        let goes = |host: &crate::HostSpec| wanted.iter().any(|(address, _)| *address == host.address);
        if spec.hosts.iter().filter(|host| host.has_role("master")).all(goes) {
            error("no master would be left".to_owned(), "`-a` removes the whole cluster");
        }
        if errors.is_empty() {
            Ok(wanted.iter().map(|(address, _)| address.to_string()).collect())
        } else {
            Err(Error::Input(errors))
        }
    }
}

/// Cleans hosts and forgets them; with the last, the cluster.
///
/// # Errors
/// When hosts cannot be reached, unless that is passed over, or a step fails.
pub fn delete(task: &Task, request: &DeleteRequest, world: &World<'_>) -> Result<Deleted> {
    let (name, doomed) = request.look(world)?;
    let state = State::open(&world.clusters(), &name)?;
    let mut spec = request.spec(world, &name)?;
    let keys = Keys::new(state.known_hosts(), request.known_hosts.clone(), true, request.parallel);
    let (mut members, missing) = reach(task, &spec, &doomed, request, &keys)?;
    // A host that is there and refuses is the person's to mend; forcing passes over the absent only.
    if missing.iter().any(|error| !request.force || !error.failure.is_unreachable()) {
        return Err(Error::Hosts(missing));
    }
    let goes_on = matches!(request.which, Which::Hosts(_));
    let is_kubernetes = goes_on && state.kubeconfig().exists();
    let (plugins, specs, full) = with_image(task, &spec, world)?;
    let targets = targets(&full, &plugins, &specs)?;
    let hosts: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    // The masters that stay are told how the cluster is afterwards.
    let mut stay = spec.hosts.clone();
    stay.retain(|host| host.has_role("master") && !doomed.contains(&host.name()));
    members
        .extend(all(observe::reach(&stay, &spec.data_dir(), &keys, request.parallel)).map_err(Error::Hosts)?);
    if refresh(&state, &members, &spec.data_dir())? {
        return Err(Error::Overtaken { cluster: name });
    }
    let leaving = if is_kubernetes { masters_leaving(&spec, &doomed, &members)? } else { None };
    let targets = targets
        .into_iter()
        .map(|(plugin, on)| (plugin, on.into_iter().filter(|host| hosts.contains(host)).collect()))
        .collect();
    let undone = undone(&plugins, &specs);
    let undo = match request.which {
        Which::All => undo(&state, &undone, &specs)?,
        // What a plugin did for the cluster stays with the cluster.
        Which::Hosts(_) => Vec::new(),
    };
    let said = BTreeMap::new();
    let input = PluginInput { specs: &specs, targets: &targets, said: &said, undone: &undone };
    let plan = plan::remove(&RemoveInput {
        spec: &full,
        hosts: &hosts,
        goes_on: is_kubernetes,
        leaving: leaving.as_ref().map(|(heir, masters)| (&**heir, &**masters)),
        plugins: input,
        undo: &undo,
    });
    let wanted =
        Wanted { spec: &spec, keys: &keys, who: &world.who, members: &members, force: request.force };
    let lease = Some(Lease::take(task, &wanted)?);
    let crew = Crew { lease, ..Crew::plain(world, (&full, &members), &plugins, &state, request.parallel) };
    state.keep_token(crew.lease.as_ref().map_or(0, Lease::token))?;
    // From here on nothing that was done holds, also where the delete breaks off.
    crew.clear(&hosts)?;
    let journal = state.journal()?;
    let first = spec.first_master().name();
    if let Some(heir) = spec.hosts.iter().map(crate::HostSpec::name).find(|host| !doomed.contains(host))
        && doomed.contains(&first)
    {
        // What the image did for the cluster is done, whoever is its first master.
        journal.inherit("guest/cmd-", &first, &heir)?;
    }
    let known = doomed.iter().filter(|host| journal.knows(host));
    known.into_iter().try_for_each(|host| journal.forget(host))?;
    crew.execute(task, &plan)?;
    let left = std::mem::take(&mut *crew.left.lock().expect("no holder panics"));
    for lost in missing.iter().filter(|_| is_kubernetes) {
        if let Err(reason) = remove_node(&state.kubeconfig(), &lost.host, Pods::Leave) {
            task.warn(format!("{}: Kubernetes still knows the node: {reason}", lost.host));
        }
    }
    if goes_on {
        spec.hosts.retain(|host| !doomed.contains(&host.name()));
        state.keep_spec(&spec)?;
        Crew { spec: &spec, ..crew }.share(task)?;
        drop(state);
        if leaving.is_some() || first != spec.first_master().name() {
            settle(task, request, world, &name)?;
        }
    } else {
        state.remove()?;
    }
    let unreachable = missing.into_iter().map(|error| error.host).collect();
    Ok(Deleted { cluster: name, hosts, unreachable, left })
}

/// Finds the masters that leave a Kubernetes, and the one that stays and has etcd forget them. None, where
/// no master leaves.
///
/// # Errors
/// When etcd would lose its majority.
fn masters_leaving(
    spec: &ClusterSpec,
    doomed: &[String],
    members: &[Member],
) -> Result<Option<(String, Vec<String>)>> {
    let masters = spec.hosts.iter().filter(|host| host.has_role("master")).map(crate::HostSpec::name);
    let (leaving, staying): (Vec<String>, Vec<String>) = masters.partition(|host| doomed.contains(host));
    let heir = members.iter().find(|member| staying.first() == Some(&member.name));
    match heir.filter(|_| !leaving.is_empty()) {
        None => Ok(None),
        Some(heir) => {
            let refused = |failure: HostFailure| Error::Hosts(vec![failure.on(&heir.name)]);
            guard_members(&*heir.host, &leaving).map_err(refused)?;
            Ok(Some((heir.name.clone(), leaving)))
        }
    }
}

/// Tells the hosts that stay where their masters are now.
///
/// # Errors
/// As those of a run.
fn settle(task: &Task, request: &DeleteRequest, world: &World<'_>, cluster: &str) -> Result<()> {
    let spec = kept(world, Some(cluster), &request.defaults)?;
    let options = RunOptions {
        parallel: request.parallel,
        dry_run: false,
        known_hosts: request.known_hosts.clone(),
        distributor: Distributor::Auto,
        bandwidth: 0,
        max_failures: 0,
        trust: Trust::default(),
        course: Course::GoOn,
    };
    prepare(task, spec, world, options)?.execute(task).map(|_| ())
}

/// The plugins' steps that were done and can be taken back.
fn undo(state: &State, undone: &BTreeSet<String>, specs: &[PluginSpec]) -> Result<Vec<String>> {
    let can = |step: &String| {
        let of_step =
            |spec: &&PluginSpec| spec.phases.iter().any(|phase| *step == format!("{phase}/{}", spec.name));
        specs.iter().find(of_step).is_some_and(|spec| undone.contains(&spec.kind))
    };
    let mut ran = state.ran()?;
    ran.retain(can);
    Ok(ran)
}

/// Logs in to the hosts that are to be cleaned; those that cannot be reached come apart.
fn reach(
    task: &Task,
    spec: &ClusterSpec,
    doomed: &[String],
    request: &DeleteRequest,
    keys: &Keys,
) -> Result<(Vec<Member>, Vec<HostError>)> {
    let task = task.child("connect", format!("{} hosts", doomed.len()), None)?;
    let mut hosts = spec.hosts.clone();
    hosts.retain(|host| doomed.contains(&host.name()));
    let reached = observe::reach(&hosts, &spec.data_dir(), keys, request.parallel);
    task.finish();
    let (mut members, mut missing) = (Vec::new(), Vec::new());
    for result in reached {
        match result {
            Ok(member) => members.push(member),
            Err(error) => missing.push(error),
        }
    }
    Ok((members, missing))
}

/// What the image brings, where it is in the store still: its plugins beside the Clusterfile's, and
/// its environment.
fn with_image(
    task: &Task,
    spec: &ClusterSpec,
    world: &World<'_>,
) -> Result<(PluginSet, Vec<PluginSpec>, ClusterSpec)> {
    let opened = world
        .store
        .resolve(&spec.image)
        .and_then(|found| Image::open(world.store, &found, &Platform::host()));
    let (plugins, mut specs) = match &opened {
        Ok(image) => {
            let unpacked = layer::unpacked(task, world.store, image, &world.roots())?;
            PluginSet::read(&unpacked.dir, &world.loader)?
        }
        Err(_) => {
            task.warn(format!(
                "`{}` is not in the local store: its plugins do not run",
                spec.image.familiar()
            ));
            (PluginSet::built_in(), Vec::new())
        }
    };
    specs.extend(spec.plugins.iter().cloned());
    specs.retain(|plugin| plugins.find(&plugin.kind).is_some());
    Ok((plugins, specs, spec.in_full(opened.as_ref().ok())))
}
