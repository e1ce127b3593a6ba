//! The crate's errors.

use std::fmt;
use std::path::PathBuf;

use sealer_stdx::fs::PathError;
use sealer_stdx::task::Cancelled;

use crate::plan::StepId;

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with a cluster. Each message reads on after a colon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A Clusterfile, a list of hosts or another document is wrong: all that is.
    #[error("{} mistakes", .0.len())]
    Input(Vec<InputError>),
    /// Hosts failed, or their facts forbid the run: all that do.
    #[error("{} hosts failed", .0.len())]
    Hosts(Vec<HostError>),
    /// A step of a plan failed on some of its hosts.
    #[error("step `{step}` failed on {} of {of} hosts", errors.len())]
    Step {
        /// The step.
        step: StepId,
        /// How many hosts it had.
        of: usize,
        /// Each failure.
        errors: Vec<HostError>,
    },
    /// A plugin failed.
    #[error("step `{step}`: plugin `{plugin}`{} {source}", on(host.as_ref()))]
    Plugin {
        /// The step.
        step: StepId,
        /// The plugin's name.
        plugin: String,
        /// The host, where the call was for one.
        host: Option<String>,
        /// The file its YAML stands in.
        file: String,
        /// How.
        source: Box<sealer_plugin::Error>,
    },
    /// The image's plugins are wrong.
    #[error(transparent)]
    Plugins(#[from] sealer_plugin::set::SetError),
    /// The image cannot be had or read.
    #[error(transparent)]
    Image(#[from] sealer_image::Error),
    /// Nodes failed, and all else is done.
    #[error("{} of {of} hosts failed and were set aside; the others have all of it", errors.len())]
    SetAside {
        /// How many hosts there are.
        of: usize,
        /// What went wrong on each that failed.
        errors: Vec<HostError>,
    },
    /// Another sealer works on the cluster.
    #[error("cluster `{cluster}` is being worked on by process {pid}")]
    Locked {
        /// The cluster.
        cluster: String,
        /// Who holds it.
        pid: String,
    },
    /// A run of something else has not come to its end.
    #[error("the run of `{}` on cluster `{}` that began at {} is not finished, and this is another: {}", .0.image, .0.cluster, .0.at, .0.differs.join("; "))]
    Unfinished(Box<Unfinished>),
    /// Another operator works on the cluster, from this machine or another.
    #[error("cluster `{cluster}` is being worked on by {who} since {since}, says {host}")]
    Held {
        /// The cluster.
        cluster: String,
        /// The master that says so.
        host: String,
        /// Who.
        who: String,
        /// Since when, in RFC 3339.
        since: String,
    },
    /// Another operator has worked on the cluster since its hosts were looked at.
    #[error("another operator has worked on cluster `{cluster}` since its hosts were looked at")]
    Overtaken {
        /// The cluster.
        cluster: String,
    },
    /// The masters were not heard from for so long that another may work on the cluster.
    #[error("the right to work on cluster `{cluster}` was lost: a master was not heard from")]
    LeaseLost {
        /// The cluster.
        cluster: String,
    },
    /// The world is another than when a plan was made.
    #[error("what is to be done to cluster `{cluster}` is not what was planned any more")]
    Changed {
        /// The cluster.
        cluster: String,
        /// `- ` lines of the plan that was kept, `+ ` lines of the one that would be made now.
        differs: Vec<String>,
    },
    /// No run of the cluster is left to go on with.
    #[error("no run of cluster `{cluster}` is unfinished")]
    NothingToResume {
        /// The cluster.
        cluster: String,
    },
    /// The journal of a cluster cannot be understood.
    #[error("{}:{line}: {reason}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No cluster has that name, or several might be meant.
    #[error("{reason}")]
    NoCluster {
        /// Why, as a sentence.
        reason: String,
        /// The clusters there are.
        known: Vec<String>,
    },
    /// Masters keep no state of a cluster, or of several.
    #[error("{reason}")]
    NotAdopted {
        /// Why, as a sentence.
        reason: String,
        /// The clusters whose state they keep.
        known: Vec<String>,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The work was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// A run that has not come to its end, and how it differs from the one that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The cluster.
    pub cluster: String,
    /// The image's name.
    pub image: String,
    /// When it began, in RFC 3339.
    pub at: String,
    /// What is other now, a phrase each.
    pub differs: Vec<String>,
}

/// A mistake in what the person gave, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// The file and line, or the flag: `Clusterfile:7`, `-m`.
    pub place: String,
    /// What is wrong, as a phrase.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// A host and what went wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {failure}")]
pub struct HostError {
    /// The host's address.
    pub host: String,
    /// What went wrong.
    pub failure: HostFailure,
}

/// What can go wrong with a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostFailure {
    /// Nobody listens on the port.
    #[error("port {port} refuses the connection")]
    Refused {
        /// The port.
        port: u16,
    },
    /// No answer in time, or nothing leads there.
    #[error("no answer from port {port}")]
    NoAnswer {
        /// The port.
        port: u16,
    },
    /// A host on the way to it failed.
    #[error("through {via}: {failure}")]
    Via {
        /// The host on the way.
        via: String,
        /// How.
        failure: Box<HostFailure>,
    },
    /// The connection cannot be made or breaks off.
    #[error("the connection {0}")]
    Connection(String),
    /// Neither password nor key was taken.
    #[error("`{user}` may not log in: {tried}")]
    Login {
        /// The user.
        user: String,
        /// What was tried.
        tried: String,
    },
    /// The host has another key than before.
    #[error("the host key has changed since this cluster was made")]
    KeyChanged {
        /// The file that holds the key it had.
        known_hosts: PathBuf,
        /// Whether that is the cluster's own list.
        pinned: bool,
        /// The port it was reached at.
        port: u16,
    },
    /// The host's key is not among those that are known.
    #[error("the host key is not in `{}`", known_hosts.display())]
    KeyUnknown {
        /// The file.
        known_hosts: PathBuf,
        /// The port it was reached at.
        port: u16,
    },
    /// The user may not become root.
    #[error("`{user}` cannot use sudo: {reason}")]
    Sudo {
        /// The user.
        user: String,
        /// What sudo said.
        reason: String,
    },
    /// The disk is too small, or full.
    #[error("no space: {needed} bytes are needed at `{path}`, {available} are free")]
    NoSpace {
        /// Where.
        path: String,
        /// How much is needed, in bytes.
        needed: u64,
        /// How much there is, in bytes.
        available: u64,
    },
    /// Something that a run needs is not there, or the host is not fit otherwise.
    #[error("{0}")]
    Unfit(String),
    /// A command failed.
    #[error("`{command}` exited with {status}")]
    Command {
        /// The command, or its first line.
        command: String,
        /// The exit status; 128 + n for signal n.
        status: i32,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// A file on the host is not what was sent.
    #[error("`{path}` is not what was sent: {detail}")]
    Corrupt {
        /// The file.
        path: String,
        /// What differs.
        detail: String,
    },
    /// The agent on the host, or the work with it, gave up.
    #[error("the agent gave up: {0}")]
    Agent(String),
    /// A file of this machine could not be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The work was interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl HostFailure {
    /// Tells whether nobody answers at the host's address.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NoAnswer { .. } | Self::Connection(_))
    }

    /// Names the host.
    #[must_use]
    pub fn on(self, host: &str) -> HostError {
        HostError { host: host.to_owned(), failure: self }
    }
}

/// Parts results into what succeeded and, if anything failed, all failures.
pub(crate) fn all<T>(
    results: Vec<std::result::Result<T, HostError>>,
) -> std::result::Result<Vec<T>, Vec<HostError>> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => done.push(value),
            Err(error) => failed.push(error),
        }
    }
    if failed.is_empty() { Ok(done) } else { Err(failed) }
}

fn on(host: Option<&String>) -> String {
    host.map_or_else(String::new, |host| format!(" on {host}"))
}
