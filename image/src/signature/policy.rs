//! Which images may be used: containers' `policy.json` (containers-policy.json(5)), as far as it is
//! about keys of sigstore.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::image::{Descriptor, Digest};
use sealer_stdx::fs::At;
use serde::Deserialize;

use super::{Claim, KeyError, PublicKey, claims, is_signed};
use crate::error::Error;
use crate::reference::Reference;
use crate::store::Store;

/// Where policies for images of registries stand in the file.
const TRANSPORT: &str = "docker";

/// What is asked of images before they are used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    default: Vec<Requirement>,
    #[serde(default)]
    transports: BTreeMap<String, BTreeMap<String, Vec<Requirement>>>,
}

/// What is asked of an image; of several, all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Requirement {
    /// Nothing.
    InsecureAcceptAnything {},
    /// What no image has.
    Reject {},
    /// A signature by a key of sigstore.
    SigstoreSigned(Signed),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Signed {
    key_path: Option<PathBuf>,
    key_data: Option<String>,
    #[serde(default)]
    signed_identity: SignedIdentity,
}

/// Which name a signature has to be of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum SignedIdentity {
    /// The image's; where the image is named by its digest, its repository's.
    #[default]
    MatchRepoDigestOrExact,
    /// The image's.
    MatchExact,
    /// Its repository's, under any tag.
    MatchRepository,
    /// This one.
    ExactReference { docker_reference: String },
    /// This repository's, under any tag.
    ExactRepository { docker_repository: String },
    /// As the first, after what the image's name begins with was replaced.
    RemapIdentity { prefix: String, signed_prefix: String },
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no policy, or says what is not known here.
    #[error("{}:{line}: {reason}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that it names cannot be used.
    #[error("{what}: {reason}")]
    Key {
        /// The file, or `keyData`.
        what: String,
        /// What is wrong with it.
        reason: KeyError,
    },
    /// The image cannot be used under it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A file or the store cannot be read.
    #[error(transparent)]
    Image(#[from] Error),
}

/// Why an image may not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` may not be used: {why}", reference.familiar())]
pub struct Refusal {
    /// The image.
    pub reference: Reference,
    /// The part of the policy that says so: a registry, a repository, an image; empty is the default.
    pub scope: String,
    /// What it lacks.
    pub why: Lack,
}

/// What an image lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// Nothing would do.
    #[error("the policy rejects it")]
    Rejected,
    /// It has no signature.
    #[error("it is not signed ({digest})")]
    Unsigned {
        /// Its digest.
        digest: Digest,
    },
    /// It has signatures, but of others.
    #[error("no signature of it is by the key that the policy asks for ({digest})")]
    Stranger {
        /// Its digest.
        digest: Digest,
    },
    /// The key has signed it under another name.
    #[error("it was signed as {}", names(claims))]
    Name {
        /// What the signatures say.
        claims: Vec<Claim>,
    },
}

fn names(claims: &[Claim]) -> String {
    claims.iter().map(|claim| format!("`{}`", claim.name)).collect::<Vec<_>>().join(", ")
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(file: &Path, text: &str) -> Result<Self, PolicyError> {
        serde_json::from_str(text).map_err(|error| PolicyError::Malformed {
            file: file.to_owned(),
            line: error.line(),
            reason: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        })
    }

    /// Checks that an image may be used.
    ///
    /// # Errors
    /// `Refused` when it may not; when a key or the store cannot be read.
    pub fn check(&self, store: &Store, name: &Reference, image: &Descriptor) -> Result<(), PolicyError> {
        self.check_digest(store, name, image.digest())
    }

    /// The same of an image that need not be in the store, but for its signatures.
    ///
    /// # Errors
    /// As [`Policy::check`].
    pub fn check_digest(&self, store: &Store, name: &Reference, image: &Digest) -> Result<(), PolicyError> {
        let (scope, requirements) = self.requirements(name);
        for requirement in requirements {
            let refused = match requirement {
                Requirement::InsecureAcceptAnything {} => None,
                Requirement::Reject {} => Some(Lack::Rejected),
                Requirement::SigstoreSigned(signed) => signed.lack(store, name, image)?,
            };
            if let Some(why) = refused {
                return Err(Refusal { reference: name.clone(), scope: scope.to_owned(), why }.into());
            }
        }
        Ok(())
    }

    /// The narrowest part of the policy that is about the image.
    fn requirements(&self, name: &Reference) -> (&str, &[Requirement]) {
        let scopes = self.transports.get(TRANSPORT);
        let found = scopes
            .into_iter()
            .flat_map(|scopes| scopes_of(name).into_iter().find_map(|scope| scopes.get_key_value(&scope)));
        found.map(|(scope, all)| (scope.as_str(), all.as_slice())).next().unwrap_or(("", &self.default))
    }
}

