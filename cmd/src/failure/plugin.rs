//! Failures of plugins.

use sealer_plugin::Error;
use sealer_plugin::set::SetError;

use super::{Failure, Kind, Mistake};

impl From<SetError> for Failure {
    fn from(error: SetError) -> Self {
        let message = error.to_string();
        match error {
            SetError::Spec(errors) => {
                let mistakes = errors.into_iter().map(|error| Mistake {
                    message: format!("{}:{}: {}", error.file, error.line, error.message),
                    hint: error.hint,
                });
                Self::mistakes(Kind::Input, mistakes.collect())
            }
            SetError::File { hint, .. } => hint.into_iter().fold(Self::new(Kind::Input, message), Self::hint),
            SetError::Duplicate { .. } => Self::new(Kind::Input, message).hint("keep one of them"),
            _ => Self::new(Kind::Failed, message),
        }
    }
}

/// Adds what a plugin said last, and a hint on whose fault it is.
pub(super) fn tell(failure: Failure, file: &str, error: &Error) -> Failure {
    let failure = match error {
        Error::Crashed { output, .. }
        | Error::Exited { output, .. }
        | Error::Status { output, .. }
        | Error::Crowded { output, .. }
        | Error::TimedOut { output, .. } => failure.output(output),
        Error::Command { output, .. } => {
            let text = [&output.stdout[..], &output.stderr[..]].concat();
            let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
            failure.output(&lines[lines.len().saturating_sub(20)..])
        }
        _ => failure,
    };
    failure.hint(format!("the plugin is described in {file}; sealer itself and its other steps are unharmed"))
}
