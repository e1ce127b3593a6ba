//! The program: arguments, commands, rendering, exit codes.

mod cli;
mod commands;
mod failure;
mod given;
mod render;
mod sealed;
mod secret;
mod settings;
mod trust;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::failure::usage;
use crate::settings::Settings;

fn main() -> ExitCode {
    let words = settings::words();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return refused(error, &words),
    };
    let settings = match Settings::new(&cli.global) {
        Ok(settings) => settings,
        Err(failure) => return failure.report(),
    };
    match commands::dispatch(cli.command, &settings) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// Prints what was wrong with the arguments, or the help that they asked for.
fn refused(error: clap::Error, words: &[OsString]) -> ExitCode {
    match usage::of_words(error, words) {
        Ok(failure) => failure.report(),
        Err(help) => {
            // Where standard output is closed there is nobody to tell.
            let _ = help.print();
            ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(1))
        }
    }
}
