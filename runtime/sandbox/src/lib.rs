//! Throwaway hosts on this machine: a network namespace, a root and a real sshd each.
//!
//! A host is an overlay over this machine's root with namespaces of its own (network, mounts,
//! processes, host name, IPC), on a bridge that leads nowhere else. It takes two megabytes and a
//! tenth of a second. Needs root, Linux, iproute2, util-linux and OpenSSH's server.

mod accounts;
mod error;
mod host;
mod network;
mod root;
mod state;
mod tools;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

pub use error::{Error, Result};
pub use state::{Host, Role, State};
pub use tools::Output;

use accounts::Accounts;
use host::HostPlan;
use state::{Record, Registry};

/// So many hosts are started or stopped at once.
const AT_ONCE: usize = 8;

/// The throwaway hosts that one folder keeps track of.
#[derive(Debug, Clone)]
pub struct Sandbox {
    dir: PathBuf,
}

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct UpOptions<'a> {
    /// How many hosts.
    pub hosts: u16,
    /// How many of them are masters: the first ones.
    pub masters: u16,
    /// The password of `root`, and of `ops`, who may use sudo with it.
    pub password: &'a str,
    /// The size in bytes of the file system at `/var/lib/sealer`, which is then in memory; without
    /// it, that folder is on this machine's disk.
    pub disk: Option<u64>,
}

impl Sandbox {
    /// Opens the sandbox of a folder, which is made with the first host.
    ///
    /// # Errors
    /// When the user is not root, or tools are missing.
    pub fn open(dir: &Path) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err(Error::NotRoot);
        }
        tools::check()?;
        Ok(Self { dir: std::path::absolute(dir).map_err(|source| Error::file(dir, source))? })
    }

    /// Makes hosts beside those that are there, and returns the new ones when each answers by SSH.
    ///
    /// # Errors
    /// When one cannot be made; those of this call are removed again.
    pub fn up(&self, options: &UpOptions<'_>) -> Result<Vec<Host>> {
        fs::create_dir_all(&self.dir).map_err(|source| Error::file(&self.dir, source))?;
        let accounts = Accounts::with_password(options.password, &self.dir)?;
        let plan = HostPlan { accounts: &accounts, disk: options.disk };
        let mut registry = Registry::open(&self.dir)?;
        let network = network::claim(registry.network())?;
        let records = registry.add(network, options.hosts, options.masters)?;
        network::make_room(registry.records().len())?;
        let made = for_all(&records, |record| host::start(&self.dir, network, record, &plan));
        let mut pids = Vec::new();
        let mut failed = None;
        for result in made {
            match result {
                Ok(record) => pids.push(record),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        registry.update(&pids)?;
        if let Some(error) = failed {
            drop(registry);
            self.down(&records.iter().map(|record| record.name.clone()).collect::<Vec<_>>())?;
            return Err(error);
        }
        Ok(pids.iter().map(|record| record.host(network)).collect())
    }

    /// Lists the hosts.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Host>> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let registry = Registry::open(&self.dir)?;
        let Some(network) = registry.network() else { return Ok(Vec::new()) };
        Ok(registry.records().iter().map(|record| record.host(network)).collect())
    }

    /// Runs a command on a host, without SSH, and returns when it has ended.
    ///
    /// # Errors
    /// When the host is unknown or dead, or the command cannot be started.
    pub fn exec(&self, host: &str, argv: &[impl AsRef<str>]) -> Result<Output> {
        let (record, _) = self.find(host)?;
        let init = host::init(&record).ok_or_else(|| Error::Dead { host: record.name.clone() })?;
        let target = init.to_string();
        let mut args = vec!["-t", &target, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"];
        args.extend(argv.iter().map(AsRef::as_ref));
        tools::output("nsenter", &args)
    }

    /// Takes a host off the network.
    ///
    /// # Errors
    /// When the host is unknown.
    pub fn cut(&self, host: &str) -> Result<()> {
        let (record, network) = self.find(host)?;
        tools::run("ip", &["link", "set", &network::link(network, record.index), "down"])
    }

    /// Puts a host that was cut off on the network again, and returns when it answers.
    ///
    /// # Errors
    /// When the host is unknown or does not answer.
    pub fn mend(&self, host: &str) -> Result<()> {
        let (record, network) = self.find(host)?;
        tools::run("ip", &["link", "set", &network::link(network, record.index), "up"])?;
        host::wait(&self.dir, network, &record)
    }

    /// Kills all processes of a host at once. What is on its disk stays until it is removed.
    ///
    /// # Errors
    /// When the host is unknown.
    pub fn kill(&self, host: &str) -> Result<()> {
        let (record, _) = self.find(host)?;
        host::kill(&record);
        Ok(())
    }

    /// Removes hosts, by name or address, and all that is in them; all hosts where none is named.
    ///
    /// # Errors
    /// When one is unknown, or something of it cannot be removed.
    pub fn down(&self, hosts: &[impl AsRef<str>]) -> Result<Vec<Host>> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        let mut registry = Registry::open(&self.dir)?;
        let Some(network) = registry.network() else { return Ok(Vec::new()) };
        let doomed = registry.select(hosts.iter().map(AsRef::as_ref))?;
        let results = for_all(&doomed, |record| host::remove(&self.dir, network, record));
        results.into_iter().collect::<Result<Vec<()>>>()?;
        registry.remove(&doomed)?;
        if registry.records().is_empty() {
            network::release(network)?;
            registry.forget_network()?;
        }
        Ok(doomed.iter().map(|record| record.host(network)).collect())
    }

    fn find(&self, host: &str) -> Result<(Record, u8)> {
        if !self.dir.exists() {
            return Err(Error::Unknown { host: host.to_owned() });
        }
        let registry = Registry::open(&self.dir)?;
        let found = registry.select(std::iter::once(host))?;
        let network = registry.network().ok_or_else(|| Error::Unknown { host: host.to_owned() })?;
        found
            .into_iter()
            .next()
            .map(|record| (record, network))
            .ok_or_else(|| Error::Unknown { host: host.to_owned() })
    }
}

