//! Keeping the cluster's state on its masters, too.

use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;

use super::journal::now;
use super::{Crew, Member};
use crate::cluster::shared::{self, Shared};
use crate::error::Result;
use crate::host::must_with;

impl Crew<'_> {
    /// Gives every master the cluster's state as it is now. A master that cannot be given it keeps what
    /// it has, and that is told: the next one that is reached has the later one.
    pub(crate) fn share(&self, task: &Task) -> Result<()> {
        let Some(lease) = &self.lease else { return Ok(()) };
        let own = (lease.token(), self.who, now());
        let text = Shared::new(&self.spec.name, self.state.shared()?, own).to_text();
        let command = shared::put(&self.spec.data_dir(), &self.fence(), text.len());
        let hosts = self.spec.hosts.iter().filter(|host| host.has_role("master"));
        let masters: Vec<String> = hosts.map(crate::HostSpec::name).collect();
        let members = self.members.iter().filter(|member| masters.contains(&member.name)).collect();
        let given = fanout(self.parallel, members, |member: &Member| {
            let given = must_with(&*member.host, &command, &mut text.as_bytes());
            given.err().map(|failure| (member.name.clone(), failure))
        });
        for (host, failure) in given.into_iter().flatten() {
            task.warn(format!("{host} does not have the latest state of the cluster: {failure}"));
        }
        Ok(())
    }
}
