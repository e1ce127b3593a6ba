//! Files of the web, reached as registries are: trust, retries, time limits.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use oci_spec::image::Digest;
use reqwest::StatusCode;
use reqwest::blocking::Client;
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;
use url::Url;

use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::registry::error::{RegistryError, Target};
use crate::registry::failure::{self, Hope};
use crate::registry::host;
use crate::registry::http::{Failed, Patience};
use crate::registry::{Registry, Unreachable};

impl Registry {
    /// Downloads what a URL (`http` or `https`) names into the file `to`, and returns its digest. No
    /// credentials are shown.
    ///
    /// # Errors
    /// When the host cannot be reached, answers with anything but success, or `to` cannot be written.
    pub fn download(&self, task: &Task, url: &str, to: &Path) -> Result<Digest> {
        let url = Url::parse(url).map_err(|error| RegistryError::Protocol {
            target: Target::Registry(url.to_owned()),
            detail: format!("it is no URL: {error}"),
        })?;
        let host = url.host_str().unwrap_or_default();
        let name = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let client = host::client(&name, self.settings())?;
        let target = Target::Registry(name);
        let mut patience = Patience::new(self.settings().retry);
        loop {
            match once(task, &client, &url, &target, to) {
                Ok(digest) => return Ok(digest),
                Err(failed) if failed.hope => patience.wait(task, failed.retry_after, *failed.error)?,
                Err(failed) => return Err(*failed.error),
            }
        }
    }
}

fn once(
    task: &Task,
    client: &Client,
    url: &Url,
    target: &Target,
    to: &Path,
) -> std::result::Result<Digest, Failed> {
    let failed = |error: RegistryError, hope: bool| Failed {
        error: Box::new(Error::from(error)),
        hope,
        retry_after: None,
    };
    let mut response = client.get(url.clone()).send().map_err(|error| {
        let (error, hope) = failure::of_request(error, target);
        failed(error, hope == Hope::Some)
    })?;
    let status = response.status();
    if !status.is_success() {
        let detail = format!("`{}` is answered with {status}", url.path());
        let hope = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        return Err(failed(RegistryError::Protocol { target: target.clone(), detail }, hope));
    }
    let mut file = File::create(to).at(to)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        task.check()?;
        let count = response.read(&mut buffer).map_err(|source| {
            let (target, source) = (target.clone(), Box::new(source));
            failed(RegistryError::Unreachable { target, why: Unreachable::Broken, source }, true)
        })?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).at(to)?;
        task.advance(count as u64);
    }
}
