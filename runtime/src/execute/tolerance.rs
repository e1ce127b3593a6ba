//! How many nodes may fail before a run is given up, and those that did.

use std::sync::Mutex;

use sealer_stdx::task::Task;

use crate::cluster::ClusterSpec;
use crate::error::{Error, HostError, Result};
use crate::plan::{Action, Step};

/// Nodes that failed, which the run goes on without. A master that fails ends the run.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    most: usize,
    failed: Mutex<Vec<HostError>>,
}

impl Aside {
    /// `most` nodes may fail.
    pub(crate) fn up_to(most: usize) -> Self {
        Self { most, failed: Mutex::default() }
    }

    /// What is left of a step without those that failed; none, if nobody is.
    pub(super) fn rest(&self, step: &Step) -> Option<Step> {
        let failed = self.failed.lock().expect("no holder panics");
        let is_well = |host: &String| !failed.iter().any(|error| error.host == *host);
        let mut step = step.clone();
        step.hosts.retain(is_well);
        match &mut step.action {
            Action::Distribute { sends, ways } => {
                sends.retain(|host, _| is_well(host));
                ways.retain(|host, _| is_well(host));
            }
            Action::Ready { nodes } => nodes.retain(|host, _| is_well(host)),
            _ => {}
        }
        (!step.hosts.is_empty()).then_some(step)
    }

    /// Sets the hosts of a step that failed aside.
    ///
    /// # Errors
    /// When they are too many, or one of them is a master.
    pub(super) fn take(
        &self,
        task: &Task,
        spec: &ClusterSpec,
        step: &Step,
        errors: Vec<HostError>,
    ) -> Result<()> {
        let master = |error: &HostError| {
            spec.hosts.iter().any(|host| host.name() == error.host && host.has_role("master"))
        };
        let mut failed = self.failed.lock().expect("no holder panics");
        if failed.len() + errors.len() > self.most || errors.iter().any(master) {
            return Err(Error::Step { step: step.id.clone(), of: step.hosts.len(), errors });
        }
        for error in &errors {
            task.warn(format!("{error}; it is set aside, and the run goes on without it"));
        }
        failed.extend(errors);
        Ok(())
    }

    /// Tells of those that were set aside, when all else is done.
    ///
    /// # Errors
    /// When there are any.
    pub(crate) fn check(&self, of: usize) -> Result<()> {
        let errors = std::mem::take(&mut *self.failed.lock().expect("no holder panics"));
        if errors.is_empty() { Ok(()) } else { Err(Error::SetAside { of, errors }) }
    }
}
