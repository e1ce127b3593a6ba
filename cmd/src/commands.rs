//! One file a command: arguments, one call of a library, the result printed.

mod adopt;
mod apply;
mod build;
mod cert;
mod check;
mod cluster;
mod convert;
mod delete;
mod diff;
mod docs;
mod encrypt;
mod history;
mod host;
mod images;
mod inspect;
mod join;
mod key;
mod lint;
mod load;
mod login;
mod logout;
mod manifest;
mod merge;
mod mount;
mod plan;
mod plugin;
mod plugin_host;
mod prune;
mod pull;
mod push;
mod resume;
mod rmi;
mod run;
mod sandbox;
mod save;
mod sbom;
mod search;
mod sign;
mod status;
mod system;
mod tag;
mod upgrade;
mod verify;

use std::process::ExitCode;

use sealer_image::{Descriptor, Reference};
use serde::Serialize;

use crate::cli::Command;
use crate::failure::Failure;
use crate::render;
use crate::settings::Settings;

/// Runs the command that was typed.
pub(crate) fn dispatch(command: Command, settings: &Settings) -> Result<ExitCode, Failure> {
    match command {
        Command::Build(args) => build::run(&args, settings),
        Command::Images(_) => images::run(settings),
        Command::Inspect(args) => inspect::run(&args, settings),
        Command::Sign(args) => sign::run(&args, settings),
        Command::Key(command) => key::run(&command, settings),
        Command::Sbom(args) => sbom::run(&args, settings),
        Command::Verify(args) => verify::run(&args, settings),
        Command::Tag(args) => tag::run(&args, settings),
        Command::Rmi(args) => rmi::run(&args, settings),
        Command::History(args) => history::run(&args, settings),
        Command::Diff(args) => diff::run(&args, settings),
        Command::Merge(args) => merge::run(&args, settings),
        Command::Manifest(command) => manifest::run(&command, settings),
        Command::Mount(args) => mount::run(&args, settings),
        Command::Umount(args) => mount::umount(&args, settings),
        Command::Prune(args) => prune::run(&args, settings),
        Command::System(command) => system::run(&command, settings),
        Command::Search(args) => search::run(&args, settings),
        Command::Save(args) => save::run(&args, settings),
        Command::Load(args) => load::run(&args, settings),
        Command::Pull(args) => pull::run(&args, settings),
        Command::Push(args) => push::run(&args, settings),
        Command::Login(args) => login::run(&args, settings),
        Command::Logout(args) => logout::run(&args, settings),
        Command::Lint(args) => lint::run(&args, settings),
        Command::Convert(args) => convert::run(&args, settings),
        Command::Encrypt(args) => encrypt::run(&args, settings),
        Command::Check(args) => check::run(&args, settings),
        Command::Run(args) => run::run(&args, settings),
        Command::Apply(args) => apply::run(&args, settings),
        Command::Adopt(args) => adopt::run(&args, settings),
        Command::Plan(args) => plan::run(&args, settings),
        Command::Join(args) => join::run(&args, settings),
        Command::Resume(args) => resume::run(&args, settings),
        Command::Delete(args) => delete::run(&args, settings),
        Command::Upgrade(args) => upgrade::run(&args, settings),
        Command::Rollback(args) => upgrade::back(&args, settings),
        Command::Cert(args) => cert::run(&args, settings),
        Command::Status(args) => status::run(&args, settings),
        Command::Docs(command) => docs::run(&command),
        Command::Host(command) => host::run(&command, settings),
        Command::Plugin(command) => plugin::run(&command, settings),
        Command::Sandbox(command) => sandbox::run(&command, settings),
        Command::PluginHost { file, verb } => plugin_host::run(&file, verb.as_deref()),
    }
}

#[derive(Serialize)]
struct Moved {
    name: String,
    digest: String,
}

/// The result of a command that brought an image somewhere.
fn image_result(
    settings: &Settings,
    done: &str,
    image: &Reference,
    descriptor: &Descriptor,
) -> Result<ExitCode, Failure> {
    let (name, digest) = (image.familiar(), descriptor.digest().to_string());
    render::result(settings, &format!("{done} {name}: {digest}"), &Moved { name, digest })
}
