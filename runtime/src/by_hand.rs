//! Plugins outside a run: listed, and run by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use sealer_image::{Image, Platform, Reference, layer};
use sealer_plugin::{Phase, PluginSet, PluginSpec};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::check;
use crate::cluster::ClusterSpec;
use crate::cluster::clusterfile;
use crate::cluster::flags::Defaults;
use crate::cluster::state::{self, State};
use crate::error::{Error, Result};
use crate::execute::Crew;
use crate::host::Keys;
use crate::lease::{Lease, Wanted};
use crate::plan::{self, Action, PhasePlan, PluginInput, RunPlan, Step};
use crate::run::{World, log_in, open_image, targets};

/// Plugins, and the YAML documents that say when they run.
pub struct Listed {
    /// The plugins; the built-in ones are among them.
    pub plugins: PluginSet,
    /// The documents.
    pub documents: Vec<PluginSpec>,
}

impl Listed {
    /// Returns what sealer itself has.
    #[must_use]
    pub fn built_in() -> Self {
        Self { plugins: PluginSet::built_in(), documents: Vec::new() }
    }
}

/// Returns what an image has. One that is not in the store is pulled.
///
/// # Errors
/// When the image cannot be had, or its plugins are wrong.
pub fn plugins_of_image(task: &Task, world: &World<'_>, reference: &Reference) -> Result<Listed> {
    let image = open_image(task, world, reference)?;
    of_image(task, world, &image)
}

/// Returns what a cluster's image and Clusterfile have; nothing where there is no such cluster.
///
/// # Errors
/// As [`plugins_of_image`], or when the Clusterfile that was kept cannot be read.
pub fn plugins_of_cluster(task: &Task, world: &World<'_>, name: &str) -> Result<Option<Listed>> {
    if !state::names(&world.clusters()).iter().any(|known| known == name) {
        return Ok(None);
    }
    let spec = kept(world, name, &Defaults::default())?;
    let mut listed = plugins_of_image(task, world, &spec.image)?;
    listed.documents.extend(spec.plugins);
    Ok(Some(listed))
}

fn of_image(task: &Task, world: &World<'_>, image: &Image) -> Result<Listed> {
    let unpacked = layer::unpacked(task, world.store, image, &world.roots())?;
    let (plugins, documents) = PluginSet::read(&unpacked.dir, &world.loader)?;
    Ok(Listed { plugins, documents })
}

fn kept(world: &World<'_>, name: &str, defaults: &Defaults) -> Result<ClusterSpec> {
    let known = state::names(&world.clusters());
    if !known.iter().any(|known| known == name) {
        return Err(Error::NoCluster { reason: format!("there is no cluster `{name}`"), known });
    }
    let text = state::read(&world.clusters(), name)?;
    clusterfile::parse("Clusterfile", &text, defaults).map_err(Error::Input)
}

/// The hosts that a plugin is run on by hand.
pub enum Where {
    /// A cluster that sealer made; how to log in is with it.
    Cluster(String, Box<Defaults>),
    /// Hosts that no cluster needs to be on.
    Hosts(Box<ClusterSpec>),
}

/// A plugin that is to be run by hand.
pub struct ByHand {
    /// Its hosts.
    pub hosts: Where,
    /// A shared object or executable that is used besides those that are there.
    pub file: Option<PathBuf>,
    /// What is run: one step for each document and phase.
    pub documents: Vec<PluginSpec>,
    /// The phase that all of them are told; each its own where it is left out.
    pub phase: Option<Phase>,
    /// How many hosts are worked on at once.
    pub parallel: usize,
    /// A list of host keys, outside of which none is taken.
    pub known_hosts: Option<PathBuf>,
}

/// Runs plugins by hand, and returns the steps that were done.
///
/// # Errors
/// As a run.
pub fn run_by_hand(task: &Task, request: ByHand, world: &World<'_>) -> Result<Vec<String>> {
    fs::create_dir_all(&world.root).at(&world.root)?;
    let scratch = tempfile::tempdir_in(&world.root).at(&world.root)?;
    let (spec, state, mut plugins) = match &request.hosts {
        Where::Cluster(name, defaults) => {
            let spec = kept(world, name, defaults)?;
            let image = Image::open(world.store, &world.store.resolve(&spec.image)?, &Platform::host())?;
            let listed = of_image(task, world, &image)?;
            (spec.in_full(Some(&image)), State::open(&world.clusters(), name)?, listed.plugins)
        }
        Where::Hosts(spec) => {
            (spec.in_full(None), State::open(scratch.path(), &spec.name)?, PluginSet::built_in())
        }
    };
    if let Some(file) = &request.file {
        plugins.add_file(file, &world.loader)?;
    }
    let documents: Vec<PluginSpec> = request
        .documents
        .into_iter()
        .map(|document| PluginSpec {
            phases: request.phase.map_or(document.phases, |phase| vec![phase]),
            ..document
        })
        .collect();
    let targets = targets(&spec, &plugins, &documents)?;
    check::validate(&spec, &plugins, &documents, &targets, (request.parallel, world.version))?;
    let keys = Keys::new(state.known_hosts(), request.known_hosts, true, request.parallel);
    let members = log_in(&spec, &keys, request.parallel)?;
    let wanted = Wanted { spec: &spec, keys: &keys, who: &world.who, members: &members, force: false };
    let of_cluster = matches!(request.hosts, Where::Cluster(..));
    let lease = of_cluster.then(|| Lease::take(task, &wanted)).transpose()?;
    let plan = plan(&spec, &documents, &targets);
    let crew = Crew { lease, ..Crew::plain(world, (&spec, &members), &plugins, &state, request.parallel) };
    crew.execute(task, &plan)?;
    let steps = plan.phases.iter().flat_map(|phase| &phase.steps);
    Ok(steps
        .filter(|step| matches!(step.action, Action::Plugin { .. }))
        .map(|step| step.id.clone())
        .collect())
}

/// The cluster's kubeconfig, if there is one, and the plugins of each phase.
fn plan(spec: &ClusterSpec, documents: &[PluginSpec], targets: &BTreeMap<String, Vec<String>>) -> RunPlan {
    let said = BTreeMap::new();
    let undone = BTreeSet::new();
    let input = PluginInput { specs: documents, targets, said: &said, undone: &undone };
    let first = vec![spec.first_master().name()];
    let kubeconfig = Step::new("init/kubeconfig", first, Action::Kubeconfig);
    let mut phases = vec![PhasePlan { phase: Phase::Init, steps: vec![kubeconfig] }];
    for phase in Phase::WITH_PLUGINS {
        plan::add(&mut phases, phase, plan::plugin_steps(phase, input));
    }
    RunPlan { cluster: spec.name.clone(), image: spec.image.familiar(), digest: String::new(), phases }
}
