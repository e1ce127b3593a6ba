//! `cargo xtask fuzz`: feeds what reads strangers' bytes, with libFuzzer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::command::{self, Failure, Result, children_cpu};
use crate::packages;

/// How the code is told to report which of its branches were taken: what cargo-fuzz says, without
/// what only a nightly compiler knows.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// One target is fed for so long before the next comes, in seconds.
const TURN: u64 = 30;
/// Inputs that are kept are no longer, in bytes: a small one is what a person can read.
const LONGEST: u32 = 4096;

/// Feeds the targets in turn.
#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// What to feed; all when none is named
    targets: Vec<String>,
    /// For so many minutes of one processor, together
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Keep, in testdata/fuzz, the smallest set of inputs that reaches what was reached
    #[arg(long)]
    keep: bool,
}

/// Builds the fuzzer and feeds the targets until the time is over or something is found.
pub(crate) fn run(args: &FuzzArgs) -> Result<()> {
    packages::ensure(&packages::FUZZ)?;
    let program = build()?;
    let known = names()?;
    let targets = match args.targets.is_empty() {
        true => known.clone(),
        false => args.targets.clone(),
    };
    if let Some(unknown) = targets.iter().find(|name| !known.contains(name)) {
        return Err(Failure::wrong(format!("`{unknown}` is no target: there are {}", known.join(", "))));
    }
    let wanted = Duration::from_secs_f64(args.minutes.max(0.0) * 60.0);
    let before = children_cpu();
    let spent = || children_cpu().saturating_sub(before);
    let mut turns = targets.iter().cycle();
    while spent() < wanted {
        let target = turns.next().expect("there is a target");
        feed(&program, target, (wanted - spent()).as_secs().clamp(1, TURN))?;
        println!("==> {:.1} of {} minutes", spent().as_secs_f64() / 60.0, args.minutes);
    }
    if args.keep {
        targets.iter().try_for_each(|target| keep(&program, target))?;
    }
    println!("\nnothing found in {:.1} minutes of one processor", spent().as_secs_f64() / 60.0);
    Ok(())
}

fn build() -> Result<PathBuf> {
    let version = command::output(Command::new("rustc").arg("-vV").current_dir(command::root()))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::wrong("`rustc -vV` names no host"))?.to_owned();
    let mut cargo = command::cargo();
    cargo.env("RUSTFLAGS", FLAGS).args(["build", "--profile", "fuzz", "--target", &host, "--target-dir"]);
    cargo.arg(work()).args(["--package", "sealer-fuzz", "--features", "libfuzzer", "--bin", "sealer-fuzz"]);
    command::step("build", &mut cargo)?;
    Ok(work().join(host).join("fuzz/sealer-fuzz"))
}

/// The names of the targets: their folders of inputs.
fn names() -> Result<Vec<String>> {
    let dir = kept("");
    let entries = fs::read_dir(&dir).map_err(Failure::file(&dir))?.filter_map(std::result::Result::ok);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Feeds one target. What was found stands in `target/fuzz/found`, and makes the command fail.
fn feed(program: &Path, target: &str, seconds: u64) -> Result<()> {
    let (grown, found) = (work().join("corpus").join(target), work().join("found"));
    for dir in [&grown, &found] {
        fs::create_dir_all(dir).map_err(Failure::file(dir))?;
    }
    let mut fuzzer = fuzzer(program, target);
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-artifact_prefix={}/{target}-", found.display()));
    fuzzer.arg(&grown).arg(kept(target));
    command::step(target, &mut fuzzer)
}

/// Replaces the kept inputs by the smallest set that reaches as much as all that are there.
fn keep(program: &Path, target: &str) -> Result<()> {
    let (aside, kept) = (work().join("keep").join(target), kept(target));
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(Failure::file(&aside))?;
    }
    fs::create_dir_all(&aside).map_err(Failure::file(&aside))?;
    let mut merge = fuzzer(program, target);
    merge.arg("-set_cover_merge=1").arg(&aside).arg(&kept).arg(work().join("corpus").join(target));
    command::step("keep", &mut merge)?;
    fs::remove_dir_all(&kept).map_err(Failure::file(&kept))?;
    fs::create_dir_all(&kept).map_err(Failure::file(&kept))?;
    for entry in fs::read_dir(&aside).map_err(Failure::file(&aside))?.filter_map(std::result::Result::ok) {
        let to = kept.join(entry.file_name());
        fs::copy(entry.path(), &to).map_err(Failure::file(&to))?;
    }
    Ok(())
}

fn fuzzer(program: &Path, target: &str) -> Command {
    let mut fuzzer = Command::new(program);
    fuzzer.env("FUZZ_TARGET", target).arg(format!("-max_len={LONGEST}"));
    fuzzer.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
    fuzzer
}

/// Where the fuzzer is built, and what it makes.
fn work() -> PathBuf {
    command::root().join("target/fuzz")
}

/// Where inputs are kept.
fn kept(target: &str) -> PathBuf {
    command::root().join("testdata/fuzz").join(target)
}
