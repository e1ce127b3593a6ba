//! One registry: its URL, its connections, and who we are to it.

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::blocking::Client;
use url::Url;

use crate::error::Result;
use crate::registry::RegistrySettings;
use crate::registry::error::{RegistryError, Target};
use crate::registry::failure;
use crate::registry::tls;
use crate::registry::token::Authorization;

/// A registry that requests go to. Shared by all that goes there.
#[derive(Debug)]
pub(crate) struct Host {
    /// As references name it: `docker.io`.
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) authorization: Mutex<Authorization>,
    base: Url,
    reached: AtomicBool,
}

impl Host {
    /// Finds out how to speak to a registry. On loopback that can take a request; else none is made.
    pub(crate) fn connect(name: &str, settings: &RegistrySettings) -> Result<Self> {
        let client = client(name, settings)?;
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
        if plain || (is_loopback(&base) && speaks_plain_http(&client, &base, &target)) {
            base = url("http")?;
        }
        Ok(Self {
            name: name.to_owned(),
            client,
            authorization: Mutex::default(),
            base,
            reached: AtomicBool::new(false),
        })
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
    let tls = if settings.insecure.iter().any(|host| host == name) {
        tls::unverified()
    } else {
        let mut ca_files = settings.ca_files.clone();
        ca_files.extend(tls::files_for(name, &settings.certs_dirs)?);
        tls::verified(&ca_files)?
    };
    // HTTP/1.1: one connection a blob moves more than the streams of one HTTP/2 connection, and
    // when it breaks, one blob resumes and not all.
    let builder = if loopback(name) { Client::builder().no_proxy() } else { Client::builder() };
    let client = builder
        .tls_backend_preconfigured(tls)
        .http1_only()
        .user_agent(concat!("sealer/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.timeout.min(Duration::from_secs(15)))
        .timeout(settings.timeout)
        .tcp_user_timeout(settings.timeout)
        .tcp_nodelay(true)
        .build();
    Ok(client.map_err(|error| failure::of_request(error, &Target::Registry(name.to_owned())).0)?)
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
