//! `cargo xtask charts`: the images that charts and manifests name, beside those that Helm finds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{self, Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value;

use crate::command::{self, Failure, Result};
use crate::packages;

/// Renders charts with Helm's engine and walks over its YAML.
const ORACLE: &str = include_str!("charts/oracle.py");
/// Helm's engine, and what reads YAML, from Python's index of packages.
const WHEELS: [&str; 2] = ["helm-python-sdk==0.2.2", "pyyaml==6.0.3"];

/// What is compared.
#[derive(Debug, Args)]
pub(crate) struct ChartsArgs {
    /// Folders of charts or files of manifests, besides those of testdata
    paths: Vec<PathBuf>,
    /// Write what Helm finds beside the charts and manifests of testdata
    #[arg(long)]
    record: bool,
}

/// Compares; fails where Helm finds an image that we do not.
pub(crate) fn run(args: &ChartsArgs) -> Result<()> {
    packages::ensure(&packages::CHARTS)?;
    let python = python()?;
    let own = own()?;
    let given = args.paths.iter().map(|one| path::absolute(one).map_err(Failure::file(one)));
    let all: Vec<PathBuf> = own.iter().cloned().map(Ok).chain(given).collect::<Result<_>>()?;
    let oracle = command::root().join("target/charts/oracle.py");
    fs::write(&oracle, ORACLE).map_err(Failure::file(&oracle))?;
    let helm = answers(Command::new(&python).arg(&oracle).args(&all))?;
    let mut example = command::cargo();
    example.args(["run", "--quiet", "--package", "sealer-build", "--example", "charts", "--"]);
    let ours = answers(example.args(&all))?;
    if args.record {
        own.iter().try_for_each(|one| record(one, &helm))?;
    }
    let missing = all.iter().filter(|one| !compare(one, &helm, &ours)).count();
    println!("{} charts and manifests, {missing} with an image that is not found", all.len());
    if missing == 0 { Ok(()) } else { Err(Failure::wrong("images that Helm finds are missing")) }
}

/// An interpreter with Helm's engine.
fn python() -> Result<PathBuf> {
    let venv = command::root().join("target/charts/venv");
    let python = venv.join("bin/python");
    if !python.exists() {
        command::step("python", Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    command::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(WHEELS))?;
    Ok(python)
}

/// The charts and manifests of testdata.
fn own() -> Result<Vec<PathBuf>> {
    let mut own = Vec::new();
    for folder in ["charts", "manifests"] {
        let dir = command::root().join("testdata").join(folder);
        let entries = fs::read_dir(&dir).map_err(Failure::file(&dir))?.filter_map(std::result::Result::ok);
        let is_recorded = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "images");
        own.extend(entries.map(|entry| entry.path()).filter(|path| !is_recorded(path)));
    }
    own.sort();
    Ok(own)
}

/// A line of JSON for each path: its images, or what went wrong.
type Answers = BTreeMap<PathBuf, std::result::Result<BTreeSet<String>, String>>;

fn answers(command: &mut Command) -> Result<Answers> {
    let output = command::output(command)?;
    if !output.status.success() {
        return Err(Failure::Status { command: command::line(command), status: output.status });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let answer = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let path = PathBuf::from(line["chart"].as_str()?);
        let images = line["images"]
            .as_array()
            .map(|images| images.iter().filter_map(|image| Some(image.as_str()?.to_owned())).collect());
        let error = line["error"].as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        Some((path, images.ok_or(error)))
    };
    Ok(text.lines().filter_map(answer).collect())
}

/// Prints what differs, and tells whether every image that Helm finds is found.
fn compare(path: &Path, helm: &Answers, ours: &Answers) -> bool {
    let name = path.strip_prefix(command::root()).unwrap_or(path).display();
    match (helm.get(path), ours.get(path)) {
        (Some(Ok(helm)), Some(Ok(ours))) => {
            let missing: Vec<&String> = helm.difference(ours).collect();
            let more = ours.difference(helm).count();
            println!("{name}: {} images, {more} more by sealer", helm.len());
            missing.iter().for_each(|image| println!("  missing: {image}"));
            missing.is_empty()
        }
        (Some(Ok(_)), Some(Err(error))) => {
            println!("{name}: not rendered: {error}");
            false
        }
        (Some(Err(error)), Some(_)) => {
            println!("{name}: Helm does not render it: {error}");
            true
        }
        _ => {
            println!("{name}: no answer");
            false
        }
    }
}

fn record(path: &Path, helm: &Answers) -> Result<()> {
    let Some(Ok(images)) = helm.get(path) else { return Ok(()) };
    let beside = path.with_extension("images");
    let text: String = images.iter().map(|image| format!("{image}\n")).collect();
    fs::write(&beside, text).map_err(Failure::file(&beside))
}
