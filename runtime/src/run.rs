//! A run: everything read, then planned, then done.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use sealer_image::layer;
use sealer_image::tree::NodeKind;
use sealer_image::{Descriptor, Image, Platform, Reference, Store};
use sealer_plugin::set::Loader;
use sealer_plugin::{PluginSet, PluginSpec};
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;
use serde::Serialize;

use crate::check;
use crate::cluster::ClusterSpec;
use crate::cluster::state::State;
use crate::distribute::{self, HostTree, Lack};
use crate::error::{Error, HostError, HostFailure, InputError, Result, all};
use crate::execute::{Crew, Distribution, Member, cluster};
use crate::facts;
use crate::host::{Keys, connect};
use crate::plan::{self, PluginInput, RunInput, RunPlan};

/// What a run stands on.
pub struct World<'a> {
    /// The folder of images' roots and clusters.
    pub root: PathBuf,
    /// The local images.
    pub store: &'a Store,
    /// Brings an image into the store that is not there.
    pub pull: &'a dyn Fn(&Task, &Reference) -> sealer_image::Result<Descriptor>,
    /// How plugins are loaded.
    pub loader: Loader,
    /// The version of sealer, which plugins are told.
    pub version: &'a str,
}

impl World<'_> {
    pub(crate) fn clusters(&self) -> PathBuf {
        self.root.join("clusters")
    }

    pub(crate) fn roots(&self) -> PathBuf {
        self.root.join("rootfs")
    }
}

/// How a run is done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many hosts are worked on at once.
    pub parallel: usize,
    /// Whether only the plan is wanted: then nothing is written, here or there, but the image.
    pub dry_run: bool,
    /// A list of host keys, outside of which none is taken.
    pub known_hosts: Option<PathBuf>,
}

/// A run that is planned, with a session to each host.
pub struct Prepared<'a> {
    world: &'a World<'a>,
    /// As the person said it: what is kept.
    said: ClusterSpec,
    spec: ClusterSpec,
    options: RunOptions,
    state: State,
    plugins: PluginSet,
    members: Vec<Member>,
    distribution: Distribution,
    plan: RunPlan,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// The image.
    pub image: String,
    /// Its hosts.
    pub hosts: Vec<HostReport>,
}

/// What a run did on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// Its address.
    pub address: String,
    /// The bytes of the image's root that went over the wire, compressed.
    pub sent_bytes: u64,
}

/// Reads the image and every host, and plans the run. Writes nothing to a host.
///
/// # Errors
/// Everything that forbids the run: all hosts' failures together.
pub fn prepare<'a>(
    task: &Task,
    said: ClusterSpec,
    world: &'a World<'a>,
    options: RunOptions,
) -> Result<Prepared<'a>> {
    let image = open_image(task, world, &said.image)?;
    let spec = said.in_full(Some(&image));
    let unpacked = layer::unpacked(task, world.store, &image, &world.roots())?;
    let (plugins, mut specs) = PluginSet::read(&unpacked.dir, &world.loader)?;
    specs.extend(spec.plugins.iter().cloned());
    let targets = targets(&spec, &plugins, &specs)?;
    check::validate(&spec, &plugins, &specs, &targets, (options.parallel, world.version))?;
    let trees = distribute::trees(&spec, &unpacked)?;
    let state = State::open(&world.clusters(), &spec.name)?;
    let observed = observe(task, &spec, &options, &state, (&image, &trees));
    let (members, lacks) = match observed {
        Err(error) if state.is_new() => {
            state.remove()?;
            return Err(error);
        }
        observed => observed?,
    };
    let by_host = |index: usize| members[index].name.clone();
    let trees: BTreeMap<String, HostTree> =
        trees.into_iter().enumerate().map(|(at, tree)| (by_host(at), tree)).collect();
    let lacks: BTreeMap<String, Lack> =
        lacks.into_iter().enumerate().map(|(at, lack)| (by_host(at), lack)).collect();
    let sends = lacks.iter().map(|(host, lack)| (host.clone(), lack.amount(&trees[host].tree))).collect();
    let has_file = |path: &str| {
        let node = unpacked.tree.get(std::path::Path::new(path));
        matches!(node.map(|node| &node.kind), Some(NodeKind::File { .. }))
    };
    let told = check::plans(task, (&spec, &members), &plugins, &specs, (&targets, &state))?;
    let plan = plan::run(&RunInput {
        spec: &spec,
        digest: image.descriptor.digest().to_string(),
        has_file: &has_file,
        cmds: &image.sealer.cmds,
        args: image.sealer.args.clone(),
        plugins: PluginInput { specs: &specs, targets: &targets, said: &told },
        sends,
    });
    let distribution = Distribution { unpacked: unpacked.clone(), trees, lacks, scratch: world.roots() };
    Ok(Prepared { world, said, spec, options, state, plugins, members, distribution, plan })
}

