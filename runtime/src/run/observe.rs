//! What is read from hosts before a run is planned, and what it forbids.

use sealer_image::Image;
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;

use super::RunOptions;
use crate::cluster::shared::{self, Header, Shared};
use crate::cluster::state::State;
use crate::cluster::{ClusterSpec, HostSpec};
use crate::distribute::{self, HostTree, Lack, Trust};
use crate::error::{Error, HostError, HostFailure, Result, all};
use crate::execute::Member;
use crate::facts;
use crate::host::{Keys, connect, must};

/// Logs in to every host, reads its facts and what it has, and refuses what these forbid.
pub(super) fn observe(
    task: &Task,
    spec: &ClusterSpec,
    options: &RunOptions,
    keys: &Keys,
    (image, trees): (&Image, &[HostTree]),
) -> Result<(Vec<Member>, Vec<Lack>)> {
    let task = task.child("connect", format!("{} hosts", spec.hosts.len()), None)?;
    let members = log_in(spec, keys, options.parallel)?;
    check(&members, image)?;
    let pairs: Vec<(&Member, &HostTree)> = members.iter().zip(trees).collect();
    let lacks = fanout(options.parallel, pairs, |(member, tree): (&Member, &HostTree)| {
        survey(spec, member, tree, options.trust).map_err(|failure| failure.on(&member.name))
    });
    let lacks = all(lacks).map_err(Error::Hosts)?;
    task.finish();
    Ok((members, lacks))
}

/// Logs in to hosts and reads their facts.
pub(crate) fn log_in(spec: &ClusterSpec, keys: &Keys, parallel: usize) -> Result<Vec<Member>> {
    all(reach(&spec.hosts, &spec.data_dir(), keys, parallel)).map_err(Error::Hosts)
}

/// Logs in to hosts and reads their facts. Each is there or is not. `dir` is the cluster's folder there.
pub(crate) fn reach(
    hosts: &[HostSpec],
    dir: &str,
    keys: &Keys,
    parallel: usize,
) -> Vec<std::result::Result<Member, HostError>> {
    fanout(parallel, hosts.iter().collect(), |host: &HostSpec| {
        let name = host.name();
        let connected = connect(host, keys)?;
        let facts = facts::gather(&*connected, dir).map_err(|failure| failure.on(&name))?;
        Ok(Member { name, host: connected, facts })
    })
}

/// Takes over the state of the master that has the latest one, where it is later than what is here:
/// somebody has changed the cluster from another machine. Tells whether it was.
pub(crate) fn refresh(state: &State, members: &[Member], data_dir: &str) -> Result<bool> {
    let known = members.iter().filter_map(|member| Some((member, Header::parse(&member.facts.state)?)));
    let latest = known.max_by_key(|(_, header)| (header.token, header.journal));
    let Some((member, _)) = latest.filter(|(_, header)| header.token > state.token()) else {
        return Ok(false);
    };
    let taken = must(&*member.host, &shared::get(data_dir)).and_then(|text| {
        Shared::parse(&String::from_utf8_lossy(&text))
            .map_err(|reason| HostFailure::Unfit(format!("the cluster's state cannot be read: {reason}")))
    });
    let shared = taken.map_err(|failure| Error::Hosts(vec![failure.on(&member.name)]))?;
    state.take(&shared)?;
    Ok(true)
}

/// What the facts forbid, on all hosts together.
fn check(members: &[Member], image: &Image) -> Result<()> {
    let mut errors: Vec<HostError> = Vec::new();
    let platform = image.platform();
    for (index, member) in members.iter().enumerate() {
        if member.facts.architecture != platform.architecture {
            let message = format!("the host is {}, the image is for {platform}", member.facts.architecture);
            errors.push(HostFailure::Unfit(message).on(&member.name));
        }
        let same = |other: &&Member| {
            other.facts.hostname == member.facts.hostname && other.facts.machine_id == member.facts.machine_id
        };
        if let Some(other) = members[..index].iter().find(same) {
            let message = format!(
                "the host is the same machine as {}: both are `{}`",
                other.name, member.facts.hostname
            );
            errors.push(HostFailure::Unfit(message).on(&member.name));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Hosts(errors)) }
}

/// Hosts that are nodes of another cluster would lose it.
pub(super) fn refuse_members_of_others(members: &[Member]) -> Result<()> {
    let others = members.iter().filter(|member| member.facts.in_other_cluster);
    let errors: Vec<HostError> = others
        .map(|member| {
            let message = "the host is a node of another cluster: it has `/etc/kubernetes/kubelet.conf`";
            HostFailure::Unfit(message.to_owned()).on(&member.name)
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Hosts(errors)) }
}

fn survey(
    spec: &ClusterSpec,
    member: &Member,
    tree: &HostTree,
    trust: Trust,
) -> std::result::Result<Lack, HostFailure> {
    let dir = spec.data_dir();
    let lack = distribute::survey(&*member.host, &dir, tree, (&member.facts, trust))?;
    let needed = lack.amount(&tree.tree).bytes;
    if needed > member.facts.free {
        return Err(HostFailure::NoSpace { path: dir, needed, available: member.facts.free });
    }
    Ok(lack)
}
