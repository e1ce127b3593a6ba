//! The hosts' links and this machine's: how fast they are, and what went over them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::command::{self, Result};

/// What a token bucket holds, in bytes, at the least.
const BURST: u64 = 32 * 1024;

/// The links of a sandbox.
pub(super) struct Links {
    /// This machine's: all that it sends to hosts goes through it, and nothing that hosts send to each other.
    bridge: String,
    /// This machine's ends of the hosts' links, which are their namespaces' names as well.
    hosts: Vec<String>,
}

/// Bytes so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved {
    /// Out of this machine.
    pub(super) source: u64,
    /// Into each host.
    pub(super) hosts: Vec<u64>,
}

impl Links {
    pub(super) fn of(addresses: &[String]) -> Self {
        let link = |address: &String| {
            let mut parts = address.split('.').skip(2);
            Some(format!("slr{}-{}", parts.next()?, parts.next()?))
        };
        let network = addresses.first().and_then(|address| address.split('.').nth(2)).unwrap_or_default();
        Self { bridge: format!("slr{network}"), hosts: addresses.iter().filter_map(link).collect() }
    }

    /// Bounds every link, in both directions, and what this machine sends in all; `rate` is in bits a second.
    pub(super) fn shape(&self, rate: u64) -> Result<()> {
        if rate == 0 {
            return Ok(());
        }
        // Ten milliseconds of the rate at once.
        let burst = (rate / 8 / 100).max(BURST);
        let shape = |within: &[&str], device: &str| {
            let mut tc = Command::new(within.first().unwrap_or(&"tc"));
            tc.args(within.iter().skip(1));
            tc.args(["qdisc", "replace", "dev", device, "root", "tbf", "rate", &format!("{rate}bit")]);
            command::run(tc.args(["burst", &burst.to_string(), "latency", "100ms"]))
        };
        shape(&[], &self.bridge)?;
        for host in &self.hosts {
            shape(&[], host)?;
            shape(&["ip", "netns", "exec", host, "tc"], "eth0")?;
        }
        Ok(())
    }

    pub(super) fn moved(&self) -> Moved {
        // Of our own network namespace, which `/sys` need not be of.
        let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
        let sent: BTreeMap<&str, u64> = text
            .lines()
            .filter_map(|line| {
                let (name, counters) = line.split_once(':')?;
                Some((name.trim(), counters.split_whitespace().nth(8)?.parse().ok()?))
            })
            .collect();
        let of = |name: &String| sent.get(name.as_str()).copied().unwrap_or_default();
        Moved { source: of(&self.bridge), hosts: self.hosts.iter().map(of).collect() }
    }
}
