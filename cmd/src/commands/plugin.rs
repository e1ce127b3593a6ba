//! `sealer plugin`: begins, checks, runs and shows plugins.

mod ask;
mod by_hand;
mod check;
mod inspect;
mod list;
mod new;

use std::process::ExitCode;
use std::time::Duration;

use sealer_plugin::set::Loader;

use crate::cli::PluginCommand;
use crate::failure::Failure;
use crate::settings::Settings;

/// How long one call may take where nobody says.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

pub(super) fn run(command: &PluginCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    match command {
        PluginCommand::New(args) => new::run(args, settings),
        PluginCommand::Check(args) => check::run(args, settings),
        PluginCommand::Run(args) => by_hand::run(args, settings),
        PluginCommand::List(args) => list::run(args, settings),
        PluginCommand::Inspect(args) => inspect::run(args, settings),
        PluginCommand::Ask(question) => ask::run(question, settings),
    }
}

fn loader(settings: &Settings) -> Loader {
    Loader { program: settings.program.clone(), timeout: TIMEOUT }
}