impl Prepared<'_> {
    /// Returns what would be done.
    #[must_use]
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// Gives the run up. A cluster that there never was leaves no trace on this machine.
    ///
    /// # Errors
    /// When the cluster's folder cannot be removed.
    pub fn abandon(self) -> Result<()> {
        if self.state.is_new() { self.state.remove() } else { Ok(()) }
    }

    /// Does what is planned.
    ///
    /// # Errors
    /// The first step that fails, with all its hosts' failures. The same run again goes on from there.
    pub fn execute(self, task: &Task) -> Result<Report> {
        self.state.keep(&self.said, &self.plan)?;
        let crew = Crew {
            spec: &self.spec,
            members: &self.members,
            plugins: &self.plugins,
            distribution: Some(&self.distribution),
            state: &self.state,
            kubeconfig: self.state.kubeconfig(),
            parallel: self.options.parallel,
            version: self.world.version,
            sent: Mutex::default(),
        };
        crew.execute(task, &self.plan)?;
        let sent = crew.sent.into_inner().expect("no holder panics");
        let hosts = self.members.iter().map(|member| HostReport {
            address: member.name.clone(),
            sent_bytes: sent.get(&member.name).copied().unwrap_or_default(),
        });
        Ok(Report {
            cluster: self.spec.name.clone(),
            image: self.spec.image.familiar(),
            hosts: hosts.collect(),
        })
    }
}

pub(crate) fn open_image(task: &Task, world: &World<'_>, reference: &Reference) -> Result<Image> {
    let descriptor = match world.store.resolve(reference) {
        Err(sealer_image::Error::NotFound { .. }) => (world.pull)(task, reference)?,
        found => found?,
    };
    Ok(Image::open(world.store, &descriptor, &Platform::host())?)
}

/// Returns the hosts of each plugin; a plugin that there is not, or that has no host, is refused.
pub(crate) fn targets(
    spec: &ClusterSpec,
    plugins: &PluginSet,
    specs: &[PluginSpec],
) -> Result<BTreeMap<String, Vec<String>>> {
    let view = cluster(spec, &[]);
    let (mut targets, mut errors) = (BTreeMap::new(), Vec::new());
    for plugin in specs {
        let place = format!("{}:{}", plugin.file, plugin.line);
        if plugins.find(&plugin.kind).is_none() {
            errors.push(InputError {
                place: place.clone(),
                message: format!("no plugin has the type `{}`", plugin.kind),
                hint: Some(format!("this image and sealer have {}", plugins.kinds().join(", "))),
            });
        }
        let hosts = match &plugin.on {
            None => Ok(view.hosts.iter().map(|host| host.address.clone()).collect()),
            Some(selector) => selector.select(&view),
        };
        match hosts {
            Ok(hosts) => {
                targets.insert(plan::target_key(plugin), hosts);
            }
            Err(message) => errors.push(InputError { place, message, hint: None }),
        }
    }
    if errors.is_empty() { Ok(targets) } else { Err(Error::Input(errors)) }
}

/// Logs in to every host, reads its facts and what it has, and refuses what these forbid.
fn observe(
    task: &Task,
    spec: &ClusterSpec,
    options: &RunOptions,
    state: &State,
    (image, trees): (&Image, &[HostTree]),
) -> Result<(Vec<Member>, Vec<Lack>)> {
    let task = task.child("connect", format!("{} hosts", spec.hosts.len()), None)?;
    let keys = Keys::new(state.known_hosts(), options.known_hosts.clone(), !options.dry_run);
    let members = log_in(spec, &keys, options.parallel)?;
    check(&members, image)?;
    let pairs: Vec<(&Member, &HostTree)> = members.iter().zip(trees).collect();
    let lacks = fanout(options.parallel, pairs, |(member, tree): (&Member, &HostTree)| {
        survey(spec, member, tree).map_err(|failure| failure.on(&member.name))
    });
    let lacks = all(lacks).map_err(Error::Hosts)?;
    task.finish();
    Ok((members, lacks))
}

/// Logs in to hosts and reads their facts.
pub(crate) fn log_in(spec: &ClusterSpec, keys: &Keys, parallel: usize) -> Result<Vec<Member>> {
    let dir = spec.data_dir();
    let members = fanout(parallel, spec.hosts.iter().collect(), |host: &crate::HostSpec| {
        let name = host.name();
        let connected = connect(host, keys)?;
        let facts = facts::gather(&*connected, &dir).map_err(|failure| failure.on(&name))?;
        Ok(Member { name, host: connected, facts })
    });
    all(members).map_err(Error::Hosts)
}

/// What the facts forbid, on all hosts together.
fn check(members: &[Member], image: &Image) -> Result<()> {
    let mut errors: Vec<HostError> = Vec::new();
    let platform = image.platform();
    for (index, member) in members.iter().enumerate() {
        if member.facts.architecture != platform.architecture {
            let message = format!("the host is {}, the image is for {platform}", member.facts.architecture);
            errors.push(HostFailure::Unfit(message).on(&member.name));
        }
        let same = |other: &&Member| {
            other.facts.hostname == member.facts.hostname && other.facts.machine_id == member.facts.machine_id
        };
        if let Some(other) = members[..index].iter().find(same) {
            let message = format!(
                "the host is the same machine as {}: both are `{}`",
                other.name, member.facts.hostname
            );
            errors.push(HostFailure::Unfit(message).on(&member.name));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Hosts(errors)) }
}

fn survey(spec: &ClusterSpec, member: &Member, tree: &HostTree) -> std::result::Result<Lack, HostFailure> {
    let dir = spec.data_dir();
    let lack = distribute::survey(&*member.host, &dir, &tree.tree, &member.facts)?;
    let needed = lack.amount(&tree.tree).bytes;
    if needed > member.facts.free {
        return Err(HostFailure::NoSpace { path: dir, needed, available: member.facts.free });
    }
    Ok(lack)
}
