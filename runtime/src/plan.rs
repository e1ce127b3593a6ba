//! The plan of a run or a delete: what each host will be told, as data.

mod contract;
mod effects;
mod file;
mod kubernetes;
mod leave;
mod names;
mod remove;
mod renew;
mod rest;
mod run;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sealer_plugin::{Phase, PluginSpec};
use serde::{Deserialize, Serialize};

pub use effects::Effects;
pub use file::PlanFile;
pub(crate) use kubernetes::state_dir;
pub(crate) use leave::{LeaveInput, leave};
pub(crate) use remove::{RemoveInput, remove};
pub(crate) use renew::renew;
pub(crate) use rest::Done;
pub(crate) use run::{RunInput, run};
pub(crate) use upgrade::{Manner, upgrade};

/// What will be done, phase by phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The cluster.
    pub cluster: String,
    /// The image's name.
    pub image: String,
    /// The image's digest.
    pub digest: String,
    /// The phases that have steps, in order.
    pub phases: Vec<PhasePlan>,
}

/// The steps of a phase, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhasePlan {
    /// The phase.
    pub phase: Phase,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// What a step is called: `distribute/rootfs`.
pub type StepId = String;

/// One action on one or more hosts. Steps run one after the other, the hosts of a step at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The hosts, by address.
    pub hosts: Vec<String>,
    /// A shell command that succeeds on a host where the step is done already: there it is not done again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
    /// What a person should know of it before it is done.
    #[serde(default, skip_serializing_if = "Effects::is_none")]
    pub effects: Effects,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Brings the image's root to the hosts, as far as they lack it.
    Distribute {
        /// What each host is sent.
        sends: BTreeMap<String, Amount>,
        /// The way to each host that is not sent a plain stream as a matter of course.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        ways: BTreeMap<String, Way>,
    },
    /// Runs a shell command, with the host's environment.
    Exec {
        /// The command.
        command: String,
        /// What is put into the environment besides the host's own.
        env: BTreeMap<String, String>,
    },
    /// Fetches the cluster's kubeconfig to this machine, if it has one.
    Kubeconfig,
    /// Runs a plugin.
    Plugin {
        /// What its YAML says.
        spec: Box<PluginSpec>,
        /// What it says that it would do, a line each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        says: Vec<String>,
    },
    /// Has a plugin take back what it did in an earlier run.
    Undo(Box<PluginSpec>),
    /// Takes back what commands made on the hosts, by the record that these keep.
    Restore,
    /// Removes the cluster's folder from the hosts.
    Remove {
        /// The folder.
        dir: String,
    },
    /// Gives the hosts the certificate of the cluster's registry, and those that serve it its key.
    RegistryCertificate(RegistryNames),
    /// Gives masters the cluster's certificates and kubeconfigs.
    Certificates {
        /// The names of each master's API server.
        names: BTreeMap<String, Vec<String>>,
    },
    /// Has kubeadm make the control plane, or a host join.
    Kubeadm {
        /// Which.
        verb: KubeadmVerb,
        /// What kubeadm is told on each host; secrets stand in it when it is.
        documents: BTreeMap<String, String>,
    },
    /// Has nodes reach all masters, by a balancer of their own.
    Balancer {
        /// What it is told.
        config: String,
    },
    /// Brings hosts to another version of Kubernetes: each is emptied, upgraded, looked at, and put back
    /// where that fails.
    Upgrade {
        /// The version.
        version: String,
        /// The node's name of each host.
        nodes: BTreeMap<String, String>,
        /// What upgrades a host.
        command: String,
        /// What puts it back.
        back: String,
    },
    /// Has Kubernetes move the pods off the hosts' nodes, and forget the nodes.
    Drain,
    /// Has the cluster forget hosts that cannot be reached any more.
    Forget {
        /// The hosts, which are not those of the step: it is done where the control plane is.
        hosts: Vec<String>,
    },
    /// Waits until Kubernetes calls the hosts' nodes ready.
    Ready {
        /// The node's name of each host.
        nodes: BTreeMap<String, String>,
    },
}

/// What the cluster's registry is called, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryNames {
    /// Its domain.
    pub domain: String,
    /// Its port.
    pub port: u16,
    /// The addresses of its hosts: the masters.
    pub hosts: Vec<String>,
}

