//! What a root leads to, read and verified before anything is copied.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use oci_spec::image::{Descriptor, Digest};
use serde::Deserialize;

use crate::content::Fetch;
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::registry::is_manifest;

/// So many indexes an image stands in, one in the other; what says more was made to do harm.
pub(crate) const MOST_NESTED: usize = 4;
/// No registry takes larger manifests, in bytes.
const LARGEST: u64 = 4 << 20;

/// What a root leads to: blobs in the order in which they are met, manifests after their children.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) blobs: Vec<Descriptor>,
    pub(super) manifests: Vec<Manifest>,
    met: HashSet<Digest>,
}

/// A manifest or an index, as the bytes that it is.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) descriptor: Descriptor,
    bytes: Vec<u8>,
    pub(super) blobs: Vec<Descriptor>,
}

/// What a manifest or an index refers to. One type for both: what one lacks, the other has.
#[derive(Debug, Deserialize)]
pub(super) struct Children {
    pub(super) config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

impl Graph {
    /// Takes up content, in so many indexes, and what it leads to.
    pub(super) fn read(&mut self, src: &dyn Fetch, content: &Descriptor, depth: usize) -> Result<()> {
        if !self.met.insert(content.digest().clone()) {
            return Ok(());
        }
        if !is_manifest(content.media_type()) {
            self.blobs.push(content.clone());
            return Ok(());
        }
        if depth > MOST_NESTED {
            return Err(nested(content));
        }
        let bytes = read_manifest(src, content)?;
        let children: Children = parse(content, &bytes)?;
        let blobs: Vec<Descriptor> = children.config.into_iter().chain(children.layers).collect();
        for child in blobs.iter().chain(&children.manifests) {
            self.read(src, child, depth + 1)?;
        }
        self.manifests.push(Manifest { descriptor: content.clone(), bytes, blobs });
        Ok(())
    }
}

impl Fetch for Manifest {
    fn fetch(&self, _content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        let mut reader = Cursor::new(self.bytes.as_slice());
        reader.set_position(from);
        Ok(Box::new(reader))
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(content: &Descriptor, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| malformed(content, error.to_string()))
}

/// Reads a manifest whole and verifies it: what it refers to is trusted from here on.
pub(super) fn read_manifest(src: &dyn Fetch, content: &Descriptor) -> Result<Vec<u8>> {
    if content.size() > LARGEST {
        return Err(malformed(content, "it is larger than 4 MiB".to_owned()));
    }
    let mut bytes = Vec::new();
    let reader = src.fetch(content, 0)?;
    let read = reader.take(content.size() + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::from_read(error, content.digest()))?;
    let found = sha256(&bytes);
    if found == *content.digest() && bytes.len() as u64 == content.size() {
        return Ok(bytes);
    }
    let detail = match bytes.len() as u64 == content.size() {
        true => format!("its digest is {found}"),
        false => format!("{} bytes expected, {} or more received", content.size(), bytes.len()),
    };
    Err(Error::Verify { what: "manifest", digest: content.digest().clone(), detail })
}

/// Says that an image stands in too many indexes, one in the other.
pub(crate) fn nested(content: &Descriptor) -> Error {
    malformed(content, format!("it stands in more than {MOST_NESTED} indexes, one in the other"))
}

fn malformed(content: &Descriptor, reason: String) -> Error {
    Error::Malformed { what: "manifest", digest: content.digest().clone(), reason }
}
