//! The table of a benchmark, and its place in the documentation.

use std::fmt;
use std::fs;

use super::content::{Content, SOURCES};
use super::measure::Measured;
use crate::command::{Failure, Result, root};

/// What was measured.
pub(super) struct Report {
    pub(super) hosts: u16,
    pub(super) size: u64,
    pub(super) rounds: usize,
    pub(super) content: Content,
    /// Each way, with its rounds.
    pub(super) rows: Vec<(String, Vec<Measured>)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, size, rounds, content, .. } = self;
        let machine = machine();
        let arguments = format!("--hosts {hosts} --size {}M --rounds {rounds}", size >> 20);
        writeln!(
            f,
            "`cargo xtask bench distribute {arguments}`: {content}, of {}, to {hosts} hosts; {machine}.\n",
            SOURCES.join(", ")
        )?;
        writeln!(f, "| | wall s | of all rounds | processor s | peak memory MB | sent MB | received MB |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for (name, rounds) in &self.rows {
            let mut sorted = rounds.clone();
            sorted.sort_by_key(|measured| measured.wall);
            let Some(median) = sorted.get(sorted.len() / 2) else { continue };
            // A bar would end the table's cell, in code too.
            let name = name.replace('|', "\\|");
            let all: Vec<String> =
                rounds.iter().map(|round| format!("{:.1}", round.wall.as_secs_f64())).collect();
            writeln!(
                f,
                "| `{name}` | {:.1} | {} | {:.1} | {} | {} | {} |",
                median.wall.as_secs_f64(),
                all.join(", "),
                median.cpu.as_secs_f64(),
                median.memory / 1_000_000,
                median.sent / 1_000_000,
                median.received / 1_000_000
            )?;
        }
        Ok(())
    }
}

/// What it was measured on.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    let release = read("/etc/os-release");
    let release = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    let (memory, kernel) = (memory.unwrap_or_default() >> 20, read("/proc/sys/kernel/osrelease"));
    format!("{cores} cores, {memory} GiB, {}, kernel {}", release.trim_matches('"'), kernel.trim())
}

/// Puts a table at its place in the documentation.
pub(super) fn put(name: &str, table: &str) -> Result<()> {
    let path = root().join("docs/BENCHMARKS.md");
    let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let parts = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) =
        parts.ok_or_else(|| Failure::wrong("docs/BENCHMARKS.md has no place for the table"))?;
    fs::write(&path, format!("{before}{begin}{table}{end}{after}")).map_err(Failure::file(&path))
}
