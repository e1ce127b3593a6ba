//! `sealer plugin run`: runs a plugin by hand.

use std::path::Path;
use std::process::ExitCode;

use sealer_plugin::spec::{self, OnFailure};
use sealer_plugin::{Phase, PluginSet, PluginSpec, phase};
use sealer_runtime::by_hand::{ByHand, Where, run_by_hand};
use sealer_runtime::cluster::{flags, hosts};
use serde::Serialize;

use super::super::cluster::{login, world};
use super::loader;
use crate::cli::PluginRun;
use crate::failure::{Failure, Kind, Mistake};
use crate::given;
use crate::render;
use crate::settings::Settings;

/// How many hosts are worked on at once.
const PARALLEL: usize = 50;

#[derive(Serialize)]
struct Done {
    steps: Vec<String>,
}

pub(super) fn run(args: &PluginRun, settings: &Settings) -> Result<ExitCode, Failure> {
    let phase = args.phase.as_deref().map(phase_of).transpose()?;
    let documents = documents(args, settings, phase)?;
    let defaults = login(&args.ssh, settings)?;
    let hosts = match (&args.cluster, &args.masters) {
        (Some(cluster), _) => Where::Cluster(cluster.clone(), Box::new(defaults)),
        (None, masters) => {
            let masters = hosts::parse("-m", masters.as_deref().unwrap_or_default())?;
            let nodes = args.nodes.as_ref().map(|text| hosts::parse("-n", text)).transpose()?;
            let image = "scratch".parse()?;
            let nodes = nodes.unwrap_or_default();
            Where::Hosts(Box::new(flags::of_flags("by-hand", image, &masters, &nodes, &defaults)?))
        }
    };
    let request = ByHand {
        hosts,
        file: args.file.clone(),
        documents,
        phase,
        parallel: PARALLEL,
        known_hosts: args.ssh.known_hosts.clone(),
    };
    let store = settings.store()?;
    let steps =
        world(settings, &store, &args.registry, |world| Ok(run_by_hand(settings.task(), request, world)?))?;
    render::result(settings, &format!("ran {}", steps.join(", ")), &Done { steps })
}

fn phase_of(word: &str) -> Result<Phase, Failure> {
    phase::parse(word).map(|(phase, _)| phase).map_err(|unknown| {
        Failure::new(Kind::Usage, format!("--phase: {unknown}"))
            .hint(format!("phases that take plugins: {}", Phase::names()))
    })
}

/// The YAML's documents; without one, a document that calls the file's plugin for every host.
fn documents(
    args: &PluginRun,
    settings: &Settings,
    phase: Option<Phase>,
) -> Result<Vec<PluginSpec>, Failure> {
    if let Some(yaml) = &args.yaml {
        let text = given::text("-f", yaml)?;
        let documents = spec::parse(&yaml.display().to_string(), &text).map_err(|errors| {
            let mistakes =
                errors.into_iter().map(|error| Mistake { message: error.to_string(), hint: error.hint });
            Failure::mistakes(Kind::Input, mistakes.collect())
        })?;
        if documents.is_empty() {
            let message = format!("`{}` has no document of `kind: Plugin`", yaml.display());
            return Err(Failure::new(Kind::Input, message));
        }
        return Ok(documents);
    }
    args.file.as_deref().map(|file| given::there("FILE", file)).transpose()?;
    let file = args.file.as_deref().unwrap_or(Path::new(""));
    let kind = PluginSet::built_in().add_file(file, &loader(settings))?;
    Ok(vec![PluginSpec {
        name: file.file_name().unwrap_or_default().display().to_string(),
        kind,
        phases: vec![phase.unwrap_or(Phase::PostInstall)],
        on: None,
        data: args.data.clone().unwrap_or_default(),
        order: 0,
        on_failure: OnFailure::Abort,
        timeout: None,
        file: file.display().to_string(),
        line: 1,
    }])
}
