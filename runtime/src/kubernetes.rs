//! Kubernetes, where an image brings it: what kubeadm is told, and the keys that it needs beforehand.

pub(crate) mod balancer;
mod documents;
mod drain;
mod files;
mod kubeconfig;
mod members;
pub(crate) mod pki;
mod token;

use std::collections::BTreeMap;
use std::path::Path;

use crate::cluster::{ClusterSpec, HostSpec};
use crate::error::{Error, InputError, Result};

pub(crate) use balancer::{LISTENS, config as balancer_config, remove as remove_balancer};
pub(crate) use documents::{CA_HASH, Documents, TOKEN, UNUSED_TOKEN};
pub(crate) use drain::{Pods, cordon, empty_node, remove_node, uncordon};
pub(crate) use files::{FileOut, get, put};
pub(crate) use kubeconfig::Kubeconfig;
pub(crate) use members::guard_members;
pub(crate) use pki::Authority;
pub(crate) use token::Token;

/// What an image brings that has kubeadm: without it, a run makes no cluster.
pub(crate) const KUBEADM: &str = "bin/kubeadm";
/// What kubeadm is told by the image, from its root.
pub(crate) const CONFIG: &str = "etc/kubeadm.yml";
/// The name of the API server on every host.
pub(crate) const API_SERVER: &str = "apiserver.cluster.local";
/// Its port.
pub(crate) const API_PORT: u16 = 6443;

/// Has kube-proxy start again, where it runs.
pub(crate) const RENEW_PROXY: &str = "if [ -S /run/containerd/containerd.sock ] && command -v crictl >/dev/null; \
    then crictl ps --name '^kube-proxy$' --quiet 2>/dev/null | xargs -r crictl stop >/dev/null 2>&1 || true; fi";

/// A host as Kubernetes knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The host's address: its name in plans.
    pub(crate) address: String,
    /// The node's name.
    pub(crate) name: String,
}

/// The cluster that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Kubernetes {
    /// What kubeadm is told.
    pub(crate) documents: Documents,
    /// The hosts of the control plane, the first master first.
    pub(crate) masters: Vec<Node>,
    /// The others.
    pub(crate) nodes: Vec<Node>,
}

impl Kubernetes {
    /// Reads what kubeadm is told. `image` is the text of the image's [`CONFIG`]; `hostnames` are the
    /// hosts' own, by address.
    ///
    /// # Errors
    /// Where a document is no YAML.
    pub(crate) fn read(
        spec: &ClusterSpec,
        image: &str,
        hostnames: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut documents = Documents::default();
        let wrong = |place: &str, message: String| {
            Error::Input(vec![InputError { place: place.to_owned(), message, hint: None }])
        };
        documents.add(image).map_err(|message| wrong(CONFIG, message))?;
        for document in &spec.documents {
            documents.add(document).map_err(|message| wrong("Clusterfile", message))?;
        }
        let node = |host: &HostSpec| {
            let address = host.name();
            let name = hostnames.get(&address).unwrap_or(&address).to_lowercase();
            Node { address, name }
        };
        let (masters, nodes): (Vec<&HostSpec>, Vec<&HostSpec>) =
            spec.hosts.iter().partition(|host| host.has_role("master"));
        Ok(Self {
            documents,
            masters: masters.into_iter().map(node).collect(),
            nodes: nodes.into_iter().map(node).collect(),
        })
    }

    /// The version that an image's words for kubeadm name.
    pub(crate) fn version_in(text: &str) -> Option<String> {
        let mut documents = Documents::default();
        documents.add(text).ok()?;
        documents.kubernetes_version().map(str::to_owned)
    }

    /// The first master: where the control plane is made.
    pub(crate) fn first(&self) -> &Node {
        self.masters.first().expect("a cluster has a master")
    }

    /// All hosts, the masters first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Node> {
        self.masters.iter().chain(&self.nodes)
    }

    /// The names that the API server's certificate has on a master.
    pub(crate) fn names_of(&self, master: &Node) -> Vec<String> {
        let mut names = self.documents.service_names();
        names.extend([master.name.clone(), master.address.clone()]);
        names.extend(self.masters.iter().map(|master| master.address.clone()));
        names.extend(self.common_names());
        names.sort();
        names.dedup();
        names
    }

    /// The names that the certificate of every master has, whoever joins or leaves: kubeadm wants all that
    /// it was told when the cluster was made in the certificates of masters that join it.
    pub(crate) fn common_names(&self) -> Vec<String> {
        let mut names = [API_SERVER, "localhost", "127.0.0.1"].map(str::to_owned).to_vec();
        names.extend(self.documents.alt_names());
        names.sort();
        names.dedup();
        names
    }
}

/// Tells whether an image brings Kubernetes.
pub(crate) fn is_in(has_file: &dyn Fn(&str) -> bool) -> bool {
    has_file(KUBEADM) && has_file(CONFIG)
}

/// Reads the image's own words for kubeadm, as the first master gets them.
pub(crate) fn config_text(
    own: &BTreeMap<std::path::PathBuf, Vec<u8>>,
    unpacked: &Path,
) -> std::io::Result<String> {
    let bytes = match own.get(Path::new(CONFIG)) {
        Some(bytes) => bytes.clone(),
        None => std::fs::read(unpacked.join(CONFIG))?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
