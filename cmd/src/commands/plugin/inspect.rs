//! `sealer plugin inspect`: what a plugin's file says of itself.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

use sealer_plugin::shared_object::{GO_REMEDY, Nature};
use sealer_plugin::{Description, PluginSet, Verb, executable, set, shared_object};
use sealer_stdx::fs::At;
use serde::Serialize;

use super::loader;
use crate::cli::PluginInspect;
use crate::failure::{Failure, Kind};
use crate::given;
use crate::render;
use crate::settings::Settings;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    #[serde(rename = "type")]
    kind: String,
    carrier: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    abi: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    verbs: Vec<Verb>,
    libraries: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
}

pub(super) fn run(args: &PluginInspect, settings: &Settings) -> Result<ExitCode, Failure> {
    let mut inspected = inspect(args)?;
    if args.describe {
        let mut plugins = PluginSet::built_in();
        let kind = plugins.add_file(&args.file, &loader(settings))?;
        let described = plugins.find(&kind).map(sealer_plugin::Plugin::describe).transpose();
        inspected.description = described.map_err(|error| {
            Failure::new(Kind::Plugin, format!("plugin `{kind}`, asked to describe itself, {error}"))
        })?;
    }
    render::data(settings, &text(&inspected), &inspected)
}

fn inspect(args: &PluginInspect) -> Result<Inspected, Failure> {
    given::there("FILE", &args.file)?;
    let bytes = fs::read(&args.file).at(&args.file)?;
    let refuse = |reason: &str| Failure::new(Kind::Input, format!("`{}` {reason}", args.file.display()));
    if !set::is_shared_object(&args.file) {
        let found = executable::inspect(&bytes).map_err(|reason| refuse(&reason))?;
        let found = found.ok_or_else(|| refuse("is no plugin: it has no line `sealer-plugin: TYPE`"))?;
        return Ok(Inspected {
            kind: found.kind,
            carrier: "executable",
            abi: None,
            architecture: found.architecture,
            verbs: found.verbs,
            libraries: Vec::new(),
            description: None,
        });
    }
    let object = shared_object::inspect(&bytes).map_err(|error| refuse(&error.reason))?;
    match object.nature {
        Nature::GoPlugin => Err(refuse(
            "is a plugin of Go's `-buildmode=plugin`, which only the program it was built with can load",
        )
        .hint(GO_REMEDY)),
        Nature::Other { reason } => Err(refuse(&format!("is no plugin: {reason}"))),
        Nature::Plugin { kind, abi, verbs } => Ok(Inspected {
            kind,
            carrier: "shared object",
            abi: Some(abi),
            architecture: Some(object.architecture),
            verbs,
            libraries: object.libraries,
            description: None,
        }),
    }
}

fn text(plugin: &Inspected) -> String {
    let mut text = String::new();
    let mut line = |title: &str, value: String| {
        let _ = writeln!(text, "{title:<13} {value}");
    };
    line("Type:", plugin.kind.clone());
    line("Carrier:", plugin.carrier.to_owned());
    if let Some(abi) = plugin.abi {
        line("ABI:", abi.to_string());
    }
    line("Machine:", plugin.architecture.clone().unwrap_or_else(|| "any".to_owned()));
    line("Verbs:", plugin.verbs.iter().map(|verb| verb.name()).collect::<Vec<_>>().join(", "));
    if !plugin.libraries.is_empty() {
        line("Needs:", plugin.libraries.join(", "));
    }
    if let Some(description) = &plugin.description {
        for (title, value) in described(description) {
            line(title, value);
        }
    }
    text
}

fn described(description: &Description) -> Vec<(&'static str, String)> {
    let words = |words: Vec<String>, none: &str| {
        if words.is_empty() { none.to_owned() } else { words.join(", ") }
    };
    let needs = description.needs.as_ref().map(|needs| {
        let names = needs.iter().map(|need| format!("{need:?}").to_lowercase()).collect();
        words(names, "nothing")
    });
    let idempotent = description.idempotent.map(|yes| if yes { "yes" } else { "no" }.to_owned());
    let values = [
        ("Version:", description.version.clone()),
        ("Summary:", description.summary.clone()),
        ("Phases:", Some(words(description.phases.clone(), "all"))),
        ("Scope:", Some(format!("{:?}", description.scope).to_lowercase())),
        ("Asks for:", needs),
        ("Idempotent:", idempotent),
        ("Timeout:", description.timeout_seconds.map(|seconds| format!("{seconds} s"))),
        ("Schema:", description.schema.as_ref().map(ToString::to_string)),
    ];
    values.into_iter().filter_map(|(title, value)| Some((title, value?))).collect()
}
