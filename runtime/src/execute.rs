//! A plan, done: phase by phase, step by step, the hosts of a step at once.

mod digest;
mod guard;
pub(crate) mod journal;
mod kubernetes;
mod lines;
mod made;
mod plugins;
mod reach;
mod send;
mod share;
mod tolerance;
mod upgrade;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sealer_image::layer::Unpacked;
use sealer_plugin::{Phase, PluginSet};
use sealer_stdx::fanout::fanout;
use sealer_stdx::fs::write_atomic;
use sealer_stdx::task::Task;

use crate::cluster::state::State;
use crate::cluster::{ClusterSpec, HostSpec};
use crate::distribute::{HostTree, Lack};
use crate::error::{Error, HostError, HostFailure, Result, all};
use crate::facts::Facts;
use crate::host::quote::quote;
use crate::host::{Host, exec, failed, must};
use crate::kubernetes::{API_PORT, API_SERVER};
use crate::lease::{Lease, fence};
use crate::plan::{Action, RunPlan, Step};
use crate::run::World;
pub(crate) use digest::Digests;
use guard::Guard;
pub use journal::check_journal;
use journal::{How, Journal};
use lines::Lines;
pub use made::Left;
pub(crate) use plugins::{cluster, invocation};
pub(crate) use reach::Reach;
pub(crate) use send::Sent;
pub(crate) use tolerance::Aside;

/// How often a step goes on with a new connection.
const TRIES: u32 = 3;

const KUBECONFIG: &str = "/etc/kubernetes/admin.conf";

/// A host that takes part.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) host: Box<dyn Host>,
    pub(crate) facts: Facts,
}

/// What a distribution needs: nothing of it is in the plan but the amounts.
pub(crate) struct Distribution {
    pub(crate) unpacked: Unpacked,
    pub(crate) trees: BTreeMap<String, HostTree>,
    pub(crate) lacks: BTreeMap<String, Lack>,
    pub(crate) scratch: PathBuf,
}

/// What is done to hosts, written down, so that it is done once.
pub(crate) struct Record<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) digests: Digests<'a>,
    /// Whether the run goes on where another broke off: its last steps may be done, or under way still.
    pub(crate) resumed: bool,
}

/// Everybody and everything that a plan is done with.
pub(crate) struct Crew<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) members: &'a [Member],
    /// The hosts that leave the cluster meanwhile.
    pub(crate) leaving: &'a [HostSpec],
    pub(crate) plugins: &'a PluginSet,
    pub(crate) distribution: Option<&'a Distribution>,
    pub(crate) state: &'a State,
    /// Where the cluster's kubeconfig is kept on this machine.
    pub(crate) kubeconfig: PathBuf,
    pub(crate) parallel: usize,
    pub(crate) version: &'a str,
    /// Who works here.
    pub(crate) who: &'a str,
    /// The most bytes a second that each machine sends; 0 is no limit.
    pub(crate) bandwidth: u64,
    /// Nodes that failed, which the run goes on without.
    pub(crate) aside: Aside,
    /// What the control plane's hosts keep, while it is needed here.
    pub(crate) secrets: kubernetes::Secrets,
    /// The bytes that went over the wire, by host.
    pub(crate) sent: Mutex<BTreeMap<String, Sent>>,
    /// What is left on hosts of what commands made there.
    pub(crate) left: Mutex<Vec<Left>>,
    /// The right to change the cluster; a plugin by hand on hosts of no cluster has none.
    pub(crate) lease: Option<Lease>,
    /// Where it is written down; a delete and a plugin by hand are not.
    pub(crate) record: Option<Record<'a>>,
}