/// The names under which a policy may speak of an image, the narrowest first.
fn scopes_of(name: &Reference) -> Vec<String> {
    let mut scopes = vec![name.to_string()];
    let mut path = format!("{}/{}", name.registry(), name.repository());
    scopes.push(path.clone());
    while let Some((parent, _)) = path.rsplit_once('/') {
        path = parent.to_owned();
        scopes.push(path.clone());
    }
    let mut host = name.registry();
    while let Some((_, parent)) = host.split_once('.') {
        scopes.push(format!("*.{parent}"));
        host = parent;
    }
    scopes.push(String::new());
    scopes
}

impl Signed {
    fn lack(&self, store: &Store, name: &Reference, digest: &Digest) -> Result<Option<Lack>, PolicyError> {
        let claims = claims(store, name, digest, &[self.key()?])?;
        if claims.is_empty() {
            let digest = digest.clone();
            return Ok(Some(match is_signed(store, name, &digest)? {
                true => Lack::Stranger { digest },
                false => Lack::Unsigned { digest },
            }));
        }
        let fits = claims.iter().any(|claim| self.signed_identity.fits(name, &claim.name));
        Ok((!fits).then_some(Lack::Name { claims }))
    }

    fn key(&self) -> Result<PublicKey, PolicyError> {
        let (what, text) = match (&self.key_path, &self.key_data) {
            (Some(file), _) => {
                let text = fs::read_to_string(file).at(file).map_err(Error::from)?;
                (file.display().to_string(), text)
            }
            (None, Some(data)) => {
                let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                ("keyData".to_owned(), text.unwrap_or_default())
            }
            (None, None) => ("keyPath".to_owned(), String::new()),
        };
        PublicKey::from_pem(&text).map_err(|reason| PolicyError::Key { what, reason })
    }
}

impl SignedIdentity {
    fn fits(&self, image: &Reference, claimed: &str) -> bool {
        let Ok(signed) = claimed.parse::<Reference>() else { return false };
        // A name without a tag is a repository's: it is not that of `latest`.
        let has_tag = claimed.rsplit('/').next().is_some_and(|last| last.contains(':'));
        match self {
            Self::MatchExact => has_tag && signed == *image,
            Self::MatchRepoDigestOrExact if image.digest().is_some() => {
                repository(&signed) == repository(image)
            }
            Self::MatchRepoDigestOrExact => has_tag && signed == *image,
            Self::MatchRepository => repository(&signed) == repository(image),
            Self::ExactReference { docker_reference } => {
                has_tag && docker_reference.parse().is_ok_and(|wanted: Reference| wanted == signed)
            }
            Self::ExactRepository { docker_repository } => docker_repository
                .parse()
                .is_ok_and(|wanted: Reference| repository(&wanted) == repository(&signed)),
            Self::RemapIdentity { prefix, signed_prefix } => {
                let image = image.to_string();
                let rest = image
                    .strip_prefix(prefix)
                    .filter(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']));
                let remapped = rest.and_then(|rest| format!("{signed_prefix}{rest}").parse().ok());
                let image = remapped.unwrap_or_else(|| image.parse().expect("a reference is one"));
                Self::MatchRepoDigestOrExact.fits(&image, claimed)
            }
        }
    }
}

fn repository(reference: &Reference) -> (&str, &str) {
    (reference.registry(), reference.repository())
}
