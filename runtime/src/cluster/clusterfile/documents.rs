//! The documents of a Clusterfile, as YAML has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Deserialize)]
pub(super) struct Header {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default, rename = "apiVersion")]
    pub(super) api_version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterDocument {
    #[expect(dead_code, reason = "read by the header")]
    #[serde(default, rename = "apiVersion")]
    pub(super) api_version: String,
    #[expect(dead_code, reason = "read by the header")]
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: ClusterBody,
    #[expect(dead_code, reason = "the original writes an empty one")]
    #[serde(default)]
    pub(super) status: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub(super) name: Spanned<String>,
    #[expect(dead_code, reason = "notes of others are left alone")]
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[expect(dead_code, reason = "notes of others are left alone")]
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[expect(dead_code, reason = "the original writes an empty one")]
    #[serde(default, rename = "creationTimestamp")]
    pub(super) creation_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterBody {
    pub(super) image: Spanned<String>,
    #[serde(default)]
    pub(super) env: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) cmd_args: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) cmd: Option<Vec<String>>,
    #[serde(default)]
    pub(super) ssh: SshDocument,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<HostDocument>>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct HostDocument {
    #[serde(default)]
    pub(super) ips: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) env: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ssh: SshDocument,
}

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct SshDocument {
    pub(super) user: Option<String>,
    pub(super) passwd: Option<Spanned<String>>,
    pub(super) pk: Option<PathBuf>,
    #[serde(rename = "pkPasswd")]
    pub(super) pk_passwd: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<String>>,
    pub(super) jump: Option<Spanned<String>>,
    pub(super) local: Option<bool>,
    #[expect(dead_code, reason = "0.8 writes it; its passwords cannot be read back")]
    pub(super) encrypted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigDocument {
    #[expect(dead_code, reason = "any version is taken, as in the original")]
    #[serde(default, rename = "apiVersion")]
    pub(super) api_version: String,
    #[expect(dead_code, reason = "read by the header")]
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: ConfigBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigBody {
    pub(super) path: Spanned<String>,
    pub(super) data: String,
    pub(super) strategy: Option<Spanned<String>>,
    pub(super) process: Option<Spanned<String>>,
}
