//! Repositories of git, by the machine's `git`.
//!
//! Nothing of a fetched repository runs: its hooks and configuration do not come along, and what
//! lays its files out knows no configuration at all, so no filter either, and gives the same files
//! everywhere. What reaches the repository knows the user's configuration: proxies, credentials.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::{Cancelled, Task};

use crate::remote::{GitSource, is_commit};

/// How often git is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// How many of its last lines an error shows.
const LAST_LINES: usize = 10;

/// What every call is told: no hook, whoever's it is, nothing in the background, no connection that
/// is silent for a minute.
const CONFIG: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.fsmonitor=false",
    "core.logAllRefUpdates=false",
    "advice.detachedHead=false",
    "maintenance.auto=false",
    "gc.auto=0",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// Variables by which the caller's own repository would be meant (`git rev-parse --local-env-vars`).
const LOCAL: [&str; 12] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Why a repository's files cannot be had.
pub(crate) enum Refused {
    /// It lacks what the source names, as a phrase.
    Lacks(String),
    /// `git` is not on this machine.
    NoGit,
    /// `git` failed; the last lines it said.
    Failed(Vec<String>),
    /// A file could not be read or written.
    Path(PathError),
    /// The work was interrupted.
    Cancelled(Cancelled),
}

impl From<PathError> for Refused {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

type Result<T> = std::result::Result<T, Refused>;

/// Asks a repository which commit a source means. Nothing is asked where the source says it.
pub(crate) fn resolve(task: &Task, source: &GitSource) -> Result<String> {
    let name = match source.reference.as_deref() {
        Some(commit) if is_commit(commit) => return Ok(commit.to_owned()),
        name => name,
    };
    // Tags come before branches (gitrevisions). `^{}` is what an annotated tag stands for.
    let candidates: Vec<String> = match name {
        None => vec!["HEAD".to_owned()],
        Some(name) if name.starts_with("refs/") => vec![format!("{name}^{{}}"), name.to_owned()],
        Some(name) => {
            vec![format!("refs/tags/{name}^{{}}"), format!("refs/tags/{name}"), format!("refs/heads/{name}")]
        }
    };
    let mut ask = reaching(source);
    ask.args(["ls-remote", "--quiet", &source.address]).args(&candidates);
    let answer = run(task, &mut ask)?;
    let answer = String::from_utf8_lossy(&answer);
    let listed: Vec<(&str, &str)> = answer.lines().filter_map(|line| line.split_once('\t')).collect();
    let found = candidates.iter().find_map(|name| listed.iter().find(|(_, listed)| listed == name));
    match found {
        Some((commit, _)) if is_commit(commit) => Ok((*commit).to_owned()),
        _ => {
            let reason = match name {
                Some(name) => format!("`{}` has no branch or tag `{name}`", source.address),
                None => format!("`{}` has no commit yet", source.address),
            };
            Err(Refused::Lacks(reason))
        }
    }
}

/// Lays a commit's files out in the empty folder `dir`, and returns the folder that is meant.
pub(crate) fn check_out(task: &Task, source: &GitSource, commit: &str, dir: &Path) -> Result<PathBuf> {
    let format = if commit.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    run(task, isolated(dir).args(["init", "--quiet", "--template=", format]))?;
    fetch(task, source, commit, dir)?;
    run(task, isolated(dir).args(["checkout", "--quiet", "--force", "--detach", commit]))?;
    for module in submodules(task, dir)? {
        task.warn(format!("`{}`: its submodule `{module}` is left out", source.address));
    }
    let git_dir = dir.join(".git");
    match source.keeps_git_dir {
        // An index written anew knows nothing of this machine's inodes and times.
        true => run(task, isolated(dir).args(["read-tree", commit])).map(drop)?,
        false => fs::remove_dir_all(&git_dir).at(&git_dir)?,
    }
    let mut folder = dir.to_owned();
    for part in &source.folder {
        folder.push(part);
        // No link is followed: it could lead anywhere.
        if !fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
            let reason = format!("`{}` has no folder `{}`", source.address, source.folder.display());
            return Err(Refused::Lacks(reason));
        }
    }
    Ok(folder)
}

