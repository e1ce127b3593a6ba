//! Bringing the image's root to the hosts of a step, each the way that the plan says.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use sealer_agent::Pace;
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;

use super::{Crew, Distribution, Member};
use crate::distribute::{Bounds, Bundles, Relayed, Seat, Trust, Ways, keep, receive, relay, survey, tidy};
use crate::error::{Error, HostError, HostFailure, all};
use crate::plan::{Step, Way};

type Results = BTreeMap<String, Result<Relayed, HostFailure>>;

/// The bytes that a host got.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    /// From this machine.
    pub(crate) sent: u64,
    /// From other hosts.
    pub(crate) relayed: u64,
}

impl Crew<'_> {
    pub(super) fn distribute(&self, task: &Task, step: &Step, ways: &Ways) -> Vec<Result<(), HostError>> {
        let Some(distribution) = self.distribution else { return Vec::new() };
        let (source, scratch) = (distribution.unpacked.dir.clone(), distribution.scratch.clone());
        let relayed = Mutex::new(self.relay(task, distribution, ways));
        let pace = Pace::new(self.bandwidth);
        thread::scope(|scope| {
            let bundles = Bundles::new(scope, source, scratch, &pace);
            self.on_hosts(task, step, |member, again| {
                let done = relayed.lock().expect("no holder panics").remove(&member.name);
                match done {
                    // What arrived before the connection was lost is not sent again.
                    None if again => self.stream_again(task, distribution, member, &bundles),
                    None => self.stream(task, distribution, member, &bundles),
                    Some(Ok(Relayed::Done { sent, relayed })) => {
                        self.count(&member.name, Sent { sent, relayed });
                        Ok(())
                    }
                    Some(Ok(Relayed::Unable { reason })) => {
                        task.warn(format!("{} is sent a plain stream: {reason}", member.name));
                        self.stream_again(task, distribution, member, &bundles)
                    }
                    Some(Err(failure)) => Err(failure),
                }
            })
        })
    }

    /// Has hosts that lack nothing record their roots that were hashed, so that the next run need not, and lose
    /// what a cut run left.
    pub(crate) fn settle(&self) -> crate::error::Result<()> {
        let Some(Distribution { trees, lacks, .. }) = self.distribution else { return Ok(()) };
        let dir = self.spec.data_dir();
        let hashed = self
            .members
            .iter()
            .filter(|member| lacks.get(&member.name).is_some_and(|lack| lack.nothing))
            .collect();
        let kept = fanout(self.parallel, hashed, |member: &Member| {
            let (lack, host) = (&lacks[&member.name], &*member.host);
            let tidied = if lack.strays { tidy(host, &dir) } else { Ok(()) };
            let kept = tidied.and_then(|()| match &lack.seen {
                Some(seen) => keep(host, &dir, &trees[&member.name].digest, Some(seen)),
                None => Ok(()),
            });
            kept.map_err(|failure| failure.on(&member.name))
        });
        all(kept).map(|_| ()).map_err(Error::Hosts)
    }

    /// Has the hosts send to each other, as far as the plan says so.
    fn relay(&self, task: &Task, distribution: &Distribution, ways: &Ways) -> Results {
        let is_relayed = |member: &&Member| matches!(ways.get(&member.name), Some(Way::Relay));
        let members: Vec<&Member> = self.members.iter().filter(is_relayed).collect();
        let spec = |name: &str| self.spec.hosts.iter().find(|host| host.name() == name);
        let seats: Vec<Seat<'_>> = members
            .iter()
            .filter_map(|member| {
                Some(Seat {
                    name: &member.name,
                    address: spec(&member.name)?.address,
                    direct: spec(&member.name)?.ssh.jump.is_empty(),
                    host: &*member.host,
                    tree: &distribution.trees[&member.name],
                    lack: &distribution.lacks[&member.name],
                })
            })
            .collect();
        if seats.is_empty() {
            return Results::new();
        }
        let (dir, source) = (self.spec.data_dir(), &distribution.unpacked.dir);
        let bounds = Bounds { bandwidth: self.bandwidth, parallel: self.parallel };
        let results = relay(task, &seats, &dir, source, bounds);
        seats.iter().map(|seat| seat.name.to_owned()).zip(results).collect()
    }

    fn stream(
        &self,
        task: &Task,
        distribution: &Distribution,
        member: &Member,
        bundles: &Bundles<'_, '_>,
    ) -> Result<(), HostFailure> {
        let (tree, lack) = (&distribution.trees[&member.name], &distribution.lacks[&member.name]);
        let task = task.child("distribute", member.name.clone(), Some(lack.amount(&tree.tree).bytes))?;
        if lack.nothing {
            task.skip();
            return Ok(());
        }
        let what = (tree, lack, &member.facts);
        let sent = receive(&task, &*member.host, &self.spec.data_dir(), what, bundles)?;
        self.count(&member.name, Sent { sent, relayed: 0 });
        task.finish();
        Ok(())
    }

    /// A stream to a host whose agent has changed what is there.
    fn stream_again(
        &self,
        task: &Task,
        distribution: &Distribution,
        member: &Member,
        bundles: &Bundles<'_, '_>,
    ) -> Result<(), HostFailure> {
        let (tree, dir) = (&distribution.trees[&member.name], self.spec.data_dir());
        let lack = survey(&*member.host, &dir, tree, (&member.facts, Trust::Record))?;
        let task = task.child("distribute", member.name.clone(), Some(lack.amount(&tree.tree).bytes))?;
        if lack.nothing {
            keep(&*member.host, &dir, &tree.digest, lack.seen.as_deref())?;
        } else {
            let sent = receive(&task, &*member.host, &dir, (tree, &lack, &member.facts), bundles)?;
            self.count(&member.name, Sent { sent, relayed: 0 });
        }
        task.finish();
        Ok(())
    }

    fn count(&self, host: &str, sent: Sent) {
        let mut all = self.sent.lock().expect("no holder panics");
        let so_far = all.entry(host.to_owned()).or_default();
        so_far.sent += sent.sent;
        so_far.relayed += sent.relayed;
    }
}
