//! The referrers API of OCI distribution 1.1, before a registry that lacks it.

use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};
use url::Url;

use crate::http::Head;

/// How a registry lists what refers to an image ("Listing Referrers").
#[derive(Debug, Clone, Copy)]
pub struct ReferrersApi {
    /// How many entries a page has at most.
    pub page: usize,
    /// Whether it heeds `artifactType`; a registry need not.
    pub filters: bool,
}

impl Default for ReferrersApi {
    fn default() -> Self {
        Self { page: 100, filters: true }
    }
}

/// What is known so far: of each manifest with a subject that the registry took, the entry.
#[derive(Debug)]
pub(crate) struct Referrers {
    api: ReferrersApi,
    known: Mutex<Vec<Referrer>>,
}

/// A manifest that refers to another.
#[derive(Debug, Clone)]
pub(crate) struct Referrer {
    repository: String,
    pub(crate) subject: String,
    /// As lists have it, without the digest, which the registry tells.
    entry: Value,
}

/// An answer of the API.
pub(crate) struct Page {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Referrers {
    pub(crate) fn new(api: ReferrersApi) -> Self {
        Self { api, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Referrer>> {
        self.known.lock().expect("no holder panics")
    }

    /// Keeps what the registry has taken under this digest; the last of one digest counts.
    pub(crate) fn keep(&self, mut referrer: Referrer, digest: &str) {
        referrer.entry["digest"] = digest.into();
        let mut known = self.known();
        known.retain(|one| one.repository != referrer.repository || one.entry["digest"] != digest);
        known.push(referrer);
    }

    /// Answers a question for referrers; nothing where the request is another one.
    pub(crate) fn answer(&self, request: &Head) -> Option<Page> {
        let url = Url::parse("http://registry").ok()?.join(request.word(1)).ok()?;
        let (repository, subject) = url.path().strip_prefix("/v2/")?.split_once("/referrers/")?;
        if request.word(0) != "GET" {
            return None;
        }
        let asked =
            |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let of_type = asked("artifactType").filter(|_| self.api.filters);
        let all: Vec<Value> = self
            .known()
            .iter()
            .filter(|one| one.repository == repository && one.subject == subject)
            .map(|one| one.entry.clone())
            .filter(|entry| of_type.as_deref().is_none_or(|of_type| entry["artifactType"] == of_type))
            .collect();
        let from: usize = asked("from").and_then(|from| from.parse().ok()).unwrap_or(0);
        let page: Vec<&Value> = all.iter().skip(from).take(self.api.page).collect();
        let mut headers = vec![("Content-Type".to_owned(), INDEX.to_owned())];
        if of_type.is_some() {
            headers.push(("OCI-Filters-Applied".to_owned(), "artifactType".to_owned()));
        }
        let next = from + page.len();
        if next < all.len() {
            headers.push(("Link".to_owned(), format!("<{}>; rel=\"next\"", link(&url, next))));
        }
        let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": page }).to_string();
        Some(Page { headers, body })
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The address of the page that begins at an entry, relative to the host.
fn link(url: &Url, from: usize) -> String {
    let mut url = url.clone();
    let kept: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(key, _)| key != "from").collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("from", &from.to_string());
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Tells whether a request brings a manifest.
pub(crate) fn brings_manifest(request: &Head) -> bool {
    request.word(0) == "PUT" && request.word(1).contains("/manifests/")
}

/// What a manifest on its way to the registry refers to, if to anything.
pub(crate) fn referrer(request: &Head, manifest: &[u8]) -> Option<Referrer> {
    let (repository, _) = request.word(1).strip_prefix("/v2/")?.split_once("/manifests/")?;
    let parsed: Value = serde_json::from_slice(manifest).ok()?;
    let subject = parsed["subject"]["digest"].as_str()?.to_owned();
    let mut entry = json!({
        "mediaType": request.get("content-type")?,
        "digest": "",
        "size": manifest.len(),
    });
    let artifact = [&parsed["artifactType"], &parsed["config"]["mediaType"]];
    if let Some(of_type) = artifact.into_iter().find(|one| one.is_string()) {
        entry["artifactType"] = of_type.clone();
    }
    if parsed["annotations"].is_object() {
        entry["annotations"] = parsed["annotations"].clone();
    }
    Some(Referrer { repository: repository.to_owned(), subject, entry })
}