/// What kubeadm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KubeadmVerb {
    /// Makes the control plane.
    Init,
    /// Has a master join.
    JoinMaster,
    /// Has a node join.
    JoinNode,
}

impl KubeadmVerb {
    /// The command's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::JoinMaster | Self::JoinNode => "join",
        }
    }
}

/// How a host gets what it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From other hosts and this machine, by an agent.
    Relay,
    /// From this machine, though other hosts are relayed to.
    Stream {
        /// Why.
        reason: String,
    },
}

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cluster {}, image {} ({})", self.cluster, self.image, self.digest)?;
        if self.is_empty() {
            return writeln!(f, "nothing to do");
        }
        for phase in &self.phases {
            writeln!(f, "{}", phase.phase)?;
            for step in &phase.steps {
                write!(f, "{step}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_action(f)?;
        self.unless.iter().try_for_each(|probe| writeln!(f, "    unless {probe}"))?;
        if self.effects.is_none() { Ok(()) } else { writeln!(f, "    ({})", self.effects) }
    }
}

impl Step {
    /// Makes a step that is done on its hosts whatever they have already.
    #[must_use]
    pub fn new(id: impl Into<StepId>, hosts: Vec<String>, action: Action) -> Self {
        Self { id: id.into(), hosts, unless: None, effects: Effects::default(), action }
    }

    /// Guards the step: where `probe`, a shell command, succeeds, it is done already.
    #[must_use]
    pub fn unless(mut self, probe: impl Into<String>) -> Self {
        self.unless = Some(probe.into());
        self
    }

    /// Says what a person should know of the step.
    #[must_use]
    pub fn with(mut self, effects: Effects) -> Self {
        self.effects = effects;
        self
    }

    /// Whether the step changes nothing on its hosts.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self.action, Action::Kubeconfig)
    }

    fn write_action(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.join(", ");
        match &self.action {
            Action::Distribute { sends, ways } => {
                writeln!(f, "  {}", self.id)?;
                for host in &self.hosts {
                    let send = sends.get(host).copied().unwrap_or_default();
                    match send.files {
                        0 => writeln!(f, "    {host}  nothing to send")?,
                        files => {
                            write!(f, "    {host}  {files} files, {} bytes", send.bytes)?;
                            match ways.get(host) {
                                Some(Way::Relay) => writeln!(f, ", from host to host")?,
                                Some(Way::Stream { reason }) => writeln!(f, ", by a plain stream: {reason}")?,
                                None => writeln!(f)?,
                            }
                        }
                    }
                }
                Ok(())
            }
            Action::Exec { command, .. } => {
                writeln!(f, "  {}  {hosts}", self.id)?;
                command.lines().try_for_each(|line| writeln!(f, "    {line}"))
            }
            Action::Forget { hosts: gone } => {
                writeln!(
                    f,
                    "  {}  {hosts}\n    not reached, and left as they are: {}",
                    self.id,
                    gone.join(", ")
                )
            }
            Action::Kubeconfig | Action::Drain | Action::Restore => writeln!(f, "  {}  {hosts}", self.id),
            Action::Plugin { spec, says } => {
                writeln!(f, "  {}  {hosts}  ({} of {})", self.id, spec.kind, spec.file)?;
                says.iter().try_for_each(|line| writeln!(f, "    {line}"))
            }
            Action::Undo(spec) => writeln!(f, "  {}  {hosts}  ({} of {})", self.id, spec.kind, spec.file),
            Action::Remove { dir } => writeln!(f, "  {}  {hosts}\n    {dir}", self.id),
            Action::RegistryCertificate(registry) => {
                writeln!(f, "  {}  {hosts}\n    {}:{}", self.id, registry.domain, registry.port)
            }
            Action::Certificates { names } => {
                writeln!(f, "  {}  {hosts}", self.id)?;
                names.iter().try_for_each(|(host, names)| writeln!(f, "    {host}  {}", names.join(" ")))
            }
            Action::Balancer { config } => {
                writeln!(f, "  {}  {hosts}", self.id)?;
                config.lines().try_for_each(|line| writeln!(f, "    {line}"))
            }
            Action::Kubeadm { verb, documents } => {
                writeln!(f, "  {}  {hosts}", self.id)?;
                documents.iter().try_for_each(|(host, document)| {
                    writeln!(f, "    {host}  kubeadm {} --config", verb.word())?;
                    document.lines().try_for_each(|line| writeln!(f, "      {line}"))
                })
            }
            Action::Upgrade { version, command, .. } => {
                writeln!(f, "  {}  {hosts}  to {version}", self.id)?;
                command.lines().try_for_each(|line| writeln!(f, "    {line}"))
            }
            Action::Ready { nodes } => {
                let nodes: Vec<&str> = nodes.values().map(String::as_str).collect();
                writeln!(f, "  {}  {}", self.id, nodes.join(", "))
            }
        }
    }
}

