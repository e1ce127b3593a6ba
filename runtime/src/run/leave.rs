//! Hosts that are in the cluster, and are to be no longer.

use std::collections::BTreeMap;

use sealer_plugin::{PluginSet, PluginSpec};
use sealer_stdx::task::Task;

use super::{observe, targets};
use crate::cluster::clusterfile;
use crate::cluster::flags::Defaults;
use crate::cluster::state::State;
use crate::cluster::{ClusterSpec, HostSpec};
use crate::error::{Error, HostFailure, InputError, Result};
use crate::execute::journal::{How, Journal};
use crate::execute::{Digests, Member, Record};
use crate::host::Keys;
use crate::kubernetes::guard_members;
use crate::plan::{Action, LeaveInput, PhasePlan, PluginInput, RemoveInput, RunPlan, Step, leave};

/// What leaves, and what it was.
pub(super) struct Leaving {
    /// The hosts.
    pub(super) hosts: Vec<HostSpec>,
    /// Those of them that cannot be reached.
    lost: Vec<String>,
    /// The cluster with them.
    pub(super) before: ClusterSpec,
}

impl Leaving {
    /// Compares the cluster that is wanted with the one that there is, and logs in to what is to leave it.
    ///
    /// # Errors
    /// When no master would stay, or a host that answers does not let us in.
    pub(super) fn find(
        task: &Task,
        said: &ClusterSpec,
        state: &State,
        keys: &Keys,
        parallel: usize,
    ) -> Result<Option<(Self, Vec<Member>)>> {
        let defaults = Defaults { ssh: said.first_master().ssh.clone(), ..Defaults::default() };
        let Some(before) = everybody(&state.clusterfiles()?, &defaults)? else { return Ok(None) };
        let stays = |host: &HostSpec| said.hosts.iter().any(|wanted| wanted.address == host.address);
        let hosts: Vec<HostSpec> = before.hosts.iter().filter(|host| !stays(host)).cloned().collect();
        if hosts.is_empty() {
            return Ok(None);
        }
        let is_master = |host: &&HostSpec| host.has_role("master");
        if !before.hosts.iter().filter(is_master).any(stays) {
            let message =
                format!("no master of cluster `{}` would stay, and with the last one it is gone", said.name);
            let hint = "keep one until the new masters are in, or `sealer delete` the cluster first";
            let place = "hosts".to_owned();
            return Err(Error::Input(vec![InputError { place, message, hint: Some(hint.to_owned()) }]));
        }
        let task = task.child("connect", format!("{} hosts that leave", hosts.len()), None)?;
        let reached = observe::reach(&hosts, &said.data_dir(), keys, parallel);
        let (mut members, mut lost, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for result in reached {
            match result {
                Ok(member) => members.push(member),
                Err(error) if error.failure.is_unreachable() => {
                    task.warn(format!("{error}; it leaves the cluster as it is, and is not cleaned"));
                    lost.push(error.host);
                }
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(Error::Hosts(errors));
        }
        task.finish();
        Ok(Some((Self { hosts, lost, before }, members)))
    }

    /// Returns what is done to the hosts, before all else. `kubernetes` is everybody, where the cluster goes
    /// on as one.
    ///
    /// # Errors
    /// When etcd would lose its majority.
    pub(super) fn plan(
        &self,
        (plugins, specs): (&PluginSet, &[PluginSpec]),
        full: &ClusterSpec,
        kubernetes: Option<&[Member]>,
    ) -> Result<Vec<PhasePlan>> {
        let masters = self.masters();
        let heir = self.heir(full);
        let member = kubernetes.and_then(|members| members.iter().find(|member| member.name == heir));
        let leaving = member.filter(|_| !masters.is_empty()).map(|heir| (&*heir.name, &*masters));
        if let (Some(member), Some(_)) = (member, leaving) {
            let refused = |failure: HostFailure| Error::Hosts(vec![failure.on(&member.name)]);
            guard_members(&*member.host, &masters).map_err(refused)?;
        }
        let hosts: Vec<String> =
            self.hosts.iter().map(HostSpec::name).filter(|host| !self.lost.contains(host)).collect();
        let with_them = ClusterSpec { hosts: self.before.hosts.clone(), ..full.clone() };
        let mut targets = targets(&with_them, plugins, specs)?;
        targets.values_mut().for_each(|on| on.retain(|host| hosts.contains(host)));
        let (said, undone) = (BTreeMap::new(), super::undone(plugins, specs));
        let input = PluginInput { specs, targets: &targets, said: &said, undone: &undone };
        let goes_on = kubernetes.is_some();
        let remove = RemoveInput { spec: full, hosts: &hosts, goes_on, leaving, plugins: input, undo: &[] };
        Ok(leave(&LeaveInput { remove, lost: &self.lost, first: heir }))
    }

    /// The masters that leave.
    fn masters(&self) -> Vec<String> {
        self.hosts.iter().filter(|host| host.has_role("master")).map(HostSpec::name).collect()
    }

    /// The first master that stays: it knows the cluster.
    fn heir(&self, full: &ClusterSpec) -> String {
        let was = |host: &HostSpec| {
            self.before.hosts.iter().any(|before| before.has_role("master") && before.address == host.address)
        };
        let stays = full.hosts.iter().find(|host| host.has_role("master") && was(host));
        stays.unwrap_or(full.first_master()).name()
    }

    /// Tells whether a step that is done once for the whole cluster was done where the first master was
    /// until now.
    pub(super) fn did(&self, step: &Step, (journal, digests): (&Journal, Digests<'_>)) -> bool {
        let former = self.before.first_master().name();
        let digests = Digests { said: &self.before, ..digests };
        is_of_cluster(step) && journal.is_done(&step.id, &former, &digests.of(step, &former))
    }

    /// Notes for the new first master what the former one did for the cluster. On disk when this returns.
    pub(super) fn hand_over(&self, plan: &RunPlan, record: &Record<'_>) -> Result<()> {
        for step in plan.steps().filter(|step| self.did(step, (record.journal, record.digests))) {
            for host in &step.hosts {
                record.journal.note(&step.id, host, record.digests.of(step, host), How::Found)?;
            }
        }
        Ok(())
    }
}

/// Refuses a Kubernetes whose first master is to be a host that is none in it yet: the cluster would be made a
/// second time there.
///
/// # Errors
/// [`Error::Input`], with a master that can be named first.
pub(super) fn guard_first(spec: &ClusterSpec, before: Option<&ClusterSpec>) -> Result<()> {
    let was = |host: &&HostSpec| {
        before.is_some_and(|before| {
            before.hosts.iter().any(|known| known.has_role("master") && known.address == host.address)
        })
    };
    let first = spec.first_master();
    let Some(known) = spec.hosts.iter().filter(|host| host.has_role("master")).find(was) else {
        return Ok(());
    };
    if was(&first) {
        return Ok(());
    }
    let (new, known) = (first.name(), known.name());
    let message = format!(
        "`{new}` would be the first master of cluster `{}`, and is none of its masters yet: the cluster would be \
         made a second time there",
        spec.name
    );
    let hint = format!("name `{known}` before it, which is one");
    Err(Error::Input(vec![InputError { place: "hosts".to_owned(), message, hint: Some(hint) }]))
}

/// Tells whether a step takes hosts out of the cluster.
pub(super) fn is_farewell(step: &Step) -> bool {
    ["leave/", "clean/"].iter().any(|steps| step.id.starts_with(steps))
}

/// The image's own commands.
fn is_of_cluster(step: &Step) -> bool {
    matches!(step.action, Action::Exec { .. }) && step.id.starts_with("guest/")
}

/// A cluster as its Clusterfiles say: as it was asked for last, then as it was before a run that has not
/// come to its end.
pub(crate) fn everybody(texts: &[String], defaults: &Defaults) -> Result<Option<ClusterSpec>> {
    let mut all: Option<ClusterSpec> = None;
    for text in texts {
        let kept = clusterfile::parse("Clusterfile", text, defaults).map_err(Error::Input)?;
        match &mut all {
            None => all = Some(kept),
            Some(all) => {
                let known: Vec<_> = all.hosts.iter().map(|host| host.address).collect();
                // They were there first.
                let rest = kept.hosts.into_iter().filter(|host| !known.contains(&host.address));
                all.hosts.splice(0..0, rest);
                // The sort is stable: the first master is who was it before.
                all.hosts.sort_by_key(|host| !host.has_role("master"));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(hosts: &[(&str, &str)]) -> ClusterSpec {
        let mut text = "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: my-cluster\nspec:\n  \
                        image: kubernetes:v1\n  ssh:\n    passwd: x\n  hosts:\n"
            .to_owned();
        for (address, role) in hosts {
            text += &format!("  - ips: [{address}]\n    roles: [{role}]\n");
        }
        clusterfile::parse("Clusterfile", &text, &Defaults::default()).expect("a Clusterfile")
    }

    #[test]
    fn a_kubernetes_is_not_made_a_second_time_on_a_new_first_master() {
        let before = cluster(&[("10.0.0.1", "master"), ("10.0.0.2", "master"), ("10.0.0.3", "node")]);
        for (first, second) in [("10.0.0.1", "10.0.0.9"), ("10.0.0.2", "10.0.0.9"), ("10.0.0.8", "10.0.0.9")]
        {
            let wanted = cluster(&[(first, "master"), (second, "master")]);
            assert!(guard_first(&wanted, Some(&before)).is_ok(), "{first}");
        }
        for first in ["10.0.0.3", "10.0.0.9"] {
            let wanted = cluster(&[(first, "master"), ("10.0.0.2", "master")]);
            assert!(guard_first(&wanted, None).is_ok());
            let refused = guard_first(&wanted, Some(&before)).expect_err(first);
            let Error::Input(errors) = refused else { panic!("{refused}") };
            assert_eq!(
                errors.iter().map(|error| (&*error.message, error.hint.as_deref())).collect::<Vec<_>>(),
                [(
                    &*format!(
                        "`{first}` would be the first master of cluster `my-cluster`, and is none of its masters \
                         yet: the cluster would be made a second time there"
                    ),
                    Some("name `10.0.0.2` before it, which is one")
                )]
            );
        }
    }
}
