//! Signatures of images: cosign's, by a key, made and verified without a network.
//!
//! What is signed is the *simple signing* payload of containers (containers-signature(5)): the digest
//! of a manifest and the name that it was signed under. ECDSA on P-256 over SHA-256, in DER.

mod key;
mod policy;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::image::{Descriptor, Digest};
use serde::{Deserialize, Serialize};

pub use key::{KeyError, PrivateKey, PublicKey};
pub use policy::{Lack, Policy, PolicyError, Refusal};

use crate::attached::{self, Kind};
use crate::error::Result;
use crate::reference::Reference;
use crate::store::Store;

/// The media type of a payload.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of a payload that holds its signature, in base64.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// What a payload says that it is.
const TYPE: &str = "cosign container image signature";
/// A payload is not longer than this; more is not read.
const LONGEST: u64 = 64 << 10;

/// What a signature says: that this digest is of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name it was signed under, as it stands in the payload.
    pub name: String,
    /// The manifest.
    pub digest: Digest,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as `{}`", self.digest, self.name)
    }
}

/// The payload. Other fields of `optional` are left alone.
#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Signed,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Signs what a name leads to; of an index, also each image that is here. Returns what was signed.
/// A signature that is there already is not made again.
///
/// # Errors
/// `NotFound` when it names nothing; when the store cannot be written.
pub fn sign(store: &Store, reference: &Reference, key: &PrivateKey) -> Result<Vec<Digest>> {
    let digests = attached::signed(store, &store.resolve(reference)?)?;
    for digest in &digests {
        let mut layers = match attached::find(store, reference, digest, Kind::Signatures)? {
            Some(found) => attached::layers(store, &found)?,
            None => Vec::new(),
        };
        let payload = payload(reference, digest);
        if made(store, &layers, &payload, &key.public_key()) {
            continue;
        }
        let signature = STANDARD.encode(key.sign(&payload));
        let annotations = BTreeMap::from([(SIGNATURE.to_owned(), signature)]);
        layers.push(attached::layer(store, PAYLOAD, &payload, annotations)?);
        attached::put(store, reference, digest, Kind::Signatures, layers)?;
    }
    Ok(digests)
}

/// Returns what the signatures of a manifest by this key say. Those of other keys are passed over, and so is
/// whatever is no signature: it says nothing.
///
/// # Errors
/// When the store cannot be read.
pub fn claims(
    store: &Store,
    reference: &Reference,
    digest: &Digest,
    keys: &[PublicKey],
) -> Result<Vec<Claim>> {
    let Some(found) = attached::find(store, reference, digest, Kind::Signatures)? else {
        return Ok(Vec::new());
    };
    let mut claims = Vec::new();
    for layer in attached::layers(store, &found)? {
        if layer.size() > LONGEST {
            continue;
        }
        let payload = store.read(layer.digest())?;
        let by_one =
            keys.iter().any(|key| signature_of(&layer).is_some_and(|made| key.verify(&payload, &made)));
        claims.extend(by_one.then(|| claim(&payload)).flatten().filter(|claim| claim.digest == *digest));
    }
    Ok(claims)
}

/// Tells whether a digest has signatures of anybody.
///
/// # Errors
/// When the store cannot be read.
pub fn is_signed(store: &Store, reference: &Reference, digest: &Digest) -> Result<bool> {
    Ok(attached::find(store, reference, digest, Kind::Signatures)?.is_some())
}

fn made(store: &Store, layers: &[Descriptor], payload: &[u8], key: &PublicKey) -> bool {
    layers.iter().any(|layer| {
        let same = store.read(layer.digest()).is_ok_and(|there| there == payload);
        same && signature_of(layer).is_some_and(|signature| key.verify(payload, &signature))
    })
}

fn payload(reference: &Reference, digest: &Digest) -> Vec<u8> {
    let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    let payload = Payload {
        critical: Critical {
            identity: Identity { name: format!("{}/{}{tag}", reference.registry(), reference.repository()) },
            image: Signed { digest: digest.to_string() },
            kind: TYPE.to_owned(),
        },
        optional: None,
    };
    serde_json::to_vec(&payload).expect("a payload is plain data")
}

fn claim(payload: &[u8]) -> Option<Claim> {
    let payload: Payload = serde_json::from_slice(payload).ok()?;
    let digest = payload.critical.image.digest.parse().ok()?;
    (payload.critical.kind == TYPE).then_some(Claim { name: payload.critical.identity.name, digest })
}

fn signature_of(layer: &Descriptor) -> Option<Vec<u8>> {
    STANDARD.decode(layer.annotations().as_ref()?.get(SIGNATURE)?).ok()
}

#[cfg(test)]
mod tests;
