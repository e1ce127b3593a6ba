//! How a Clusterfile says to log in to a group of hosts.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::cluster::flags::Defaults;
use crate::cluster::{Jump, SshSpec};

/// What the file says; the rest is left to flags and to `~/.ssh/config`.
pub(super) struct Logins {
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) jump: Option<Vec<Jump>>,
    pub(super) password: Option<SecretString>,
    pub(super) key: Option<PathBuf>,
    pub(super) passphrase: Option<SecretString>,
}

impl Logins {
    /// Puts what the file says over what is known of the host, and below what flags say.
    pub(super) fn over(&self, flags: &Defaults, below: SshSpec) -> SshSpec {
        let (user, port, jump) = (
            self.user.clone().filter(|_| !flags.ssh_user),
            self.port.filter(|_| !flags.ssh_port),
            self.jump.clone().filter(|_| !flags.ssh_jump),
        );
        SshSpec {
            user: user.unwrap_or(below.user),
            port: port.unwrap_or(below.port),
            jump: jump.unwrap_or(below.jump),
            password: below.password.or_else(|| self.password.clone()),
            keys: self.key.clone().map_or(below.keys, |key| vec![key]),
            passphrase: below.passphrase.or_else(|| self.passphrase.clone()),
            ..below
        }
    }
}
