//! `sealer plugin list`: the plugins that sealer, an image or a cluster has.

use std::process::ExitCode;

use sealer_image::Reference;
use sealer_plugin::PluginSpec;
use sealer_runtime::by_hand::{Listed, plugins_of_cluster, plugins_of_image};
use serde::Serialize;

use super::super::cluster::world;
use crate::cli::{PluginList, RegistryArgs};
use crate::failure::{Failure, Kind};
use crate::render::{self, table::table};
use crate::settings::Settings;

#[derive(Serialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    documents: Vec<PluginSpec>,
}

pub(super) fn run(args: &PluginList, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let listed = world(settings, &store, &RegistryArgs::default(), |world| {
        let Some(subject) = &args.subject else { return Ok(Listed::built_in()) };
        if let Some(listed) = plugins_of_cluster(settings.task(), world, subject)? {
            return Ok(listed);
        }
        let reference: Reference = subject.parse().map_err(|error: sealer_image::Error| {
            Failure::new(Kind::Usage, format!("there is no cluster `{subject}`")).because(error)
        })?;
        Ok(plugins_of_image(settings.task(), world, &reference)?)
    })?;
    let rows: Vec<Row> = listed
        .plugins
        .iter()
        .map(|(plugin, file)| Row {
            kind: plugin.kind().to_owned(),
            file: file.to_owned(),
            // A plugin that cannot even say this is the matter of `plugin check`.
            summary: plugin.describe().ok().and_then(|described| described.summary),
            documents: listed
                .documents
                .iter()
                .filter(|document| document.kind == plugin.kind())
                .cloned()
                .collect(),
        })
        .collect();
    render::data(settings, &text(&rows), &rows)
}

fn text(rows: &[Row]) -> String {
    let cells = rows.iter().flat_map(|row| {
        let summary = row.summary.clone().unwrap_or_default();
        let blank =
            || vec![row.kind.clone(), row.file.clone(), String::new(), String::new(), summary.clone()];
        if row.documents.is_empty() {
            return vec![blank()];
        }
        let documents = row.documents.iter().map(|document| {
            let phases: Vec<String> = document.phases.iter().map(ToString::to_string).collect();
            vec![row.kind.clone(), row.file.clone(), document.name.clone(), phases.join("|"), summary.clone()]
        });
        documents.collect()
    });
    table(&["TYPE", "FROM", "NAME", "PHASES", "SUMMARY"], cells.collect())
}
