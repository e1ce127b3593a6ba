//! The part of a run's plan that takes hosts out of the cluster.

use sealer_plugin::Phase;

use super::remove::etcd;
use super::{Action, PhasePlan, RemoveInput, Step, remove};

/// What it follows from.
pub(crate) struct LeaveInput<'a> {
    /// The hosts that can be reached, and how they are cleaned.
    pub(crate) remove: RemoveInput<'a>,
    /// The hosts that cannot.
    pub(crate) lost: &'a [String],
    /// The first master of those that stay.
    pub(crate) first: String,
}

/// Hosts that can be reached are cleaned; of the others, the cluster forgets that they were there.
pub(crate) fn leave(input: &LeaveInput<'_>) -> Vec<PhasePlan> {
    let first = || vec![input.first.clone()];
    let mut phases = if input.remove.hosts.is_empty() { Vec::new() } else { remove(&input.remove).phases };
    // The API server that was asked until now may be among those that leave.
    let mut begin = vec![Step::new("leave/kubeconfig", first(), Action::Kubeconfig)];
    if input.remove.hosts.is_empty() {
        begin.extend(etcd(&input.remove));
    }
    if !input.lost.is_empty() {
        begin.push(Step::new("leave/forget", first(), Action::Forget { hosts: input.lost.to_vec() }));
    }
    match phases.first_mut().filter(|phase| phase.phase == Phase::PreClean) {
        Some(pre_clean) => {
            pre_clean.steps.splice(0..0, begin);
        }
        None => phases.insert(0, PhasePlan { phase: Phase::PreClean, steps: begin }),
    }
    phases
}
