//! `sealer lint`: reads files that people write, and says all that is wrong with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sealer_plugin::spec;
use sealer_runtime::cluster::clusterfile;
use sealer_runtime::cluster::flags::Defaults;
use serde::Serialize;

use crate::cli::LintArgs;
use crate::failure::{Failure, Kind, Mistake};
use crate::settings::Settings;
use crate::{given, render};

/// What a file is, by its name and its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Kubefile,
    Clusterfile,
    Plugin,
}

#[derive(Serialize)]
struct Linted {
    files: Vec<String>,
}

pub(super) fn run(args: &LintArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let files = match args.files.is_empty() {
        true => here(),
        false => args.files.clone(),
    };
    if files.is_empty() {
        return Err(Failure::new(Kind::Usage, "there is no Kubefile, Clusterfile or plugin here")
            .hint("name what to check: `sealer lint FILE...`"));
    }
    let mut mistakes = Vec::new();
    for file in &files {
        mistakes.extend(lint(file)?);
    }
    if !mistakes.is_empty() {
        return Err(Failure::mistakes(Kind::Input, mistakes));
    }
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let text = format!("nothing is wrong with {}", files.join(", "));
    render::result(settings, &text, &Linted { files })
}

/// The files in this folder that are read by name, and the YAML in the folders of plugins.
fn here() -> Vec<PathBuf> {
    let named = ["Kubefile", "Clusterfile"].map(PathBuf::from);
    let folders = ["plugin", "plugins"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"))
        .collect();
    files.sort();
    named.into_iter().filter(|file| file.is_file()).chain(files).collect()
}

fn lint(file: &Path) -> Result<Vec<Mistake>, Failure> {
    let text = given::text("FILE", file)?;
    let name = file.display().to_string();
    Ok(match what(file, &text) {
        What::Kubefile => kubefile(&name, &text),
        What::Clusterfile => clusterfile(&name, &text),
        What::Plugin => plugin(&name, &text),
    })
}

fn what(file: &Path, text: &str) -> What {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    let has_kind = |kind: &str| text.lines().any(|line| line.trim_end() == format!("kind: {kind}"));
    match (name.contains("Clusterfile") || has_kind("Cluster"), is_yaml || has_kind("Plugin")) {
        (true, _) => What::Clusterfile,
        (false, true) => What::Plugin,
        (false, false) => What::Kubefile,
    }
}

fn kubefile(name: &str, text: &str) -> Vec<Mistake> {
    let errors = sealer_build::kubefile::parse(text).err().unwrap_or_default();
    let place = |error: &sealer_build::KubefileError| match error.span {
        Some(span) => format!("{name}:{}:{}", span.line, span.column),
        None => name.to_owned(),
    };
    let told = errors
        .into_iter()
        .map(|error| Mistake { message: format!("{}: {}", place(&error), error.message), hint: error.hint });
    told.collect()
}

fn clusterfile(name: &str, text: &str) -> Vec<Mistake> {
    // Nothing is got: a command that a reference names is not run.
    let defaults = Defaults { secrets: Some(|_| Ok(String::new().into())), ..Defaults::default() };
    let errors = clusterfile::parse(name, text, &defaults).err().unwrap_or_default();
    errors.into_iter().map(|error| Mistake { message: error.to_string(), hint: error.hint }).collect()
}

fn plugin(name: &str, text: &str) -> Vec<Mistake> {
    let told = match spec::parse(name, text) {
        Ok(specs) if specs.is_empty() => {
            return vec![Mistake {
                message: format!("{name}: it holds no document of `kind: Plugin`"),
                hint: Some("docs/reference/plugins.md shows one".to_owned()),
            }];
        }
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    };
    told.into_iter().map(|error| Mistake { message: error.to_string(), hint: error.hint }).collect()
}
