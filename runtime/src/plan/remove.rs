//! The plan of a delete.

use std::collections::BTreeMap;

use sealer_plugin::{Phase, PluginSpec};

use super::{
    Action, PhasePlan, PluginInput, RunPlan, Step, StepId, add, kubernetes, plugin_steps, step_id, target_key,
};
use crate::cluster::ClusterSpec;
use crate::host::quote::quote;

/// What a plan follows from.
pub(crate) struct RemoveInput<'a> {
    pub(crate) spec: &'a ClusterSpec,
    /// The hosts that are cleaned.
    pub(crate) hosts: &'a [String],
    /// Whether the cluster goes on without them, and is told so.
    pub(crate) goes_on: bool,
    pub(crate) plugins: PluginInput<'a>,
    /// The plugins' steps that are taken back, in the order in which they were done.
    pub(crate) undo: &'a [String],
}

pub(crate) fn remove(input: &RemoveInput<'_>) -> RunPlan {
    let (hosts, rootfs) = (input.hosts.to_vec(), quote(&input.spec.rootfs()));
    let plugins = |phase| plugin_steps(phase, input.plugins);
    // As the original's 0.8: only where the image brought the script.
    let command = format!(
        "if [ -f {rootfs}/scripts/clean.sh ]; then chmod +x {rootfs}/scripts/clean.sh && cd {rootfs}/scripts && /bin/bash clean.sh; fi"
    );
    let clean = Step::new("clean/clean.sh", hosts.clone(), Action::Exec { command, env: BTreeMap::new() });
    let restore = Step::new("remove/made", hosts.clone(), Action::Restore);
    let remove = Step::new("remove/rootfs", hosts, Action::Remove { dir: input.spec.data_dir() });
    let mut phases: Vec<PhasePlan> = Vec::new();
    let pre_clean = undo(input).into_iter().chain(plugins(Phase::PreClean)).collect();
    add(&mut phases, Phase::PreClean, pre_clean);
    let mut steps = Vec::new();
    if input.goes_on {
        steps.push(Step::new("clean/drain", clean.hosts.clone(), Action::Drain));
    }
    steps.push(kubernetes::leave(input.spec, &clean.hosts, input.goes_on));
    steps.push(clean);
    add(&mut phases, Phase::Clean, steps);
    add(&mut phases, Phase::PostClean, plugins(Phase::PostClean));
    add(&mut phases, Phase::Remove, vec![restore, remove]);
    let image = input.spec.image.familiar();
    RunPlan { cluster: input.spec.name.clone(), image, digest: String::new(), phases }
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
