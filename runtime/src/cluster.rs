//! A cluster as it is wanted, complete and valid, whatever it came from.

pub mod clusterfile;
pub mod convert;
pub mod flags;
pub mod hosts;
mod jump;
pub(crate) mod saved;
pub(crate) mod shared;
pub(crate) mod state;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use sealer_image::{Image, Reference};
use sealer_plugin::PluginSpec;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use jump::Jump;

/// A cluster as it is wanted.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    /// Its name: also a folder's.
    pub name: String,
    /// The image.
    pub image: Reference,
    /// The hosts: masters first, each group in the order it was written.
    pub hosts: Vec<HostSpec>,
    /// The environment of all hosts.
    pub env: Env,
    /// Other values for the image's `ARG`s.
    pub cmd_args: BTreeMap<String, String>,
    /// Commands in place of the image's own.
    pub cmd: Option<Vec<String>>,
    /// Files of the image that are written or merged before it is distributed.
    pub configs: Vec<ConfigSpec>,
    /// The Clusterfile's plugins.
    pub plugins: Vec<PluginSpec>,
    /// Further documents of the Clusterfile (kubeadm's, and the text of the above), as they stand.
    pub documents: Vec<String>,
}

/// A host as it is wanted.
#[derive(Debug, Clone)]
pub struct HostSpec {
    /// Its address.
    pub address: IpAddr,
    /// `master`, `node`, and others.
    pub roles: Vec<String>,
    /// Its environment: the cluster's, then its own.
    pub env: Env,
    /// How to log in.
    pub ssh: SshSpec,
}

/// How to log in to a host.
#[derive(Debug, Clone)]
pub struct SshSpec {
    /// The user; others than root use sudo.
    pub user: String,
    /// The port.
    pub port: u16,
    /// The password, also for sudo.
    pub password: Option<SecretString>,
    /// Private keys that are tried first; missing files are passed over.
    pub keys: Vec<PathBuf>,
    /// The passphrase of the keys.
    pub passphrase: Option<SecretString>,
    /// Where the Clusterfile says that the two come from: `env:NAME`, `file:PATH`, `cmd:COMMAND`.
    pub references: References,
    /// The hosts on the way, the nearest first. The same keys and password are tried there.
    pub jump: Vec<Jump>,
    /// Whether the host is reached without SSH where it is the machine that sealer runs on.
    pub local: bool,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// A host that acknowledges nothing for so long is gone.
    pub gone: Duration,
}

/// Where secrets are got from: kept with a cluster in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The password.
    pub password: Option<String>,
    /// The passphrase of the keys.
    pub passphrase: Option<String>,
}

impl Default for SshSpec {
    fn default() -> Self {
        Self {
            user: "root".to_owned(),
            port: 22,
            password: None,
            keys: Vec::new(),
            passphrase: None,
            references: References::default(),
            jump: Vec::new(),
            local: false,
            connect: Duration::from_secs(15),
            gone: Duration::from_secs(45),
        }
    }
}

/// Variables of templates, scripts and plugins.
pub type Env = BTreeMap<String, Value>;

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// One.
    One(String),
    /// A list: the name was given several times, or the value has `;` in it.
    Many(Vec<String>),
}

impl Value {
    /// Reads a value: `;` makes it a list.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.contains(';') {
            Self::Many(text.split(';').filter(|item| !item.is_empty()).map(str::to_owned).collect())
        } else {
            Self::One(text.to_owned())
        }
    }

    /// The value as one string: a list's items have blanks between them.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::One(value) => value.clone(),
            Self::Many(values) => values.join(" "),
        }
    }
}

/// Adds `NAME=value` items to an environment; a name that comes again makes a list.
pub fn add_env(env: &mut Env, items: impl IntoIterator<Item = (String, String)>) {
    let mut fresh = Env::new();
    for (name, text) in items {
        let value = Value::parse(&text);
        match fresh.remove(&name) {
            None => fresh.insert(name, value),
            Some(there) => {
                let mut values = items_of(there);
                values.extend(items_of(value));
                fresh.insert(name, Value::Many(values))
            }
        };
    }
    env.extend(fresh);
}

/// Adds what an environment lacks.
fn fill(env: &mut Env, below: &Env) {
    for (name, value) in below {
        env.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

fn items_of(value: Value) -> Vec<String> {
    match value {
        Value::One(value) => vec![value],
        Value::Many(values) => values,
    }
}

/// `kind: Config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSpec {
    /// `metadata.name`.
    pub name: String,
    /// The file, from the image's root.
    pub path: PathBuf,
    /// What is written, or merged in.
    pub data: String,
    /// How.
    pub strategy: Strategy,
    /// Where it stands, for messages.
    pub place: String,
}

/// How a `Config` changes its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The data is the file.
    #[default]
    Overwrite,
    /// The data's values replace or join those of the YAML file.
    Merge,
}

impl ClusterSpec {
    /// Returns the first master: where the image's commands run.
    #[must_use]
    pub fn first_master(&self) -> &HostSpec {
        self.hosts.first().expect("a cluster has a master, and masters come first")
    }

    /// Returns the cluster as templates, scripts and plugins see it: below everything that the
    /// person said stand the image's `ENV`, and the addresses `HostIP`, `MasterIPs` and `NodeIPs`.
    pub(crate) fn in_full(&self, image: Option<&Image>) -> Self {
        let mut full = self.clone();
        let config = image.and_then(|image| image.config.config().clone()).unwrap_or_default();
        let mut below: Env = config
            .env()
            .iter()
            .flatten()
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, text)| (name.to_owned(), Value::parse(text)))
            .collect();
        let with_role =
            |role| self.hosts.iter().filter(|host| host.has_role(role)).map(HostSpec::name).collect();
        for (name, role) in [("MasterIPs", "master"), ("NodeIPs", "node")] {
            below.entry(name.to_owned()).or_insert_with(|| Value::Many(with_role(role)));
        }
        fill(&mut full.env, &below);
        for host in &mut full.hosts {
            fill(&mut host.env, &below);
            let own = host.name();
            host.env.entry("HostIP".to_owned()).or_insert(Value::One(own));
        }
        full
    }

    /// Returns the folder of the image's root on every host.
    #[must_use]
    pub fn rootfs(&self) -> String {
        format!("{}/rootfs", self.data_dir())
    }

    /// Returns the cluster's folder on every host.
    #[must_use]
    pub fn data_dir(&self) -> String {
        format!("/var/lib/sealer/data/{}", self.name)
    }
}

impl HostSpec {
    /// Returns what the host is called in plans, events and messages.
    #[must_use]
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// Tells whether the host has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|has| has == role)
    }
}
