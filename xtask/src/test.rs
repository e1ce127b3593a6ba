//! `cargo xtask test`: all that has to be green.

use std::time::Instant;

use clap::Args;

use crate::command::{Result, cargo, step};
use crate::{lab, packages};

/// What is tested.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Also install a real Kubernetes on a master and a node; what it needs is compiled once, and kept
    #[arg(long)]
    lab: bool,
}

/// Runs every check; the first that fails ends it.
pub(crate) fn run(args: &TestArgs) -> Result<()> {
    let begun = Instant::now();
    packages::need_root()?;
    packages::ensure(&packages::PEERS)?;
    packages::ensure_components()?;
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    step("lints", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("tests", cargo().args(["test", "--workspace"]))?;
    step(
        "documentation",
        cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps"]),
    )?;
    if args.lab {
        lab::run(&lab::LabArgs::default())?;
    }
    println!("\nall green in {:.0?}", begun.elapsed());
    Ok(())
}
