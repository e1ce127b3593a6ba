//! Plugins within a run: what they are told, where they run, and what becomes of their failures.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use sealer_plugin::spec::OnFailure;
use sealer_plugin::{Cluster, Host, Invocation, Phase, Plugin, PluginSpec, Scope, Selector, Verb};
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;

use super::journal::How;
use super::reach::Reach;
use super::{Crew, Member};
use crate::cluster::ClusterSpec;
use crate::error::{Error, Result};
use crate::kube;
use crate::plan::Step;

/// How often a plugin is tried whose YAML says `onFailure: retry`, and how long is waited in between.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);

/// One plugin at one phase.
struct Call<'a> {
    plugin: &'a dyn Plugin,
    spec: &'a PluginSpec,
    step: &'a Step,
    invocation: Invocation,
}

impl Crew<'_> {
    /// Runs a plugin. One that fails takes back what it did, where it can.
    pub(super) fn run_plugin(&self, task: &Task, phase: Phase, step: &Step, spec: &PluginSpec) -> Result<()> {
        let task = task.child("plugin", spec.name.clone(), None)?;
        let call = self.call(phase, step, spec)?;
        let tries = if spec.on_failure == OnFailure::Retry { TRIES } else { 1 };
        let mut tried = 1;
        let result = loop {
            match self.on_its_hosts(&task, &call, Verb::Run) {
                Err(error) if tried < tries && task.check().is_ok() => {
                    task.warn(format!("{error}; trying again ({tried} of {tries} tries failed)"));
                    thread::sleep(BETWEEN_TRIES);
                    tried += 1;
                }
                result => break result,
            }
        };
        let Err(error) = result else {
            if call.plugin.offers(Verb::Undo) {
                self.state.note_ran(&step.id)?;
            }
            task.finish();
            return Ok(());
        };
        if call.plugin.offers(Verb::Undo)
            && let Err(error) = self.on_its_hosts(&task, &call, Verb::Undo)
        {
            task.warn(format!("{error}: what it had done could not be taken back"));
        }
        if spec.on_failure == OnFailure::Continue {
            task.warn(format!("{error}; the run goes on, as its `onFailure` says"));
            return Ok(());
        }
        Err(error)
    }

    /// Has a plugin take back what it did in an earlier run.
    pub(super) fn undo_plugin(
        &self,
        task: &Task,
        phase: Phase,
        step: &Step,
        spec: &PluginSpec,
    ) -> Result<()> {
        let task = task.child("undo", spec.name.clone(), None)?;
        let call = self.call(phase, step, spec)?;
        self.on_its_hosts(&task, &call, Verb::Undo)?;
        task.finish();
        Ok(())
    }

    fn call<'a>(&'a self, phase: Phase, step: &'a Step, spec: &'a PluginSpec) -> Result<Call<'a>> {
        let plugin = self.plugins.find(&spec.kind).expect("the plan has only plugins that there are");
        let mut invocation = invocation(self.spec, self.members, spec, phase);
        invocation.cluster.kubeconfig =
            self.kubeconfig.exists().then(|| self.kubeconfig.display().to_string());
        invocation.hosts.clone_from(&step.hosts);
        self.version.clone_into(&mut invocation.sealer_version);
        let mut call = Call { plugin, spec, step, invocation };
        if let Some(Selector::Labels(labels)) = &spec.on {
            call.invocation.hosts = self
                .labelled(labels, &step.hosts)
                .map_err(|message| call.failed(None, sealer_plugin::Error::Returned { message }))?;
        }
        Ok(call)
    }

    /// The hosts that have the labels, as Kubernetes knows them.
    fn labelled(&self, labels: &str, hosts: &[String]) -> std::result::Result<Vec<String>, String> {
        let nodes = kube::nodes_with(&self.kubeconfig, labels)
            .map_err(|reason| format!("`on: {labels}`: {reason}"))?;
        let found: Vec<String> = hosts.iter().filter(|host| nodes.contains(host)).cloned().collect();
        if found.is_empty() { Err(format!("`on: {labels}`: no node has these labels")) } else { Ok(found) }
    }

    /// One call for all hosts, or one for each, as the plugin says of itself.
    fn on_its_hosts(&self, task: &Task, call: &Call<'_>, verb: Verb) -> Result<()> {
        let described = call.plugin.describe().map_err(|error| call.failed(None, error))?;
        let reach = Reach {
            members: self.members,
            kubeconfig: &self.kubeconfig,
            state: self.state.of_plugin(&call.spec.name),
            task,
        };
        let one = |invocation: &Invocation| match verb {
            Verb::Undo => call.plugin.undo(invocation, &reach),
            _ => call.plugin.run(invocation, &reach),
        };
        match described.scope {
            Scope::Cluster => {
                one(&call.invocation).map_err(|error| call.failed(None, error))?;
                call.step.hosts.iter().try_for_each(|host| self.note_call(call, host, verb))
            }
            Scope::Host => {
                let hosts: Vec<&String> = call.invocation.hosts.iter().collect();
                let results = fanout(self.parallel, hosts, |host: &String| {
                    let invocation = Invocation { hosts: vec![host.clone()], ..call.invocation.clone() };
                    one(&invocation).map_err(|error| call.failed(Some(host), error))?;
                    self.note_call(call, host, verb)
                });
                results.into_iter().collect()
            }
        }
    }

    fn note_call(&self, call: &Call<'_>, host: &str, verb: Verb) -> Result<()> {
        if verb != Verb::Run {
            return Ok(());
        }
        self.note(call.step, host, How::Done).map_err(|failure| Error::Hosts(vec![failure.on(host)]))
    }
}

impl Call<'_> {
    fn failed(&self, host: Option<&str>, source: sealer_plugin::Error) -> Error {
        Error::Plugin {
            step: self.step.id.clone(),
            plugin: self.spec.name.clone(),
            host: host.map(str::to_owned),
            file: self.spec.file.clone(),
            source: Box::new(source),
        }
    }
}

/// What a plugin is told at a phase; its hosts and the kubeconfig are for the caller to say.
pub(crate) fn invocation(
    spec: &ClusterSpec,
    members: &[Member],
    plugin: &PluginSpec,
    phase: Phase,
) -> Invocation {
    Invocation {
        name: plugin.name.clone(),
        kind: plugin.kind.clone(),
        phase: phase.to_string(),
        data: plugin.data.clone(),
        cluster: cluster(spec, members),
        timeout_seconds: plugin.timeout,
        ..Invocation::default()
    }
}

/// The cluster as plugins see it.
pub(crate) fn cluster(spec: &ClusterSpec, members: &[Member]) -> Cluster {
    let texts = |env: &crate::cluster::Env| -> BTreeMap<String, String> {
        env.iter().map(|(name, value)| (name.clone(), value.text())).collect()
    };
    let hosts = spec.hosts.iter().map(|host| {
        let member = members.iter().find(|member| member.name == host.name());
        Host {
            address: host.name(),
            hostname: member.map(|member| member.facts.hostname.clone()).unwrap_or_default(),
            roles: host.roles.clone(),
            env: texts(&host.env),
        }
    });
    Cluster {
        name: spec.name.clone(),
        image: spec.image.familiar(),
        hosts: hosts.collect(),
        rootfs: spec.rootfs(),
        env: texts(&spec.env),
        kubeconfig: None,
    }
}