/// A sandbox that is taken down when the value goes: for tests.
#[derive(Debug)]
pub struct Guard {
    sandbox: Sandbox,
    /// The hosts.
    pub hosts: Vec<Host>,
}

impl Guard {
    /// Makes hosts for as long as the value lives.
    ///
    /// # Errors
    /// Those of [`Sandbox::open`] and [`Sandbox::up`].
    pub fn up(dir: &Path, options: &UpOptions<'_>) -> Result<Self> {
        let sandbox = Sandbox::open(dir)?;
        let hosts = sandbox.up(options)?;
        Ok(Self { sandbox, hosts })
    }

    /// Returns the sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What cannot be removed stays on record, for `sealer sandbox down`.
        let _ = self.sandbox.down(&[] as &[&str]);
    }
}

/// Writes hosts as `run` takes them: `-m 10.77.0.2 -n 10.77.0.3-10.77.0.5`.
#[must_use]
pub fn paste(hosts: &[Host]) -> String {
    let list = |role: Role| ranges(hosts.iter().filter(|host| host.role == role).map(|host| host.address));
    let (masters, nodes) = (list(Role::Master), list(Role::Node));
    match nodes.is_empty() {
        true => format!("-m {masters}"),
        false => format!("-m {masters} -n {nodes}"),
    }
}

fn ranges(addresses: impl Iterator<Item = Ipv4Addr>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for address in addresses.map(u32::from) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == address => *last = address,
            _ => ranges.push((address, address)),
        }
    }
    let written = ranges.into_iter().map(|(first, last)| match first == last {
        true => Ipv4Addr::from(first).to_string(),
        false => format!("{}-{}", Ipv4Addr::from(first), Ipv4Addr::from(last)),
    });
    written.collect::<Vec<_>>().join(",")
}

/// Calls `f` on all items, some at once, and returns the results in order.
fn for_all<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().expect("no holder panics").next();
                    let Some((index, item)) = taken else { return };
                    let result = f(item);
                    results.lock().expect("no holder panics").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no holder panics");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
