//! What a step is on a host, as a digest: one that changed is another step, and is done again.

use std::collections::BTreeMap;

use sealer_image::digest::sha256;
use sealer_plugin::{PluginSet, PluginSpec, Scope};
use serde_json::{Value, json};

use crate::cluster::{ClusterSpec, Env};
use crate::plan::{Action, Step};

/// What steps' digests follow from, besides the steps.
#[derive(Clone, Copy)]
pub(crate) struct Digests<'a> {
    /// The image's digest: scripts and plugins are told apart by it.
    pub(crate) image: &'a str,
    /// The cluster as the person said it. Addresses that are derived from the list of hosts are not
    /// in it: a host that joins makes no other step of what was done on those that are there.
    pub(crate) said: &'a ClusterSpec,
    pub(crate) plugins: &'a PluginSet,
}

impl Digests<'_> {
    /// Returns the digest of a step on a host.
    pub(crate) fn of(&self, step: &Step, host: &str) -> String {
        let action = match &step.action {
            // How much a host lacks is no part of what it is to have.
            Action::Distribute { .. } => Value::Null,
            Action::Plugin { spec, .. } => self.plugin(spec, &step.hosts),
            action => serde_json::to_value(action).expect("an action is plain data"),
        };
        let said = json!([self.image, step.id, action, self.env(host)]);
        sha256(said.to_string().as_bytes()).to_string()
    }

    /// Returns the hosts of a step on which it is not done. A plugin that is called once for all its
    /// hosts is done on all of them or on none.
    pub(crate) fn left(&self, step: &Step, is_done: &dyn Fn(&str) -> bool) -> Vec<String> {
        let left: Vec<String> = step.hosts.iter().filter(|host| !is_done(host)).cloned().collect();
        match &step.action {
            Action::Plugin { spec, .. } if !left.is_empty() && self.is_once(spec) => step.hosts.clone(),
            _ => left,
        }
    }

    /// What a plugin is told. One that is called once for all its hosts is told them too.
    fn plugin(&self, spec: &PluginSpec, hosts: &[String]) -> Value {
        let told = json!([spec.kind, spec.data, spec.timeout]);
        if self.is_once(spec) { json!([told, hosts]) } else { told }
    }

    /// Whether a plugin is called once, whatever the number of its hosts.
    fn is_once(&self, spec: &PluginSpec) -> bool {
        let described = self.plugins.find(&spec.kind).and_then(|plugin| plugin.describe().ok());
        described.is_none_or(|described| described.scope == Scope::Cluster)
    }

    fn env(&self, host: &str) -> Env {
        let of_host = self.said.hosts.iter().find(|spec| spec.name() == host);
        of_host.map_or_else(BTreeMap::new, |host| host.env.clone())
    }
}
