//! What a registry has: its repositories, their tags, and what refers to an image.

use oci_distribution::manifest::OCI_IMAGE_INDEX_MEDIA_TYPE;
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
const JSON: &str = "application/json";

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
        let pages: Vec<Catalog> = pages(&caller, url, JSON, Missing::IsAnError)?;
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
        let pages: Vec<Tags> = pages(&caller, url, JSON, Missing::IsEmpty)?;
        let mut tags: Vec<String> = pages.into_iter().filter_map(|page| page.tags).flatten().collect();
        tags.sort();
        Ok(tags)
    }

    /// Lists what refers to an image, of one artifact type or all: signatures, inventories. Only a
    /// registry that knows nothing of that is asked for the tag by which clients make up for it (OCI
    /// distribution 1.1, "Unavailable Referrers API").
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn referrers(&self, subject: &Digest, of_type: Option<&str>) -> Result<Vec<Descriptor>> {
        let mut found = match self.listed_referrers(subject, of_type)? {
            Some(listed) => listed,
            None => self.tagged_referrers(subject)?,
        };
        // A registry need not heed the type, and a tag's list has all.
        found.retain(|one| of_type.is_none_or(|of_type| is_of_type(one, of_type)));
        Ok(found)
    }

    /// Lists what the registry itself knows to refer to an image; `None` where it keeps no such lists.
    ///
    /// # Errors
    /// When the registry refuses.
    pub fn listed_referrers(
        &self,
        subject: &Digest,
        of_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>> {
        let caller = self.pulling()?;
        let mut url = self.url(&caller, &format!("referrers/{subject}"));
        if let Some(of_type) = of_type {
            url.query_pairs_mut().append_pair("artifactType", of_type);
        }
        let pages: Vec<ImageIndex> = pages(&caller, url, OCI_IMAGE_INDEX_MEDIA_TYPE, Missing::IsEmpty)?;
        let listed = pages.iter().flat_map(|page| page.manifests().clone()).collect();
        Ok((!pages.is_empty()).then_some(listed))
    }

    /// Lists what clients have noted under the tag that makes up for a registry's list.
    ///
    /// # Errors
    /// When the registry refuses, or the tag names no list.
    pub fn tagged_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>> {
        let tag = format!("{}-{}", subject.algorithm(), subject.digest());
        match manifest::fetch(self, &tag) {
            Ok((_, bytes)) => {
                let index: ImageIndex = parse(&self.pulling()?, &bytes)?;
                Ok(index.manifests().clone())
            }
            Err(Error::Registry(RegistryError::ManifestUnknown { .. })) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn is_of_type(one: &Descriptor, of_type: &str) -> bool {
    one.artifact_type().as_ref().is_some_and(|has| has.to_string() == of_type)
}

/// What a 404 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsEmpty,
    IsAnError,
}

/// Reads a list page by page (RFC 5988 links).
fn pages<T: DeserializeOwned>(
    caller: &Caller<'_>,
    mut url: Url,
    accept: &str,
    missing: Missing,
) -> Result<Vec<T>> {
    let mut pages = Vec::new();
    loop {
        let response = caller.send(&url, &|client, url| client.get(url).header(ACCEPT, accept))?;
        match response.status() {
            StatusCode::OK => {}
            // A page in the middle that is missing is a list cut short.
            StatusCode::NOT_FOUND if missing == Missing::IsEmpty && pages.is_empty() => return Ok(pages),
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
