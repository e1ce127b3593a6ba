//! A cluster's folder on this machine.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sealer_stdx::fs::{At, Lock, write_atomic};

use super::shared::Shared;
use super::{ClusterSpec, saved};
use crate::error::{Error, Result};
use crate::execute::journal::Journal;
use crate::plan::RunPlan;

/// The plugins' steps that were done.
const RAN: &str = "plugins.json";

/// The folder of what plugins keep.
const PLUGINS: &str = "plugins";
/// The hosts that a run is taking out of the cluster, with all others, until it has come to its end.
const BEFORE: &str = "Clusterfile.before";
/// The image that the cluster ran before its last upgrade.
const PREVIOUS: &str = "previous";
/// The token of the lease under which the folder changed last.
const TOKEN: &str = ".token";
/// What the masters keep too, besides what plugins keep.
const SHARED: [&str; 7] = ["Clusterfile", BEFORE, PREVIOUS, "plan.json", "journal.jsonl", "known_hosts", RAN];

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
        self.dir.join(PLUGINS).join(name)
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

    /// Keeps the image that the cluster ran before an upgrade.
    pub(crate) fn keep_previous(&self, image: &str) -> Result<()> {
        Ok(write_atomic(&self.dir.join(PREVIOUS), image.as_bytes(), 0o600)?)
    }

    pub(crate) fn keep_spec(&self, spec: &ClusterSpec) -> Result<()> {
        Ok(write_atomic(&clusterfile(&self.dir), saved::write(spec).as_bytes(), 0o600)?)
    }

    /// Keeps a cluster as it was before hosts are taken out of it. On disk when this returns.
    pub(crate) fn keep_before(&self, spec: &ClusterSpec) -> Result<()> {
        Ok(write_atomic(&self.dir.join(BEFORE), saved::write(spec).as_bytes(), 0o600)?)
    }

    /// Forgets what was kept of hosts that are out of the cluster now.
    pub(crate) fn forget_before(&self) -> Result<()> {
        let path = self.dir.join(BEFORE);
        if path.exists() { Ok(fs::remove_file(&path).at(&path)?) } else { Ok(()) }
    }

    /// Returns the Clusterfiles that say which hosts there are ([`clusterfiles`]).
    pub(crate) fn clusterfiles(&self) -> Result<Vec<String>> {
        clusterfiles(&self.dir)
    }

    /// The token of the lease under which the folder changed last; 0 where there was none.
    pub(crate) fn token(&self) -> u64 {
        let text = fs::read_to_string(self.dir.join(TOKEN)).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }

    /// Notes that the folder changes under a lease. On disk when this returns.
    pub(crate) fn keep_token(&self, token: u64) -> Result<()> {
        Ok(write_atomic(&self.dir.join(TOKEN), token.to_string().as_bytes(), 0o600)?)
    }

    /// Returns what the masters are to keep too.
    pub(crate) fn shared(&self) -> Result<BTreeMap<String, String>> {
        let mut names: Vec<String> = SHARED.map(str::to_owned).into();
        let plugins = fs::read_dir(self.dir.join(PLUGINS)).into_iter().flatten().flatten();
        let plugins = plugins.filter_map(|entry| entry.file_name().into_string().ok());
        names.extend(plugins.filter(|name| !name.starts_with('.')).map(|name| format!("{PLUGINS}/{name}")));
        let mut files = BTreeMap::new();
        for name in names {
            let path = self.dir.join(&name);
            if path.is_file() {
                let text = fs::read(&path).at(&path)?;
                files.insert(name, String::from_utf8_lossy(&text).into_owned());
            }
        }
        Ok(files)
    }

    /// Puts what a master keeps in the place of what is here. Keys of hosts that are known here stay.
    /// On disk when this returns.
    pub(crate) fn take(&self, shared: &Shared) -> Result<()> {
        for name in self.shared()?.keys().filter(|name| !shared.files.contains_key(*name)) {
            let path = self.dir.join(name);
            if name != "known_hosts" {
                fs::remove_file(&path).at(&path)?;
            }
        }
        for (name, text) in &shared.files {
            let path = self.dir.join(name);
            let parent = path.parent().unwrap_or(&self.dir);
            fs::create_dir_all(parent).at(parent)?;
            match name.as_str() {
                "known_hosts" => self.add_keys(text)?,
                _ => write_atomic(&path, text.as_bytes(), 0o600)?,
            }
        }
        self.keep_token(shared.header.token)
    }

    /// Adds the keys of hosts of which none is known.
    pub(crate) fn add_keys(&self, others: &str) -> Result<()> {
        let path = self.known_hosts();
        let mut text = if path.exists() { fs::read_to_string(&path).at(&path)? } else { String::new() };
        let host = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let known: Vec<String> = text.lines().map(host).collect();
        for line in others.lines().filter(|line| !known.contains(&host(line))) {
            text.push_str(line);
            text.push('\n');
        }
        Ok(write_atomic(&path, text.as_bytes(), 0o600)?)
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

/// Returns the Clusterfiles that say which hosts a cluster has: as it was asked for last, and as it was
/// before a run that has not come to its end.
pub(crate) fn clusterfiles(dir: &Path) -> Result<Vec<String>> {
    let paths = [clusterfile(dir), dir.join(BEFORE)];
    let there = paths.iter().filter(|path| path.exists());
    there.map(|path| Ok(fs::read_to_string(path).at(path)?)).collect()
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

/// Returns the image that a cluster ran before its last upgrade.
pub(crate) fn previous(clusters: &Path, name: &str) -> Option<String> {
    fs::read_to_string(clusters.join(name).join(PREVIOUS)).ok()
}

/// Returns the text of a cluster's Clusterfile.
pub(crate) fn read(clusters: &Path, name: &str) -> Result<String> {
    let path = clusterfile(&clusters.join(name));
    Ok(fs::read_to_string(&path).at(&path)?)
}
