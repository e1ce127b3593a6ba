//! What is left of a plan.

use super::{Action, PhasePlan, RunPlan, Step, StepId};

/// A plan without what is done, and what was left out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// The steps with the hosts on which they are done.
    pub(crate) steps: Vec<(StepId, Vec<String>)>,
}

impl Done {
    /// How many steps are done, each host of one counted.
    pub(crate) fn count(&self) -> usize {
        self.steps.iter().map(|(_, hosts)| hosts.len()).sum()
    }
}

impl RunPlan {
    /// How many steps there are, each host of one counted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.steps().map(|step| step.hosts.len()).sum()
    }

    /// Tells whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phases.is_empty()
    }

    /// Parts a plan into what is left to do and what is done. `left` returns the hosts of a step
    /// that it is not done on.
    pub(crate) fn rest(&self, left: &dyn Fn(&Step) -> Vec<String>) -> (Self, Done) {
        let mut done = Done::default();
        let mut phases = Vec::new();
        for phase in &self.phases {
            let steps = phase.steps.iter().filter_map(|step| rest(step, left, &mut done)).collect();
            super::add(&mut phases, phase.phase, steps);
        }
        // What a run reads again follows from what it changes.
        if phases.iter().flat_map(|phase: &PhasePlan| &phase.steps).all(Step::only_reads) {
            phases.clear();
        }
        (Self { phases, ..self.clone() }, done)
    }
}

fn rest(step: &Step, left: &dyn Fn(&Step) -> Vec<String>, done: &mut Done) -> Option<Step> {
    if step.only_reads() {
        return Some(step.clone());
    }
    let hosts = left(step);
    let behind: Vec<String> = step.hosts.iter().filter(|host| !hosts.contains(host)).cloned().collect();
    if !behind.is_empty() {
        done.steps.push((step.id.clone(), behind));
    }
    if hosts.is_empty() {
        return None;
    }
    let mut step = Step { hosts, ..step.clone() };
    if let Action::Distribute { sends, ways } = &mut step.action {
        sends.retain(|host, _| step.hosts.contains(host));
        ways.retain(|host, _| step.hosts.contains(host));
    }
    Some(step)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sealer_plugin::Phase;

    use super::*;

    #[test]
    fn what_is_done_on_some_hosts_is_left_for_the_others() {
        let hosts = vec!["a".to_owned(), "b".to_owned()];
        let exec = |id: &str| {
            let action = Action::Exec { command: id.to_owned(), env: BTreeMap::new() };
            Step::new(id, hosts.clone(), action)
        };
        let read = Step::new("read", vec!["a".to_owned()], Action::Kubeconfig);
        let phases = vec![
            PhasePlan { phase: Phase::HostInit, steps: vec![exec("one"), read.clone()] },
            PhasePlan { phase: Phase::Guest, steps: vec![exec("two")] },
        ];
        let text = String::new();
        let plan = RunPlan { cluster: text.clone(), image: text.clone(), digest: text, phases };
        let (rest, done) = plan.rest(&|step| match step.id.as_str() {
            "one" => Vec::new(),
            _ => vec!["b".to_owned()],
        });
        let left = Step { hosts: vec!["b".to_owned()], ..exec("two") };
        assert_eq!(
            rest.phases,
            [
                PhasePlan { phase: Phase::HostInit, steps: vec![read] },
                PhasePlan { phase: Phase::Guest, steps: vec![left] }
            ]
        );
        assert_eq!(done.steps, [("one".to_owned(), hosts.clone()), ("two".to_owned(), vec!["a".to_owned()])]);
        assert_eq!((plan.count(), rest.count(), done.count()), (5, 2, 3));
        assert!(plan.rest(&|_| Vec::new()).0.is_empty());
    }
}
