//! Registries: images elsewhere, over the OCI distribution protocol.
//!
//! [`Registry`] holds what is shared between requests (settings, connections, tokens); a
//! [`Repository`] is one image's place in it, with the verbs that every place with content has.

pub mod auth;
pub mod error;

mod challenge;
mod download;
mod failure;
mod fetch;
mod helper;
mod host;
mod http;
mod list;
mod manifest;
mod mirrors;
mod pipe;
mod ranges;
mod tls;
mod token;
mod upload;

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use error::{RegistryError, Target, Unreachable};
pub use mirrors::Mirrors;
use oci_spec::image::{Descriptor, Digest};
pub use ranges::Ranges;
use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use sealer_stdx::task::Task;
use secrecy::SecretString;
use url::Url;

use crate::content::{Fetch, Push};
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::registry::auth::{AuthFile, Credentials};
use crate::registry::host::Host;
use crate::registry::http::Caller;
pub(crate) use crate::registry::manifest::is_manifest;
use crate::registry::mirrors::Places;
use crate::registry::ranges::RangedReader;

/// How registries are reached. Nothing of it is read from the environment; only the HTTP client
/// itself looks for a proxy there (`HTTPS_PROXY`, `NO_PROXY`), and the system's certificates can be
/// set there (`SSL_CERT_FILE`).
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// Docker's `config.json`, with credentials and credential helpers; without it, everything is
    /// asked for anonymously. It need not exist.
    pub auth_file: Option<PathBuf>,
    /// Files of certificates (PEM) of authorities to trust beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// Folders such as `/etc/docker/certs.d`: what ends in `.crt` in `DIR/HOST[:PORT]` is trusted
    /// for that registry, and a `*.cert` with its `*.key` is shown to it.
    pub certs_dirs: Vec<PathBuf>,
    /// Folders of certificates for whatever registry is asked: `*.crt` are trusted, a `*.cert` with its
    /// `*.key` is shown. As in a folder of `certs_dirs`.
    pub cert_dirs: Vec<PathBuf>,
    /// Registries whose certificate is not verified, as references name them: `host:5000`. If one of
    /// them speaks plain HTTP, that is found out.
    pub insecure: Vec<String>,
    /// Where images are really had.
    pub mirrors: Mirrors,
    /// Registries that are spoken to in plain HTTP, likewise. On loopback, plain HTTP is found out.
    pub plain_http: Vec<String>,
    /// When what failed is tried again.
    pub retry: Retry,
    /// How long a connection may take to come up, or be silent.
    pub timeout: Duration,
    /// How many blobs are transferred at once.
    pub parallel: usize,
    /// How much of a blob goes up in one request at most, in bytes. Proxies before registries
    /// refuse more than 100 MB.
    pub piece: u64,
    /// When a large blob comes down in parts.
    pub ranges: Ranges,
    /// How long a credential helper may take.
    pub helper_timeout: Duration,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            auth_file: None,
            ca_files: Vec::new(),
            certs_dirs: vec![PathBuf::from("/etc/docker/certs.d"), PathBuf::from("/etc/containers/certs.d")],
            cert_dirs: Vec::new(),
            insecure: Vec::new(),
            mirrors: Mirrors::default(),
            plain_http: Vec::new(),
            retry: Retry::default(),
            timeout: Duration::from_secs(60),
            parallel: 4,
            piece: 64 << 20,
            ranges: Ranges::default(),
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
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: RegistrySettings,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    /// By registry and repository. Helpers are slow: each question is asked once.
    credentials: Mutex<HashMap<(String, String), Option<Credentials>>>,
    /// Mirrors that are not asked any more: by registry, or for one image.
    passed_over: Mutex<HashSet<String>>,
    /// Whether a blob comes in parts now.
    ranging: Arc<AtomicBool>,
}

