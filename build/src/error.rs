//! The crate's error.

use std::path::PathBuf;

use sealer_image::Reference;
use sealer_image::signature::PolicyError;
use sealer_stdx::fs::PathError;
use sealer_stdx::task::Cancelled;

use crate::images::{Absent, Place};
use crate::kubefile::KubefileError;

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in a build. Each message reads on after a colon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no Kubefile.
    #[error("there is no Kubefile at `{}`", path.display())]
    NoKubefile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is no context.
    #[error("the build context `{}` is no folder", path.display())]
    NoContext {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The Kubefile, or what it packs, is wrong: everything that is, in the order of the file.
    #[error("{} mistakes", .0.len())]
    Kubefile(Vec<KubefileError>),
    /// The base image cannot be had.
    #[error("base image `{reference}`: {source}")]
    Base {
        /// The image.
        reference: Reference,
        /// Why.
        source: Box<sealer_image::Error>,
    },
    /// The policy refuses the base image, or cannot be used.
    #[error("base image `{reference}`: {source}")]
    Policy {
        /// The image.
        reference: Reference,
        /// Why.
        source: Box<PolicyError>,
    },
    /// A `RUN` command failed.
    #[error("`{command}` exited with {status}")]
    Run {
        /// Where it stands.
        at: Box<KubefileError>,
        /// The command.
        command: String,
        /// The exit status; 128 + n for signal n.
        status: i32,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// A repository of git cannot be fetched.
    #[error("{}", at.message)]
    Git {
        /// Where it stands, why, and what to do.
        at: Box<KubefileError>,
        /// The last lines that git said.
        output: Vec<String>,
    },
    /// `RUN` needs something that this machine or user does not have.
    #[error("`RUN` cannot be done here: {reason}")]
    RunImpossible {
        /// Why.
        reason: String,
    },
    /// Images that the cluster needs cannot be put into the image: all of them.
    #[error("{} images that the cluster needs cannot be put into it", .0.len())]
    Absent(Vec<Absent>),
    /// A list of images or a lock is wrong.
    #[error("{place}: {reason}")]
    List {
        /// Where.
        place: Place,
        /// What is wrong.
        reason: String,
    },
    /// The image could not be written or read.
    #[error(transparent)]
    Image(#[from] sealer_image::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The work was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
