//! `CLUSTERCHECK`: waits until the hosts are ready nodes and all that runs in `kube-system` is ready.

use std::thread;
use std::time::{Duration, Instant};

use sealer_plugin_sdk::wire::{Description, Invocation, Need};
use serde_json::Value;

use super::nodes;
use crate::phase::Phase;
use crate::plugin::{Error, Plugin, PluginHost, Verb};

/// How long is waited where the YAML has no `timeout`, as in the original.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long is waited between two looks.
const BETWEEN: Duration = Duration::from_secs(2);
/// So many of the things that are not ready are named in the error.
const NAMED: usize = 5;

pub(super) struct ClusterCheck;

impl Plugin for ClusterCheck {
    fn kind(&self) -> &'static str {
        "CLUSTERCHECK"
    }

    fn offers(&self, verb: Verb) -> bool {
        verb != Verb::Undo
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some("waits until nodes and the pods of kube-system are ready".to_owned()),
            phases: Phase::names_with_cluster(),
            needs: Some(vec![Need::Kube]),
            idempotent: Some(true),
            timeout_seconds: Some(PATIENCE.as_secs()),
            ..Description::default()
        })
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        if invocation.data.trim().is_empty() {
            return Ok(());
        }
        Err(Error::Returned {
            message: "CLUSTERCHECK takes no data; `timeout` says how long it may wait".into(),
        })
    }

    fn plan(&self, invocation: &Invocation, _: &dyn PluginHost) -> Result<Vec<String>, Error> {
        let seconds = patience(invocation).as_secs();
        Ok(vec![format!("wait up to {seconds} seconds until nodes and the pods of kube-system are ready")])
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        self.validate(invocation)?;
        let patience = patience(invocation);
        let end = Instant::now() + patience;
        let mut shown = Vec::new();
        loop {
            // A server that is just starting refuses: that is one more thing to wait for.
            let missing = look(invocation, host).unwrap_or_else(|error| vec![error.to_string()]);
            if missing.is_empty() {
                return Ok(());
            }
            if host.is_cancelled() {
                return Err(Error::Returned { message: "a stop was asked for".to_owned() });
            }
            if Instant::now() >= end {
                let message = format!("not ready after {} seconds: {}", patience.as_secs(), named(&missing));
                return Err(Error::Returned { message });
            }
            if missing != shown {
                host.log(None, &format!("not ready yet: {}", named(&missing)));
                shown = missing;
            }
            thread::sleep(BETWEEN.min(end.saturating_duration_since(Instant::now())));
        }
    }
}

fn patience(invocation: &Invocation) -> Duration {
    invocation.timeout_seconds.map_or(PATIENCE, Duration::from_secs)
}

fn named(missing: &[String]) -> String {
    let mut text = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if missing.len() > NAMED {
        text.push_str(&format!("; and {} more", missing.len() - NAMED));
    }
    text
}

/// Returns what is not ready, a phrase each.
fn look(invocation: &Invocation, host: &dyn PluginHost) -> Result<Vec<String>, Error> {
    let known = nodes::list(host, "/api/v1/nodes")?;
    let mut missing = Vec::new();
    for address in &invocation.hosts {
        match nodes::find(&known, address) {
            None => missing.push(format!("{address} is no node")),
            Some(node) => missing.extend(unready(node).map(|why| format!("node {}{why}", nodes::name(node)))),
        }
    }
    for pod in nodes::list(host, "/api/v1/namespaces/kube-system/pods")? {
        // A job's pod that has done its work never gets ready again.
        if pod["status"]["phase"] != "Succeeded" {
            missing.extend(unready(&pod).map(|why| format!("pod {}{why}", nodes::name(&pod))));
        }
    }
    Ok(missing)
}

/// Returns why a node or pod is not ready, as far as it says so.
fn unready(object: &Value) -> Option<String> {
    let status = &object["status"];
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let ready = conditions.find(|condition| condition["type"] == "Ready");
    if ready.is_some_and(|condition| condition["status"] == "True") {
        return None;
    }
    let mut containers = status["containerStatuses"].as_array().into_iter().flatten();
    let waiting = containers.find_map(|container| container["state"]["waiting"]["reason"].as_str());
    let reason = waiting.or_else(|| ready.and_then(|condition| condition["reason"].as_str()));
    Some(reason.map_or_else(String::new, |reason| format!(": {reason}")))
}