impl RunPlan {
    /// Returns all steps, in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// Says again what each host is to be sent: a host may have come further, or lost something.
    pub(crate) fn send(&mut self, amounts: &BTreeMap<String, Amount>, by: &BTreeMap<String, Way>) {
        for step in self.phases.iter_mut().flat_map(|phase| &mut phase.steps) {
            if let Action::Distribute { sends, ways } = &mut step.action {
                sends.clone_from(amounts);
                ways.clone_from(by);
            }
        }
    }
}

/// Adds a phase that has steps.
pub(crate) fn add(phases: &mut Vec<PhasePlan>, phase: Phase, steps: Vec<Step>) {
    if !steps.is_empty() {
        phases.push(PhasePlan { phase, steps });
    }
}

/// What a plan's plugins follow from.
#[derive(Clone, Copy)]
pub(crate) struct PluginInput<'a> {
    /// The image's plugins, then the Clusterfile's.
    pub(crate) specs: &'a [PluginSpec],
    /// The hosts of each, by [`target_key`].
    pub(crate) targets: &'a BTreeMap<String, Vec<String>>,
    /// What they say that they would do, by [`said_key`].
    pub(crate) said: &'a BTreeMap<String, Vec<String>>,
    /// The types whose plugins take back what they did.
    pub(crate) undone: &'a BTreeSet<String>,
}

/// The steps of the plugins of a phase, by their `order`, then by name. A plugin that no host is
/// selected for has none.
pub(crate) fn plugin_steps(phase: Phase, plugins: PluginInput<'_>) -> Vec<Step> {
    let mut of_phase: Vec<&PluginSpec> =
        plugins.specs.iter().filter(|plugin| plugin.phases.contains(&phase)).collect();
    of_phase.sort_by(|one, other| (one.order, &one.name).cmp(&(other.order, &other.name)));
    let steps = of_phase.into_iter().map(|plugin| {
        let hosts = plugins.targets.get(&target_key(plugin)).cloned().unwrap_or_default();
        let says = plugins.said.get(&said_key(plugin, phase)).cloned().unwrap_or_default();
        let read = if plugin.kind == "SHELL" { Effects::of_script(&plugin.data) } else { Effects::default() };
        let effects = Effects { permanent: !plugins.undone.contains(&plugin.kind), ..read };
        let action = Action::Plugin { spec: Box::new(plugin.clone()), says };
        Step::new(step_id(phase, plugin), hosts, action).with(effects)
    });
    steps.filter(|step| !step.hosts.is_empty()).collect()
}

fn step_id(phase: Phase, plugin: &PluginSpec) -> StepId {
    format!("{phase}/{}", plugin.name)
}

/// Names a plugin's document among all that a run has.
pub(crate) fn target_key(plugin: &PluginSpec) -> String {
    format!("{}:{}", plugin.file, plugin.line)
}

/// Names a plugin's document at one of its phases.
pub(crate) fn said_key(plugin: &PluginSpec, phase: Phase) -> String {
    format!("{} {phase}", target_key(plugin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_step_shows_its_probe_and_keeps_it_in_the_plan() {
        let action = Action::Exec { command: "kubeadm init".to_owned(), env: BTreeMap::new() };
        let step = Step::new("init/kubeadm", vec!["10.0.0.1".to_owned()], action)
            .unless("test -f /etc/kubernetes/admin.conf");
        assert_eq!(
            step.to_string(),
            "  init/kubeadm  10.0.0.1\n    kubeadm init\n    unless test -f /etc/kubernetes/admin.conf\n"
        );
        let text = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), step);
    }
}
