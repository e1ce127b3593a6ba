//! What a distribution costs: time, processors, memory, bytes, descriptors, handshakes.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::links::Links;
use crate::bench::measure::memory_of;
use crate::command::{self, Failure, Result, children_cpu};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(50);

/// What a distribution cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) wall: f64,
    /// Processor time of the sending side, in seconds.
    pub(super) cpu: f64,
    /// How busy all processors of the machine were, hosts included: 0 to 1.
    pub(super) busy: f64,
    /// The most memory of the sending side at once.
    pub(super) memory: u64,
    /// Bytes that this machine sent, with all headers.
    pub(super) source: u64,
    /// Bytes that a host received, with all headers: the most of all hosts.
    pub(super) host: u64,
    /// Descriptors of the sending process at once.
    pub(super) descriptors: u64,
    /// SSH handshakes under way at once, where they were counted.
    pub(super) handshakes: u64,
}

/// Runs a command that must succeed.
pub(super) fn measure(command: &mut Command, links: &Links, count: bool) -> Result<Cost> {
    let line = command::line(command);
    let failed = |source| Failure::Start { command: line.clone(), source };
    let (before, cpu, (busy, all)) = (links.moved(), children_cpu(), processors());
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().map_err(failed)?;
    let mut cost = Cost::default();
    if count {
        // Who counts must not wait for those who are counted.
        let own = std::process::id().to_string();
        command::output(Command::new("renice").args(["-n", "-10", "-p", &own]))?;
    }
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            cost.wall = begun.elapsed().as_secs_f64();
            break status;
        }
        cost.memory = cost.memory.max(memory_of(child.id()));
        let descriptors = fs::read_dir(format!("/proc/{}/fd", child.id())).map_or(0, Iterator::count);
        cost.descriptors = cost.descriptors.max(descriptors as u64);
        if count {
            cost.handshakes = cost.handshakes.max(handshakes());
        }
        thread::sleep(EVERY.min(begun.elapsed() / 10));
    };
    if !status.success() {
        return Err(Failure::Status { command: line, status });
    }
    let (after, (busy_then, all_then)) = (links.moved(), processors());
    cost.cpu = children_cpu().saturating_sub(cpu).as_secs_f64();
    cost.busy = (busy_then - busy) as f64 / (all_then - all).max(1) as f64;
    cost.source = after.source - before.source;
    let hosts = after.hosts.iter().zip(&before.hosts).map(|(after, before)| after - before);
    cost.host = hosts.max().unwrap_or_default();
    Ok(cost)
}

/// The ticks that all processors worked, and those that they had.
fn processors() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    let (all, idle) = (ticks.iter().take(8).sum::<u64>(), ticks.iter().skip(3).take(2).sum::<u64>());
    (all - idle, all)
}

/// The processes of hosts' sshds that talk with somebody who has not logged in yet.
fn handshakes() -> u64 {
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let waits = |path: std::path::PathBuf| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let line = line.trim_end_matches('\0').trim_end();
        line.starts_with("sshd") && (line.ends_with("[net]") || line.ends_with("[preauth]"))
    };
    processes.filter(|entry| is_process(&entry.file_name().to_string_lossy()) && waits(entry.path())).count()
        as u64
}
