//! What is kept of an upgrade: the cluster runs another image now, as if it had been run with it.

use sealer_stdx::task::Task;

use super::Prepared;
use super::leave::everybody;
use crate::cluster::flags::Defaults;
use crate::error::Result;
use crate::execute::journal::How;
use crate::execute::{Crew, Digests};
use crate::lease::Lease;

impl Prepared<'_> {
    /// Upgrades the hosts, then notes that every step of a run with the image is done, and what the cluster
    /// ran before.
    ///
    /// # Errors
    /// The first host that does not take it, and was put back.
    pub(super) fn upgrade(&self, task: &Task, crew: &Crew<'_>, digests: Digests<'_>) -> Result<()> {
        self.state.keep_token(crew.lease.as_ref().map_or(0, Lease::token))?;
        crew.execute(task, &self.plan)?;
        let before = everybody(&self.state.clusterfiles()?, &Defaults::default())?;
        for step in self.whole.steps() {
            for host in &step.hosts {
                self.journal.note(&step.id, host, digests.of(step, host), How::Found)?;
            }
        }
        self.state.keep(&self.said, &self.whole)?;
        if let Some(before) = before {
            self.state.keep_previous(&before.image.familiar())?;
        }
        crew.share(task)
    }
}
