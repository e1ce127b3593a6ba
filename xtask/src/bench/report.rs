//! Where a benchmark ran, and its table's place in the documentation.

use std::fs;

use crate::command::{Failure, Result, root};

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

/// Puts a table at its place in the benchmarks' page.
pub(super) fn put(name: &str, table: &str) -> Result<()> {
    put_into("docs/BENCHMARKS.md", name, table)
}

/// Puts a text at its place in a file of the documentation: between two comments with its name.
pub(super) fn put_into(file: &str, name: &str, text: &str) -> Result<()> {
    let path = root().join(file);
    let there = fs::read_to_string(&path).map_err(Failure::file(&path))?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let parts = there.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| Failure::wrong(format!("{file} has no place for `{name}`")))?;
    fs::write(&path, format!("{before}{begin}{text}{end}{after}")).map_err(Failure::file(&path))
}
