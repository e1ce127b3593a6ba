//! Commands that must succeed, and how they are told of.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

/// What a task returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a task ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A command could not be started.
    Start { command: String, source: io::Error },
    /// A command failed, after saying why.
    Status { command: String, status: ExitStatus },
    /// A file could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// Something is not as it has to be.
    Wrong(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { command, source } => write!(f, "`{command}` cannot be started: {source}"),
            Self::Status { command, status } => write!(f, "`{command}` failed: {status}"),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Wrong(message) => f.write_str(message),
        }
    }
}

impl Failure {
    /// Says that something is not as it has to be.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong(message.into())
    }

    /// Names the file of an error.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// Writes a command as it would be typed, its program without the folder.
pub(crate) fn line(command: &Command) -> String {
    let set = command
        .get_envs()
        .filter_map(|(name, value)| value.map(|value| format!("{}={}", name.display(), quoted(value))));
    let program = Path::new(command.get_program());
    let words = program.file_name().into_iter().chain(command.get_args());
    set.chain(words.map(quoted)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word.into_owned() } else { format!("'{word}'") }
}

/// Runs a command that must succeed, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|source| Failure::Start { command: line(command), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Status { command: line(command), status }) }
}

/// Runs a command to its end and returns what it gave, whatever its status.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(|source| Failure::Start { command: line(command), source })
}

/// Names a step, runs its command, and says how long it took.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    println!("\n==> {name}: {}", line(command));
    let begun = Instant::now();
    run(command)?;
    println!("==> {name}: {:.0?}", begun.elapsed());
    Ok(())
}

/// The kernel's clock in `/proc/PID/stat`.
const TICKS_PER_SECOND: u64 = 100;

/// The processor time of all our children that have ended, and of theirs.
pub(crate) fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 =
        after.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// What cargo tells the program that it runs: with it, build scripts would be run again that look at it.
const TOLD: [&str; 5] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_NAME", "CARGO_BIN_NAME", "OUT_DIR"];

/// The cargo that runs us, with the environment that it was called with.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| TOLD.iter().any(|told| name.to_string_lossy().starts_with(told))) {
        command.env_remove(name);
    }
    command.current_dir(root());
    command
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate stands below the root")
}
