//! The program: arguments, commands, rendering, exit codes.

mod cli;
mod commands;
mod failure;
mod render;
mod secret;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::settings::Settings;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = match Settings::new(&cli.global) {
        Ok(settings) => settings,
        Err(failure) => return failure.report(),
    };
    match commands::dispatch(cli.command, &settings) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
