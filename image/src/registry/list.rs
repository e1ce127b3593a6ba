//! What a registry has: its repositories, their tags, and what refers to an image.

use oci_spec::image::{Descriptor, Digest, ImageIndex};
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{ACCEPT, LINK};
use sealer_stdx::task::Task;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{Error, Result};
use crate::registry::error::{RegistryError, Target};
use crate::registry::http::Caller;
use crate::registry::{Registry, Repository, auth, manifest};

/// So many a page; a registry may give fewer.
const PAGE: &str = "1000";

#[derive(Debug, Deserialize)]
struct Catalog {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registry {
    /// Lists the repositories of a registry (`host:5000`), sorted.
    ///
    /// # Errors
    /// `Rejected` or `Unauthorized` where the registry tells nobody, as Docker Hub does not.
    pub fn repositories(&self, task: &Task, host: &str) -> Result<Vec<String>> {
        let host = auth::normal(host);
        let caller = Caller {
            settings: self.settings(),
            host: self.host(&host)?,
            task,
            target: Target::Registry(host.clone()),
            credentials: self.credentials(&host, "")?,
            scope: "registry:catalog:*".to_owned(),
        };
        let mut url = caller.host.url("_catalog");
        url.query_pairs_mut().append_pair("n", PAGE);
        let pages: Vec<Catalog> = pages(&caller, url, Missing::IsAnError)?;
        let mut names: Vec<String> =
            pages.into_iter().filter_map(|page| page.repositories).flatten().collect();
        names.sort();
        Ok(names)
    }
}

impl Repository<'_> {
    /// Lists the repository's tags, sorted; none where there is no such repository.
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn tags(&self) -> Result<Vec<String>> {
        let caller = self.pulling()?;
        let mut url = self.url(&caller, "tags/list");
        url.query_pairs_mut().append_pair("n", PAGE);
        let pages: Vec<Tags> = pages(&caller, url, Missing::IsEmpty)?;
        let mut tags: Vec<String> = pages.into_iter().filter_map(|page| page.tags).flatten().collect();
        tags.sort();
        Ok(tags)
    }

    /// Lists what refers to an image: signatures, inventories. A registry that knows nothing of that
    /// is asked for the tag by which clients make up for it (OCI distribution 1.1, "Unavailable
    /// Referrers API").
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>> {
        let caller = self.pulling()?;
        let pages = self.referrer_pages(&caller, subject)?;
        if !pages.is_empty() {
            return Ok(pages.into_iter().flat_map(|page| page.manifests().clone()).collect());
        }
        let tag = format!("{}-{}", subject.algorithm(), subject.digest());
        match manifest::fetch(self, &tag) {
            Ok((_, bytes)) => {
                let index: ImageIndex = parse(&caller, &bytes)?;
                Ok(index.manifests().clone())
            }
            Err(Error::Registry(RegistryError::ManifestUnknown { .. })) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Tells whether the registry itself lists what refers to an image.
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn lists_referrers(&self, subject: &Digest) -> Result<bool> {
        Ok(!self.referrer_pages(&self.pulling()?, subject)?.is_empty())
    }

    fn referrer_pages(&self, caller: &Caller<'_>, subject: &Digest) -> Result<Vec<ImageIndex>> {
        let url = self.url(caller, &format!("referrers/{subject}"));
        pages(caller, url, Missing::IsEmpty)
    }
}

/// What a 404 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsEmpty,
    IsAnError,
}

/// Reads a list page by page (RFC 5988 links).
fn pages<T: DeserializeOwned>(caller: &Caller<'_>, mut url: Url, missing: Missing) -> Result<Vec<T>> {
    let mut pages = Vec::new();
    loop {
        let response =
            caller.send(&url, &|client, url| client.get(url).header(ACCEPT, "application/json"))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if missing == Missing::IsEmpty => return Ok(pages),
            _ => return Err(caller.refusal(response).into()),
        }
        let next = next(&url, &response);
        let bytes = response
            .bytes()
            .map_err(|error| crate::registry::failure::of_request(error, &caller.target).0)?;
        pages.push(parse(caller, &bytes)?);
        match next.filter(|next| *next != url) {
            Some(next) => url = next,
            None => return Ok(pages),
        }
    }
}

fn parse<T: DeserializeOwned>(caller: &Caller<'_>, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        RegistryError::Protocol { target: caller.target.clone(), detail: format!("its list: {error}") }.into()
    })
}

/// The next page, as `Link: </v2/_catalog?last=x&n=100>; rel="next"` says. Only the same host is asked.
fn next(url: &Url, response: &Response) -> Option<Url> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let next = url.join(target).ok()?;
    (rest.contains("next") && next.origin() == url.origin()).then_some(next)
}