impl<'a> Crew<'a> {
    /// Returns who works on hosts that need nothing but to be told: no distribution, no record.
    pub(crate) fn plain(
        world: &'a World<'_>,
        (spec, members): (&'a ClusterSpec, &'a [Member]),
        plugins: &'a PluginSet,
        state: &'a State,
        parallel: usize,
    ) -> Self {
        Self {
            spec,
            members,
            leaving: &[],
            plugins,
            distribution: None,
            state,
            kubeconfig: state.kubeconfig(),
            parallel,
            version: world.version,
            who: &world.who,
            bandwidth: 0,
            aside: Aside::default(),
            secrets: Default::default(),
            sent: Mutex::default(),
            left: Mutex::default(),
            lease: None,
            record: None,
        }
    }
}

impl Crew<'_> {
    /// Does all steps. The first step that fails on any of its hosts ends the run, unless these can be set aside.
    pub(crate) fn execute(&self, task: &Task, plan: &RunPlan) -> Result<()> {
        let done = self.phases(task, plan);
        self.forget_token(task);
        done
    }

    fn phases(&self, task: &Task, plan: &RunPlan) -> Result<()> {
        for phase in &plan.phases {
            let phase_task = task.child("phase", phase.phase.to_string(), None)?;
            for step in phase.steps.iter().filter_map(|step| self.aside.rest(step)) {
                self.lease.as_ref().map_or(Ok(()), |lease| lease.check(&self.spec.name))?;
                let step_task = phase_task.child("step", step.id.clone(), None)?;
                self.perform(&step_task, phase.phase, &step)?;
                step_task.finish();
            }
            if self.record.is_some() {
                self.share(&phase_task)?;
            }
            phase_task.finish();
        }
        Ok(())
    }

    fn perform(&self, task: &Task, phase: Phase, step: &Step) -> Result<()> {
        let results = match &step.action {
            Action::Plugin { spec, .. } => return self.run_plugin(task, phase, step, spec),
            Action::Undo(spec) => return self.undo_plugin(task, phase, step, spec),
            Action::Distribute { ways, .. } => self.distribute(task, step, ways),
            Action::Exec { command, env } => {
                self.on_hosts(task, step, |member, _| self.exec(task, member, step, (command, env)))
            }
            Action::Kubeconfig => self.on_hosts(task, step, |member, _| self.fetch_kubeconfig(member)),
            Action::Restore => self.on_hosts(task, step, |member, _| self.restore(task, member)),
            Action::Remove { dir } => self.on_hosts(task, step, |member, _| remove(member, dir)),
            Action::RegistryCertificate(registry) => self.registry_certificate(task, step, registry),
            Action::Certificates { names } => self.certificates(task, step, names),
            Action::Balancer { config } => self.balancer(task, step, config),
            Action::Kubeadm { verb, documents } => self.on_hosts(task, step, |member, _| {
                self.kubeadm(task, member, step, (*verb, &documents[&member.name]))
            }),
            Action::Upgrade { version, nodes, command, back } => self.on_hosts(task, step, |member, _| {
                self.upgrade(task, member, (version, &nodes[&member.name]), (command, back))
            }),
            Action::Drain => self.on_hosts(task, step, |member, _| self.drain(task, member)),
            Action::Forget { hosts } => {
                self.on_hosts(task, step, |member, _| self.forget(task, member, hosts))
            }
            Action::Ready { nodes } => self.wait_for_nodes(task, nodes),
        };
        match all(results) {
            Ok(_) => Ok(()),
            Err(errors) if errors.iter().any(|error| matches!(error.failure, HostFailure::Cancelled(_))) => {
                Err(sealer_stdx::task::Cancelled.into())
            }
            Err(errors) => self.aside.take(task, self.spec, step, errors),
        }
    }

    /// Calls `f` for the hosts of a step where its probe does not find it done; again, and so told,
    /// where the connection was lost meanwhile.
    fn on_hosts(
        &self,
        task: &Task,
        step: &Step,
        f: impl Fn(&Member, bool) -> std::result::Result<(), HostFailure> + Sync,
    ) -> Vec<std::result::Result<(), HostError>> {
        let members = self.members.iter().filter(|member| step.hosts.contains(&member.name)).collect();
        let once = |member: &Member, again: bool| {
            if self.is_done(member, step, again)? {
                task.child("host", member.name.clone(), Some(0))?.skip();
                return self.note(step, &member.name, How::Found);
            }
            f(member, again)?;
            self.note(step, &member.name, How::Done)
        };
        let patiently = |member: &Member| {
            let mut tries = 0;
            loop {
                match once(member, tries > 0) {
                    Err(HostFailure::Connection(how)) if tries < TRIES && self.can_repeat(step) => {
                        tries += 1;
                        task.warn(format!("{}: the connection {how}; going on with a new one", member.name));
                    }
                    result => return result,
                }
            }
        };
        fanout(self.parallel, members, |member: &Member| {
            patiently(member).map_err(|failure| failure.on(&member.name))
        })
    }

    /// Asks the host's own record, where it may be ahead of the journal, and the step's probe.
    fn is_done(&self, member: &Member, step: &Step, again: bool) -> std::result::Result<bool, HostFailure> {
        let succeeds = |probe: &str| Ok(exec(&*member.host, probe)?.status == 0);
        let resumed = again || self.record.as_ref().is_some_and(|record| record.resumed);
        if resumed
            && let Some(guard) = self.guard(step, &member.name)
            && succeeds(&guard.probe())?
        {
            return Ok(true);
        }
        step.unless.as_deref().map_or(Ok(false), succeeds)
    }

    /// Whether a second time does no harm, or is kept from happening.
    fn can_repeat(&self, step: &Step) -> bool {
        match step.action {
            Action::Exec { .. } | Action::Kubeadm { .. } => self.has_guards(),
            Action::Distribute { .. } | Action::Kubeconfig | Action::Restore | Action::Remove { .. } => true,
            Action::RegistryCertificate(_) | Action::Certificates { .. } => true,
            Action::Drain | Action::Forget { .. } | Action::Balancer { .. } => true,
            // An upgrade that breaks off is put back.
            Action::Upgrade { .. } => false,
            // Plugins see to their own repetition; nodes are looked at without a host's session.
            Action::Plugin { .. } | Action::Undo(_) | Action::Ready { .. } => false,
        }
    }

    /// Whether hosts keep a record of the commands that ended.
    fn has_guards(&self) -> bool {
        self.record.is_some() || self.lease.is_some()
    }

    /// What keeps a command from being done twice. One that is not written down here is known by the
    /// lease under which it is done: within it, it is done once.
    fn guard(&self, step: &Step, host: &str) -> Option<Guard> {
        if !matches!(step.action, Action::Exec { .. } | Action::Kubeadm { .. }) {
            return None;
        }
        let digest = match (&self.record, &self.lease) {
            (Some(record), _) => record.digests.of(step, host),
            (None, Some(lease)) => format!("lease-{}", lease.token()),
            (None, None) => return None,
        };
        Some(Guard::new(&self.spec.data_dir(), &step.id, digest))
    }

    /// A script as it is done once, and by nobody whom another operator has overtaken.
    fn guarded(&self, step: &Step, host: &str, script: String) -> String {
        let Some(guard) = self.guard(step, host) else { return script };
        // A delete makes nothing that would have to be taken back.
        let around = self.record.as_ref().map(|_| made::around(&self.spec.data_dir(), &step.id));
        guard.wrap(&script, &self.fence(), around.as_ref())
    }

    /// What keeps a host from doing what another operator does not want any more.
    fn fence(&self) -> String {
        self.lease.as_ref().map_or_else(String::new, |lease| fence(&self.spec.name, lease.token()))
    }

    /// Writes down that a step was done on a host.
    fn note(&self, step: &Step, host: &str, how: How) -> std::result::Result<(), HostFailure> {
        let Some(record) = &self.record else { return Ok(()) };
        Ok(record.journal.note(&step.id, host, record.digests.of(step, host), how)?)
    }

    /// Has hosts lose their own record of what was done.
    pub(crate) fn clear(&self, hosts: &[String]) -> Result<()> {
        let members = self.members.iter().filter(|member| hosts.contains(&member.name)).collect();
        let command = Guard::clear(&self.spec.data_dir());
        let cleared = fanout(self.parallel, members, |member: &Member| {
            must(&*member.host, &command).map_err(|failure| failure.on(&member.name))
        });
        all(cleared).map(|_| ()).map_err(Error::Hosts)
    }

    fn exec(
        &self,
        task: &Task,
        member: &Member,
        step: &Step,
        (command, env): (&str, &BTreeMap<String, String>),
    ) -> std::result::Result<(), HostFailure> {
        let script = self.with_env(&member.name, env, command);
        let script = self.guarded(step, &member.name, script);
        show(task, member, (command, &script), &mut std::io::empty())
    }

    /// The command behind the host's environment and what else it is given, exported.
    fn with_env(&self, host: &str, more: &BTreeMap<String, String>, command: &str) -> String {
        let of_host = self.spec.hosts.iter().chain(self.leaving).find(|spec| spec.name() == host);
        let mut env: BTreeMap<&str, String> = BTreeMap::new();
        env.extend(more.iter().map(|(name, value)| (name.as_str(), value.clone())));
        env.extend(
            of_host.into_iter().flat_map(|host| &host.env).map(|(name, value)| (name.as_str(), value.text())),
        );
        let exports = env.iter().map(|(name, value)| format!("export {name}={}\n", quote(value)));
        exports.chain([command.to_owned()]).collect()
    }

    /// Takes back what commands made on a host, as far as nobody has changed it since.
    fn restore(&self, task: &Task, member: &Member) -> std::result::Result<(), HostFailure> {
        let printed = must(&*member.host, &made::undo(&self.spec.data_dir()))?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        for left in printed.lines().filter_map(|line| Left::read(&member.name, line)) {
            task.warn(format!("{left}"));
            self.left.lock().expect("no holder panics").push(left);
        }
        Ok(())
    }

    fn fetch_kubeconfig(&self, member: &Member) -> std::result::Result<(), HostFailure> {
        fetch_kubeconfig(member, &self.kubeconfig)
    }
}

