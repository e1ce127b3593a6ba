//! The messages between sealer and a plugin, as JSON. They grow only by optional fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One call of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// `metadata.name` of the plugin's YAML.
    pub name: String,
    /// `spec.type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The phase that is being run: `PostInstall`.
    pub phase: String,
    /// `spec.data`.
    #[serde(default)]
    pub data: String,
    /// The cluster.
    pub cluster: Cluster,
    /// The addresses of the hosts that this call is for: those `spec.on` selects, else all.
    pub hosts: Vec<String>,
    /// The version of sealer that calls.
    #[serde(default)]
    pub sealer_version: String,
}

/// The cluster as a plugin sees it. It holds no secret but what the kubeconfig's file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The image's reference.
    #[serde(default)]
    pub image: String,
    /// All hosts: masters first, each group in the Clusterfile's order.
    pub hosts: Vec<Host>,
    /// The root file system's folder on every host.
    pub rootfs: String,
    /// The cluster's own environment (`spec.env`).
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// A kubeconfig file on the machine where the plugin runs, once the cluster has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<String>,
}

/// A host as a plugin sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its address: what `exec` and `copy` take.
    pub address: String,
    /// What the host calls itself.
    #[serde(default)]
    pub hostname: String,
    /// Its roles: `master`, `node`, and the cluster's own.
    pub roles: Vec<String>,
    /// The host's environment: the cluster's, then its own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}
