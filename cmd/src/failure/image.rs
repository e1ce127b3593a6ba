//! Failures of images, the store and registries.

use sealer_image::Error;

use super::{Failure, Kind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Path(error) => error.into(),
            Error::Cancelled(error) => error.into(),
            error => {
                let hint = hint(&error);
                let failure = Self::new(kind(&error), error.to_string());
                match hint {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
        }
    }
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::Reference { .. } => Kind::Usage,
        _ => Kind::Failed,
    }
}

fn hint(error: &Error) -> Option<String> {
    match error {
        Error::NotFound { reference } => {
            Some(format!("`sealer images` lists what is here; `sealer pull {}` fetches it", reference.familiar()))
        }
        Error::Missing { .. } => Some("pull or build the image again: what is there is kept".to_owned()),
        Error::Platform { available, .. } => {
            available.first().map(|platform| format!("choose one with `--platform {platform}`"))
        }
        Error::Verify { .. } => Some("run it again; what was verified is kept".to_owned()),
        Error::Entry { .. } => Some("do not use this image: whoever made it meant harm or erred badly".to_owned()),
        _ => None,
    }
}
