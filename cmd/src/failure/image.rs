//! Failures of images, the store and registries.

use sealer_image::registry::{Target, Unreachable};
use sealer_image::{Error, RegistryError};

use super::{FREE_SPACE, Failure, Kind};
use crate::render::size;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Path(error) => error.into(),
            Error::Cancelled(error) => error.into(),
            Error::Registry(error) => of_registry(&error),
            Error::Full { path, missing } => Self::new(
                Kind::Failed,
                format!(
                    "{}: the file system has not enough space: {} are missing",
                    path.display(),
                    size::bytes(missing)
                ),
            )
            .hint(FREE_SPACE),
            error => {
                let kind = match error {
                    Error::Reference { .. } => Kind::Usage,
                    _ => Kind::Failed,
                };
                hint(&error).into_iter().fold(Self::new(kind, error.to_string()), Self::hint)
            }
        }
    }
}

fn hint(error: &Error) -> Option<String> {
    match error {
        Error::NotFound { reference } => Some(format!(
            "`sealer images` lists what is here; `sealer pull {}` fetches it",
            reference.familiar()
        )),
        Error::Missing { .. } => Some("pull or build the image again: what is there is kept".to_owned()),
        Error::Platform { available, .. } => {
            available.first().map(|platform| format!("choose one with `--platform {platform}`"))
        }
        Error::Platforms { .. } => {
            Some("`sealer manifest create` puts images for several platforms under one name".to_owned())
        }
        Error::Verify { .. } | Error::Read { .. } => {
            Some("run it again; what was verified is kept".to_owned())
        }
        Error::Entry { .. } => {
            Some("do not use this image: whoever made it meant harm or erred badly".to_owned())
        }
        _ => None,
    }
}

fn of_registry(error: &RegistryError) -> Failure {
    let failure = Failure::new(Kind::Registry, error.to_string());
    match error {
        RegistryError::Unreachable { target, why, source } => {
            let hint = unreachable(target, *why);
            let failure = match why {
                Unreachable::Broken => failure.because(&**source),
                _ => failure,
            };
            failure.hint(hint)
        }
        RegistryError::Certificate { target, .. } => failure
            .hint("`--ca-file FILE` trusts the authority that signed it")
            .hint(format!("`--insecure-registry {}` goes on without checking it", target.registry())),
        RegistryError::ClientCertificate { target, .. } => failure.hint(format!(
            "`--cert-dir DIR`, or `/etc/containers/certs.d/{}`, with `client.cert` and `client.key`",
            target.registry()
        )),
        RegistryError::Blocked { .. } => {
            failure.hint("`--registries-conf FILE`, or CONTAINERS_REGISTRIES_CONF, reads another one")
        }
        RegistryError::PlainHttp { target } => {
            failure.hint(format!("`--plain-http {}` speaks it, with no secrecy", target.registry()))
        }
        RegistryError::Unauthorized { target, .. } => {
            failure.hint(format!("`sealer login {}`", target.registry()))
        }
        RegistryError::Forbidden { target, .. } => failure.hint(format!(
            "another user may have the right: `sealer login {}`; else ask whoever keeps the registry",
            target.registry()
        )),
        RegistryError::ManifestUnknown { .. } => failure.hint("check the name and the tag"),
        RegistryError::BlobUnknown { .. } => {
            failure.hint("push the image again: the registry has lost a part of it")
        }
        RegistryError::RateLimited { .. } | RegistryError::Server { .. } => {
            failure.hint("run it again later; what was verified is kept")
        }
        RegistryError::Protocol { target, .. } => failure.hint(format!(
            "check the registry's address; a reference without one means `docker.io`, this one means `{}`",
            target.registry()
        )),
        _ => failure,
    }
}

fn unreachable(target: &Target, why: Unreachable) -> String {
    match why {
        Unreachable::Broken => "run it again; what was verified is kept".to_owned(),
        _ if target.registry() == "docker.io" => {
            "a name without a registry means `docker.io`; write `HOST[:PORT]/NAME` for another, or `sealer load` the image from a file".to_owned()
        }
        Unreachable::Name => "check the registry's name".to_owned(),
        _ => "check the registry's address and port, and that it runs".to_owned(),
    }
}
