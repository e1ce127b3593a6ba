//! `sealer plugin new`: begins a plugin.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sealer_plugin::template::{Language, NewPlugin, default_kind};
use serde::Serialize;

use crate::cli::{PluginLanguage, PluginNew};
use crate::failure::{Failure, Kind};
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
struct Begun {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &PluginNew, settings: &Settings) -> Result<ExitCode, Failure> {
    let language = match args.lang {
        PluginLanguage::Rust => Language::Rust,
        PluginLanguage::C => Language::C,
        PluginLanguage::Go => Language::Go,
        PluginLanguage::Sh => Language::Sh,
    };
    let kind = args.kind.clone().unwrap_or_else(|| default_kind(&args.name));
    let plugin = NewPlugin { name: args.name.clone(), kind, language };
    let files =
        plugin.write(Path::new(&args.name)).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    let text = format!("began {0} (type {1}): {0}/README.md says how to go on", plugin.name, plugin.kind);
    render::result(settings, &text, &Begun { name: plugin.name, kind: plugin.kind, files })
}