impl Registry {
    /// Prepares; nothing is connected or read yet.
    #[must_use]
    pub fn new(settings: RegistrySettings) -> Self {
        let (hosts, credentials, passed_over) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Shared { settings, hosts, credentials, passed_over, ranging: Arc::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> &RegistrySettings {
        &self.shared.settings
    }

    /// Returns an image's place. `task` cancels what is done there.
    #[must_use]
    pub fn repository<'a>(&'a self, task: &'a Task, reference: &Reference) -> Repository<'a> {
        let Places { mirrors, own, blocked } = self.shared.settings.mirrors.places(reference);
        let (named, mounts) = (reference.clone(), Arc::default());
        Repository { registry: self, task, reference: own, named, mirrors, blocked, mounts }
    }

    /// Tries credentials on a registry (`docker.io`, `host:5000`, or as docker takes it, a URL), then keeps them in the auth
    /// file, or in the credential helper that the file names.
    ///
    /// # Errors
    /// `Unauthorized` when the registry refuses them; then nothing is kept.
    pub fn login(&self, task: &Task, host: &str, user: &str, password: &SecretString) -> Result<()> {
        let host = &auth::normal(host);
        let credentials = Credentials::Password { user: user.to_owned(), password: password.clone() };
        let caller = Caller {
            settings: &self.shared.settings,
            host: self.host(host)?,
            task,
            target: Target::Registry(host.to_owned()),
            credentials: Some(credentials),
            scope: String::new(),
        };
        let response = caller.send(&caller.host.url(""), &|client, url| client.get(url))?;
        if !response.status().is_success() {
            return Err(caller.refusal(response).into());
        }
        self.shared.credentials.lock().expect("no holder panics").clear();
        match self.auth_file() {
            Some(file) => file.keep(host, user, password),
            None => Ok(()),
        }
    }

    /// Forgets the credentials for a registry. False when there were none.
    ///
    /// # Errors
    /// When the auth file cannot be written.
    pub fn logout(&self, host: &str) -> Result<bool> {
        self.shared.credentials.lock().expect("no holder panics").clear();
        self.auth_file().map_or(Ok(false), |file| file.forget(&auth::normal(host)))
    }

    /// Has this user and password used for one repository, for as long as this value and its clones
    /// live. They are kept nowhere.
    pub fn give(&self, reference: &Reference, user: &str, password: &SecretString) {
        let key = (reference.registry().to_owned(), reference.repository().to_owned());
        let credentials = Credentials::Password { user: user.to_owned(), password: password.clone() };
        self.shared.credentials.lock().expect("no holder panics").insert(key, Some(credentials));
    }

    fn auth_file(&self) -> Option<AuthFile> {
        let settings = &self.shared.settings;
        let path = settings.auth_file.clone()?;
        Some(AuthFile::new(path, settings.helper_timeout))
    }

    fn host(&self, name: &str) -> Result<Arc<Host>> {
        let mut hosts = self.shared.hosts.lock().expect("no holder panics");
        if let Some(host) = hosts.get(name) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host::connect(name, &self.shared.settings)?);
        hosts.insert(name.to_owned(), Arc::clone(&host));
        Ok(host)
    }

    fn credentials(&self, host: &str, repository: &str) -> Result<Option<Credentials>> {
        let key = (host.to_owned(), repository.to_owned());
        let mut known = self.shared.credentials.lock().expect("no holder panics");
        if let Some(credentials) = known.get(&key) {
            return Ok(credentials.clone());
        }
        let credentials = match self.auth_file() {
            Some(file) => file.credentials(host, repository)?,
            None => None,
        };
        known.insert(key, credentials.clone());
        Ok(credentials)
    }
}

/// An image's place in a registry.
#[derive(Clone)]
pub struct Repository<'a> {
    registry: &'a Registry,
    task: &'a Task,
    reference: Reference,
    /// As the user names it.
    named: Reference,
    /// Where the same image is asked for first.
    mirrors: Vec<Reference>,
    blocked: bool,
    mounts: Arc<HashMap<Digest, String>>,
}

impl<'a> Repository<'a> {
    /// Says for blobs which other repository of the same registry may have them: they are mounted
    /// from there, and sent only if that does not work.
    #[must_use]
    pub fn with_mounts(self, mounts: HashMap<Digest, String>) -> Self {
        Self { mounts: Arc::new(mounts), ..self }
    }

    /// Lists where the image is to be read, in order: mirrors first.
    fn places(&self) -> Vec<Self> {
        let place = |reference: &Reference| Repository {
            reference: reference.clone(),
            mirrors: Vec::new(),
            named: self.named.clone(),
            ..self.clone()
        };
        let passed = self.registry.shared.passed_over.lock().expect("no holder panics");
        let hopeful = |mirror: &&Reference| {
            !passed.contains(mirror.registry()) && !passed.contains(&mirror.to_string())
        };
        self.mirrors.iter().filter(hopeful).chain([&self.reference]).map(place).collect()
    }

    /// Reads at the first place that can be read; the last one's failure is told, the others are warned of.
    fn read<T>(&self, read: impl Fn(&Self) -> Result<T>) -> Result<T> {
        let places = self.places();
        let (own, mirrors) = places.split_last().expect("an image has a place");
        for mirror in mirrors {
            match read(mirror) {
                Err(Error::Registry(error)) => mirror.pass_over(&error),
                read => return read,
            }
        }
        read(own)
    }

