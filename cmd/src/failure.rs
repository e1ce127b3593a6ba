//! Every way to fail, as a person reads it: a sentence, its causes, hints, and an exit code.
//!
//! The libraries' errors are values; this folder is the only place that makes sentences of them.

mod build;
mod hosts;
mod image;

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use sealer_stdx::fs::PathError;

/// What sort of failure it is. The exit code follows from it (docs/reference/exit-codes.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The operation failed, for no narrower reason.
    Failed,
    /// The arguments are wrong.
    Usage,
    /// A Kubefile, Clusterfile or plugin YAML is wrong.
    Input,
    /// A registry refused, is not there, or lacks the image.
    Registry,
    /// One or more hosts failed.
    Hosts,
    /// A plugin failed or crashed.
    Plugin,
    /// A bug.
    Internal,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Registry => 4,
            Self::Hosts => 5,
            Self::Plugin => 6,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }
}

/// A failure, ready to be told.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    /// What could not be done to what, in lower case and without a full stop.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A bug of this program.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message).hint("this is a bug in sealer; please report it with the command you ran")
    }

    /// Adds an error and all that it was caused by.
    pub(crate) fn because(mut self, error: impl StdError) -> Self {
        let mut next: Option<&dyn StdError> = Some(&error);
        while let Some(error) = next {
            let text = error.to_string();
            // A transparent wrapper says what its source says: once is enough.
            if !self.causes.last().is_some_and(|last| last.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a line of cause.
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts what was being done before what went wrong, which becomes the first cause.
    pub(crate) fn doing(mut self, what: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.message, what.into());
        self.causes.insert(0, inner);
        self
    }

    /// Tells the person at the terminal, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Where standard error is closed there is nobody to tell; the exit code still does.
        let _ = io::stderr().lock().write_all(self.text().as_bytes());
        ExitCode::from(self.kind.code())
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            let mut lines = cause.lines();
            let _ = writeln!(text, "  caused by: {}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(text, "    {line}");
            }
        }
        for hint in &self.hints {
            let _ = writeln!(text, "hint: {hint}");
        }
        text
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        let full = error.is_full();
        let denied = error.source.kind() == io::ErrorKind::PermissionDenied;
        let failure = Self::new(Kind::Failed, error.to_string());
        if full {
            failure.hint("free some space, or put sealer's folder elsewhere with `--root DIR`; what was verified is kept")
        } else if denied {
            failure.hint("run it as a user who may, or put sealer's folder elsewhere with `--root DIR`")
        } else {
            failure
        }
    }
}

impl From<sealer_stdx::task::Cancelled> for Failure {
    fn from(_: sealer_stdx::task::Cancelled) -> Self {
        Self::new(Kind::Interrupted, "interrupted").hint("the same command goes on from here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_why_and_what_next() {
        let failure = Failure::new(Kind::Registry, "the registry refused the credentials for `pull` (401)")
            .doing("cannot pull `demo:v1`")
            .hint("`sealer login registry.example`");
        assert_eq!(
            failure.text(),
            "error: cannot pull `demo:v1`\n  caused by: the registry refused the credentials for `pull` (401)\n\
             hint: `sealer login registry.example`\n"
        );
        assert_eq!(failure.kind.code(), 4);
    }
}
