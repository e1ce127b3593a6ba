//! Kubernetes, where an image brings it: what kubeadm is told, and the keys that it needs beforehand.

mod documents;
mod drain;
mod files;
mod kubeconfig;
pub(crate) mod pki;
mod token;

use std::collections::BTreeMap;
use std::path::Path;

use crate::cluster::{ClusterSpec, HostSpec};
use crate::error::{Error, InputError, Result};

pub(crate) use documents::{CA_HASH, Documents, TOKEN};
pub(crate) use drain::{Pods, remove_node};
pub(crate) use files::{FileOut, get, put};
pub(crate) use kubeconfig::Kubeconfig;
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
        names.extend([master.name.clone(), master.address.clone(), API_SERVER.to_owned()]);
        names.extend(["localhost", "127.0.0.1"].map(str::to_owned));
        names.extend(self.masters.iter().map(|master| master.address.clone()));
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
