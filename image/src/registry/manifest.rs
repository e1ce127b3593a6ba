//! Manifests in a registry: small documents that are kept as the bytes they came as.

use std::io::Read;

use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use oci_spec::image::{Descriptor, Digest, MediaType};
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::failure;
use crate::registry::http::Caller;

/// The media types that we read, best first.
const KNOWN: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];
/// No registry takes larger ones.
const LARGEST: u64 = 4 << 20;
const DIGEST: &str = "docker-content-digest";

/// Tells whether content of this type is a manifest or an index, which registries keep apart.
pub(crate) fn is_manifest(media_type: &MediaType) -> bool {
    KNOWN.contains(&media_type.to_string().as_str())
}

/// Asks what a tag or digest names, without fetching it: that costs nothing of a pull quota.
pub(crate) fn resolve(repository: &Repository<'_>, name: &str) -> Result<Descriptor> {
    let caller = repository.pulling()?;
    let url = repository.url(&caller, &format!("manifests/{name}"));
    let response = caller.send(&url, &|client, url| client.head(url).header(ACCEPT, KNOWN.join(", ")))?;
    match response.status() {
        StatusCode::NOT_FOUND => Err(RegistryError::ManifestUnknown { target: caller.target }.into()),
        StatusCode::OK => match described(response.headers()) {
            Some(descriptor) => {
                check_name(name, descriptor.digest())?;
                Ok(descriptor)
            }
            None => Ok(fetch(repository, name)?.0),
        },
        _ => Ok(fetch(repository, name)?.0),
    }
}

/// Fetches the manifest of a tag or digest and verifies it.
pub(crate) fn fetch(repository: &Repository<'_>, name: &str) -> Result<(Descriptor, Vec<u8>)> {
    let caller = repository.pulling()?;
    let url = repository.url(&caller, &format!("manifests/{name}"));
    let response = caller.send(&url, &|client, url| client.get(url).header(ACCEPT, KNOWN.join(", ")))?;
    match response.status() {
        StatusCode::OK => read(&caller, name, response),
        StatusCode::NOT_FOUND => Err(RegistryError::ManifestUnknown { target: caller.target }.into()),
        _ => Err(caller.refusal(response).into()),
    }
}

fn read(caller: &Caller<'_>, name: &str, response: Response) -> Result<(Descriptor, Vec<u8>)> {
    let refuse = |detail: String| RegistryError::Protocol { target: caller.target.clone(), detail };
    let told: Option<Digest> = header(response.headers(), DIGEST);
    let media_type: Option<String> = header(response.headers(), CONTENT_TYPE.as_str());
    let mut bytes = Vec::new();
    response
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(format!("its manifest breaks off: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(refuse("its manifest is larger than 4 MiB".into()).into());
    }
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(refuse("it answers with a web page".into()).into());
    }
    let digest = sha256(&bytes);
    check_name(name, &digest)?;
    if let Some(told) = told.filter(|told| told.algorithm() == digest.algorithm() && *told != digest) {
        return Err(mismatch(told, &digest));
    }
    let media_type = media_type
        .map(|media_type| media_type.split(';').next().unwrap_or_default().trim().to_owned())
        .filter(|media_type| KNOWN.contains(&media_type.as_str()))
        .or_else(|| own_media_type(&bytes))
        .ok_or_else(|| refuse("it is no manifest of an image".into()))?;
    Ok((Descriptor::new(media_type.as_str().into(), bytes.len() as u64, digest), bytes))
}

/// Writes a manifest under a tag or its digest.
pub(crate) fn put(repository: &Repository<'_>, name: &str, content: &Descriptor, bytes: &[u8]) -> Result<()> {
    let caller = repository.pushing()?;
    let url = repository.url(&caller, &format!("manifests/{name}"));
    let media_type = content.media_type().to_string();
    let response = caller.send(&url, &|client, url| {
        client.put(url).header(CONTENT_TYPE, media_type.as_str()).body(bytes.to_vec())
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if !matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND) {
        return Err(caller.refusal(response).into());
    }
    let (code, message) = failure::said(response);
    let target = caller.target;
    Err(if failure::lacks_content(code.as_ref()) {
        RegistryError::BlobUnknown { target, digest: content.digest().clone() }.into()
    } else {
        RegistryError::Rejected { target, status: status.as_u16(), message }.into()
    })
}

/// Builds a descriptor from the headers of an answer, where they say it all.
fn described(headers: &HeaderMap) -> Option<Descriptor> {
    let digest: Digest = header(headers, DIGEST)?;
    let size = header(headers, CONTENT_LENGTH.as_str())?;
    let media_type: String = header(headers, CONTENT_TYPE.as_str())?;
    let known = KNOWN.contains(&media_type.as_str());
    known.then(|| Descriptor::new(media_type.as_str().into(), size, digest))
}

fn header<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Compares a digest by which something was asked for with that of what came.
fn check_name(name: &str, digest: &Digest) -> Result<()> {
    match name.parse::<Digest>() {
        Ok(wanted) if wanted != *digest => Err(mismatch(wanted, digest)),
        _ => Ok(()),
    }
}

fn mismatch(wanted: Digest, found: &Digest) -> Error {
    Error::Verify { what: "manifest", digest: wanted, detail: format!("its digest is {found}") }
}

fn own_media_type(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: String,
    }
    let typed: Typed = serde_json::from_slice(bytes).ok()?;
    KNOWN.contains(&typed.media_type.as_str()).then_some(typed.media_type)
}
