//! How a Clusterfile says to log in to a group of hosts.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::cluster::flags::{Defaults, GetSecret};
use crate::cluster::{Jump, References, SshSpec};

/// What the file says; the rest is left to flags and to `~/.ssh/config`.
pub(super) struct Logins {
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) jump: Option<Vec<Jump>>,
    pub(super) local: Option<bool>,
    pub(super) password: Option<Secret>,
    pub(super) key: Option<PathBuf>,
    pub(super) passphrase: Option<Secret>,
}

/// A secret, and the reference that it was got by.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) value: SecretString,
    pub(super) from: Option<String>,
}

/// How a reference begins.
const SOURCES: [&str; 4] = ["age:", "cmd:", "env:", "file:"];

/// Tells whether a text says where a secret is got from, and is not the secret itself.
pub(crate) fn is_reference(text: &str) -> bool {
    SOURCES.iter().any(|source| text.starts_with(source))
}

impl Secret {
    /// Reads a secret of a Clusterfile, which may stand there itself.
    pub(super) fn read(text: &str, get: Option<GetSecret>) -> Result<Self, String> {
        if !is_reference(text) {
            return Ok(Self { value: text.to_owned().into(), from: None });
        }
        let get = get.ok_or_else(|| format!("`{text}` cannot be got here"))?;
        Ok(Self { value: get(text)?, from: Some(text.to_owned()) })
    }
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
            local: below.local || self.local.unwrap_or_default(),
            references: References {
                password: from(self.password.as_ref(), below.password.as_ref()),
                passphrase: from(self.passphrase.as_ref(), below.passphrase.as_ref()),
            },
            password: below.password.or_else(|| self.password.clone().map(|secret| secret.value)),
            keys: self.key.clone().map_or(below.keys, |key| vec![key]),
            passphrase: below.passphrase.or_else(|| self.passphrase.clone().map(|secret| secret.value)),
            ..below
        }
    }
}

/// The reference of a secret that flags do not say.
fn from(secret: Option<&Secret>, said: Option<&SecretString>) -> Option<String> {
    secret.filter(|_| said.is_none()).and_then(|secret| secret.from.clone())
}
