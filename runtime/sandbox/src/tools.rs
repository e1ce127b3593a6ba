//! The programs that do the work.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// What a command gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status; 128 + n for signal n.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Each program, with the Debian package that has it.
const TOOLS: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("pivot_root", "util-linux"),
    ("sshd", "openssh-server"),
    ("ssh-keygen", "openssh-client"),
    ("chpasswd", "passwd"),
];

const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The search path that programs are started with.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Checks that all programs are there.
pub(crate) fn check() -> Result<()> {
    let is_there = |tool: &str| FOLDERS.iter().any(|folder| Path::new(folder).join(tool).exists());
    let missing: Vec<_> = TOOLS.into_iter().filter(|(tool, _)| !is_there(tool)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Tools(missing)) }
}

/// A command with nothing of this process's environment.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", "/root").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn output(program: &str, args: &[&str]) -> Result<Output> {
    output_with(program, args, "")
}

fn output_with(program: &str, args: &[&str], input: &str) -> Result<Output> {
    let start = || -> io::Result<_> {
        let mut command = command(program);
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // Whoever reads nothing says why.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    };
    let output = start().map_err(|error| failed(program, args, &error.to_string()))?;
    let status = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
    Ok(Output { status: status.unwrap_or(1), stdout: output.stdout, stderr: output.stderr })
}

/// Runs a command that must succeed.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<()> {
    run_with(program, args, "")
}

/// Runs a command that must succeed, with some text on its standard input.
pub(crate) fn run_with(program: &str, args: &[&str], input: &str) -> Result<()> {
    let output = output_with(program, args, input)?;
    match output.status {
        0 => Ok(()),
        _ => Err(failed(program, args, String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn failed(program: &str, args: &[&str], message: &str) -> Error {
    Error::Command { command: format!("{program} {}", args.join(" ")), message: message.to_owned() }
}
