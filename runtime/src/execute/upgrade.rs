//! A host's upgrade: emptied, upgraded, looked at, and given pods again; put back where that fails.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use sealer_stdx::task::Task;

use super::{Crew, Member, show};
use crate::error::HostFailure;
use crate::kube;
use crate::kubernetes::{cordon, empty_node, uncordon};

/// How long a node may take to be ready with its new version, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

type Result<T> = std::result::Result<T, HostFailure>;

impl Crew<'_> {
    /// Upgrades a host, or leaves it as it was.
    pub(super) fn upgrade(
        &self,
        task: &Task,
        member: &Member,
        (version, node): (&str, &str),
        (command, back): (&str, &str),
    ) -> Result<()> {
        let before = kube::versions(&self.kubeconfig).map_err(unknown)?.remove(node).unwrap_or_default();
        let upgraded = self.try_upgrade(task, member, (version, node), command);
        let Err(failure) = upgraded else { return Ok(()) };
        task.warn(format!("{}: the upgrade failed, and the host is put back to {before}", member.name));
        let shown = ("putting the host back", back);
        let is_back = show(task, member, shown, &mut std::io::empty())
            .and_then(|()| self.wait_for_version(task, &before, node))
            .and_then(|()| uncordon(&self.kubeconfig, node).map_err(unknown));
        if let Err(error) = is_back {
            task.warn(format!("{}: it was not put back whole: {error}", member.name));
        }
        Err(failure)
    }

    fn try_upgrade(
        &self,
        task: &Task,
        member: &Member,
        (version, node): (&str, &str),
        command: &str,
    ) -> Result<()> {
        cordon(&self.kubeconfig, node).map_err(unknown)?;
        empty_node(&self.kubeconfig, node).map_err(HostFailure::Unfit)?;
        let script = self.with_env(&member.name, &BTreeMap::new(), command);
        show(task, member, ("upgrading", &script), &mut std::io::empty())?;
        self.wait_for_version(task, version, node)?;
        uncordon(&self.kubeconfig, node).map_err(unknown)
    }

    /// The API server may be the one that was upgraded: it may be silent for a while.
    fn wait_for_version(&self, task: &Task, version: &str, node: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let state = match self.state_of(version, node) {
                Ok(None) => return Ok(()),
                Ok(Some(state)) | Err(state) => state,
            };
            task.check()?;
            if begun.elapsed() > PATIENCE {
                return Err(HostFailure::Unfit(format!(
                    "the node does not become ready with {version}: {state}"
                )));
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// What is wrong with a node; none, if it is ready and reports the version.
    fn state_of(&self, version: &str, node: &str) -> std::result::Result<Option<String>, String> {
        let reported = kube::versions(&self.kubeconfig)?.remove(node).unwrap_or_default();
        if reported != version {
            return Ok(Some(format!("its kubelet is {reported}")));
        }
        let state = kube::conditions(&self.kubeconfig)?.remove(node);
        Ok(state.filter(|state| !state.is_empty()))
    }
}

fn unknown(mut reason: String) -> HostFailure {
    reason.insert_str(0, "the API server was asked in vain: ");
    HostFailure::Unfit(reason)
}
