//! `sealer run` of a Kubernetes beside the same steps by hand, on hosts as new.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use super::report::{self, machine};
use crate::command::{Failure, Result, line};
use crate::lab;

/// What is measured.
#[derive(Debug, Args)]
pub(crate) struct Kubernetes {
    /// How often each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Put the table into docs/BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// The most that sealer may take of the time of the bare steps.
const MOST: f64 = 1.15;

/// Steps and their seconds; the last is all of them.
type Times = Vec<(String, f64)>;

pub(super) fn run(args: &Kubernetes) -> Result<()> {
    super::release()?;
    let mut bench = lab::bench(&super::programs()?)?;
    let mut rows: Vec<(&str, Times)> = Vec::new();
    for _ in 0..args.rounds {
        bench.fresh()?;
        rows.push(("`sealer run`", phases(&mut bench.run())?));
        bench.fresh()?;
        rows.push(("by hand", times(&bench.bare()?)));
    }
    bench.end()?;
    let ratio = median(&rows, "`sealer run`") / median(&rows, "by hand");
    let mut table = format!("`cargo xtask bench kubernetes --rounds {}`; {}.\n\n", args.rounds, machine());
    table.push_str("| | s | of which |\n|---|---|---|\n");
    for (what, times) in &rows {
        let (all, steps) = times.split_last().ok_or_else(|| Failure::wrong("nothing was measured"))?;
        let steps: Vec<String> = steps.iter().map(|(name, time)| format!("{name} {time:.1}")).collect();
        let _ = writeln!(table, "| {what} | {:.1} | {} |", all.1, steps.join(", "));
    }
    let _ = writeln!(table, "\n`sealer run` takes {ratio:.2} × the time of the bare steps (medians).");
    println!("\n{table}");
    if args.write {
        report::put("kubernetes", &table)?;
    }
    if ratio > MOST { Err(Failure::wrong(format!("{ratio:.2} is more than {MOST}"))) } else { Ok(()) }
}

fn median(rows: &[(&str, Times)], of: &str) -> f64 {
    let rows = rows.iter().filter(|(what, _)| *what == of);
    let mut all: Vec<f64> = rows.filter_map(|(_, times)| Some(times.last()?.1)).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Reads lines `NAME SECONDS`.
fn times(printed: &str) -> Times {
    let pair = |line: &str| {
        let (name, time) = line.rsplit_once(' ')?;
        Some((name.to_owned(), time.parse().ok()?))
    };
    printed.lines().filter_map(pair).collect()
}

/// Runs sealer, and times its phases by its events as they come.
fn phases(command: &mut Command) -> Result<Times> {
    let name = line(command);
    let started = |source| Failure::Start { command: name.clone(), source };
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(started)?;
    let printed = child.stdout.take().expect("its output is piped");
    let (mut open, mut times) = (BTreeMap::new(), Times::new());
    for line in BufReader::new(printed).lines().map_while(std::io::Result::ok) {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let task = event["task"].as_u64().unwrap_or_default();
        if event["event"] == "started" && ["phase", "connect"].iter().any(|kind| event["kind"] == *kind) {
            let name = if event["kind"] == "phase" { &event["name"] } else { &event["kind"] };
            open.insert(task, (name.as_str().unwrap_or_default().to_owned(), Instant::now()));
        } else if event["event"] == "finished"
            && let Some((name, begun)) = open.remove(&task)
        {
            times.push((name, begun.elapsed().as_secs_f64()));
        }
    }
    let status = child.wait().map_err(started)?;
    times.push(("all".to_owned(), begun.elapsed().as_secs_f64()));
    if status.success() { Ok(times) } else { Err(Failure::Status { command: name, status }) }
}
