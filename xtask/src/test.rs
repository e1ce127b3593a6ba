//! `cargo xtask test`: all that has to be green.

use std::time::Instant;

use crate::command::{Result, cargo, step};
use crate::packages;

/// Runs every check; the first that fails ends it.
pub(crate) fn run() -> Result<()> {
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
    println!("\nall green in {:.0?}", begun.elapsed());
    Ok(())
}
