//! `cargo xtask bench`: what we claim to be fast, measured beside what people do without us.

mod content;
mod distribute;
mod images;
mod kubernetes;
mod measure;
mod plugins;
mod report;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::command::{self, Failure, Result};

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchTask {
    /// `sealer run` beside scp, tar over ssh, rsync and the original's way, over the same links
    Distribute(distribute::Distribute),
    /// Copying as the original did, which is measured
    #[command(hide = true)]
    Original(distribute::Original),
    /// Building, moving and unpacking images beside buildah, skopeo and umoci, on the same files
    Images(images::Images),
    /// `sealer run` of a Kubernetes beside the same steps by hand
    Kubernetes(kubernetes::Kubernetes),
    /// What it costs to call a plugin, by what it is written in
    Plugins(plugins::Plugins),
}

/// Runs a benchmark.
pub(crate) fn run(task: &BenchTask) -> Result<()> {
    match task {
        BenchTask::Distribute(args) => distribute::run(args),
        BenchTask::Original(args) => distribute::copy(args),
        BenchTask::Images(args) => images::run(args),
        BenchTask::Kubernetes(args) => kubernetes::run(args),
        BenchTask::Plugins(args) => plugins::run(args),
    }
}

/// Builds the program as users have it.
fn release() -> Result<()> {
    command::step("build", command::cargo().args(["build", "--release", "--package", "sealer"]))
}

/// The folder of the release's programs, beside that of ours.
fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(Failure::file(Path::new("xtask")))?;
    let folder = own.parent().and_then(Path::parent).map(|folder| folder.join("release"));
    folder.ok_or_else(|| Failure::wrong("xtask stands in no folder"))
}

fn size(text: &str) -> std::result::Result<u64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let size = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    size.ok_or_else(|| format!("`{text}` is no size: 500M is"))
}
