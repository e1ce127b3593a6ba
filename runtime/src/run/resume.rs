//! A run that did not come to its end: gone on with, given up, or in the way of another.

use sealer_image::Image;

use super::{Course, RunOptions};
use crate::cluster::clusterfile;
use crate::cluster::flags::{self, Defaults};
use crate::cluster::hosts::Endpoint;
use crate::cluster::state::{self, State};
use crate::cluster::{ClusterSpec, HostSpec};
use crate::error::{Error, InputError, Result, Unfinished};
use crate::execute::journal::{Begun, Journal, now};
use crate::plan::RunPlan;
use crate::run::World;

/// Returns the plan that is to be gone on with, where there is one. A run of something else is in the
/// way, unless it is given up.
pub(super) fn unfinished(
    said: &ClusterSpec,
    image: &Image,
    options: &RunOptions,
    (state, journal): (&State, &Journal),
) -> Result<Option<RunPlan>> {
    let cluster = said.name.clone();
    let Some(open) = journal.open() else {
        return match options.course {
            Course::Resume => Err(Error::NothingToResume { cluster }),
            _ => Ok(None),
        };
    };
    if options.course == Course::Abandon {
        return Ok(None);
    }
    let mut wanted = begun(said, image);
    if options.course == Course::Resume {
        // The Clusterfile that was kept is what the run began with.
        wanted.spec.clone_from(&open.spec);
    }
    let differs = differences(&open, &wanted);
    if differs.is_empty() {
        return state.plan().map(Some);
    }
    let Begun { image, at, .. } = open;
    Err(Error::Unfinished(Box::new(Unfinished { cluster, image, at, differs })))
}

/// What a run begins with.
pub(super) fn begun(said: &ClusterSpec, image: &Image) -> Begun {
    Begun {
        image: said.image.familiar(),
        digest: image.descriptor.digest().to_string(),
        hosts: said.hosts.iter().map(crate::HostSpec::name).collect(),
        spec: said.fingerprint(),
        at: now(),
    }
}

/// What is asked for now and was not then, a phrase each.
fn differences(open: &Begun, wanted: &Begun) -> Vec<String> {
    let mut differs = Vec::new();
    if open.digest != wanted.digest {
        differs.push(match open.image == wanted.image {
            true => format!("`{}` is another image now: {}, not {}", open.image, wanted.digest, open.digest),
            false => format!("the image is `{}`, not `{}`", wanted.image, open.image),
        });
    }
    let missing = |of: &[String], from: &[String]| -> Vec<String> {
        of.iter().filter(|host| !from.contains(host)).cloned().collect()
    };
    let (added, removed) = (missing(&wanted.hosts, &open.hosts), missing(&open.hosts, &wanted.hosts));
    for (hosts, what) in [(&added, "more"), (&removed, "fewer")] {
        if !hosts.is_empty() {
            differs.push(format!("{what} hosts: {}", hosts.join(", ")));
        }
    }
    if differs.is_empty() && open.spec != wanted.spec {
        differs.push("the roles, environment, commands, configs or plugins differ".to_owned());
    }
    differs
}

/// Returns a cluster as it was asked for last; the only one there is where none is named.
///
/// # Errors
/// When there is no such cluster, or what was kept of it cannot be read.
pub fn kept(world: &World<'_>, name: Option<&str>, defaults: &Defaults) -> Result<ClusterSpec> {
    let name = state::pick(&world.clusters(), name)?;
    let text = state::read(&world.clusters(), &name)?;
    clusterfile::parse("Clusterfile", &text, defaults).map_err(Error::Input)
}

/// Returns a cluster as it was asked for last, with further hosts.
///
/// # Errors
/// As [`kept`], or when a host is in the cluster already.
pub fn joined(
    world: &World<'_>,
    name: Option<&str>,
    (masters, nodes): (&[Endpoint], &[Endpoint]),
    defaults: &Defaults,
) -> Result<ClusterSpec> {
    let mut spec = kept(world, name, defaults)?;
    let more = flags::of_flags(&spec.name, spec.image.clone(), masters, nodes, defaults);
    let more = more.map_err(Error::Input)?.hosts;
    let there = |host: &&HostSpec| spec.hosts.iter().any(|known| known.address == host.address);
    let errors: Vec<InputError> = more
        .iter()
        .filter(there)
        .map(|host| InputError {
            place: "-m or -n".to_owned(),
            message: format!("`{}` is a host of cluster `{}` already", host.name(), spec.name),
            hint: None,
        })
        .collect();
    if !errors.is_empty() {
        return Err(Error::Input(errors));
    }
    for mut host in more {
        let own = std::mem::take(&mut host.env);
        host.env.clone_from(&spec.env);
        host.env.extend(own);
        spec.hosts.push(host);
    }
    // Masters first, each group in the order in which it came.
    spec.hosts.sort_by_key(|host| !host.has_role("master"));
    Ok(spec)
}

/// Forgets the keys that a host of a cluster had. Returns the cluster's name and how many they were.
///
/// # Errors
/// When there is no such cluster, or it is being worked on.
pub fn forget_host_key(world: &World<'_>, name: Option<&str>, host: &str) -> Result<(String, usize)> {
    let name = state::pick(&world.clusters(), name)?;
    let state = State::open(&world.clusters(), &name)?;
    let count = state.forget_key(host)?;
    Ok((name, count))
}