/// Fetches the commit alone; where a server gives only what has a name, or only all, all.
fn fetch(task: &Task, source: &GitSource, commit: &str, dir: &Path) -> Result<()> {
    let fetch = |options: &[&str], what: &[&str]| {
        let mut fetch = reaching(source);
        fetch.arg("-C").arg(dir).args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]);
        fetch.args(["--no-write-fetch-head"]).args(options).arg(&source.address).args(what);
        run(task, &mut fetch)
    };
    match fetch(&["--depth=1"], &[commit]) {
        Err(Refused::Failed(_)) => {}
        fetched => return fetched.map(drop),
    }
    let mut all = vec!["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
    let named = source.reference.iter().filter(|name| name.starts_with("refs/"));
    let named: Vec<String> = named.map(|name| format!("+{name}:refs/sealer/named")).collect();
    all.extend(named.iter().map(String::as_str));
    fetch(&[], &all)?;
    let mut look = isolated(dir);
    look.args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
    match run(task, &mut look) {
        Err(Refused::Failed(_)) => {
            Err(Refused::Lacks(format!("`{}` has no commit {commit}", source.address)))
        }
        there => there.map(drop),
    }
}

/// The paths of what would have to be fetched from other repositories.
fn submodules(task: &Task, dir: &Path) -> Result<Vec<String>> {
    let listed = run(task, isolated(dir).args(["ls-files", "--stage", "-z"]))?;
    let entries = listed.split(|byte| *byte == 0).filter(|entry| entry.starts_with(b"160000 "));
    let path = |entry: &[u8]| {
        let path = entry.splitn(2, |byte| *byte == b'\t').nth(1).unwrap_or_default();
        String::from_utf8_lossy(path).into_owned()
    };
    Ok(entries.map(path).collect())
}

/// A call that reaches the repository, by no other way than its address says.
fn reaching(source: &GitSource) -> Command {
    let scheme = source.address.split_once("://").map_or("ssh", |(scheme, _)| scheme);
    let allowed = match scheme {
        "http" | "https" => "http:https",
        other => other,
    };
    let mut command = git();
    command.env("GIT_ALLOW_PROTOCOL", allowed);
    command
}

/// A call that reaches nothing and knows no configuration but the folder's own.
fn isolated(dir: &Path) -> Command {
    let mut command = git();
    command.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_CONFIG_GLOBAL", "/dev/null").arg("-C").arg(dir);
    command
}

fn git() -> Command {
    let mut command = Command::new("git");
    LOCAL.iter().for_each(|name| {
        command.env_remove(name);
    });
    // Whoever wants a password asks a program that has none: nobody may be there to type it.
    command
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_ATTR_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
        .envs([("SSH_ASKPASS", "/bin/false"), ("SSH_ASKPASS_REQUIRE", "force"), ("LC_ALL", "C")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    CONFIG.iter().for_each(|setting| {
        command.args(["-c", setting]);
    });
    command
}

/// Runs git to its end, or ends it when the work is interrupted. Returns what it printed.
fn run(task: &Task, command: &mut Command) -> Result<Vec<u8>> {
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refused::NoGit,
        _ => Refused::Path(Err::<(), _>(error).at("git").expect_err("it is one")),
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (status, printed, said) = thread::scope(|scope| {
        let printed = scope.spawn(|| read(stdout));
        let said = scope.spawn(|| read(stderr));
        let status = wait(task, &mut child);
        (status, printed.join().expect("it reads"), said.join().expect("it reads"))
    });
    if status?.success() {
        return Ok(printed);
    }
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    Err(Refused::Failed(lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()))
}

fn read(source: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut source) = source {
        let _ = source.read_to_end(&mut bytes);
    }
    bytes
}

fn wait(task: &Task, child: &mut Child) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().at("git")? {
            return Ok(status);
        }
        if let Err(cancelled) = task.check() {
            // What it started to reach the repository is of its group.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait().at("git")?;
            return Err(Refused::Cancelled(cancelled));
        }
        thread::sleep(GLANCE);
    }
}
