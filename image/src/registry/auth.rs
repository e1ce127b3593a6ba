//! Credentials: docker's `config.json`, read and written so that docker and podman agree with us.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealer_stdx::fs::{At, write_atomic};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::registry::error::RegistryError;
use crate::registry::helper::Helper;

/// The key under which docker keeps the credentials of Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// What a user shows to a registry.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// An OAuth2 refresh token, which an earlier login has got.
    IdentityToken(SecretString),
}

/// Docker's `config.json`, as far as it is about credentials. Fields that we do not know are kept.
#[derive(Debug, Clone)]
pub struct AuthFile {
    path: PathBuf,
    helper_timeout: Duration,
}

impl AuthFile {
    /// Names the file. It is read when it is asked, and need not exist.
    #[must_use]
    pub fn new(path: PathBuf, helper_timeout: Duration) -> Self {
        Self { path, helper_timeout }
    }

    /// Returns the credentials for a repository: those of the longest key that leads to it (podman
    /// has keys such as `host/team`), from the registry's credential helper, the file, or the
    /// helper for all registries, in this order.
    ///
    /// # Errors
    /// When the file is not readable or a helper fails.
    pub fn credentials(&self, host: &str, repository: &str) -> Result<Option<Credentials>> {
        let config = self.read()?;
        if let Some(helper) = self.helper_of(&config, host) {
            return Ok(helper.get(&server(host))?);
        }
        let entry = entry(&config, host, repository);
        if let Some(credentials) = entry.map(|entry| self.decode(entry)).transpose()?.flatten() {
            return Ok(Some(credentials));
        }
        match self.store(&config) {
            Some(helper) => Ok(helper.get(&server(host))?),
            None => Ok(None),
        }
    }

    /// Keeps credentials for a registry: in its helper if it has one, else in the file, which only
    /// its owner can read.
    ///
    /// # Errors
    /// When the file or the helper cannot keep them.
    pub fn keep(&self, host: &str, user: &str, password: &SecretString) -> Result<()> {
        let _lock = self.lock()?;
        let mut config = self.read()?;
        let mut entry = json!({});
        match self.helper_of(&config, host).or_else(|| self.store(&config)) {
            Some(helper) => helper.store(&server(host), user, password)?,
            None => {
                let pair = format!("{user}:{}", password.expose_secret());
                entry = json!({ "auth": STANDARD.encode(pair) });
            }
        }
        let auths = auths(&mut config, &self.path)?;
        auths.retain(|key, _| normal(key) != normal(host));
        auths.insert(server(host), entry);
        self.write(&config)
    }

    /// Forgets the credentials for a registry. False when there were none.
    ///
    /// # Errors
    /// When the file or the helper cannot forget them.
    pub fn forget(&self, host: &str) -> Result<bool> {
        if !self.path.exists() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let mut config = self.read()?;
        let mut had = false;
        if let Some(helper) = self.helper_of(&config, host).or_else(|| self.store(&config)) {
            had = helper.get(&server(host))?.is_some();
            if had {
                helper.erase(&server(host))?;
            }
        }
        let auths = auths(&mut config, &self.path)?;
        let before = auths.len();
        auths.retain(|key, _| normal(key) != normal(host));
        if auths.len() < before {
            self.write(&config)?;
            had = true;
        }
        Ok(had)
    }

    fn read(&self) -> Result<Map<String, Value>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Ok(Err(error).at(&self.path)?),
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        // serde_json's messages about the form of a text name lines and columns; those about what a
        // value should have been quote it.
        match serde_json::from_slice(&bytes).map_err(|error| self.malformed(&error.to_string()))? {
            Value::Object(config) => Ok(config),
            _ => Err(self.malformed("it is no JSON object").into()),
        }
    }

    fn write(&self, config: &Map<String, Value>) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(config).expect("a JSON value can be written");
        bytes.push(b'\n');
        // A link stays a link: dot files are often kept elsewhere.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        Ok(write_atomic(&path, &bytes, 0o600)?)
    }

    /// Locks the file's folder, which is made if it is missing, against other sealers.
    fn lock(&self) -> Result<File> {
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(dir).at(dir)?;
        let dir_file = File::open(dir).at(dir)?;
        dir_file.lock().at(dir)?;
        Ok(dir_file)
    }

    fn helper_of(&self, config: &Map<String, Value>, host: &str) -> Option<Helper> {
        let helpers = config.get("credHelpers")?.as_object()?;
        let (_, name) = helpers.iter().find(|(key, _)| normal(key) == normal(host))?;
        Some(Helper::new(name.as_str()?, self.helper_timeout))
    }

    fn store(&self, config: &Map<String, Value>) -> Option<Helper> {
        let name = config.get("credsStore")?.as_str().filter(|name| !name.is_empty())?;
        Some(Helper::new(name, self.helper_timeout))
    }

    fn decode(&self, entry: &Value) -> Result<Option<Credentials>> {
        let text = |field| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credentials::IdentityToken(token.into())));
        }
        if let Some(pair) = text("auth") {
            let pair = STANDARD.decode(pair.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pair.as_deref().map(|pair| pair.trim_end_matches('\0'));
            let (user, password) = pair
                .and_then(|pair| pair.split_once(':'))
                .ok_or_else(|| self.malformed("an `auth` in it is not the base64 of `user:password`"))?;
            return Ok(Some(Credentials::Password { user: user.into(), password: password.into() }));
        }
        Ok(text("username")
            .zip(text("password"))
            .map(|(user, password)| Credentials::Password { user: user.into(), password: password.into() }))
    }

    fn malformed(&self, reason: &str) -> RegistryError {
        RegistryError::AuthFile { path: self.path.clone(), reason: reason.to_owned() }
    }
}

/// Returns the entry of the longest key that leads to the repository.
fn entry<'a>(config: &'a Map<String, Value>, host: &str, repository: &str) -> Option<&'a Value> {
    let auths = config.get("auths")?.as_object()?;
    let whole = format!("{}/{repository}", normal(host));
    let leads = |key: &str| whole == key || whole.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
    let candidates = auths.iter().map(|(key, entry)| (normal(key), entry));
    candidates.filter(|(key, _)| leads(key)).max_by_key(|(key, _)| key.len()).map(|(_, entry)| entry)
}

fn auths<'a>(config: &'a mut Map<String, Value>, path: &Path) -> Result<&'a mut Map<String, Value>> {
    let auths = config.entry("auths").or_insert_with(|| json!({}));
    let reason = "`auths` in it is not an object".to_owned();
    Ok(auths.as_object_mut().ok_or_else(|| RegistryError::AuthFile { path: path.to_owned(), reason })?)
}

/// Returns the form in which two keys of one registry are equal: no scheme, no `/v1/`, and one
/// name for Docker Hub.
pub(crate) fn normal(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    let (host, rest) = key.split_once('/').map_or((key, ""), |(host, rest)| (host, rest));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    };
    if rest.is_empty() { host.to_owned() } else { format!("{host}/{rest}") }
}

/// Returns the key under which docker writes a registry's credentials.
fn server(host: &str) -> String {
    if normal(host) == "docker.io" { HUB.to_owned() } else { host.to_owned() }
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
