//! Registries: images elsewhere, over the OCI distribution protocol.
//!
//! [`Registry`] holds what is shared between requests (settings, connections, tokens); a
//! [`Repository`] is one image's place in it, with the verbs that every place with content has.

pub mod error;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use error::{RegistryError, Target, Unreachable};
use oci_spec::image::Descriptor;
use sealer_stdx::task::Task;
use secrecy::SecretString;

use crate::error::Result;
use crate::reference::Reference;

/// How registries are reached. Nothing of it is read from the environment.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Docker's `config.json`, with credentials and credential helpers; without it, everything is
    /// asked for anonymously. It need not exist.
    pub auth_file: Option<PathBuf>,
    /// Files of certificates (PEM) of authorities to trust beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// Folders such as `/etc/docker/certs.d`: what ends in `.crt` in `DIR/HOST[:PORT]` is trusted
    /// for that registry.
    pub certs_dirs: Vec<PathBuf>,
    /// Registries whose certificate is not verified, as references name them: `host:5000`.
    pub insecure: Vec<String>,
    /// Registries that are spoken to in plain HTTP, likewise. On loopback, plain HTTP is found out.
    pub plain_http: Vec<String>,
    /// When what failed is tried again.
    pub retry: Retry,
    /// How long a connection may take to come up, or be silent.
    pub timeout: Duration,
    /// How many blobs are transferred at once.
    pub parallel: usize,
    /// How long a credential helper may take.
    pub helper_timeout: Duration,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            auth_file: None,
            ca_files: Vec::new(),
            certs_dirs: vec![PathBuf::from("/etc/docker/certs.d"), PathBuf::from("/etc/containers/certs.d")],
            insecure: Vec::new(),
            plain_http: Vec::new(),
            retry: Retry::default(),
            timeout: Duration::from_secs(60),
            parallel: 4,
            helper_timeout: Duration::from_secs(30),
        }
    }
}

/// When a request that failed is made again: on 429, 5xx, and connections that break off.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// How many times in a row without a byte of progress.
    pub times: usize,
    /// The pause before the first; it doubles from there, with jitter.
    pub first_pause: Duration,
    /// The longest pause, also where the registry asks for a longer one.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { times: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(60) }
    }
}

/// All registries, as one set of settings reaches them. Clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Registry {
    settings: Arc<RegistrySettings>,
}

impl Registry {
    /// Prepares; nothing is connected or read yet.
    #[must_use]
    pub fn new(settings: RegistrySettings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// Returns an image's place. `task` cancels what is done there.
    #[must_use]
    pub fn repository<'a>(&'a self, task: &'a Task, reference: &Reference) -> Repository<'a> {
        Repository { registry: self, task, reference: reference.clone() }
    }

    /// Tries credentials on a registry (`docker.io`, `host:5000`), then keeps them in the auth
    /// file, or in the credential helper that the file names.
    ///
    /// # Errors
    /// `Unauthorized` when the registry refuses them; then nothing is kept.
    pub fn login(&self, task: &Task, host: &str, user: &str, password: &SecretString) -> Result<()> {
        let _ = (task, host, user, password, &self.settings);
        unimplemented!("Registry::login")
    }

    /// Forgets the credentials for a registry. False when there were none.
    ///
    /// # Errors
    /// When the auth file cannot be written.
    pub fn logout(&self, host: &str) -> Result<bool> {
        let _ = host;
        unimplemented!("Registry::logout")
    }
}

/// An image's place in a registry.
#[derive(Clone)]
pub struct Repository<'a> {
    registry: &'a Registry,
    task: &'a Task,
    reference: Reference,
}

impl Repository<'_> {
    /// Returns what the reference names: a manifest's or an index's descriptor.
    ///
    /// # Errors
    /// `ManifestUnknown` when it names nothing.
    pub fn resolve(&self) -> Result<Descriptor> {
        let _ = (self.registry, self.task, &self.reference);
        unimplemented!("Repository::resolve")
    }
}
