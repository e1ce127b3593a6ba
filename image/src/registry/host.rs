//! One registry: its URL, its connections, and who we are to it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::blocking::Client;
use rustls::ClientConfig;
use url::Url;

use crate::error::Result;
use crate::registry::RegistrySettings;
use crate::registry::error::{RegistryError, Target, Unreachable};
use crate::registry::failure;
use crate::registry::pipe::Sending;
use crate::registry::tls;
use crate::registry::token::Authorization;

/// A registry that requests go to. Shared by all that goes there.
#[derive(Debug)]
pub(crate) struct Host {
    /// As references name it: `docker.io`.
    pub(crate) name: String,
    pub(crate) client: Client,
    tls: ClientConfig,
    pub(crate) authorization: Mutex<Authorization>,
    base: Url,
    reached: AtomicBool,
}

impl Host {
    /// Finds out how to speak to a registry. On loopback that can take a request; else none is made.
    pub(crate) fn connect(name: &str, settings: &RegistrySettings) -> Result<Self> {
        let tls = trust(name, settings)?;
        let client = blocking(name, settings, tls.clone())?;
        let authority = if name == "docker.io" { "registry-1.docker.io" } else { name };
        let target = Target::Registry(name.to_owned());
        let url = |scheme| {
            Url::parse(&format!("{scheme}://{authority}/")).map_err(|error| RegistryError::Protocol {
                target: target.clone(),
                detail: format!("`{authority}` is not a host: {error}"),
            })
        };
        let mut base = url("https")?;
        let plain = settings.plain_http.iter().any(|host| host == name);
        let may = is_loopback(&base) || is_insecure(name, settings);
        if plain || (may && speaks_plain_http(&client, &base, &target)) {
            base = url("http")?;
        }
        Ok(Self {
            name: name.to_owned(),
            client,
            tls,
            authorization: Mutex::default(),
            base,
            reached: AtomicBool::new(false),
        })
    }

    /// Builds a client for bodies that are sent, with a connection of its own.
    pub(crate) fn sending(&self, settings: &RegistrySettings) -> Result<Sending> {
        let client = builder(&self.name, settings, self.tls.clone()).build();
        let client = client.map_err(|error| self.unusable(error))?;
        Sending::new(client).map_err(|error| {
            let target = Target::Registry(self.name.clone());
            let (why, source) = (Unreachable::Broken, Box::new(error));
            RegistryError::Unreachable { target, why, source }.into()
        })
    }

    fn unusable(&self, error: reqwest::Error) -> RegistryError {
        failure::of_request(error, &Target::Registry(self.name.clone())).0
    }

    /// Returns the URL of a path within `/v2/`.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.base.join(&format!("/v2/{path}")).expect("names in references need no escapes in URLs")
    }

    /// Tells whether a URL leads to this registry, and not elsewhere.
    pub(crate) fn is_at(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    pub(crate) fn is_plain_http(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Tells whether the registry has ever answered.
    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    pub(crate) fn has_answered(&self) {
        self.reached.store(true, Ordering::Relaxed);
    }
}

/// Builds the client for a host, with what is trusted there.
pub(crate) fn client(name: &str, settings: &RegistrySettings) -> Result<Client> {
    blocking(name, settings, trust(name, settings)?)
}

fn trust(name: &str, settings: &RegistrySettings) -> Result<ClientConfig> {
    let by_host = settings.certs_dirs.iter().map(|dir| dir.join(name));
    let dirs: Vec<PathBuf> = settings.cert_dirs.iter().cloned().chain(by_host).collect();
    let mut files = tls::files_in(&dirs)?;
    if is_insecure(name, settings) {
        return tls::unverified(&files);
    }
    files.authorities.extend(settings.ca_files.iter().cloned());
    tls::verified(&files)
}

fn is_insecure(name: &str, settings: &RegistrySettings) -> bool {
    settings.insecure.iter().any(|host| host == name)
}

fn blocking(name: &str, settings: &RegistrySettings, tls: ClientConfig) -> Result<Client> {
    let builder = reqwest::blocking::ClientBuilder::from(builder(name, settings, tls));
    let client = builder.timeout(settings.timeout).build();
    Ok(client.map_err(|error| failure::of_request(error, &Target::Registry(name.to_owned())).0)?)
}

fn builder(name: &str, settings: &RegistrySettings, tls: ClientConfig) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    // HTTP/1.1: one connection a blob moves more than the streams of one HTTP/2 connection, and
    // when it breaks, one blob resumes and not all.
    let builder = if loopback(name) { builder.no_proxy() } else { builder };
    builder
        .tls_backend_preconfigured(tls)
        .http1_only()
        .user_agent(concat!("sealer/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.timeout.min(Duration::from_secs(15)))
        .tcp_user_timeout(settings.timeout)
        .tcp_nodelay(true)
}

/// Tells whether a host as references name it is this machine: no proxy leads there.
fn loopback(name: &str) -> bool {
    Url::parse(&format!("https://{name}")).is_ok_and(|url| is_loopback(&url))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Tells whether a port answers a TLS handshake with plain HTTP.
fn speaks_plain_http(client: &Client, base: &Url, target: &Target) -> bool {
    let probe = client.get(base.join("/v2/").expect("a path can be joined")).send();
    probe.is_err_and(|error| matches!(failure::of_request(error, target).0, RegistryError::PlainHttp { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_loopback() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in ["https://127.0.0.1:5000", "https://127.8.8.8", "https://localhost:1", "https://[::1]:5"] {
            assert!(loopback(url), "{url}");
        }
        for url in ["https://10.0.0.1", "https://localhost.example", "https://128.0.0.1", "https://[::2]"] {
            assert!(!loopback(url), "{url}");
        }
    }
}
