//! `kind: Plugin`: what a plugin's YAML says.

use serde::{Deserialize, Serialize};

use crate::phase::Phase;

/// One `kind: Plugin` document, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginSpec {
    /// `metadata.name`.
    pub name: String,
    /// `spec.type`: which plugin runs.
    pub kind: String,
    /// `spec.action`: when it runs, in the order of a run.
    pub phases: Vec<Phase>,
    /// `spec.on`: where. `None` is every host.
    pub on: Option<Selector>,
    /// `spec.data`: what it is told. Its meaning is the plugin's.
    pub data: String,
    /// The file it was read from, for messages: `plugin/list_nodes.yaml`.
    pub file: String,
    /// The line that `kind: Plugin`'s document begins at, counted from 1.
    pub line: usize,
}

/// The hosts that a plugin is for: `spec.on`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Every host with one of these roles: `master`, `node`, or one of the cluster's own.
    Roles(Vec<String>),
    /// `master0`: the first master.
    FirstMaster,
    /// These addresses: ranges (`10.0.0.2-10.0.0.4`) are spelled out.
    Addresses(Vec<String>),
    /// Kubernetes nodes with these labels: `key=value`, `key=`. Needs a cluster.
    Labels(String),
}

/// What is wrong with a plugin's YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct SpecError {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, as a phrase.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Reads all `kind: Plugin` documents of a YAML file; documents of other kinds are passed over.
///
/// # Errors
/// Everything that is wrong in the file: an unknown field, a phase that does not exist or takes no
/// plugins, a selector that cannot be read.
pub fn parse(file: &str, text: &str) -> Result<Vec<PluginSpec>, Vec<SpecError>> {
    let _ = (file, text);
    unimplemented!("spec::parse")
}
