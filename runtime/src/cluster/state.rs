//! A cluster's folder on this machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sealer_stdx::fs::{At, Lock, write_atomic};

use super::{ClusterSpec, saved};
use crate::error::{Error, Result};
use crate::execute::journal::Journal;
use crate::plan::RunPlan;

/// The plugins' steps that were done.
const RAN: &str = "plugins.json";

/// The folder, locked for as long as the value lives.
#[derive(Debug)]
pub(crate) struct State {
    dir: PathBuf,
    _lock: Lock,
}

impl State {
    /// Opens a cluster's folder, which is made if it is missing. Of two processes that want one
    /// cluster, the second is refused.
    pub(crate) fn open(clusters: &Path, name: &str) -> Result<Self> {
        let dir = clusters.join(name);
        fs::create_dir_all(&dir).at(&dir)?;
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).at(&dir)?;
        let (path, owner) = (dir.join(".lock"), dir.join(".owner"));
        let Some(lock) = Lock::try_exclusive(&path)? else {
            let pid = fs::read_to_string(&owner).unwrap_or_else(|_| "of another user".to_owned());
            return Err(Error::Locked { cluster: name.to_owned(), pid });
        };
        write_atomic(&owner, std::process::id().to_string().as_bytes(), 0o600)?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("admin.conf")
    }

    /// Forgets the keys of a host, whatever its port. Returns how many there were.
    pub(crate) fn forget_key(&self, host: &str) -> Result<usize> {
        let path = self.known_hosts();
        let text = if path.exists() { fs::read_to_string(&path).at(&path)? } else { String::new() };
        let is_of_host = |line: &&str| {
            let name = line.split(' ').next().unwrap_or_default();
            name == host || name.strip_prefix('[').and_then(|rest| rest.split(']').next()) == Some(host)
        };
        let count = text.lines().filter(is_of_host).count();
        if count > 0 {
            let others: String =
                text.lines().filter(|line| !is_of_host(line)).map(|line| format!("{line}\n")).collect();
            write_atomic(&path, others.as_bytes(), 0o600)?;
        }
        Ok(count)
    }

    /// Reads what was done to the cluster's hosts.
    pub(crate) fn journal(&self) -> Result<Journal> {
        Journal::read(self.dir.join("journal.jsonl"))
    }

    /// Returns the plan of the run that began last.
    pub(crate) fn plan(&self) -> Result<RunPlan> {
        let path = self.dir.join("plan.json");
        let text = fs::read(&path).at(&path)?;
        serde_json::from_slice(&text).map_err(|error| Error::Journal {
            line: error.line(),
            reason: error.to_string(),
            path,
        })
    }

    /// The file that a plugin's value is kept in. Its name is the plugin's, with what a file's name
    /// should not hold written as `%` and the byte's number.
    pub(crate) fn of_plugin(&self, plugin: &str) -> PathBuf {
        let mut name = String::new();
        for byte in plugin.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                name.push(char::from(byte));
            } else {
                name.push_str(&format!("%{byte:02x}"));
            }
        }
        self.dir.join("plugins").join(name)
    }

    /// Notes that a plugin's step was done, once. On disk when this returns.
    pub(crate) fn note_ran(&self, step: &str) -> Result<()> {
        let mut ran = self.ran()?;
        if ran.iter().any(|noted| noted == step) {
            return Ok(());
        }
        ran.push(step.to_owned());
        let text = serde_json::to_vec(&ran).expect("words are plain data");
        Ok(write_atomic(&self.dir.join(RAN), &text, 0o600)?)
    }

    /// Returns the plugins' steps that were done, in their order.
    pub(crate) fn ran(&self) -> Result<Vec<String>> {
        let path = self.dir.join(RAN);
        match fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).at(&path).map_err(Into::into),
        }
    }

    /// Keeps what a later `delete` needs to know. On disk when this returns.
    pub(crate) fn keep(&self, spec: &ClusterSpec, plan: &RunPlan) -> Result<()> {
        let plan = serde_json::to_vec_pretty(plan).expect("a plan is plain data");
        write_atomic(&self.dir.join("plan.json"), &plan, 0o600)?;
        self.keep_spec(spec)
    }

    pub(crate) fn keep_spec(&self, spec: &ClusterSpec) -> Result<()> {
        Ok(write_atomic(&clusterfile(&self.dir), saved::write(spec).as_bytes(), 0o600)?)
    }

    /// Tells whether nothing was ever kept here: the folder was made to be locked only.
    pub(crate) fn is_new(&self) -> bool {
        !clusterfile(&self.dir).exists()
    }

    /// Removes the folder.
    pub(crate) fn remove(self) -> Result<()> {
        Ok(fs::remove_dir_all(&self.dir).at(&self.dir)?)
    }
}

fn clusterfile(dir: &Path) -> PathBuf {
    dir.join("Clusterfile")
}

/// Lists the clusters that are kept, sorted.
pub(crate) fn names(clusters: &Path) -> Vec<String> {
    let entries = fs::read_dir(clusters).into_iter().flatten().flatten();
    let kept = entries.filter(|entry| clusterfile(&entry.path()).exists());
    let mut names: Vec<String> = kept.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Returns the name of a cluster that is kept: the one that is named, else the only one.
pub(crate) fn pick(clusters: &Path, name: Option<&str>) -> Result<String> {
    let known = names(clusters);
    let none = |reason: String| Err(Error::NoCluster { reason, known: known.clone() });
    match (name, known.as_slice()) {
        (Some(name), _) if known.iter().any(|known| known == name) => Ok(name.to_owned()),
        (Some(name), _) => none(format!("there is no cluster `{name}`")),
        (None, [only]) => Ok(only.clone()),
        (None, []) => none("there is no cluster".to_owned()),
        (None, _) => none("there are several clusters".to_owned()),
    }
}

/// Returns the text of a cluster's Clusterfile.
pub(crate) fn read(clusters: &Path, name: &str) -> Result<String> {
    let path = clusterfile(&clusters.join(name));
    Ok(fs::read_to_string(&path).at(&path)?)
}
