//! `cargo xtask vectors`: names, patterns and words beside the field's reference answers.

use std::path::{self, PathBuf};

use clap::Args;

use crate::command::{self, Failure, Result};

/// What is compared with.
#[derive(Debug, Args)]
pub(crate) struct VectorsArgs {
    /// The folder of references.json, dockerignore-patterns.json and shell-words.json
    dir: PathBuf,
}

/// Answers all of them; fails where an answer differs that need not.
pub(crate) fn run(args: &VectorsArgs) -> Result<()> {
    let dir = path::absolute(&args.dir).map_err(Failure::file(&args.dir))?;
    command::run(
        command::cargo()
            .args(["run", "--quiet", "--package", "sealer-build", "--example", "vectors", "--"])
            .arg(dir),
    )
}
