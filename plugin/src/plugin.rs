//! What a plugin is to sealer, and all that it can do to the world.

use std::path::Path;

use sealer_plugin_sdk::wire::Invocation;

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

    /// Passes on a line for the person at the terminal; `host` where it is about one.
    fn log(&self, host: Option<&str>, line: &str);
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
