//! What kubeadm is told: the image's documents, the Clusterfile's over them, and ours over those.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sealer_plugin::yaml;
use serde_yaml::{Mapping, Value};

use super::{API_PORT, API_SERVER, Node};
use crate::distribute::merge_value;

/// The generation of kubeadm's documents, where none says: as Kubernetes 1.15 to 1.31 read them.
const VERSION: &str = "kubeadm.k8s.io/v1beta2";
const SOCKET: &str = "/run/containerd/containerd.sock";
const SERVICES: &str = "10.96.0.0/22";
const PODS: &str = "100.64.0.0/10";

/// Where the token stands in a document, until a host is told.
pub(crate) const TOKEN: &str = "<token>";
/// What the token that kubeadm makes is called in the cluster.
pub(crate) const UNUSED_TOKEN: &str = "sealer: made by kubeadm, used by nobody";
/// Where the digest of the authority's key stands.
pub(crate) const CA_HASH: &str = "<digest of the authority's key>";

/// kubeadm's documents by their `kind`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Documents(BTreeMap<String, Value>);

impl Documents {
    /// Adds the documents of a text, over those that are there. Documents that are not kubeadm's are
    /// passed over.
    ///
    /// # Errors
    /// What is wrong, as a phrase.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), String> {
        for (line, document) in yaml::documents(text) {
            let value: Value =
                serde_yaml::from_str(document).map_err(|error| format!("line {line}: {error}"))?;
            let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
            let is_ours = ["kubeadm.k8s.io/", "kubelet.config.k8s.io/", "kubeproxy.config.k8s.io/"]
                .iter()
                .any(|group| version.starts_with(group));
            let Some(kind) = value.get("kind").and_then(Value::as_str).filter(|_| is_ours) else { continue };
            let names = names_in(self.0.get(kind));
            match self.0.get_mut(kind) {
                Some(there) => merge_value(there, &value),
                None => {
                    self.0.insert(kind.to_owned(), value.clone());
                }
            }
            // Names are added to, never replaced: as in the original.
            if !names.is_empty()
                && let Some(there) = self.0.get_mut(kind)
            {
                let mut all = names_in(Some(there));
                all.extend(names);
                all.sort();
                all.dedup();
                set(there, &["apiServer", "certSANs"], all.into());
            }
        }
        Ok(())
    }

    fn get(&self, kind: &str, path: &[&str]) -> Option<&str> {
        let found = path.iter().try_fold(self.0.get(kind)?, |value, key| value.get(*key))?;
        found.as_str()
    }

    /// The generation of the documents.
    fn version(&self) -> &str {
        ["ClusterConfiguration", "InitConfiguration"]
            .iter()
            .find_map(|kind| self.get(kind, &["apiVersion"]))
            .unwrap_or(VERSION)
    }

    /// Kubernetes' version.
    pub(crate) fn kubernetes_version(&self) -> Option<&str> {
        self.get("ClusterConfiguration", &["kubernetesVersion"])
    }

    /// The network of Services.
    pub(crate) fn services(&self) -> &str {
        self.get("ClusterConfiguration", &["networking", "serviceSubnet"]).unwrap_or(SERVICES)
    }

    /// The network of pods.
    pub(crate) fn pods(&self) -> &str {
        self.get("ClusterConfiguration", &["networking", "podSubnet"]).unwrap_or(PODS)
    }

    /// Where the container runtime listens.
    pub(crate) fn socket(&self) -> &str {
        self.get("InitConfiguration", &["nodeRegistration", "criSocket"]).unwrap_or(SOCKET)
    }

    /// The names of the Service that leads to the API server, and its address.
    pub(crate) fn service_names(&self) -> Vec<String> {
        let domain =
            self.get("ClusterConfiguration", &["networking", "dnsDomain"]).unwrap_or("cluster.local");
        let mut names: Vec<String> =
            ["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(str::to_owned).into();
        names.push(format!("kubernetes.default.svc.{domain}"));
        names.extend(first_address(self.services()));
        names
    }

    /// The names that the API server's certificate is to have besides.
    pub(crate) fn alt_names(&self) -> Vec<String> {
        names_in(self.0.get("ClusterConfiguration"))
    }

    /// A document that says of further names, to be kept in the Clusterfile.
    pub(crate) fn with_alt_names(&self, names: &[String]) -> String {
        let mut cluster = Value::Mapping(Mapping::new());
        set(&mut cluster, &["apiVersion"], self.version().into());
        set(&mut cluster, &["kind"], "ClusterConfiguration".into());
        set(&mut cluster, &["apiServer", "certSANs"], names.to_vec().into());
        write([cluster])
    }

    /// What `kubeadm init` is told on the first master.
    pub(crate) fn init(&self, first: &Node, names: &[String]) -> String {
        let mut init = self.kubeadm("InitConfiguration");
        set(&mut init, &["localAPIEndpoint", "advertiseAddress"], first.address.clone().into());
        set(&mut init, &["localAPIEndpoint", "bindPort"], u64::from(API_PORT).into());
        self.register(&mut init, first);
        if init.get("bootstrapTokens").is_none() {
            set(&mut init, &["bootstrapTokens"], Value::Sequence(vec![unused_token()]));
        }
        let mut cluster = self.kubeadm("ClusterConfiguration");
        set(&mut cluster, &["controlPlaneEndpoint"], format!("{API_SERVER}:{API_PORT}").into());
        set(&mut cluster, &["apiServer", "certSANs"], names.to_vec().into());
        set(&mut cluster, &["networking", "serviceSubnet"], self.services().into());
        set(&mut cluster, &["networking", "podSubnet"], self.pods().into());
        let rest = ["KubeletConfiguration", "KubeProxyConfiguration"];
        let rest = rest.iter().filter_map(|kind| self.0.get(*kind).cloned());
        write([init, cluster].into_iter().chain(rest))
    }

    /// What `kubeadm join` is told on a host.
    pub(crate) fn join(&self, node: &Node, is_master: bool) -> String {
        let mut join = self.kubeadm("JoinConfiguration");
        let discovery = ["discovery", "bootstrapToken"];
        let at = |name| [discovery[0], discovery[1], name];
        set(&mut join, &at("apiServerEndpoint"), format!("{API_SERVER}:{API_PORT}").into());
        set(&mut join, &at("token"), TOKEN.into());
        set(&mut join, &at("caCertHashes"), vec![CA_HASH.to_owned()].into());
        self.register(&mut join, node);
        if is_master {
            let endpoint = |name| ["controlPlane", "localAPIEndpoint", name];
            set(&mut join, &endpoint("advertiseAddress"), node.address.clone().into());
            set(&mut join, &endpoint("bindPort"), u64::from(API_PORT).into());
        }
        write([join])
    }

    /// A document of kubeadm's own group, begun if there is none.
    fn kubeadm(&self, kind: &str) -> Value {
        let mut value = self.0.get(kind).cloned().unwrap_or_else(|| Value::Mapping(Mapping::new()));
        set(&mut value, &["apiVersion"], self.version().into());
        set(&mut value, &["kind"], kind.into());
        value
    }

    /// Says who the node is, and where: a host may have several addresses, and no default route.
    fn register(&self, value: &mut Value, node: &Node) {
        set(value, &["nodeRegistration", "criSocket"], self.socket().into());
        set(value, &["nodeRegistration", "name"], node.name.clone().into());
        let args = ["nodeRegistration", "kubeletExtraArgs"];
        if self.version() < "kubeadm.k8s.io/v1beta4" {
            set(value, &[args[0], args[1], "node-ip"], node.address.clone().into());
            return;
        }
        let mut arg = Value::Mapping(Mapping::new());
        set(&mut arg, &["name"], "node-ip".into());
        set(&mut arg, &["value"], node.address.clone().into());
        let there = value.get(args[0]).and_then(|value| value.get(args[1]));
        let mut all = there.and_then(Value::as_sequence).cloned().unwrap_or_default();
        all.retain(|arg| arg.get("name").and_then(Value::as_str) != Some("node-ip"));
        all.push(arg);
        set(value, &args, Value::Sequence(all));
    }
}

