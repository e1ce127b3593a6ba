//! The Kubefile: its lines, its instructions, and what is wrong with them.

mod apps;
mod arguments;
pub mod ast;
mod directives;
mod error;
mod expand;
mod lexer;
mod pairs;
mod parser;
mod run;
mod transfer;

pub(crate) use arguments::quote;
pub use ast::{Instruction, InstructionKind, Kubefile, Span, Word};
pub use error::KubefileError;
pub use expand::expand;
pub use parser::parse;

/// The instructions that a Kubefile may hold, besides those of [`LATER`].
pub(crate) const KNOWN: [&str; 7] = ["FROM", "COPY", "RUN", "CMD", "ARG", "ENV", "LABEL"];

/// Docker's for containers. A cluster image runs on hosts as they are.
pub(crate) const DOCKERS: [&str; 9] =
    ["ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];

/// Those of the original's 0.9 and later. They switch `COPY` to Docker's rules.
pub(crate) const LATER: [&str; 10] =
    ["ADD", "APP", "APPCMDS", "APPENV", "CMDS", "CNI", "CSI", "KUBEVERSION", "LAUNCH", "MAINTAINER"];
