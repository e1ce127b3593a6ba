//! What a plugin is to sealer, and all that it can do to the world.

use std::path::Path;

use sealer_plugin_sdk::wire::{Description, Invocation, KubeReply, KubeRequest};
use serde::{Deserialize, Serialize};

/// What a command on a host gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 128 + n for signal n.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// A request that a host could not serve: it is unknown, unreachable, or the file is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {reason}")]
pub struct HostError {
    /// The host as the request named it.
    pub host: String,
    /// Why.
    pub reason: String,
}

/// All that a plugin can do to the world. Calls may come from several threads at once.
pub trait PluginHost: Sync {
    /// Runs a shell command on a host as root and returns when it has ended.
    ///
    /// # Errors
    /// When the host is unknown or unreachable. A command that fails is no error here.
    fn exec(&self, host: &str, command: &str) -> Result<Output, HostError>;

    /// Copies a file of this machine to a host, whole or not at all, with the permission bits `mode`.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    fn copy(&self, source: &Path, host: &str, dest: &str, mode: u32) -> Result<(), HostError>;

    /// Reads a file of a host.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, host: &str, path: &str) -> Result<Vec<u8>, HostError>;

    /// Sends a request to the cluster's API server by the run's kubeconfig.
    ///
    /// # Errors
    /// When there is no cluster yet, or it does not answer. An answer that says no is no error here.
    fn kube(&self, request: &KubeRequest) -> Result<KubeReply, HostError>;

    /// Passes on a line for the person at the terminal; `host` where it is about one.
    fn log(&self, host: Option<&str>, line: &str);

    /// Tells how far the plugin has come: `done` of `total`, counted in `unit`.
    fn progress(&self, done: u64, total: Option<u64>, unit: Option<&str>);

    /// Tells whether the person has asked for a stop.
    fn is_cancelled(&self) -> bool;

    /// Returns what the plugin kept for this cluster.
    ///
    /// # Errors
    /// When it cannot be read.
    fn state(&self) -> Result<Option<String>, HostError>;

    /// Keeps a value for this cluster; `None` forgets it.
    ///
    /// # Errors
    /// When it is too long or cannot be written.
    fn set_state(&self, value: Option<&str>) -> Result<(), HostError>;
}

/// What a plugin can be called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Does the work.
    Run,
    /// Says what the plugin is.
    Describe,
    /// Checks its data, and touches nothing.
    Validate,
    /// Says what `run` would do.
    Plan,
    /// Takes back what `run` did.
    Undo,
}

impl Verb {
    /// All of them, in the order of the ABI's struct.
    pub const ALL: [Self; 5] = [Self::Run, Self::Describe, Self::Validate, Self::Plan, Self::Undo];

    /// Returns its name: `run`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Describe => "describe",
            Self::Validate => "validate",
            Self::Plan => "plan",
            Self::Undo => "undo",
        }
    }
}

/// A built-in plugin, or one that was loaded: callers cannot tell.
pub trait Plugin: Send + Sync {
    /// Returns the type that `spec.type` of a YAML names: `SHELL`, `LIST_NODE`.
    fn kind(&self) -> &str;

    /// Does the plugin's work for one phase.
    ///
    /// # Errors
    /// Each way to fail is told apart; see [`Error`].
    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error>;

    /// Tells whether it has a verb of its own. `run` is had by all.
    fn offers(&self, verb: Verb) -> bool {
        verb == Verb::Run
    }

    /// Says what the plugin is.
    ///
    /// # Errors
    /// As `run`.
    fn describe(&self) -> Result<Description, Error> {
        Ok(Description::default())
    }

    /// Checks the data before anything is changed, and touches nothing.
    ///
    /// # Errors
    /// As `run`; what is wrong with the data is [`Error::Returned`].
    fn validate(&self, _invocation: &Invocation) -> Result<(), Error> {
        Ok(())
    }

    /// Says what `run` would do, a line each.
    ///
    /// # Errors
    /// As `run`.
    fn plan(&self, _invocation: &Invocation, _host: &dyn PluginHost) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Takes back what `run` did.
    ///
    /// # Errors
    /// As `run`.
    fn undo(&self, _invocation: &Invocation, _host: &dyn PluginHost) -> Result<(), Error> {
        Ok(())
    }
}

/// How a plugin failed. Each message reads on after the plugin's name and phase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plugin itself said so.
    #[error("returned an error: {message}")]
    Returned {
        /// What it said.
        message: String,
    },
    /// A panic, caught at the edge.
    #[error("panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The child process was killed by a signal.
    #[error("crashed (signal {signal})")]
    Crashed {
        /// The signal's number.
        signal: i32,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// The child process ended without an answer.
    #[error("ended with status {status} without an answer")]
    Exited {
        /// The exit status.
        status: i32,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// A script or program ended with a status that means failure.
    #[error("exited with status {status}")]
    Status {
        /// The exit status.
        status: i32,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// It started more processes than it may, and was killed with all of them.
    #[error("ran more than {most} processes at once and was killed")]
    Crowded {
        /// The limit.
        most: usize,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// The plugin did not end in time and was killed.
    #[error("did not end within {seconds} seconds and was killed")]
    TimedOut {
        /// The limit.
        seconds: u64,
        /// The last lines it printed.
        output: Vec<String>,
    },
    /// The child process sent something that is no message.
    #[error("answered with something that is no message: {line}")]
    Garbage {
        /// The beginning of what it sent.
        line: String,
    },
    /// The shared object could not be loaded.
    #[error("cannot be loaded: {reason}")]
    Load {
        /// Why.
        reason: String,
    },
    /// The child process could not be started or spoken to.
    #[error("cannot be started: {0}")]
    Start(#[source] std::io::Error),
    /// A host refused or failed something without which a built-in cannot go on.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A command that a built-in ran on a host failed.
    #[error("{host}: `{command}` exited with {}", output.status)]
    Command {
        /// The host.
        host: String,
        /// The command, or its first line.
        command: String,
        /// What it gave.
        output: Output,
    },
}