/// kubeadm makes a token in any case: it is known by what it is called, and removed.
fn unused_token() -> Value {
    let mut token = Value::Mapping(Mapping::new());
    set(&mut token, &["description"], UNUSED_TOKEN.into());
    set(&mut token, &["ttl"], "15m0s".into());
    token
}

fn names_in(cluster: Option<&Value>) -> Vec<String> {
    let names = cluster.and_then(|value| value.get("apiServer")).and_then(|value| value.get("certSANs"));
    let names = names.and_then(Value::as_sequence).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Sets a value at a path, of which what is missing is made.
fn set(value: &mut Value, path: &[&str], to: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = to;
        return;
    };
    if !matches!(value, Value::Mapping(_)) {
        *value = Value::Mapping(Mapping::new());
    }
    let Value::Mapping(mapping) = value else { return };
    set(mapping.entry((*first).into()).or_insert(Value::Null), rest, to);
}

fn write(documents: impl IntoIterator<Item = Value>) -> String {
    let texts = documents
        .into_iter()
        .map(|document| serde_yaml::to_string(&document).expect("what was read as YAML can be written"));
    texts.collect::<Vec<_>>().join("---\n")
}

/// The first address of a network, of the first where there are two: that of the API server's Service.
fn first_address(network: &str) -> Option<String> {
    let address = network.split(',').next()?.split('/').next()?;
    let address: Ipv4Addr = address.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(address) + 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::{Documents, Node};

    fn node() -> Node {
        Node { address: "10.0.0.2".to_owned(), name: "m1".to_owned() }
    }

    fn documents(texts: &[&str]) -> Documents {
        let mut documents = Documents::default();
        for text in texts {
            documents.add(text).unwrap();
        }
        documents
    }

    const IMAGE: &str = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n\
        kubernetesVersion: v1.20.2\napiServer: {certSANs: [a.example]}\nnetworking: {podSubnet: 10.1.0.0/16}\n";

    #[test]
    fn the_clusterfile_goes_over_the_image_and_we_over_both() {
        let clusterfile = "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n\
            apiServer: {certSANs: [b.example]}\nnetworking: {podSubnet: 10.2.0.0/16}\ncontrolPlaneEndpoint: mine\n";
        let documents = documents(&[IMAGE, clusterfile]);
        assert_eq!(documents.alt_names(), ["a.example", "b.example"]);
        assert_eq!(
            documents.init(&node(), &["a.example".to_owned()]),
            "\
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 10.0.0.2
  bindPort: 6443
nodeRegistration:
  criSocket: /run/containerd/containerd.sock
  name: m1
  kubeletExtraArgs:
    node-ip: 10.0.0.2
bootstrapTokens:
- description: 'sealer: made by kubeadm, used by nobody'
  ttl: 15m0s
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
apiServer:
  certSANs:
  - a.example
networking:
  podSubnet: 10.2.0.0/16
  serviceSubnet: 10.96.0.0/22
controlPlaneEndpoint: apiserver.cluster.local:6443
"
        );
    }

    #[test]
    fn a_node_is_told_of_the_token_only_where_it_will_stand() {
        assert_eq!(
            documents(&[IMAGE]).join(&node(), true),
            "\
apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: apiserver.cluster.local:6443
    token: <token>
    caCertHashes:
    - <digest of the authority's key>
nodeRegistration:
  criSocket: /run/containerd/containerd.sock
  name: m1
  kubeletExtraArgs:
    node-ip: 10.0.0.2
controlPlane:
  localAPIEndpoint:
    advertiseAddress: 10.0.0.2
    bindPort: 6443
"
        );
    }

    #[test]
    fn since_v1beta4_arguments_are_a_list() {
        let text = IMAGE.replace("v1beta2", "v1beta4");
        let joined = documents(&[&text]).join(&node(), false);
        assert!(
            joined.ends_with("  kubeletExtraArgs:\n  - name: node-ip\n    value: 10.0.0.2\n"),
            "{joined}"
        );
    }

    #[test]
    fn the_api_servers_service_has_the_first_address_of_its_network() {
        let names = documents(&[IMAGE]).service_names();
        assert_eq!(
            names,
            [
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "10.96.0.1"
            ]
        );
    }
}
