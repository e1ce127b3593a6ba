//! What a command costs: time, processor, memory, and bytes on the hosts' links.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{self, Failure, Result, children_cpu};

/// How often the memory is looked at.
const EVERY: Duration = Duration::from_millis(50);

/// What a command cost on this machine, without what the hosts did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// The most memory that its processes had at once.
    pub(super) memory: u64,
    /// Bytes out on the links, with all headers.
    pub(super) sent: u64,
    /// Bytes in on them.
    pub(super) received: u64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} s, processor {:.1} s, memory {} MB, sent {} MB, received {} MB",
            self.wall.as_secs_f64(),
            self.cpu.as_secs_f64(),
            self.memory / 1_000_000,
            self.sent / 1_000_000,
            self.received / 1_000_000
        )
    }
}

/// Runs a command that must succeed, and measures it, with what went over network links of this machine.
pub(super) fn measure(command: &mut Command, links: &[String]) -> Result<Measured> {
    let line = command::line(command);
    let failed = |source| Failure::Start { command: line.clone(), source };
    let (sent, received, cpu) = (bytes(links, "tx_bytes"), bytes(links, "rx_bytes"), children_cpu());
    let begun = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let mut memory = 0;
    let (status, wall) = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break (status, begun.elapsed());
        }
        memory = memory.max(memory_of(child.id()));
        thread::sleep(EVERY.min(begun.elapsed() / 10));
    };
    if !status.success() {
        return Err(Failure::Status { command: line, status });
    }
    Ok(Measured {
        wall,
        cpu: children_cpu().saturating_sub(cpu),
        memory,
        sent: bytes(links, "tx_bytes") - sent,
        received: bytes(links, "rx_bytes") - received,
    })
}

/// What went over the links, seen from this machine.
fn bytes(links: &[String], counter: &str) -> u64 {
    // Of our own network namespace, which `/sys` need not be of.
    let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let column = if counter == "rx_bytes" { 0 } else { 8 };
    let of = |line: &str| -> Option<u64> {
        let (name, counters) = line.split_once(':')?;
        let is_wanted = links.iter().any(|link| link == name.trim());
        counters.split_whitespace().nth(column).filter(|_| is_wanted)?.parse().ok()
    };
    text.lines().filter_map(of).sum()
}

/// The memory of a process and of its children, each at its own peak.
pub(super) fn memory_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default();
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok()).map(memory_of);
    own * 1024 + children.sum::<u64>()
}
