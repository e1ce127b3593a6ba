//! `sealer plugin-host`: the child process that loads one plugin. Started by sealer itself.

use std::path::Path;
use std::process::ExitCode;

use crate::failure::{Failure, Kind};

pub(super) fn run(file: &Path, verb: Option<&str>) -> Result<ExitCode, Failure> {
    let code = sealer_plugin::child::serve(file, verb).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot serve the plugin `{}`", file.display()))
            .because(error)
            .hint("sealer itself starts this command; `sealer run` is what you want")
    })?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
