//! Building, moving and unpacking images, beside the tools that people have for it.
//!
//! Everything is done in a network namespace of its own, so that the bytes on its loopback are those
//! of the command that is measured, and of nobody else.

mod figures;
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
use super::{content, report};
use crate::command::{self, Failure, Result};
use crate::packages;
use crate::stage::Stage;
use figures::{Cost, Rows};
use registry::Registry;
use steps::{STEPS, Step, Tool, Way};
use table::Table;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// How much the large workloads hold: 1G
    #[arg(long, default_value = "1G", value_parser = super::size)]
    size: u64,
    /// How often each step is done; the medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the steps whose name holds this, and those that they need (can be repeated)
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Keep files, stores and figures for the next run with this: it goes on from them, and measures only
    /// what is asked for
    #[arg(long)]
    keep: bool,
    /// A file of 20 GiB too, nearly all of it holes: W5
    #[arg(long)]
    huge: bool,
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
    let stage = match args.keep {
        true => Stage::lasting(args.dir.join("sealer-bench-images"), &super::programs()?)?,
        false => Stage::set(&args.dir, "images", &super::programs()?)?,
    };
    let workloads = workload::make(stage.place(), args.size)?;
    println!("{workloads}");
    if args.huge {
        workload::huge(stage.place())?;
    }
    let registry = Registry::start(&stage)?;
    prepare(&stage)?;
    let kept = stage.place().join("figures.json");
    let mut rows = Rows::read(&kept)?;
    let chosen: Vec<&Step> = STEPS.iter().filter(|step| is_chosen(args, &rows, step)).collect();
    chosen.iter().for_each(|step| rows.forget(step.name));
    for round in 0..args.rounds {
        for step in &chosen {
            // All once; then sealer and whoever was the best beside it.
            let best = table::best(&rows, step.name).map(|row| row.name.clone());
            let ways = step.ways.iter().filter(|way| {
                way.tool == Tool::Sealer || (!args.alone && (round == 0 || best.as_deref() == Some(way.name)))
            });
            for way in ways {
                let cost = cost(&stage, &registry, way)?;
                println!("{}: {}: {cost}", step.name, way.name);
                rows.add(step.name, way, cost);
                rows.write(&kept)?;
            }
        }
    }
    let text = Table { size: args.size, workloads, rows: &rows }.to_string();
    println!("\n{text}");
    shell(&stage, &registry, "umount box/*/overlay 2> /dev/null || true; rm -rf trash", &mut command::run)?;
    drop(registry);
    stage.clear()?;
    if args.write { report::put("images", &text) } else { Ok(()) }
}

/// Whether a step is to be done: it is asked for, or another one of its workload is that needs it, and it was
/// never done.
fn is_chosen(args: &Images, rows: &Rows, step: &Step) -> bool {
    if step.workload() == "W5" && !args.huge {
        return false;
    }
    let is_asked =
        |step: &Step| args.only.is_empty() || args.only.iter().any(|text| step.name.contains(text.as_str()));
    let is_due = || !rows.0.iter().any(|row| row.step == step.name);
    let is_wanted = || STEPS.iter().any(|other| other.workload() == step.workload() && is_asked(other));
    is_asked(step) || (step.needed && is_due() && is_wanted())
}

/// Makes what the scripts and the tools want to be there.
fn prepare(stage: &Stage) -> Result<()> {
    let (boxes, docker) = (stage.place().join("box"), stage.dir().join("docker"));
    for folder in [&boxes, &docker] {
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    // buildah wants the file to be there.
    for (path, text) in
        [(docker.join("config.json"), "{}"), (stage.place().join("functions"), steps::FUNCTIONS)]
    {
        fs::write(&path, text).map_err(Failure::file(&path))?;
    }
    Ok(())
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
    shell(stage, registry, way.prepare, &mut command::run)?;
    let mut measured = None;
    shell(stage, registry, way.run, &mut |command| {
        measured = Some(measure(command, &["lo".to_owned()])?);
        Ok(())
    })?;
    let measured = measured.expect("the command was measured");
    let folder = stage.place().join("box").join(way.disk);
    let (taken, blobs) = match way.disk {
        "" => (0, 0),
        _ if folder.join("rootfs").exists() => (disk(&folder)?, 0),
        _ => (disk(&folder)?, blobs(&folder.join("images/blobs/sha256"))),
    };
    Ok(Cost::new(measured, taken, blobs))
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

/// The sizes of a layout's blobs together; nothing where there is none.
fn blobs(folder: &Path) -> u64 {
    let mut files = Vec::new();
    content::list(folder, &mut files);
    files.iter().map(|(_, size)| size).sum()
}
