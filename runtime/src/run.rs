//! A run: everything read, then planned, then done.

mod image;
pub(crate) mod leave;
pub(crate) mod observe;
mod report;
mod resume;
mod status;
mod upgraded;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::layer;
use sealer_image::tree::NodeKind;
use sealer_image::{Descriptor, Reference, Store};
use sealer_plugin::PluginSet;
use sealer_plugin::set::Loader;
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::check;
use crate::cluster::ClusterSpec;
use crate::cluster::flags::Defaults;
use crate::cluster::state::State;
use crate::distribute::{self, Distributor, HostTree, Lack, Trust};
use crate::error::Result;
use crate::execute::journal::{Begun, Journal};
use crate::execute::{Aside, Crew, Digests, Distribution, Member, Record};
use crate::host::Keys;
use crate::kubernetes::{self, Kubernetes};
use crate::lease::{Lease, Wanted};
use crate::plan::{self, Action, Amount, Done, Manner, PlanFile, PluginInput, RunInput, RunPlan};

pub(crate) use image::{open_image, targets, undone};
use leave::Leaving;
use observe::observe;
pub(crate) use observe::{log_in, refresh};
pub use report::{HostReport, Report};
pub use resume::{forget_host_key, joined, kept};
pub use status::HostStatus;

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
    /// Who works here, as others who want the same cluster are told.
    pub who: String,
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
    /// How hosts get the image's root.
    pub distributor: Distributor,
    /// The most bytes a second that this machine, and each host, sends; 0 is no limit.
    pub bandwidth: u64,
    /// How many nodes may fail before the run is given up.
    pub max_failures: usize,
    /// What becomes of what was done before.
    pub course: Course,
    /// How much of the hosts' own records is believed.
    pub trust: Trust,
}

/// What a run makes of what was done before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Course {
    /// What is done stays done; an unfinished run of something else is in the way.
    #[default]
    GoOn,
    /// Likewise, but an unfinished run is given up.
    Abandon,
    /// Every step is done again. An unfinished run is gone on with.
    Again,
    /// Only an unfinished run is gone on with.
    Resume,
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
    keys: Keys,
    members: Vec<Member>,
    /// The hosts that are in the cluster and are to be no longer.
    leaving: Option<Leaving>,
    distribution: Distribution,
    journal: Journal,
    begun: Begun,
    /// All that the run is to do, and what of it is left.
    whole: RunPlan,
    plan: RunPlan,
    done: Done,
    /// Whether an unfinished run is gone on with.
    resumed: bool,
    /// Whether the plan is an upgrade's, by which the whole comes to be done.
    is_upgrade: bool,
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
    prepare_as(task, said, world, options, None)
}

