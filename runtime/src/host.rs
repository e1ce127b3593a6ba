//! A host: what is run on it, and how it is reached.

pub mod config;
pub(crate) mod key;
mod local;
pub(crate) mod quote;
mod session;
mod ssh;
mod wire;

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::BorrowedFd;

use sealer_stdx::task::Stream;

use crate::error::HostFailure;

pub(crate) use local::is_local;
pub(crate) use ssh::{Keys, connect};

/// How many of a command's last lines an error shows.
const LAST_LINES: usize = 20;

/// What a command on a host gave.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// The exit status; 128 + n for signal n.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// A host that can be told what to do. One command at a time.
pub trait Host: Send + Sync {
    /// Returns the host's address: what it is called everywhere.
    fn name(&self) -> &str;

    /// Runs a shell command as root, with `stdin` as its standard input, and returns when it has
    /// ended. `see` is shown each piece of output as it comes.
    ///
    /// # Errors
    /// When the connection fails. A command that fails is no error here.
    fn run(
        &self,
        command: &str,
        stdin: &mut dyn Read,
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Output, HostFailure> {
        self.talk(command, (stdin, None), see)
    }

    /// The same, with input that comes and goes: where `stdin` has nothing just now it says that it would
    /// block, and is read again when there is something to be read from the descriptor, and every few seconds.
    ///
    /// # Errors
    /// When the connection fails.
    fn talk(
        &self,
        command: &str,
        stdin: (&mut dyn Read, Option<BorrowedFd<'_>>),
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Output, HostFailure>;
}

/// Runs a command without input and returns what it gave, whatever its status.
pub(crate) fn exec(host: &dyn Host, command: &str) -> Result<Output, HostFailure> {
    host.run(command, &mut std::io::empty(), &mut |_, _| {})
}

/// Runs a command that must succeed, with input.
pub(crate) fn must_with(
    host: &dyn Host,
    command: &str,
    stdin: &mut dyn Read,
) -> Result<Vec<u8>, HostFailure> {
    let output = host.run(command, stdin, &mut |_, _| {})?;
    if output.status == 0 { Ok(output.stdout) } else { Err(failed(command, &output)) }
}

/// Runs a command that must succeed.
pub(crate) fn must(host: &dyn Host, command: &str) -> Result<Vec<u8>, HostFailure> {
    must_with(host, command, &mut std::io::empty())
}

/// The failure that a command's output tells of.
pub(crate) fn failed(command: &str, output: &Output) -> HostFailure {
    let mut last = VecDeque::new();
    for bytes in [&output.stdout, &output.stderr] {
        for line in String::from_utf8_lossy(bytes).lines() {
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line.to_owned());
        }
    }
    let shown = command.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    HostFailure::Command { command: shown.trim().to_owned(), status: output.status, output: last.into() }
}
