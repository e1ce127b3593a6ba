//! The lab's hosts: made by `xtask/lab/hosts.sh`, reached by SSH.

use std::fs;
use std::path::{Path, PathBuf};

use super::PASSWD_FILE;
use crate::command::{self, Failure, Result};
use crate::stage::Stage;

/// Addresses of hosts.
pub(crate) struct Hosts {
    pub(crate) masters: Vec<String>,
    pub(crate) nodes: Vec<String>,
}

/// The script that makes and removes hosts.
pub(crate) fn script() -> PathBuf {
    command::root().join("xtask/lab/hosts.sh")
}

impl Hosts {
    /// The command that makes them, the masters first.
    pub(crate) fn up_line(stage: &Stage, root: &Path, count: u8) -> String {
        let numbers: Vec<String> = (2..2 + count).map(|number| number.to_string()).collect();
        format!(
            "SEALER_LAB_PASSWORD=$(cat {PASSWD_FILE}) bash {} up {} {} {}",
            script().display(),
            stage.dir().join("hosts").display(),
            root.display(),
            numbers.join(" ")
        )
    }

    /// Reads what that printed.
    pub(crate) fn of(printed: &str, masters: u8) -> Result<Self> {
        let all: Vec<String> = printed.lines().map(str::to_owned).collect();
        if all.len() < usize::from(masters) {
            return Err(Failure::wrong("hosts.sh printed no addresses"));
        }
        let (masters, nodes) = all.split_at(usize::from(masters));
        Ok(Self { masters: masters.to_vec(), nodes: nodes.to_vec() })
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        [self.masters.clone(), self.nodes.clone()].concat()
    }

    /// As `run` takes them.
    pub(crate) fn flags(&self) -> String {
        let masters = format!("-m {}", self.masters.join(","));
        if self.nodes.is_empty() { masters } else { format!("{masters} -n {}", self.nodes.join(",")) }
    }

    /// A command on a host, as it would be typed.
    pub(crate) fn ssh(host: &str, line: &str) -> String {
        format!(
            "sshpass -f ~/{PASSWD_FILE} ssh -n -o LogLevel=ERROR -o StrictHostKeyChecking=no \
             -o UserKnownHostsFile=/dev/null root@{host} {}",
            quoted(line)
        )
    }
}

/// The command that has a host die, at once and without a word to anybody.
pub(super) fn kill_line(stage: &Stage, host: &str) -> String {
    line(stage, "kill", &[host.to_owned()])
}

/// The command that prints how many packets have left hosts for anywhere else.
pub(super) fn counters_line(stage: &Stage, hosts: &[String]) -> String {
    line(stage, "counters", hosts)
}

fn line(stage: &Stage, verb: &str, hosts: &[String]) -> String {
    let numbers: Vec<&str> = hosts.iter().filter_map(|host| host.rsplit('.').next()).collect();
    let dir = stage.dir().join("hosts");
    format!("bash {} {verb} {} {}", script().display(), dir.display(), numbers.join(" "))
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', r"'\''"))
}

/// Whatever of the hosts is still there: mounts, links, namespaces, control groups.
pub(crate) fn left(dir: &Path, hosts: &Hosts) -> Vec<String> {
    let mut left = Vec::new();
    if dir.exists() {
        left.push(format!("the folder {}", dir.display()));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of_dir = |line: &&str| line.contains(&dir.display().to_string());
    left.extend(mounts.lines().filter(of_dir).map(|line| format!("the mount {line}")));
    let first = hosts.all().into_iter().next().unwrap_or_default();
    let network = first.split('.').nth(2).unwrap_or_default().to_owned();
    let (bridge, prefix) = (format!("slab{network}"), format!("slab{network}-"));
    let groups = ["memory", "systemd", "cpu", "pids"].map(|name| format!("/sys/fs/cgroup/{name}"));
    let folders = ["/run/netns".to_owned(), "/sys/class/net".to_owned()].into_iter().chain(groups);
    for folder in folders {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let ours = |name: &String| {
            *name == bridge || name.starts_with(&prefix) || name.starts_with(&format!("lab{network}-"))
        };
        left.extend(names.filter(ours).map(|name| format!("{folder}/{name}")));
    }
    left
}
