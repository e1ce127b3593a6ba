//! What a sandbox's folder keeps: its network and its hosts.

use std::fmt;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{host, network};

/// A host, for whoever uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Its name: also what it calls itself.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it is meant to be.
    pub role: Role,
    /// How it is.
    pub state: State,
}

/// What a host is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A master.
    Master,
    /// A node.
    Node,
}

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It runs.
    Up,
    /// It runs, off the network.
    Cut,
    /// Its processes are gone.
    Dead,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Node => "node",
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Cut => "cut",
            Self::Dead => "dead",
        })
    }
}

/// A host, on record from before it is made until after it is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// The last part of its address.
    pub(crate) index: u8,
    pub(crate) role: Role,
    /// The process that holds its namespaces, and when that began: a number may be used again.
    pub(crate) process: Option<(u32, u64)>,
}

impl Record {
    pub(crate) fn host(&self, network: u8) -> Host {
        let state = match (host::init(self), network::is_up(network, self.index)) {
            (None, _) => State::Dead,
            (Some(_), true) => State::Up,
            (Some(_), false) => State::Cut,
        };
        let address = network::address(network, self.index);
        Host { name: self.name.clone(), address, role: self.role, state }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    network: Option<u8>,
    hosts: Vec<Record>,
}

/// The records, held under a lock.
pub(crate) struct Registry {
    path: PathBuf,
    kept: Kept,
    _lock: File,
}

impl Registry {
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let lock = dir.join(".lock");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&lock)
            .map_err(|source| Error::file(&lock, source))?;
        file.lock().map_err(|source| Error::file(&lock, source))?;
        let path = dir.join("hosts.json");
        let kept = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::file(&path, error.into()))?,
            Err(_) => Kept::default(),
        };
        Ok(Self { path, kept, _lock: file })
    }

    pub(crate) fn network(&self) -> Option<u8> {
        self.kept.network
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.kept.hosts
    }

    /// Records hosts that are about to be made.
    pub(crate) fn add(&mut self, network: u8, hosts: u16, masters: u16) -> Result<Vec<Record>> {
        self.kept.network = Some(network);
        let mut added = Vec::new();
        for number in 0..hosts {
            let taken = |index: &u8| self.kept.hosts.iter().any(|host| host.index == *index);
            let Some(index) = (2..=254).find(|index| !taken(index)) else {
                self.save()?;
                return Err(Error::Full);
            };
            let role = if number < masters { Role::Master } else { Role::Node };
            let record = Record { name: format!("sandbox-{network}-{index}"), index, role, process: None };
            self.kept.hosts.push(record.clone());
            added.push(record);
        }
        self.save()?;
        Ok(added)
    }

    pub(crate) fn update(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            if let Some(kept) = self.kept.hosts.iter_mut().find(|kept| kept.index == record.index) {
                kept.clone_from(record);
            }
        }
        self.save()
    }

    pub(crate) fn remove(&mut self, records: &[Record]) -> Result<()> {
        self.kept.hosts.retain(|kept| !records.iter().any(|record| record.index == kept.index));
        self.save()
    }

    pub(crate) fn forget_network(&mut self) -> Result<()> {
        self.kept.network = None;
        self.save()
    }

    /// Returns the hosts of those names or addresses; all where none is given.
    pub(crate) fn select<'a>(&self, hosts: impl Iterator<Item = &'a str>) -> Result<Vec<Record>> {
        let network = self.kept.network.unwrap_or_default();
        let mut selected = Vec::new();
        for wanted in hosts {
            let is_it = |record: &&Record| {
                record.name == wanted || network::address(network, record.index).to_string() == wanted
            };
            let found = self.kept.hosts.iter().find(is_it);
            selected.push(found.cloned().ok_or_else(|| Error::Unknown { host: wanted.to_owned() })?);
        }
        if selected.is_empty() { Ok(self.kept.hosts.clone()) } else { Ok(selected) }
    }

    fn save(&self) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(&self.kept).expect("records are plain data");
        let aside = self.path.with_extension("new");
        fs::write(&aside, bytes).map_err(|source| Error::file(&aside, source))?;
        fs::rename(&aside, &self.path).map_err(|source| Error::file(&self.path, source))
    }
}