/// Keeps a master's kubeconfig on this machine, where it has one.
pub(crate) fn fetch_kubeconfig(member: &Member, kept: &Path) -> std::result::Result<(), HostFailure> {
    let bytes = must(&*member.host, &format!("if [ -f {KUBECONFIG} ]; then cat {KUBECONFIG}; fi"))?;
    if !bytes.is_empty() {
        // The name that hosts have for the API server is not known on this machine.
        let text = String::from_utf8_lossy(&bytes).replace(
            &format!("https://{API_SERVER}:{API_PORT}"),
            &format!("https://{}:{API_PORT}", bracketed(&member.name)),
        );
        write_atomic(kept, text.as_bytes(), 0o600)?;
    }
    Ok(())
}

/// Runs a script that must succeed, which is called `command`, and shows what it prints.
fn show(
    task: &Task,
    member: &Member,
    (command, script): (&str, &str),
    stdin: &mut dyn std::io::Read,
) -> std::result::Result<(), HostFailure> {
    let task = task.child("host", member.name.clone(), None)?;
    let mut lines = Lines::default();
    let output = member.host.run(script, stdin, &mut |stream, bytes| {
        lines.take(bytes, stream, &mut |stream, line| task.output(stream, line));
    })?;
    lines.end(&mut |stream, line| task.output(stream, line));
    if output.status != 0 {
        return Err(failed(command, &output));
    }
    task.finish();
    Ok(())
}

/// An address as it stands in a URL.
fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

fn remove(member: &Member, dir: &str) -> std::result::Result<(), HostFailure> {
    // With the last cluster goes what is kept between clusters.
    let rest = "cd /var/lib/sealer 2>/dev/null && rmdir data 2>/dev/null && rm -rf cache && cd / && rmdir --ignore-fail-on-non-empty /var/lib/sealer; true";
    must(&*member.host, &format!("rm -rf {} && {{ {rest}; }}", quote(dir))).map(|_| ())
}
