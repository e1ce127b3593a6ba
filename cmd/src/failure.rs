//! Every way to fail, as a person reads it: a sentence, its causes, hints, and an exit code.
//!
//! The libraries' errors are values; this folder is the only place that makes sentences of them.

mod build;
mod hosts;
mod image;
mod plugin;
mod sandbox;
pub(crate) mod usage;

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
    /// What stands below the message, as it is printed: causes, code frames, hosts.
    details: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    /// What could not be done to what, in lower case and without a full stop.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// A bug of this program.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
            .hint("this is a bug in sealer; please report it with the command you ran")
    }

    /// Adds an error and all that it was caused by.
    pub(crate) fn because(mut self, error: impl StdError) -> Self {
        let mut last = String::new();
        let mut next: Option<&dyn StdError> = Some(&error);
        while let Some(error) = next {
            let text = error.to_string();
            // A transparent wrapper says what its source says: once is enough.
            if !last.contains(&text) {
                self = self.cause(&text);
                last = text;
            }
            next = error.source();
        }
        self
    }

    /// Adds a cause.
    pub(crate) fn cause(self, cause: &str) -> Self {
        self.details(&format!("  caused by: {}", cause.replace('\n', "\n    ")))
    }

    /// Adds lines as they stand.
    pub(crate) fn details(mut self, lines: &str) -> Self {
        self.details.extend(lines.lines().map(str::to_owned));
        self
    }

    /// Adds the last lines of a program's output, which are foreign text.
    pub(crate) fn output(mut self, lines: &[String]) -> Self {
        self.details.extend(lines.iter().map(|line| format!("    {line}")));
        self
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
        self
    }

    /// Puts what was being done before what went wrong, which becomes the first cause.
    pub(crate) fn doing(mut self, what: impl Into<String>) -> Self {
        if self.kind == Kind::Interrupted {
            return self;
        }
        let inner = std::mem::replace(&mut self.message, what.into());
        self.details.insert(0, format!("  caused by: {inner}"));
        self
    }

    /// A build's failure: lines of the Kubefile stand right below the image's name.
    pub(crate) fn building(mut self, image: &str) -> Self {
        let what = format!("cannot build `{image}`");
        if self.details.first().is_some_and(|line| line.starts_with("  --> ")) {
            self.message = what;
            return self;
        }
        self.doing(what)
    }

    /// One failure made of all mistakes of an input, each with its own place and hint.
    pub(crate) fn mistakes(kind: Kind, mistakes: Vec<Mistake>) -> Self {
        let count = mistakes.len();
        let mut mistakes = mistakes.into_iter();
        match (mistakes.next(), count) {
            (Some(only), 1) => {
                let failure = Self::new(kind, only.message);
                only.hint.into_iter().fold(failure, Self::hint)
            }
            (first, count) => first.into_iter().chain(mistakes).fold(
                Self::new(kind, format!("{count} mistakes")),
                |failure, mistake| {
                    let failure = failure.details(&format!("  {}", mistake.message));
                    mistake
                        .hint
                        .iter()
                        .fold(failure, |failure, hint| failure.details(&format!("    hint: {hint}")))
                },
            ),
        }
    }

    /// Tells the person at the terminal, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // Where standard error is closed there is nobody to tell; the exit code still does.
        let _ = io::stderr().lock().write_all(self.text().as_bytes());
        ExitCode::from(self.kind.code())
    }

    fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for line in &self.details {
            let _ = writeln!(text, "{line}");
        }
        for hint in &self.hints {
            let _ = writeln!(text, "hint: {hint}");
        }
        text
    }
}

/// One mistake of several.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// Where and what: `Clusterfile:7: ...`.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// Returns the one of several words that is nearly the one that was typed.
pub(crate) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = typed.chars().count();
    let (distance, meant) = known.map(|word| (strsim::damerau_levenshtein(word, typed), word)).min()?;
    // In a short word every third letter may be wrong, in a long one three may.
    (distance <= (letters / 3).clamp(1, 3)).then_some(meant)
}

/// What to do when a disk is full.
const FREE_SPACE: &str = "`sealer prune` frees what no image needs, `--root DIR` puts sealer's folder elsewhere; what was verified is kept";

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        let full = error.is_full();
        let denied = error.source.kind() == io::ErrorKind::PermissionDenied;
        let failure = Self::new(Kind::Failed, error.to_string());
        if full {
            failure.hint(FREE_SPACE)
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
