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
    /// How long the call may take, in seconds; then the plugin is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

/// What a plugin says of itself: the answer of `describe`. All of it may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The plugin's own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One line on what it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The phases that it may be called in; none: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<String>,
    /// What one call is for.
    #[serde(default)]
    pub scope: Scope,
    /// A JSON Schema of `data`, which is read as YAML then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// What it asks sealer for; what is not in the list is refused. Left out: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<Need>>,
    /// Whether a second call does no more than the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// How long a call may take, in seconds, where the YAML says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

/// What one call of a plugin is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All selected hosts: one call.
    #[default]
    Cluster,
    /// One host: a call for each, side by side.
    Host,
}

/// Something that a plugin asks sealer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Commands on hosts.
    Exec,
    /// Files to hosts.
    Copy,
    /// Files of hosts.
    Read,
    /// Requests to the cluster.
    Kube,
    /// Connections of its own: said to the operator, and not enforced.
    Network,
}

/// What `run` would do: the answer of `plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// A line for people each.
    pub steps: Vec<String>,
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
    /// A file of a host. Answered by [`ReadReply`].
    Read {
        /// The host's address.
        host: String,
        /// The path there.
        path: String,
    },
    /// A request to the cluster, by its kubeconfig. Answered by [`KubeReply`].
    Kube(KubeRequest),
    /// A line for the operator. Answered by [`Nothing`].
    Log {
        /// The line.
        line: String,
        /// The host it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
    },
    /// How far the work has come. Answered by [`Nothing`].
    Progress {
        /// What is done.
        done: u64,
        /// Of how much.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Of what: `hosts`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<String>,
    },
    /// Whether the operator has asked for a stop. Answered by [`CancelledReply`].
    Cancelled,
    /// The value that the plugin kept for this cluster. Answered by [`StateReply`].
    GetState,
    /// Keeps a value for this cluster, of up to [`MOST_STATE`] bytes. Answered by [`Nothing`].
    SetState {
        /// The value; none forgets it.
        value: Option<String>,
    },
}

/// How many bytes a plugin may keep for a cluster.
pub const MOST_STATE: usize = 64 << 10;

/// A request to the cluster's API server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeRequest {
    /// `GET`, `PATCH`, …
    pub method: String,
    /// The path with its query: `/api/v1/nodes?limit=5`.
    pub path: String,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body's type; left out: `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// What the API server answered, whatever its status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KubeReply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// A file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReply {
    /// In base64 (RFC 4648, section 4).
    pub content: String,
}

/// Whether a stop was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledReply {
    /// It was: end soon.
    pub cancelled: bool,
}

/// A value that a plugin kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReply {
    /// The value; none was kept, or it was forgotten.
    pub value: Option<String>,
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
