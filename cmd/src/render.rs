//! The faces of the event stream, and what else is printed.

mod json;
mod lines;
mod log;
pub(crate) mod size;
pub(crate) mod table;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use sealer_stdx::task::Observe;
use serde::Serialize;

use crate::cli::{GlobalArgs, Output};
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
pub(crate) use log::Log;

/// Returns the observer that the arguments and the terminal call for.
pub(crate) fn observer(global: &GlobalArgs, plain: bool) -> Arc<dyn Observe> {
    match global.output {
        Output::Json => Arc::new(json::Json),
        Output::Text if global.quiet => Arc::new(lines::Lines::warnings_only()),
        Output::Text if io::stderr().is_terminal() && !plain => Arc::new(terminal::Terminal::new()),
        Output::Text => Arc::new(lines::Lines::all()),
    }
}

/// Prints the result of a command: `text` for people, `value` for programs.
pub(crate) fn result(settings: &Settings, text: &str, value: &impl Serialize) -> Result<ExitCode, Failure> {
    match settings.output {
        Output::Text => print(text)?,
        Output::Json => {
            let value = serde_json::to_value(value)
                .map_err(|error| Failure::internal("cannot write JSON").because(error))?;
            print(&serde_json::json!({ "event": "result", "result": value }).to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints data that a command was asked for: `text` for people, one JSON document for programs.
pub(crate) fn data(settings: &Settings, text: &str, value: &impl Serialize) -> Result<ExitCode, Failure> {
    match settings.output {
        Output::Text => print(text)?,
        Output::Json => {
            let text = serde_json::to_string_pretty(value)
                .map_err(|error| Failure::internal("cannot write JSON").because(error))?;
            print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes one line, or several, to standard output. A reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    let written = writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Kind::Failed, "cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}