    /// Says why this place is not asked any more, once.
    fn pass_over(&self, error: &RegistryError) {
        let mirror = self.reference.registry();
        let key = match error {
            RegistryError::Unreachable { .. } => mirror.to_owned(),
            _ => self.reference.to_string(),
        };
        if self.registry.shared.passed_over.lock().expect("no holder panics").insert(key) {
            let image = &self.named;
            self.task.warn(format!("the mirror `{mirror}` is passed over for `{image}`: {error}"));
        }
    }

    /// Returns how many blobs are transferred at once.
    pub(crate) fn parallel(&self) -> usize {
        self.registry.settings().parallel
    }

    /// Returns what the reference names: a manifest's or an index's descriptor.
    ///
    /// # Errors
    /// `ManifestUnknown` when it names nothing.
    pub fn resolve(&self) -> Result<Descriptor> {
        self.read(|place| manifest::resolve(place, place.name()))
    }

    /// The same of what need not be there: the first place that answers says so, and no further one is asked.
    ///
    /// # Errors
    /// When the registry refuses or cannot be reached.
    pub fn find(&self) -> Result<Option<Descriptor>> {
        self.read(|place| match manifest::resolve(place, place.name()) {
            Err(Error::Registry(RegistryError::ManifestUnknown { .. })) => Ok(None),
            found => found.map(Some),
        })
    }

    /// Gives a manifest or an index, which the registry may have already, the reference's tag.
    /// A reference without a tag wants nothing more than that the manifest is there.
    ///
    /// # Errors
    /// `BlobUnknown` when the registry lacks what the manifest refers to.
    pub fn tag(&self, content: &Descriptor, source: &dyn Fetch) -> Result<()> {
        let Some(tag) = self.reference.tag() else { return Ok(()) };
        manifest::put(self, tag, content, &bytes(content, source)?)
    }

    /// Returns the digest by which the reference asks, else the tag.
    fn name(&self) -> &str {
        self.reference.digest().or(self.reference.tag()).unwrap_or("latest")
    }

    fn target(&self) -> Target {
        Target::Image(Box::new(self.reference.clone()))
    }

    fn url(&self, caller: &Caller<'_>, path: &str) -> Url {
        caller.host.url(&format!("{}/{path}", self.reference.repository()))
    }

    fn pulling(&self) -> Result<Caller<'a>> {
        self.caller("pull")
    }

    fn pushing(&self) -> Result<Caller<'a>> {
        self.caller("pull,push")
    }

    fn caller(&self, actions: &str) -> Result<Caller<'a>> {
        if self.blocked {
            return Err(RegistryError::Blocked { target: self.target() }.into());
        }
        let (host, repository) = (self.reference.registry(), self.reference.repository());
        Ok(Caller {
            settings: &self.registry.shared.settings,
            host: self.registry.host(host)?,
            task: self.task,
            target: self.target(),
            credentials: self.registry.credentials(host, repository)?,
            scope: format!("repository:{repository}:{actions}"),
        })
    }
}

impl Fetch for Repository<'_> {
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        if !manifest::is_manifest(content.media_type()) {
            return Ok(Box::new(RangedReader::open(self, content, from)?));
        }
        let (_, bytes) = self.read(|place| manifest::fetch(place, content.digest().as_ref()))?;
        let mut reader = Cursor::new(bytes);
        reader.set_position(from);
        Ok(Box::new(reader))
    }
}

impl Push for Repository<'_> {
    fn exists(&self, content: &Descriptor) -> Result<bool> {
        let kind = if manifest::is_manifest(content.media_type()) { "manifests" } else { "blobs" };
        // Asked with the right to push: most of what is asked for is pushed next.
        let caller = self.pushing()?;
        let url = self.url(&caller, &format!("{kind}/{}", content.digest()));
        let media_type = content.media_type().to_string();
        let response =
            caller.send(&url, &|client, url| client.head(url).header(ACCEPT, media_type.as_str()))?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(caller.refusal(response).into()),
        }
    }

    fn push(&self, content: &Descriptor, source: &dyn Fetch) -> Result<()> {
        if manifest::is_manifest(content.media_type()) {
            return manifest::put(self, content.digest().as_ref(), content, &bytes(content, source)?);
        }
        upload::push_blob(self, content, source)
    }
}

fn bytes(content: &Descriptor, source: &dyn Fetch) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = source.fetch(content, 0)?;
    reader.read_to_end(&mut bytes).map_err(|error| Error::from_read(error, content.digest()))?;
    Ok(bytes)
}
