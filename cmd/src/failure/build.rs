//! Failures of builds.

use std::collections::BTreeSet;

use sealer_build::images::{Absent, Why};
use sealer_build::{Error, KubefileError};
use sealer_image::RegistryError;

use super::{Failure, Kind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Path(error) => error.into(),
            Error::Cancelled(error) => error.into(),
            Error::Image(error) => error.into(),
            Error::Kubefile(errors) => of_kubefile(&errors),
            Error::Base { reference, source } => {
                Self::from(*source).doing(format!("base image `{}` cannot be had", reference.familiar()))
            }
            Error::NoKubefile { .. } => Self::new(Kind::Input, message).hint("`-f FILE` names another one"),
            Error::NoContext { .. } => {
                Self::new(Kind::Usage, message).hint("name a folder: `sealer build -t NAME DIR`")
            }
            Error::Run { mut at, status, output, .. } => {
                at.message = format!("the command exited with {status}");
                Self::new(Kind::Failed, "`RUN` failed").details(&at.to_string()).output(&output)
            }
            Error::Git { at, output } => {
                let failure = Self::new(Kind::Registry, "a repository of git cannot be had");
                let failure = failure.details(&at.to_string()).output(&output);
                at.hint.iter().fold(failure, Self::hint)
            }
            Error::Absent(absent) => of_absent(&absent),
            Error::List { .. } => Self::new(Kind::Input, message),
            Error::RunImpossible { .. } => Self::new(Kind::Failed, message),
            _ => Self::new(Kind::Failed, message),
        }
    }
}

fn of_absent(absent: &[Absent]) -> Failure {
    let of_registry = |why: &Why| match why {
        Why::Fetch(error) => matches!(error, sealer_image::Error::Registry(_)),
        Why::NoName(_) | Why::Refused(_) | Why::Render(_) | Why::Collision(_) => false,
    };
    let kind = match absent {
        _ if absent.iter().any(|one| of_registry(&one.why)) => Kind::Registry,
        _ if absent.iter().any(|one| matches!(one.why, Why::Refused(_))) => Kind::Failed,
        _ => Kind::Input,
    };
    let count = absent.len();
    let plural = if count == 1 { "image that the cluster needs" } else { "images that the cluster needs" };
    let failure = Failure::new(kind, format!("{count} {plural} cannot be brought along"));
    let failure = absent.iter().fold(failure, |failure, one| failure.details(&format!("  {one}")));
    let hosts: BTreeSet<String> = absent.iter().filter_map(unauthorized).collect();
    let failure = hosts.iter().fold(failure, |failure, host| failure.hint(format!("`sealer login {host}`")));
    let failure = match absent.iter().any(|one| matches!(one.why, Why::Render(_))) {
        true => failure.hint("`--chart-values [CHART=]FILE` gives a chart the values that it asks for"),
        false => failure,
    };
    failure.hint(
        "`--ignored-image-list FILE` leaves images out; `--allow-missing` warns and builds without them",
    )
}

/// The registry that wants to know who we are.
fn unauthorized(absent: &Absent) -> Option<String> {
    match &absent.why {
        Why::Fetch(sealer_image::Error::Registry(RegistryError::Unauthorized { target, .. })) => {
            Some(target.registry().to_owned())
        }
        _ => None,
    }
}

fn of_kubefile(errors: &[KubefileError]) -> Failure {
    let last = errors.len().saturating_sub(1);
    let shown = errors.iter().enumerate();
    shown.fold(Failure::new(Kind::Input, "the Kubefile is wrong"), |failure, (index, error)| {
        let failure = failure.details(&error.to_string());
        match &error.hint {
            // The last one's stands where hints stand; the others would be taken for its own.
            Some(hint) if index == last => failure.hint(hint),
            Some(hint) => failure.details(&format!("hint: {hint}")),
            None => failure,
        }
    })
}
