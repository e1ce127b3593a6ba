//! One host: started, found again, killed, removed.

use std::fs::{self, File};
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::accounts::Accounts;
use crate::error::{Error, Result};
use crate::network;
use crate::root::Root;
use crate::state::Record;
use crate::tools;

/// Mounts the root and starts sshd in it, as the first process of its namespaces.
const SCRIPT: &str = include_str!("enter.sh");

/// A host that does not answer by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all hosts of one call have in common.
pub(crate) struct HostPlan<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) disk: Option<u64>,
}

pub(crate) fn folder(dir: &Path, record: &Record) -> PathBuf {
    dir.join("hosts").join(&record.name)
}

/// Starts a host and waits until its sshd listens.
pub(crate) fn start(dir: &Path, network: u8, record: &Record, plan: &HostPlan<'_>) -> Result<Record> {
    let folder = folder(dir, record);
    let root = Root {
        folder: &folder,
        name: &record.name,
        address: network::address(network, record.index),
        accounts: plan.accounts,
        disk: plan.disk,
        sandbox: dir,
    };
    root.make()?;
    let key = root.key();
    tools::run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-C", &record.name, "-f", &key.to_string_lossy()],
    )?;
    network::connect(network, record.index)?;
    let pid = spawn(&folder, network, record)?;
    let began = began(pid).ok_or_else(|| no_answer(record, &folder))?;
    let record = Record { process: Some((pid, began)), ..record.clone() };
    let is_ready = || listens(&record) && network::forwards(network, record.index);
    wait_until(is_ready, &record, &folder)?;
    Ok(record)
}

fn spawn(folder: &Path, network: u8, record: &Record) -> Result<u32> {
    let log_path = folder.join("log");
    let log = File::create(&log_path).map_err(|source| Error::file(&log_path, source))?;
    let log_too = log.try_clone().map_err(|source| Error::file(&log_path, source))?;
    let namespace = format!("--net=/run/netns/{}", network::link(network, record.index));
    let child = tools::command("nsenter")
        .args([&namespace, "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL"])
        .args(["--propagation", "private", "--", "/bin/sh", "-c", SCRIPT, "sandbox"])
        .arg(folder)
        .arg(&record.name)
        .process_group(0)
        .stdout(log)
        .stderr(log_too)
        .spawn()
        .map_err(|error| Error::Command { command: "nsenter".to_owned(), message: error.to_string() })?;
    Ok(child.id())
}

/// Waits until a host's sshd answers.
pub(crate) fn wait(dir: &Path, network: u8, record: &Record) -> Result<()> {
    let address = SocketAddr::from((network::address(network, record.index), 22));
    wait_until(|| answers(address), record, &folder(dir, record))
}

fn wait_until(is_ready: impl Fn() -> bool, record: &Record, folder: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && is_alive(record) {
        if is_ready() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(no_answer(record, folder))
}

/// Tells whether somebody listens on a host's port 22. Asking sshd itself would start a process there.
fn listens(record: &Record) -> bool {
    let Some(init) = init(record) else { return false };
    let sockets = fs::read_to_string(format!("/proc/{init}/net/tcp")).unwrap_or_default();
    sockets.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|local| local.ends_with(":0016")) && fields.get(3) == Some(&"0A")
    })
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) else {
        return false;
    };
    let mut banner = [0; 4];
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-"
}

fn no_answer(record: &Record, folder: &Path) -> Error {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let message = lines[lines.len().saturating_sub(5)..].join("; ");
    let message = if message.is_empty() { "it says nothing".to_owned() } else { message };
    Error::NoAnswer { host: record.name.clone(), message }
}

/// When a process began, in ticks since boot; nothing for one that is gone or a zombie.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.rsplit_once(')')?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    fields.get(19)?.parse().ok()
}

fn is_alive(record: &Record) -> bool {
    record.process.is_some_and(|(pid, since)| began(pid) == Some(since))
}

/// The first process in a host's own namespaces, by this machine's count.
pub(crate) fn init(record: &Record) -> Option<u32> {
    let (pid, _) = record.process.filter(|_| is_alive(record))?;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Kills a host's processes and waits until they are gone.
pub(crate) fn kill(record: &Record) {
    let init = init(record);
    let holder = record.process.filter(|_| is_alive(record)).map(|(pid, _)| pid);
    // With the namespace's first process, the kernel kills all others in it.
    for pid in [init, holder].into_iter().flatten() {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && [init, holder].into_iter().flatten().any(|pid| began(pid).is_some()) {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Removes a host and all that is in it.
pub(crate) fn remove(dir: &Path, network: u8, record: &Record) -> Result<()> {
    kill(record);
    network::disconnect(network, record.index)?;
    let folder = folder(dir, record);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            // The mounts go with the last process, a moment after it.
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(source) => return Err(Error::file(&folder, source)),
            Ok(()) => return Ok(()),
        }
    }
}