/// The same, for a run, or for an upgrade to a version.
pub(crate) fn prepare_as<'a>(
    task: &Task,
    said: ClusterSpec,
    world: &'a World<'a>,
    options: RunOptions,
    upgrade: Option<(&str, Manner)>,
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
    let (pin, parallel) = (!options.dry_run, options.parallel);
    let keys = Keys::new(state.known_hosts(), options.known_hosts.clone(), pin, parallel);
    let observed = observe(task, &spec, &options, &keys, (&image, &trees));
    let (mut members, lacks) = match observed {
        Err(error) if state.is_new() => {
            state.remove()?;
            return Err(error);
        }
        observed => observed?,
    };
    refresh(&state, &members, &spec.data_dir())?;
    let journal = state.journal()?;
    let unfinished = resume::unfinished(&said, &image, &options, (&state, &journal))?;
    let (leaving, mut gone) = Leaving::find(task, &said, &state, &keys, options.parallel)?.unzip();
    let by_host = |index: usize| members[index].name.clone();
    let trees: BTreeMap<String, HostTree> =
        trees.into_iter().enumerate().map(|(at, tree)| (by_host(at), tree)).collect();
    let lacks: BTreeMap<String, Lack> =
        lacks.into_iter().enumerate().map(|(at, lack)| (by_host(at), lack)).collect();
    let sends: BTreeMap<String, Amount> =
        lacks.iter().map(|(host, lack)| (host.clone(), lack.amount(&trees[host].tree))).collect();
    let lacking = members.iter().map(|member| {
        let (name, lack) = (member.name.as_str(), &lacks[&member.name]);
        (name, &member.facts, lack.amount(&trees[name].tree), lack.nothing)
    });
    let ways = distribute::ways(options.distributor, lacking);
    members.extend(gone.take().unwrap_or_default());
    let has_file = |path: &str| {
        let node = unpacked.tree.get(Path::new(path));
        matches!(node.map(|node| &node.kind), Some(NodeKind::File { .. }))
    };
    let text = |path: &str| {
        let bytes = has_file(path).then(|| fs::read(unpacked.dir.join(path)).unwrap_or_default());
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let undone = undone(&plugins, &specs);
    let told = check::plans(task, (&spec, &members), &plugins, &specs, (&targets, &state))?;
    let kubernetes = kubernetes::is_in(&has_file)
        .then(|| {
            observe::refuse_members_of_others(&members)?;
            let before = leave::everybody(&state.clusterfiles()?, &Defaults::default())?;
            leave::guard_first(&spec, before.as_ref())?;
            let own = &trees[&spec.first_master().name()].own;
            let text = kubernetes::config_text(own, &unpacked.dir).at(&unpacked.dir)?;
            let hostnames =
                members.iter().map(|member| (member.name.clone(), member.facts.hostname.clone())).collect();
            Kubernetes::read(&spec, &text, &hostnames)
        })
        .transpose()?;
    let input = RunInput {
        spec: &spec,
        kubernetes: kubernetes.as_ref(),
        digest: image.descriptor.digest().to_string(),
        text: &text,
        cmds: &image.sealer.cmds,
        args: image.sealer.args.clone(),
        plugins: PluginInput { specs: &specs, targets: &targets, said: &told, undone: &undone },
        sends: sends.clone(),
        ways: ways.clone(),
    };
    let mut planned = plan::run(&input);
    let upgrade = upgrade
        .zip(kubernetes.as_ref())
        .map(|((version, manner), made)| plan::upgrade(&input, made, version, manner));
    if let Some(leaving) = &leaving {
        let goes_on = kubernetes.is_some().then_some(&members[..]);
        planned.phases.splice(0..0, leaving.plan((&plugins, &specs), &spec, goes_on)?);
    }
    let resumed = unfinished.is_some();
    let mut whole = unfinished.unwrap_or(planned);
    whole.send(&sends, &ways);
    let digests = Digests { image: &whole.digest, said: &said, plugins: &plugins };
    let anew = options.course == Course::Again && !resumed;
    let (rest, done) = whole.rest(&|step| {
        digests.left(step, &|host| match step.action {
            Action::Distribute { .. } => lacks[host].nothing,
            // Hosts that leave may have left before, and come back.
            _ if leave::is_farewell(step) => {
                resumed && journal.is_done(&step.id, host, &digests.of(step, host))
            }
            _ if anew || lacks.get(host).is_some_and(|lack| lack.fresh) => false,
            _ if !lacks.contains_key(host) && !resumed => false,
            _ => {
                journal.is_done(&step.id, host, &digests.of(step, host))
                    || leaving.as_ref().is_some_and(|leaving| leaving.did(step, (&journal, digests)))
            }
        })
    });
    let is_upgrade = upgrade.is_some();
    let (plan, done) = upgrade.map_or((rest, done), |plan| (plan, Done::default()));
    let distribution = Distribution { unpacked: unpacked.clone(), trees, lacks, scratch: world.roots() };
    let begun = resume::begun(&said, &image);
    Ok(Prepared {
        world,
        said,
        spec,
        options,
        state,
        plugins,
        keys,
        members,
        leaving,
        distribution,
        journal,
        begun,
        whole,
        plan,
        done,
        resumed,
        is_upgrade,
    })
}

