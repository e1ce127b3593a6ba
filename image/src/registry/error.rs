//! What can go wrong with a registry, told apart as far as a user would do something else.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use oci_spec::image::Digest;

use crate::reference::Reference;

/// What a request was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A registry as a whole, by its host.
    Registry(String),
    /// An image in it.
    Image(Box<Reference>),
}

impl Target {
    /// Returns the registry's host as references name it: `docker.io`, `127.0.0.1:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        match self {
            Self::Registry(host) => host,
            Self::Image(reference) => reference.registry(),
        }
    }

    /// Returns the image's reference.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Registry(_) => None,
            Self::Image(reference) => Some(reference),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(host) => write!(f, "`{host}`"),
            Self::Image(reference) => write!(f, "`{reference}`"),
        }
    }
}

/// Why a registry cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreachable {
    /// The name has no address.
    Name,
    /// Nobody listens there.
    Refused,
    /// It did not answer in time.
    Timeout,
    /// The connection broke off, again and again.
    Broken,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name has no address",
            Self::Refused => "the connection is refused",
            Self::Timeout => "it does not answer in time",
            Self::Broken => "the connection breaks off",
        })
    }
}

/// What can go wrong with a registry. Each message reads on after a colon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No answer.
    #[error("registry `{}` cannot be reached for {target}: {why}", target.registry())]
    Unreachable {
        /// What was asked for.
        target: Target,
        /// Why.
        why: Unreachable,
        /// What the network said last.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate is signed by nobody we trust, is for another name, or is out of date.
    #[error("the certificate of registry `{}` is not trusted: {reason}", target.registry())]
    Certificate {
        /// What was asked for.
        target: Target,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry wants a certificate of ours, or another one.
    #[error("registry `{}` does not take our certificate: {reason}", target.registry())]
    ClientCertificate {
        /// What was asked for.
        target: Target,
        /// What it says of it.
        reason: &'static str,
    },
    /// The registry speaks plain HTTP where we speak HTTPS.
    #[error("registry `{}` speaks plain HTTP, not HTTPS", target.registry())]
    PlainHttp {
        /// What was asked for.
        target: Target,
    },
    /// 401, after whatever credentials we have.
    #[error("{}", unauthorized(target, *credentials))]
    Unauthorized {
        /// What was asked for.
        target: Target,
        /// Whether we had credentials: wrong ones, then.
        credentials: bool,
        /// What the registry said.
        message: String,
    },
    /// 403.
    #[error("registry `{}` forbids the access to {target}{}", target.registry(), said(message))]
    Forbidden {
        /// What was asked for.
        target: Target,
        /// What the registry said.
        message: String,
    },
    /// The registry has no such image.
    #[error("{target} is not in the registry")]
    ManifestUnknown {
        /// What was asked for.
        target: Target,
    },
    /// The registry has the image's manifest, but not all that it refers to.
    #[error("{target} lacks its content {digest} in the registry")]
    BlobUnknown {
        /// What was asked for.
        target: Target,
        /// What is missing.
        digest: Digest,
    },
    /// 429, after all retries.
    #[error("registry `{}` has had too many requests from here{}", target.registry(), wait(*retry_after))]
    RateLimited {
        /// What was asked for.
        target: Target,
        /// When it would answer again, if it says so.
        retry_after: Option<Duration>,
    },
    /// 5xx, after all retries.
    #[error("registry `{}` answers {status} for {target}{}", target.registry(), said(message))]
    Server {
        /// What was asked for.
        target: Target,
        /// The status.
        status: u16,
        /// What the registry said.
        message: String,
    },
    /// Another 4xx: the registry does not want what we send.
    #[error("registry `{}` refuses {target} with {status}{}", target.registry(), said(message))]
    Rejected {
        /// What was asked for.
        target: Target,
        /// The status.
        status: u16,
        /// What the registry said.
        message: String,
    },
    /// An answer that no registry gives.
    #[error("what answers for {target} at `{}` is no registry: {detail}", target.registry())]
    Protocol {
        /// What was asked for.
        target: Target,
        /// What is wrong with the answer.
        detail: String,
    },
    /// A file of certificates without one.
    #[error("{}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A `registries.conf` that cannot be meant.
    #[error("{}: {reason}", path.display())]
    Conf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line.
        reason: String,
    },
    /// `registries.conf` says that nothing is to be had from there.
    #[error("{target} is blocked by registries.conf")]
    Blocked {
        /// What was asked for.
        target: Target,
    },
    /// A file of credentials that is none.
    #[error("{}: {reason}", path.display())]
    AuthFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. Never holds a part of the file.
        reason: String,
    },
    /// A credential helper that does not do its work.
    #[error("the credential helper `{helper}` {reason}")]
    Helper {
        /// The program's name.
        helper: String,
        /// The rest of the sentence: `is not installed`.
        reason: String,
    },
}

fn unauthorized(target: &Target, credentials: bool) -> String {
    let registry = target.registry();
    if credentials {
        format!("registry `{registry}` refuses the credentials for {target}")
    } else {
        format!("registry `{registry}` wants credentials for {target}")
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |time| format!(": it answers again in {} s", time.as_secs()))
}
