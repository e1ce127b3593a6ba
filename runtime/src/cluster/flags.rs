//! A cluster by flags, and what flags add to a Clusterfile.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sealer_image::Reference;
use secrecy::SecretString;

use super::hosts::Endpoint;
use super::{ClusterSpec, Env, HostSpec, SshSpec, add_env};
use crate::error::InputError;
use crate::host::config::{self, SshConfig};
use crate::host::key::is_encrypted;

/// Gets a secret by `env:NAME`, `file:PATH` or `cmd:COMMAND`, or says why it cannot, as a phrase.
pub type GetSecret = fn(&str) -> Result<SecretString, String>;

/// Asks for the passphrase of a key; nobody may be there.
pub type AskPassphrase = fn(&Path) -> Option<SecretString>;

/// What a Clusterfile leaves open, as flags say it.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// How to log in where the Clusterfile does not say.
    pub ssh: SshSpec,
    /// Whether `ssh` was said by the person, and goes before the Clusterfile's.
    pub ssh_user: bool,
    /// Likewise for the port.
    pub ssh_port: bool,
    /// Likewise for the hosts on the way.
    pub ssh_jump: bool,
    /// The person's own `~/.ssh/config`: it says what neither flags nor the Clusterfile do.
    pub config: SshConfig,
    /// The person's home folder, for the keys that it names.
    pub home: Option<PathBuf>,
    /// Gets the secret that a reference names; without it a reference is refused.
    pub secrets: Option<GetSecret>,
    /// Whether the key in `ssh` was said by the person.
    pub ssh_key: bool,
    /// Asks for what opens an encrypted key, once a key.
    pub passphrases: Option<AskPassphrase>,
    /// Added to the cluster's environment.
    pub env: Vec<(String, String)>,
    /// Added to the arguments of `CMD`.
    pub cmd_args: Vec<(String, String)>,
}

impl Defaults {
    /// Returns how to log in to a host of which nothing else is said.
    #[must_use]
    pub fn of_host(&self, host: IpAddr) -> SshSpec {
        let said = self.config.of(&host.to_string());
        let mut ssh = self.ssh.clone();
        if let (false, Some(user)) = (self.ssh_user, said.user) {
            ssh.user = user;
        }
        if let (false, Some(port)) = (self.ssh_port, said.port) {
            ssh.port = port;
        }
        if let (false, Some(jump)) = (self.ssh_jump, said.jump) {
            ssh.jump = jump;
        }
        ssh.connect = said.connect.unwrap_or(ssh.connect);
        ssh.gone = said.gone.unwrap_or(ssh.gone);
        let keys = said.keys.iter().map(|key| config::expand(key, self.home.as_deref()));
        let keys: Vec<PathBuf> = keys.filter(|key| !ssh.keys.contains(key)).collect();
        ssh.keys.splice(0..0, keys);
        ssh
    }

    /// Gets what opens a host's key, where it takes that to log in: root who has a password needs no key.
    pub(crate) fn unlock(&self, ssh: &mut SshSpec) {
        let (None, Some(ask)) = (&ssh.passphrase, self.passphrases) else { return };
        if ssh.password.is_some() && ssh.user == "root" && !self.ssh_key {
            return;
        }
        ssh.passphrase = ssh.keys.iter().find(|key| is_encrypted(key)).and_then(|key| ask(key));
    }
}

/// Makes a cluster of what flags say.
///
/// # Errors
/// A host that is both master and node, or a name that is none.
pub fn of_flags(
    name: &str,
    image: Reference,
    masters: &[Endpoint],
    nodes: &[Endpoint],
    defaults: &Defaults,
) -> Result<ClusterSpec, Vec<InputError>> {
    let wrong =
        |place: &str, message: String| vec![InputError { place: place.to_owned(), message, hint: None }];
    if !is_cluster_name(name) {
        return Err(wrong(
            "--cluster-name",
            format!("`{name}` is no name of a cluster: letters, digits, `-`, `_` and `.` are"),
        ));
    }
    let addresses: BTreeSet<IpAddr> = masters.iter().map(|(address, _)| *address).collect();
    if let Some((both, _)) = nodes.iter().find(|(address, _)| addresses.contains(address)) {
        return Err(wrong("-n", format!("`{both}` is given twice, as master and as node")));
    }
    let mut env = Env::new();
    add_env(&mut env, defaults.env.clone());
    let host = |(address, port): &Endpoint, role: &str| HostSpec {
        address: *address,
        roles: vec![role.to_owned()],
        env: env.clone(),
        ssh: {
            let mut ssh = with_port(defaults.of_host(*address), *port);
            defaults.unlock(&mut ssh);
            ssh
        },
    };
    let hosts = masters
        .iter()
        .map(|one| host(one, "master"))
        .chain(nodes.iter().map(|one| host(one, "node")))
        .collect();
    Ok(ClusterSpec {
        name: name.to_owned(),
        image,
        hosts,
        cmd_args: defaults.cmd_args.iter().cloned().collect(),
        env,
        cmd: None,
        configs: Vec::new(),
        plugins: Vec::new(),
        documents: Vec::new(),
    })
}

/// A port that stands beside the address goes before all else.
fn with_port(ssh: SshSpec, port: Option<u16>) -> SshSpec {
    SshSpec { port: port.unwrap_or(ssh.port), ..ssh }
}

pub(crate) fn is_cluster_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    plain && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.len() <= 63
}
