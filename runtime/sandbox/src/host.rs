//! One host: started, found again, killed, removed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::UpOptions;
use crate::error::{Error, Result};
use crate::network;
use crate::state::Record;
use crate::tools;

/// Makes the root and starts sshd in it, as the first process of its namespaces.
const SCRIPT: &str = include_str!("enter.sh");

/// A host that does not answer by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn folder(dir: &Path, record: &Record) -> PathBuf {
    dir.join("hosts").join(&record.name)
}

/// Starts a host and waits until its sshd answers.
pub(crate) fn start(dir: &Path, network: u8, record: &Record, options: &UpOptions<'_>) -> Result<Record> {
    let folder = folder(dir, record);
    for name in ["upper", "work", "root", "data"] {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(|source| Error::file(&path, source))?;
    }
    let key = folder.join("host_key");
    tools::run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-C", &record.name, "-f", &key.to_string_lossy()],
    )?;
    network::connect(network, record.index)?;
    let pid = spawn(dir, &folder, network, record, options)?;
    let began = began(pid).ok_or_else(|| no_answer(record, &folder))?;
    let record = Record { process: Some((pid, began)), ..record.clone() };
    wait(dir, network, &record)?;
    Ok(record)
}

fn spawn(dir: &Path, folder: &Path, network: u8, record: &Record, options: &UpOptions<'_>) -> Result<u32> {
    let log_path = folder.join("log");
    let log = File::create(&log_path).map_err(|source| Error::file(&log_path, source))?;
    let log_too = log.try_clone().map_err(|source| Error::file(&log_path, source))?;
    let namespace = format!("--net=/run/netns/{}", network::link(network, record.index));
    let disk = options.disk.map(|bytes| bytes.to_string()).unwrap_or_default();
    let address = network::address(network, record.index).to_string();
    let mut child = tools::command("nsenter")
        .args([&namespace, "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL"])
        .args(["--propagation", "private", "--", "/bin/sh", "-c", SCRIPT, "sandbox"])
        .args([folder.as_os_str(), dir.as_os_str()])
        .args([&record.name, &address, &disk])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(log_too)
        .spawn()
        .map_err(|error| Error::Command { command: "nsenter".to_owned(), message: error.to_string() })?;
    // Passwords go through the pipe alone. A host that died says why in its log.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = write!(stdin, "root:{0}\nops:{0}\n", options.password);
    }
    Ok(child.id())
}

/// Waits until a host's sshd answers.
pub(crate) fn wait(dir: &Path, network: u8, record: &Record) -> Result<()> {
    let address = SocketAddr::from((network::address(network, record.index), 22));
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && is_alive(record) {
        if answers(address) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(no_answer(record, &folder(dir, record)))
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
