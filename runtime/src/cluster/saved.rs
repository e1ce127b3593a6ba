//! The Clusterfile that is kept of a cluster: everything but secrets.

use serde::Serialize;

use super::{ClusterSpec, HostSpec, Value};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Body,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
}

#[derive(Serialize)]
struct Body {
    image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmd_args: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd: Option<Vec<String>>,
    hosts: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    ips: Vec<String>,
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    ssh: Ssh,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ssh {
    user: String,
    port: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jump: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    local: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    passwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pk_passwd: Option<String>,
}

/// Writes a cluster as a Clusterfile. Of passwords and passphrases it has the references only.
pub(crate) fn write(spec: &ClusterSpec) -> String {
    let document = Document {
        api_version: "sealer.cloud/v2",
        kind: "Cluster",
        metadata: Metadata { name: spec.name.clone() },
        spec: Body {
            image: spec.image.familiar(),
            env: items(spec.env.iter()),
            cmd_args: spec.cmd_args.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            cmd: spec.cmd.clone(),
            hosts: spec.hosts.iter().map(|host| group(spec, host)).collect(),
        },
    };
    let mut text = serde_yaml::to_string(&document).expect("a Clusterfile is plain data");
    for document in &spec.documents {
        text.push_str("---\n");
        text.push_str(document);
        text.push('\n');
    }
    text
}

impl ClusterSpec {
    /// Returns a digest of all that a cluster is to be: neither the image's name nor the list of
    /// hosts, which are told apart by themselves, nor how to log in.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hosts: Vec<_> = self.hosts.iter().map(|host| (host.name(), &host.roles, &host.env)).collect();
        hosts.sort();
        let all = serde_json::json!([hosts, self.env, self.cmd_args, self.cmd, self.documents]);
        sealer_image::digest::sha256(all.to_string().as_bytes()).to_string()
    }
}

fn group(spec: &ClusterSpec, host: &HostSpec) -> Group {
    let own = host.env.iter().filter(|(name, value)| spec.env.get(*name) != Some(value));
    Group {
        ips: vec![host.name()],
        roles: host.roles.clone(),
        env: items(own),
        ssh: Ssh {
            user: host.ssh.user.clone(),
            port: host.ssh.port.to_string(),
            pk: host.ssh.keys.first().map(|key| key.display().to_string()),
            jump: chain(&host.ssh.jump),
            local: host.ssh.local,
            passwd: host.ssh.references.password.clone(),
            pk_passwd: host.ssh.references.passphrase.clone(),
        },
    }
}

fn items<'a>(env: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<String> {
    env.map(|(name, value)| match value {
        Value::One(value) => format!("{name}={value}"),
        Value::Many(values) => format!("{name}={};", values.join(";")),
    })
    .collect()
}

fn chain(jump: &[super::Jump]) -> Option<String> {
    let chain: Vec<String> = jump.iter().map(ToString::to_string).collect();
    (!chain.is_empty()).then(|| chain.join(","))
}
