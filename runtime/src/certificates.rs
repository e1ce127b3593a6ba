//! The certificates of a cluster that is there, made anew by its own authorities.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sealer_image::layer;
use sealer_plugin::{Phase, PluginSet};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::cluster::ClusterSpec;
use crate::cluster::state::State;
use crate::distribute;
use crate::error::{Error, InputError, Result};
use crate::execute::Crew;
use crate::host::Keys;
use crate::kubernetes::{self, Kubernetes};
use crate::lease::{Lease, Wanted};
use crate::plan::{self, RunPlan};
use crate::run::{World, log_in, open_image};

/// What is to be renewed.
#[derive(Debug, Clone)]
pub struct RenewRequest {
    /// The cluster, as it is kept.
    pub spec: ClusterSpec,
    /// Further names and addresses of the API server, kept with the cluster from now on.
    pub alt_names: Vec<String>,
    /// How many hosts are looked at once; they are renewed one after the other.
    pub parallel: usize,
    /// A list of host keys, outside of which none is taken.
    pub known_hosts: Option<PathBuf>,
}

/// Renews all that the cluster's authorities sign, master by master, each back at work before the next.
/// Returns the masters.
///
/// # Errors
/// When the image brings no Kubernetes, the masters do not hold sealer's authorities, or one does not get
/// well afterwards.
pub fn renew_certificates(task: &Task, request: RenewRequest, world: &World<'_>) -> Result<Vec<String>> {
    let RenewRequest { mut spec, alt_names, parallel, known_hosts } = request;
    let state = State::open(&world.clusters(), &spec.name)?;
    let keys = Keys::new(state.known_hosts(), known_hosts, true, parallel);
    let image = open_image(task, world, &spec.image)?;
    let unpacked = layer::unpacked(task, world.store, &image, &world.roots())?;
    if !kubernetes::is_in(&|path| unpacked.dir.join(path).is_file()) {
        let message = format!("`{}` brings no Kubernetes: it has no certificates", spec.image.familiar());
        return Err(Error::Input(vec![InputError { place: spec.name, message, hint: None }]));
    }
    let full = spec.in_full(Some(&image));
    let text = kubernetes::config_text(&distribute::trees(&full, &unpacked)?[0].own, &unpacked.dir);
    let text = text.at(&unpacked.dir)?;
    let mut masters = full.clone();
    masters.hosts.retain(|host| host.has_role("master"));
    let members = log_in(&masters, &keys, parallel)?;
    let names: BTreeMap<String, String> =
        members.iter().map(|member| (member.name.clone(), member.facts.hostname.clone())).collect();
    let mut made = Kubernetes::read(&masters, &text, &names)?;
    if !alt_names.is_empty() {
        spec.documents.push(made.documents.with_alt_names(&alt_names));
        masters.documents.clone_from(&spec.documents);
        made = Kubernetes::read(&masters, &text, &names)?;
    }
    let (who, members) = (&world.who, &members[..]);
    let lease = Some(Lease::take(task, &Wanted { spec: &masters, keys: &keys, who, members, force: false })?);
    let plugins = PluginSet::built_in();
    let crew = Crew { lease, ..Crew::plain(world, (&masters, members), &plugins, &state, parallel) };
    state.keep_token(crew.lease.as_ref().map_or(0, Lease::token))?;
    let mut phases = Vec::new();
    plan::add(&mut phases, Phase::Init, plan::renew(&made));
    let (cluster, image) = (spec.name.clone(), spec.image.familiar());
    crew.execute(task, &RunPlan { cluster, image, digest: String::new(), phases })?;
    state.keep_spec(&spec)?;
    crew.share(task)?;
    Ok(made.masters.into_iter().map(|master| master.address).collect())
}
