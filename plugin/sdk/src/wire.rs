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

/// What a plugin asks of sealer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum HostRequest {
    /// A shell command on a host, as root. Answered by [`ExecReply`].
    Exec {
        /// The host's address.
        host: String,
        /// The command.
        command: String,
    },
    /// A file of the machine where the plugin runs, to a host. Answered by [`Nothing`].
    Copy {
        /// The file here.
        source: String,
        /// The host's address.
        host: String,
        /// The path there.
        dest: String,
        /// Its permission bits there.
        mode: u32,
    },
    /// A line for the operator. Answered by [`Nothing`].
    Log {
        /// The line.
        line: String,
        /// The host it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
}

/// What a command on a host gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecReply {
    /// The exit status; 128 + n for signal n.
    pub status: i32,
    /// Standard output; what is not UTF-8 in it is replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

/// An answer that says only that it was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// Sealer's answer to a [`HostRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply<T> {
    /// It could not be done.
    Error {
        /// Why.
        error: String,
    },
    /// It was done.
    Done(T),
}
