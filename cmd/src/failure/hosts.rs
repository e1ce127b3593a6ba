//! Failures of clusters and hosts.

use sealer_runtime::error::InputError;
use sealer_runtime::{Error, HostError, HostFailure};

use super::plugin::tell;
use super::{Failure, Kind, Mistake};

const RESUME: &str = "the same command goes on from here: what is done stays done";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Path(error) => error.into(),
            Error::Cancelled(error) => error.into(),
            Error::Image(error) => error.into(),
            Error::Plugins(error) => error.into(),
            Error::Input(errors) => errors.into(),
            Error::Hosts(errors) => match errors.as_slice() {
                [only] => hints(
                    with_output(Self::new(Kind::Hosts, only.to_string()), only),
                    &only.host,
                    &only.failure,
                ),
                several => hosts(Self::new(Kind::Hosts, message), several),
            },
            Error::Step { errors, .. } | Error::SetAside { errors, .. } => {
                hosts(Self::new(Kind::Hosts, message), &errors).hint(RESUME)
            }
            Error::Plugin { file, source, .. } => {
                tell(Self::new(Kind::Plugin, message), &file, &source).hint(RESUME)
            }
            Error::Locked { .. } => Self::new(Kind::Failed, message).hint("wait for it to end"),
            Error::Unfinished(unfinished) => Self::new(Kind::Failed, message)
                .hint(format!(
                    "`sealer resume -c {}` goes on with the one that is not finished",
                    unfinished.cluster
                ))
                .hint("`--abandon` gives it up and does this one: what is done on the hosts stays as it is")
                .hint(format!("`sealer delete -c {}` takes back what it did", unfinished.cluster)),
            Error::Held { .. } => Self::new(Kind::Failed, message)
                .hint("wait for it to end; a holder that is gone is passed over after 20 seconds"),
            Error::Overtaken { .. } => {
                Self::new(Kind::Failed, message).hint("run it again: it is planned anew")
            }
            Error::LeaseLost { .. } => Self::new(Kind::Hosts, message).hint(RESUME),
            Error::Changed { differs, .. } => differs
                .iter()
                .fold(Self::new(Kind::Failed, message), |failure, line| failure.details(&format!("  {line}")))
                .hint("`sealer plan` makes a new plan; look at it before you apply it"),
            Error::NothingToResume { .. } => {
                Self::new(Kind::Failed, message).hint("`sealer run` or `sealer apply` begins one")
            }
            Error::Journal { .. } => Self::new(Kind::Failed, message)
                .hint("was it written by another version of sealer? that one can go on with it"),
            Error::NoCluster { known, .. } if known.is_empty() => {
                Self::new(Kind::Usage, message).hint("clusters are kept in `clusters` below `--root DIR`")
            }
            Error::NoCluster { known, .. } => {
                Self::new(Kind::Usage, message).hint(format!("`-c NAME` names one of {}", known.join(", ")))
            }
            Error::NotAdopted { known, .. } if known.is_empty() => Self::new(Kind::Failed, message)
                .hint("masters keep their cluster's state since it was last run, and until it is deleted"),
            Error::NotAdopted { known, .. } => {
                Self::new(Kind::Usage, message).hint(format!("`-c NAME` names one of {}", known.join(", ")))
            }
            _ => Self::new(Kind::Failed, message),
        }
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        vec![error].into()
    }
}

impl From<Vec<InputError>> for Failure {
    fn from(errors: Vec<InputError>) -> Self {
        let kind =
            if errors.iter().all(|error| error.place.starts_with('-')) { Kind::Usage } else { Kind::Input };
        let mistakes =
            errors.into_iter().map(|error| Mistake { message: error.to_string(), hint: error.hint });
        Self::mistakes(kind, mistakes.collect())
    }
}

fn hosts(failure: Failure, errors: &[HostError]) -> Failure {
    let failure = errors
        .iter()
        .fold(failure, |failure, error| with_output(failure.details(&format!("  {error}")), error));
    errors.iter().fold(failure, |failure, error| hints(failure, &error.host, &error.failure))
}

fn with_output(failure: Failure, error: &HostError) -> Failure {
    match &error.failure {
        HostFailure::Command { output, .. } => failure.output(output),
        _ => failure,
    }
}

fn hints(failure: Failure, host: &str, reason: &HostFailure) -> Failure {
    match reason {
        HostFailure::Via { via, failure: reason } => {
            let name = via.rsplit('@').next().unwrap_or(via);
            hints(failure, name.rsplit_once(':').map_or(name, |(name, _)| name), reason)
        }
        HostFailure::Refused { .. } => failure.hint("is sshd running there? `--port PORT` names another port"),
        HostFailure::NoAnswer { .. } => failure.hint("check the address, the network between, and firewalls"),
        HostFailure::Login { .. } => {
            failure.hint("check the user (`-u USER`), the password (`--passwd-file FILE`) and the key (`--pk FILE`)")
        }
        HostFailure::KeyChanged { pinned: true, .. } => failure.hint(format!(
            "if the machine was reinstalled, `sealer host forget {host}`; if it was not, somebody may stand between"
        )),
        HostFailure::KeyChanged { known_hosts, port, .. } => failure.hint(format!(
            "if the machine was reinstalled, forget its key: `ssh-keygen -R '[{}]:{port}' -f {}`; if it was not, somebody may stand between",
            host,
            known_hosts.display()
        )),
        HostFailure::KeyUnknown { known_hosts, port } => failure.hint(format!(
            "once you have checked the key on the machine, add it: `ssh-keyscan -p {port} {} >> {}`",
            host,
            known_hosts.display()
        )),
        HostFailure::Sudo { user, .. } => failure.hint(format!("let `{user}` use sudo there, or log in as root")),
        HostFailure::NoSpace { .. } => failure.hint("free some space there, then run it again"),
        HostFailure::Corrupt { .. } | HostFailure::Connection(_) => {
            failure.hint("run it again; what arrived whole is kept")
        }
        _ => failure,
    }
}
