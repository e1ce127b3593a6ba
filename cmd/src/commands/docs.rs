//! `sealer docs`: completions and manual pages, from the arguments' own description; JSON Schemas.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use sealer_stdx::fs::{At, write_atomic};

use crate::cli::{Cli, DocsCommand, SchemaName};
use crate::failure::Failure;
use crate::render;

/// The schemas, as docs/reference publishes them.
const CLUSTERFILE: &str = include_str!("../../../docs/reference/schema/clusterfile.json");
const PLUGIN: &str = include_str!("../../../docs/reference/schema/plugin.json");

pub(super) fn run(command: &DocsCommand) -> Result<ExitCode, Failure> {
    match command {
        DocsCommand::Completion { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "sealer", &mut text);
            render::print(&String::from_utf8_lossy(&text))?;
        }
        DocsCommand::Schema { of } => render::print(match of {
            SchemaName::Clusterfile => CLUSTERFILE,
            SchemaName::Plugin => PLUGIN,
        })?,
        DocsCommand::Man { dir } => {
            fs::create_dir_all(dir).at(dir)?;
            let mut program = Cli::command();
            program.build();
            pages(&program, "sealer", dir)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of a command and those of the commands below it.
fn pages(command: &clap::Command, name: &str, dir: &Path) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name)
        .render(&mut text)
        .map_err(|error| Failure::internal("cannot write a manual page").because(error))?;
    write_atomic(&dir.join(format!("{name}.1")), &text, 0o644)?;
    let below =
        command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    for command in below {
        pages(command, &format!("{name}-{}", command.get_name()), dir)?;
    }
    Ok(())
}
