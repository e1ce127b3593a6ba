//! Building, moving and unpacking images, beside the tools that people have for it.
//!
//! Everything is done in a network namespace of its own, so that the bytes on its loopback are those
//! of the command that is measured, and of nobody else.

mod registry;
mod steps;
mod table;
mod workload;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::measure::measure;
use super::report;
use crate::command::{self, Failure, Result};
use crate::packages;
use crate::stage::Stage;
use registry::Registry;
use steps::{STEPS, Tool, Way};
use table::{Cost, Row, Table};

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// How much the large workloads hold: 1G
    #[arg(long, default_value = "1G", value_parser = super::size)]
    size: u64,
    /// How often each step is done; the medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the steps whose name holds this, and those that they need
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only sealer, without its peers
    #[arg(long)]
    alone: bool,
    /// Where files, stores and the registry are
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    dir: PathBuf,
    /// Put the table into docs/BENCHMARKS.md
    #[arg(long)]
    write: bool,
    /// In a network namespace of its own already
    #[arg(long, hide = true)]
    isolated: bool,
}

/// Runs the benchmark.
pub(super) fn run(args: &Images) -> Result<()> {
    packages::need_root()?;
    if !args.isolated {
        packages::ensure(&packages::IMAGE_PEERS)?;
        super::release()?;
        return isolate();
    }
    let stage = Stage::set(&args.dir, "images", &super::programs()?)?;
    let workloads = workload::make(stage.place(), args.size)?;
    println!("{workloads}");
    let registry = Registry::start(&stage)?;
    let box_dir = stage.place().join("box");
    fs::create_dir_all(&box_dir).map_err(Failure::file(&box_dir))?;
    let docker = stage.dir().join("docker");
    fs::create_dir_all(&docker).map_err(Failure::file(&docker))?;
    // buildah wants the file to be there.
    for (path, text) in
        [(docker.join("config.json"), "{}"), (stage.place().join("functions"), steps::FUNCTIONS)]
    {
        fs::write(&path, text).map_err(Failure::file(&path))?;
    }
    let mut rows: Vec<Row> = Vec::new();
    for round in 0..args.rounds {
        let chosen = STEPS.iter().filter(|step| {
            step.needed || args.only.as_ref().is_none_or(|text| step.name.contains(text.as_str()))
        });
        for step in chosen {
            // All once; then sealer and whoever was the best beside it.
            let best = table::best(&rows, step.name);
            let ways = step.ways.iter().filter(|way| {
                way.tool == Tool::Sealer || (!args.alone && (round == 0 || best == Some(way.name)))
            });
            for way in ways {
                let cost = cost(&stage, &registry, way)?;
                println!("{}: {}: {cost}", step.name, way.name);
                table::add(&mut rows, step.name, way, cost);
            }
        }
    }
    let text = Table { size: args.size, rounds: args.rounds, workloads, rows }.to_string();
    println!("\n{text}");
    shell(&stage, &registry, "umount box/*/overlay 2> /dev/null || true", &mut |command| {
        command::run(command)
    })?;
    drop(registry);
    stage.clear()?;
    if args.write { report::put("images", &text) } else { Ok(()) }
}

/// Goes on as the same command in a network namespace that holds nothing but a loopback.
fn isolate() -> Result<()> {
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask")))?;
    let script = r#"ip link set lo up && exec "$0" "$@""#;
    let mut command = Command::new("unshare");
    let given: Vec<OsString> = std::env::args_os().skip(1).collect();
    command.args(["--net", "--mount", "--", "sh", "-c", script]).arg(own).args(given).arg("--isolated");
    command::run(&mut command)
}

/// Does a step by one tool, and measures it.
fn cost(stage: &Stage, registry: &Registry, way: &Way) -> Result<Cost> {
    shell(stage, registry, way.prepare, &mut |command| command::run(command))?;
    let mut measured = None;
    shell(stage, registry, way.run, &mut |command| {
        measured = Some(measure(command, &["lo".to_owned()])?);
        Ok(())
    })?;
    let measured = measured.expect("the command was measured");
    let disk = match way.disk {
        "" => None,
        folder => Some(disk(&stage.place().join("box").join(folder))?),
    };
    Ok(Cost { measured, disk })
}

/// Runs a script in the folder that holds the workloads (`w1`, `w2`, `w3`) and all stores (`box`).
fn shell(
    stage: &Stage,
    registry: &Registry,
    script: &str,
    run: &mut dyn FnMut(&mut Command) -> Result<()>,
) -> Result<()> {
    let mut command = stage.command(Path::new("sh"));
    command
        .args(["-e", "-c", &format!(". ./functions\n{script}")])
        .env("REG", &registry.address)
        .env("STORAGE", &registry.storage)
        .stdout(std::process::Stdio::null());
    run(&mut command)
}

/// The bytes on disk of all files below a folder.
fn disk(folder: &Path) -> Result<u64> {
    let answer = command::output(Command::new("du").args(["-s", "-B1"]).arg(folder))?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let bytes = text.split_whitespace().next().and_then(|number| number.parse().ok());
    bytes.ok_or_else(|| Failure::wrong(format!("`du` says `{text}`")))
}
