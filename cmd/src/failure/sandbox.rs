//! Failures of throwaway hosts.

use sealer_sandbox::Error;

use super::{Failure, Kind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(Kind::Failed, error.to_string());
        match error {
            Error::NotRoot => failure.hint("run it as root: `sudo sealer sandbox ...`"),
            Error::Tools(missing) => {
                let mut packages: Vec<&str> = missing.into_iter().map(|(_, package)| package).collect();
                packages.sort_unstable();
                packages.dedup();
                failure.hint(format!("on Debian: `apt-get install {}`", packages.join(" ")))
            }
            Error::Unknown { .. } => failure.hint("`sealer sandbox ls` lists the hosts"),
            Error::Dead { .. } => {
                failure.hint("`sealer sandbox down HOST` removes it, `sealer sandbox up 1` makes another")
            }
            Error::Full => failure.hint("`sealer sandbox down` removes hosts"),
            _ => failure,
        }
    }
}