impl Prepared<'_> {
    /// Returns what would be done.
    #[must_use]
    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// Returns what would be done, as it is kept in a file.
    #[must_use]
    pub fn plan_file(&self) -> PlanFile {
        PlanFile { spec: self.begun.spec.clone(), plan: self.plan.clone() }
    }

    /// Refuses to do anything else than what was planned before.
    ///
    /// # Errors
    /// [`crate::Error::Changed`], with the difference.
    pub fn check(&self, kept: &PlanFile) -> Result<()> {
        kept.check(&self.plan_file())
    }

    /// Returns the hosts that would be taken out of the cluster.
    #[must_use]
    pub fn leaving(&self) -> Vec<String> {
        self.leaving.iter().flat_map(|leaving| &leaving.hosts).map(crate::HostSpec::name).collect()
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
        let digests = Digests { image: &self.whole.digest, said: &self.said, plugins: &self.plugins };
        let crew = Crew {
            leaving: self.leaving.as_ref().map_or(&[], |leaving| &leaving.hosts),
            distribution: Some(&self.distribution),
            bandwidth: self.options.bandwidth,
            aside: Aside::up_to(self.options.max_failures),
            lease: self.lease(task)?,
            record: (!self.is_upgrade).then_some(Record {
                journal: &self.journal,
                digests,
                resumed: self.resumed,
            }),
            ..Crew::plain(
                self.world,
                (&self.spec, &self.members),
                &self.plugins,
                &self.state,
                self.options.parallel,
            )
        };
        if self.is_upgrade {
            self.upgrade(task, &crew, digests)?;
            return Ok(self.report(&BTreeMap::new()));
        }
        self.begin(task, &crew)?;
        crew.settle()?;
        self.say_done(task)?;
        let done = crew.execute(task, &self.plan).and_then(|()| crew.aside.check(self.spec.hosts.len()));
        if let Err(error) = done {
            // Whoever goes on, from wherever, is to know how far it came.
            crew.share(task)?;
            return Err(error);
        }
        self.end(task, &crew)?;
        let sent = crew.sent.into_inner().expect("no holder panics");
        Ok(self.report(&sent))
    }

    /// Takes the right to do what was planned, and nothing else since.
    fn lease(&self, task: &Task) -> Result<Option<Lease>> {
        let strays = self.distribution.lacks.values().any(|lack| lack.strays);
        if self.plan.is_empty() && !strays {
            return Ok(None);
        }
        let (spec, keys, who, members) = (&self.spec, &self.keys, &self.world.who, &self.members);
        Lease::take(task, &Wanted { spec, keys, who, members, force: false }).map(Some)
    }

    /// Puts on disk what is about to be done, before it is: here, then on the masters.
    fn begin(&self, task: &Task, crew: &Crew<'_>) -> Result<()> {
        if let Some(lease) = &crew.lease {
            self.state.keep_token(lease.token())?;
        }
        if self.resumed || self.plan.is_empty() {
            self.state.keep_spec(&self.said)?;
            return crew.share(task);
        }
        let lost = |host: &&String| self.distribution.lacks[*host].fresh;
        let anew: Vec<String> = match self.options.course {
            Course::Again => self.begun.hosts.clone(),
            _ => self.begun.hosts.iter().filter(lost).cloned().collect(),
        };
        crew.clear(&anew)?;
        if self.journal.open().is_some() {
            self.journal.abandon()?;
        }
        if let Some(leaving) = &self.leaving {
            self.state.keep_before(&leaving.before)?;
        }
        self.state.keep(&self.said, &self.whole)?;
        let known = anew.iter().filter(|host| self.journal.knows(host));
        known.into_iter().try_for_each(|host| self.journal.forget(host))?;
        self.journal.begin(self.begun.clone())?;
        if let (Some(leaving), Some(record)) = (&self.leaving, &crew.record) {
            leaving.hand_over(&self.whole, record)?;
        }
        crew.share(task)
    }

    /// Notes that the run came to its end, and that hosts are out of the cluster.
    fn end(&self, task: &Task, crew: &Crew<'_>) -> Result<()> {
        if self.journal.open().is_none() {
            return Ok(());
        }
        let gone = self.leaving.iter().flat_map(|leaving| &leaving.hosts).map(crate::HostSpec::name);
        gone.filter(|host| self.journal.knows(host)).try_for_each(|host| self.journal.forget(&host))?;
        self.journal.end()?;
        self.state.forget_before()?;
        crew.share(task)
    }

    /// Says what is not done again.
    fn say_done(&self, task: &Task) -> Result<()> {
        for (step, hosts) in &self.done.steps {
            let hosts = match hosts.len() {
                0..=3 => hosts.join(", "),
                many => format!("{many} hosts"),
            };
            task.child("done", format!("{step}  {hosts}"), Some(0))?.skip();
        }
        Ok(())
    }
}
