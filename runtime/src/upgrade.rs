//! An upgrade to another image of Kubernetes, and the way back.

use sealer_image::{Reference, layer};
use sealer_stdx::task::Task;
use semver::Version;
use serde::Serialize;

use crate::cluster::{ClusterSpec, state};
use crate::error::{Error, InputError, Result};
use crate::kubernetes::{self, Kubernetes};
use crate::plan::Manner;
use crate::run::{Prepared, RunOptions, World, open_image, prepare_as};

/// What is to be upgraded.
pub struct UpgradeRequest {
    /// The cluster, as it is kept.
    pub spec: ClusterSpec,
    /// What it is to run.
    pub image: Reference,
    /// Whether it goes back to an image that it ran before.
    pub back: bool,
    /// How many nodes may be at it at once.
    pub max_unavailable: usize,
    /// How hosts are worked on.
    pub options: RunOptions,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upgraded {
    /// The cluster.
    pub cluster: String,
    /// Kubernetes' version before.
    pub from: String,
    /// And now.
    pub to: String,
}

/// Prepares an upgrade; nothing is written to a host before it is executed.
///
/// # Errors
/// As [`crate::prepare`]; when either image brings no Kubernetes, or the step between their versions is one
/// that Kubernetes does not take.
pub fn prepare_upgrade<'a>(
    task: &Task,
    request: UpgradeRequest,
    world: &'a World<'a>,
) -> Result<(Prepared<'a>, Upgraded)> {
    let UpgradeRequest { spec, image, back, max_unavailable, options } = request;
    let (from, to) = (version(task, world, &spec.image)?, version(task, world, &image)?);
    if let Some((message, hint)) = objection(&from, &to, back) {
        let hint = Some(hint.to_owned());
        return Err(Error::Input(vec![InputError { place: image.familiar(), message, hint }]));
    }
    let upgraded = Upgraded { cluster: spec.name.clone(), from, to };
    let manner = Manner { at_once: max_unavailable, back };
    let spec = ClusterSpec { image, ..spec };
    Ok((prepare_as(task, spec, world, options, Some((&upgraded.to, manner)))?, upgraded))
}

/// Returns the image that a cluster ran before its last upgrade.
///
/// # Errors
/// When it was never upgraded.
pub fn previous_image(world: &World<'_>, cluster: &str) -> Result<Reference> {
    let image = state::previous(&world.clusters(), cluster).and_then(|name| name.parse().ok());
    image.ok_or_else(|| {
        let message = "it was never upgraded: there is nothing to go back to".to_owned();
        let hint = Some("`sealer upgrade IMAGE -c NAME` brings it to another image".to_owned());
        Error::Input(vec![InputError { place: cluster.to_owned(), message, hint }])
    })
}

/// The version that an image's words for kubeadm name.
fn version(task: &Task, world: &World<'_>, reference: &Reference) -> Result<String> {
    let image = open_image(task, world, reference)?;
    let unpacked = layer::unpacked(task, world.store, &image, &world.roots())?;
    let text = kubernetes::config_text(&Default::default(), &unpacked.dir).unwrap_or_default();
    Kubernetes::version_in(&text).ok_or_else(|| {
        let message = "it brings no Kubernetes: etc/kubeadm.yml names no kubernetesVersion".to_owned();
        let hint = Some("name a cluster image that brings Kubernetes".to_owned());
        Error::Input(vec![InputError { place: reference.familiar(), message, hint }])
    })
}

/// Why there is no way from one version to another, and what to do instead; none, if there is.
fn objection(from: &str, to: &str, back: bool) -> Option<(String, &'static str)> {
    let parse = |text: &str| Version::parse(text.strip_prefix('v').unwrap_or(text)).ok();
    let (Some(old), Some(new)) = (parse(from), parse(to)) else {
        let message = format!("`{from}` or `{to}` is no version of Kubernetes");
        return Some((message, "correct kubernetesVersion in the image's etc/kubeadm.yml"));
    };
    if back {
        return ((old.major, old.minor) != (new.major, new.minor)).then(|| {
            let message = format!("Kubernetes does not go back from {from} to {to}");
            (message, "restore the snapshot of etcd that the upgrade took")
        });
    }
    if new < old {
        let message = format!("{to} is older than the cluster's {from}");
        return Some((message, "`sealer rollback` goes back to the image before an upgrade"));
    }
    if new.major != old.major || new.minor > old.minor + 1 {
        let message = format!("{to} is more than one minor version after the cluster's {from}");
        return Some((message, "upgrade to each minor version in turn"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::objection;

    #[test]
    fn kubernetes_goes_one_minor_version_at_a_time_and_back_within_one() {
        assert_eq!(objection("v1.20.2", "v1.20.3", false), None);
        assert_eq!(objection("v1.20.2", "v1.21.0", false), None);
        assert_eq!(objection("v1.21.0-rc.1", "v1.21.0", false), None);
        assert_eq!(objection("v1.20.3", "v1.20.2", true), None);
        let told = |from, to, back| objection(from, to, back).unwrap().0;
        assert_eq!(
            told("v1.20.2", "v1.22.0", false),
            "v1.22.0 is more than one minor version after the cluster's v1.20.2"
        );
        assert_eq!(told("v1.20.2", "v1.19.9", false), "v1.19.9 is older than the cluster's v1.20.2");
        assert_eq!(told("v1.21.0", "v1.20.2", true), "Kubernetes does not go back from v1.21.0 to v1.20.2");
        assert_eq!(told("1.20", "v1.20.2", false), "`1.20` or `v1.20.2` is no version of Kubernetes");
    }
}
