//! Clusterfiles of other programs and other times, written anew: the original's first (`v1alpha1`), and sealos'.

use sealer_plugin::yaml::{self, documents};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::clusterfile::is_reference;
use crate::error::InputError;

/// A Clusterfile in today's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The file.
    pub text: String,
    /// What was left out, and what is to be looked at, a sentence each.
    pub notes: Vec<String>,
}

/// The header that tells documents apart.
#[derive(Deserialize)]
struct Header {
    #[serde(default, rename = "apiVersion")]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

/// `zlink.aliyun.com/v1alpha1`, `sealer.aliyun.com/v1alpha1` (types/api/v1/cluster_types.go of 0.5).
#[derive(Deserialize)]
struct First {
    spec: FirstBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FirstBody {
    image: String,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    ssh: Map<String, Value>,
    #[serde(default)]
    network: Network,
    #[serde(default, rename = "certSANS")]
    cert_sans: Vec<String>,
    #[serde(default)]
    masters: Machines,
    #[serde(default)]
    nodes: Machines,
}

#[derive(Default, Deserialize)]
struct Network {
    #[serde(rename = "podCIDR")]
    pod_cidr: Option<String>,
    #[serde(rename = "svcCIDR")]
    service_cidr: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Machines {
    #[serde(default, rename = "ipList")]
    ips: Vec<String>,
    #[serde(flatten)]
    size: Map<String, Value>,
}

/// `apps.sealos.io/v1beta1` (lifecycle/pkg/types/v1beta1/cluster.go).
#[derive(Deserialize)]
struct Sealos {
    spec: SealosBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealosBody {
    image: OneOrMany,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    ssh: Map<String, Value>,
    #[serde(default)]
    hosts: Vec<SealosHost>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealosHost {
    #[serde(default)]
    ips: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    ssh: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Writes a Clusterfile anew. Documents that are read as they are stay as they stand.
///
/// # Errors
/// What cannot be read, and a provider that there is no more, each with its line.
pub fn convert(file: &str, text: &str) -> Result<Converted, Vec<InputError>> {
    let mut converted = Converted { text: String::new(), notes: Vec::new() };
    let mut errors = Vec::new();
    for (first, document) in documents(text) {
        let wrong = |error: &serde_saphyr::Error| {
            let (line, message, hint) = yaml::explain(error);
            InputError { place: format!("{file}:{}", first + line - 1), message, hint }
        };
        let written =
            serde_saphyr::from_str::<Header>(document).map_err(|error| wrong(&error)).and_then(|header| {
                let is_first =
                    header.api_version.ends_with("/v1alpha1") || header.api_version.ends_with("/v1");
                match header.kind.as_str() {
                    "Cluster" if header.api_version.starts_with("apps.sealos.io/") => {
                        let read = serde_saphyr::from_str(document).map_err(|error| wrong(&error))?;
                        Ok(of_sealos(&header.metadata.name, read, &mut converted.notes))
                    }
                    "Cluster" if is_first => {
                        let read: First = serde_saphyr::from_str(document).map_err(|error| wrong(&error))?;
                        of_first(file, first, &header.metadata.name, read.spec, &mut converted.notes)
                    }
                    _ => Ok(vec![as_it_stands(document)]),
                }
            });
        match written {
            Ok(documents) => {
                for document in documents {
                    if !converted.text.is_empty() {
                        converted.text.push_str("---\n");
                    }
                    converted.text.push_str(&document);
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(converted) } else { Err(errors) }
}

/// All but blank lines before it: indentation and the end of a text can be of meaning.
fn as_it_stands(document: &str) -> String {
    let blank: usize =
        document.split_inclusive('\n').take_while(|line| line.trim().is_empty()).map(str::len).sum();
    let end = if document.ends_with('\n') { "" } else { "\n" };
    format!("{}{end}", &document[blank..])
}

fn of_first(
    file: &str,
    first: usize,
    name: &str,
    body: FirstBody,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, InputError> {
    if !["", "BAREMETAL"].contains(&body.provider.as_str()) {
        return Err(InputError {
            place: format!("{file}:{first}"),
            message: format!("the provider `{}` makes its machines itself, which is no more", body.provider),
            hint: Some("list the machines' addresses: `ipList`, with `provider: BAREMETAL`".to_owned()),
        });
    }
    for (what, machines) in [("masters", &body.masters), ("nodes", &body.nodes)] {
        let size: Vec<&str> = machines.size.keys().map(String::as_str).collect();
        if !size.is_empty() {
            notes.push(format!(
                "`{what}`: {} were for machines that were made, and are left out",
                size.join(", ")
            ));
        }
    }
    if !body.network.other.is_empty() {
        let other: Vec<&str> = body.network.other.keys().map(String::as_str).collect();
        notes.push(format!("`network`: {} are left out: the image says them", other.join(", ")));
    }
    let groups = [("master", &body.masters.ips), ("node", &body.nodes.ips)];
    let hosts = groups.into_iter().filter(|(_, ips)| !ips.is_empty());
    let hosts: Vec<Value> = hosts.map(|(role, ips)| json!({ "ips": ips, "roles": [role] })).collect();
    let mut spec = Map::from_iter([("image".to_owned(), json!(body.image))]);
    put(&mut spec, "env", json!(body.env));
    put(&mut spec, "ssh", ssh(body.ssh, notes));
    put(&mut spec, "hosts", json!(hosts));
    let mut documents = vec![cluster(name, &spec)];
    let mut kubeadm = Map::new();
    let mut network = Map::new();
    put(&mut network, "podSubnet", json!(body.network.pod_cidr));
    put(&mut network, "serviceSubnet", json!(body.network.service_cidr));
    put(&mut kubeadm, "networking", Value::Object(network));
    if !body.cert_sans.is_empty() {
        put(&mut kubeadm, "apiServer", json!({ "certSANs": body.cert_sans }));
    }
    if !kubeadm.is_empty() {
        kubeadm.insert("kind".to_owned(), json!("ClusterConfiguration"));
        documents.push(write(&Value::Object(kubeadm)));
    }
    Ok(documents)
}

fn of_sealos(name: &str, Sealos { spec: body }: Sealos, notes: &mut Vec<String>) -> Vec<String> {
    let images = match body.image {
        OneOrMany::One(image) => vec![image],
        OneOrMany::Many(images) => images,
    };
    let image = images.first().cloned().unwrap_or_default();
    if images.len() > 1 {
        notes.push(format!(
            "`image`: only `{image}` is taken; make one of all: `sealer merge -t NAME {}`",
            images.join(" ")
        ));
    }
    let hosts = body.hosts.into_iter().map(|host| {
        // Sealos also writes the architecture where roles stand.
        let roles: Vec<&String> =
            host.roles.iter().filter(|role| !["amd64", "arm64"].contains(&role.as_str())).collect();
        let mut group =
            Map::from_iter([("ips".to_owned(), json!(host.ips)), ("roles".to_owned(), json!(roles))]);
        put(&mut group, "env", json!(host.env));
        put(&mut group, "ssh", ssh(host.ssh, notes));
        Value::Object(group)
    });
    let hosts: Vec<Value> = hosts.collect();
    let mut spec = Map::from_iter([("image".to_owned(), json!(image))]);
    put(&mut spec, "env", json!(body.env));
    put(&mut spec, "cmd", json!(body.command));
    put(&mut spec, "ssh", ssh(body.ssh, notes));
    put(&mut spec, "hosts", json!(hosts));
    vec![cluster(name, &spec)]
}

/// Keeps what logins are made of; a port is text today.
fn ssh(ssh: Map<String, Value>, notes: &mut Vec<String>) -> Value {
    let mut kept = Map::new();
    for (name, value) in ssh {
        match name.as_str() {
            "user" | "passwd" | "pk" | "pkPasswd" => put(&mut kept, &name, value),
            "port" => {
                put(&mut kept, &name, json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
            other => notes.push(format!("`ssh`: `{other}` is left out")),
        }
    }
    let said = kept.get("passwd").and_then(Value::as_str);
    if said.is_some_and(|said| !is_reference(said)) {
        let note = "`ssh`: the password stands in the file; `env:NAME`, `file:PATH` and `sealer encrypt` keep it out";
        if !notes.iter().any(|known| known == note) {
            notes.push(note.to_owned());
        }
    }
    Value::Object(kept)
}

/// Puts what says something.
fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if !empty {
        map.insert(name.to_owned(), value);
    }
}

fn cluster(name: &str, spec: &Map<String, Value>) -> String {
    let name = if name.is_empty() { "my-cluster" } else { name };
    write(&json!({
        "apiVersion": "sealer.cloud/v2",
        "kind": "Cluster",
        "metadata": { "name": name },
        "spec": spec,
    }))
}

fn write(value: &Value) -> String {
    serde_yaml::to_string(value).expect("a Clusterfile is plain data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_first_clusterfile_keeps_its_meaning() {
        let text = "\
apiVersion: zlink.aliyun.com/v1alpha1
kind: Cluster
metadata:
  name: prod
spec:
  image: kubernetes:v1.19.9
  provider: BAREMETAL
  ssh: {user: root, passwd: secret, port: 22}
  network: {podCIDR: 100.64.0.0/10, svcCIDR: 10.96.0.0/22, interface: eth0}
  certSANS: [api.example]
  masters: {count: '1', cpu: '4', ipList: [10.0.0.1]}
  nodes: {ipList: [10.0.0.2, 10.0.0.3]}
---
kind: Config
metadata: {name: a}
";
        let converted = convert("Clusterfile", text).expect("it is one");
        assert_eq!(
            converted.text,
            "\
apiVersion: sealer.cloud/v2
kind: Cluster
metadata:
  name: prod
spec:
  image: kubernetes:v1.19.9
  ssh:
    user: root
    passwd: secret
    port: '22'
  hosts:
  - ips:
    - 10.0.0.1
    roles:
    - master
  - ips:
    - 10.0.0.2
    - 10.0.0.3
    roles:
    - node
---
networking:
  podSubnet: 100.64.0.0/10
  serviceSubnet: 10.96.0.0/22
apiServer:
  certSANs:
  - api.example
kind: ClusterConfiguration
---
kind: Config
metadata: {name: a}
"
        );
        assert_eq!(
            converted.notes,
            [
                "`masters`: count, cpu were for machines that were made, and are left out",
                "`network`: interface are left out: the image says them",
                "`ssh`: the password stands in the file; `env:NAME`, `file:PATH` and `sealer encrypt` keep it out",
            ]
        );
        let spec = super::super::clusterfile::parse(
            "Clusterfile",
            converted.text.split("---\nkind: Config").next().expect("it has one"),
            &Default::default(),
        );
        assert_eq!(spec.expect("it is read").hosts.len(), 3);
    }

    #[test]
    fn a_cluster_of_sealos_becomes_ours() {
        let text = "\
apiVersion: apps.sealos.io/v1beta1
kind: Cluster
metadata: {name: default}
spec:
  image: [labring/kubernetes:v1.25.0, labring/helm:v3]
  ssh: {passwd: 'env:PW', port: 2222}
  hosts:
    - ips: ['10.0.0.1:22']
      roles: [master, amd64]
";
        let converted = convert("Clusterfile", text).expect("it is one");
        assert_eq!(
            converted.text,
            "\
apiVersion: sealer.cloud/v2
kind: Cluster
metadata:
  name: default
spec:
  image: labring/kubernetes:v1.25.0
  ssh:
    passwd: env:PW
    port: '2222'
  hosts:
  - ips:
    - 10.0.0.1:22
    roles:
    - master
"
        );
        assert_eq!(converted.notes.len(), 1);
    }

    #[test]
    fn a_document_that_is_read_as_it_is_keeps_its_indentation_and_its_last_lines() {
        let config = "  kind: Config\n  data: |+\n    a\n\n\n";
        let text = format!("\n\n{config}---\nkind: Plugin");
        let converted = convert("Clusterfile", &text).expect("they are documents");
        assert_eq!(converted.text, format!("{config}---\nkind: Plugin\n"));
    }

    #[test]
    fn machines_of_a_cloud_are_refused() {
        let text =
            "kind: Cluster\napiVersion: sealer.aliyun.com/v1alpha1\nspec: {image: a, provider: ALI_CLOUD}\n";
        assert_eq!(
            convert("Clusterfile", text)
                .expect_err("there is no cloud")
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["Clusterfile:1: the provider `ALI_CLOUD` makes its machines itself, which is no more"]
        );
    }
}
