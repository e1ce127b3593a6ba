//! Failures of builds.

use sealer_build::{Error, KubefileError};

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
            Error::RunImpossible { .. } => Self::new(Kind::Failed, message),
            _ => Self::new(Kind::Failed, message),
        }
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
