//! `RUN`: the build machine's shell in the image's root, and nothing else on the machine is changed.
//!
//! The command sees this machine through an overlay that is thrown away, in mount and process
//! namespaces of its own; only what it writes below the image's root is kept, as the layer.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use sealer_image::layer::{Entry, EntryKind};
use sealer_stdx::fs::{At, Lock};
use sealer_stdx::task::{Stream, Task};
use walkdir::WalkDir;

use crate::context::HardLinks;
use crate::error::{Error, Result};
use crate::kubefile::KubefileError;

/// How many of a command's last lines an error shows.
const LAST_LINES: usize = 20;

/// How often a command is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Makes the machine's overlay at `$1/machine`, the image's root in it, and runs `$3` there.
const SCRIPT: &str = include_str!("run/enter.sh");

/// A command and what it works on.
pub(crate) struct Run<'a> {
    pub(crate) command: &'a str,
    pub(crate) env: &'a BTreeMap<String, String>,
    /// The time of everything in the image, which tools ask for as SOURCE_DATE_EPOCH.
    pub(crate) time: u64,
    /// The image so far, unpacked. It is not changed.
    pub(crate) lower: &'a Path,
    /// Where it stands in the Kubefile.
    pub(crate) at: KubefileError,
}

/// A folder for one build's overlays; gone when the build ends, or swept by the next build.
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
    _lock: Lock,
}

impl Scratch {
    pub(crate) fn new(parent: &Path) -> Result<Self> {
        fs::create_dir_all(parent).at(parent)?;
        // A folder that is made and not locked yet would look abandoned to another build.
        let _making = Lock::exclusive(&parent.with_extension("lock"))?;
        sweep(parent)?;
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(parent).at(parent)?;
        let lock = Lock::exclusive(&dir.path().join("lock"))?;
        Ok(Self { dir, _lock: lock })
    }

    /// Makes a folder in it.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).at(&path)?;
        Ok(path)
    }
}

/// Removes what killed builds left: folders whose lock nobody holds. One that is in the way of that
/// (another build is removing its own at this moment) is for the next.
fn sweep(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent).at(parent)? {
        let path = entry.at(parent)?.path();
        let lock = path.join("lock");
        if lock.exists()
            && let Ok(Some(_abandoned)) = Lock::try_exclusive(&lock)
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

/// What a command changed in the image's root.
pub(crate) struct Ran {
    pub(crate) entries: Vec<Entry>,
    /// Holds the files that the entries name.
    pub(crate) scratch: Scratch,
}

/// Runs the command and returns what it changed in the image's root.
///
/// # Errors
/// `Run` when the command fails, `RunImpossible` when this machine or user cannot run any.
pub(crate) fn run(task: &Task, scratch_parent: &Path, run: &Run<'_>) -> Result<Ran> {
    if !rustix::process::geteuid().is_root() {
        let reason = "only root can set this machine aside for it".to_owned();
        return Err(Error::RunImpossible { reason });
    }
    let scratch = Scratch::new(scratch_parent)?;
    let upper = scratch.folder("upper")?;
    for name in ["work", "machine", "machine-upper", "machine-work"] {
        scratch.folder(name)?;
    }
    let mut child = command(run, scratch.dir.path())
        .spawn()
        .map_err(|error| Error::RunImpossible { reason: format!("`setpriv` cannot be started: {error}") })?;
    let last = Mutex::new(VecDeque::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = thread::scope(|scope| {
        scope.spawn(|| pass_on(task, Stream::Stdout, stdout, &last));
        scope.spawn(|| pass_on(task, Stream::Stderr, stderr, &last));
        wait(task, &mut child)
    })?;
    let output: Vec<String> = last.into_inner().expect("no holder panics").into();
    if !scratch.dir.path().join("entered").exists() {
        return Err(Error::RunImpossible { reason: output.join("; ") });
    }
    if !status.success() {
        let status = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        return Err(Error::Run {
            at: Box::new(run.at.clone()),
            command: run.command.to_owned(),
            status,
            output,
        });
    }
    Ok(Ran { entries: entries(&upper)?, scratch })
}

/// Waits for the command's end, or makes it when the work is interrupted.
fn wait(task: &Task, child: &mut Child) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().at("unshare")? {
            return Ok(status);
        }
        if let Err(cancelled) = task.check() {
            // All that the command started is in its namespace and goes with it.
            child.kill().and_then(|()| child.wait()).at("unshare")?;
            return Err(cancelled.into());
        }
        thread::sleep(GLANCE);
    }
}

fn command(run: &Run<'_>, scratch: &Path) -> Command {
    // When sealer is killed, so is the command.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"]);
    command.args(["--kill-child=KILL", "--propagation", "private"]);
    command
        .args(["--", "/bin/sh", "-c", SCRIPT, "sealer-run"])
        .args([scratch.as_os_str(), run.lower.as_os_str()])
        .arg(run.command)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .env("SOURCE_DATE_EPOCH", run.time.to_string())
        .envs(run.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn pass_on(task: &Task, stream: Stream, source: Option<impl Read>, last: &Mutex<VecDeque<String>>) {
    let Some(source) = source else { return };
    let mut reader = BufReader::new(source);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        task.output(stream, text.clone());
        let mut last = last.lock().expect("no holder panics");
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text);
        line.clear();
    }
}

/// Reads an overlay's upper folder as a layer (Documentation/filesystems/overlayfs.rst).
fn entries(upper: &Path) -> Result<Vec<Entry>> {
    let mut links = HardLinks::default();
    let mut entries = Vec::new();
    for entry in WalkDir::new(upper).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| sealer_stdx::fs::PathError {
            path: error.path().unwrap_or(upper).to_owned(),
            source: error.into(),
        })?;
        let path = entry.path();
        let metadata = fs::symlink_metadata(path).at(path)?;
        let in_image = path.strip_prefix(upper).expect("it was found there").to_owned();
        let kind = metadata.file_type();
        let is_opaque = kind.is_dir() && is_opaque(path);
        let kind = if kind.is_char_device() && metadata.rdev() == 0 {
            EntryKind::Whiteout
        } else if is_opaque {
            EntryKind::OpaqueDir
        } else if kind.is_dir() {
            EntryKind::Dir
        } else if kind.is_symlink() {
            EntryKind::Symlink(fs::read_link(path).at(path)?)
        } else if !kind.is_file() {
            continue;
        } else if let Some(first) = links.first(&metadata, &in_image) {
            EntryKind::Hardlink(first)
        } else {
            EntryKind::File(path.to_owned())
        };
        entries.push(Entry { path: in_image, kind, mode: metadata.permissions().mode() & 0o7777 });
    }
    Ok(entries)
}

fn is_opaque(path: &Path) -> bool {
    matches!(xattr::get(path, "trusted.overlay.opaque"), Ok(Some(value)) if value == b"y")
}
