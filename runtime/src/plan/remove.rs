//! The plan of a delete.

use std::collections::BTreeMap;

use sealer_plugin::{ETCD_TOOLS, Phase, PluginSpec};

use super::kubernetes::exec;
use super::{
    Action, PhasePlan, PluginInput, RunPlan, Step, StepId, add, contract, kubernetes, plugin_steps, step_id,
    target_key,
};
use crate::cluster::ClusterSpec;

/// What a plan follows from.
pub(crate) struct RemoveInput<'a> {
    pub(crate) spec: &'a ClusterSpec,
    /// The hosts that are cleaned.
    pub(crate) hosts: &'a [String],
    /// Whether the cluster goes on without them, and is told so.
    pub(crate) goes_on: bool,
    /// The masters among them, and the one that stays and has etcd forget them.
    pub(crate) leaving: Option<(&'a str, &'a [String])>,
    pub(crate) plugins: PluginInput<'a>,
    /// The plugins' steps that are taken back, in the order in which they were done.
    pub(crate) undo: &'a [String],
}

pub(crate) fn remove(input: &RemoveInput<'_>) -> RunPlan {
    let hosts = input.hosts.to_vec();
    let plugins = |phase| plugin_steps(phase, input.plugins);
    let command = contract::clean(input.spec);
    let clean = Step::new("clean/clean.sh", hosts.clone(), Action::Exec { command, env: BTreeMap::new() });
    let restore = Step::new("remove/made", hosts.clone(), Action::Restore);
    let remove = Step::new("remove/rootfs", hosts, Action::Remove { dir: input.spec.data_dir() });
    let mut phases: Vec<PhasePlan> = Vec::new();
    let pre_clean = undo(input).into_iter().chain(plugins(Phase::PreClean)).collect();
    add(&mut phases, Phase::PreClean, pre_clean);
    let mut steps = Vec::new();
    if let Some((heir, _)) = input.leaving {
        // The API server that was asked until now may be among those that leave.
        steps.push(Step::new("clean/kubeconfig", vec![heir.to_owned()], Action::Kubeconfig));
    }
    if input.goes_on {
        steps.push(Step::new("clean/drain", clean.hosts.clone(), Action::Drain));
    }
    // While their etcd still answers: of two members, the one that is left could not decide it.
    steps.extend(etcd(input));
    steps.push(kubernetes::leave(input.spec, &clean.hosts, input.goes_on));
    steps.push(clean);
    add(&mut phases, Phase::Clean, steps);
    add(&mut phases, Phase::PostClean, plugins(Phase::PostClean));
    add(&mut phases, Phase::Remove, vec![restore, remove]);
    let image = input.spec.image.familiar();
    RunPlan { cluster: input.spec.name.clone(), image, digest: String::new(), phases }
}

/// Has etcd forget the masters that leave.
pub(super) fn etcd(input: &RemoveInput<'_>) -> Option<Step> {
    let (heir, leaving) = input.leaving?;
    Some(exec("clean/etcd", &[heir.to_owned()], forget_members(leaving)))
}

/// Has etcd forget masters, also those that cannot say good-bye; where etcd is no static pod, nothing.
fn forget_members(masters: &[String]) -> String {
    let peers: Vec<String> =
        masters.iter().map(|master| format!("*//{master}:*|*//\\[{master}\\]:*")).collect();
    format!(
        "{ETCD_TOOLS}\n[ -e \"$manifests/etcd.yaml\" ] || exit 0\nmembers=$(ctl member list)\n\
         printf '%s\\n' \"$members\" | while IFS=, read -r id rest; do\n    case $rest in\n        {}) \
         ctl member remove \"$id\" < /dev/null > /dev/null ;;\n    esac\ndone",
        peers.join("|")
    )
}

/// What was done last is taken back first.
fn undo(input: &RemoveInput<'_>) -> Vec<Step> {
    let documents = input
        .plugins
        .specs
        .iter()
        .flat_map(|spec| spec.phases.iter().map(move |phase| (step_id(*phase, spec), spec)));
    let documents: Vec<(StepId, &PluginSpec)> = documents.collect();
    let steps = input.undo.iter().rev().filter_map(|done| {
        let (_, spec) = documents.iter().find(|(step, _)| step == done)?;
        let hosts = input.plugins.targets.get(&target_key(spec)).cloned().unwrap_or_default();
        let action = Action::Undo(Box::new((*spec).clone()));
        Some(Step::new(format!("undo/{done}"), hosts, action))
    });
    steps.filter(|step| !step.hosts.is_empty()).collect()
}
