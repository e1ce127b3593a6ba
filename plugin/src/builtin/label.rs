//! `LABEL`: gives nodes the labels that `data` says, a line `ADDRESSES KEY=VALUE[,…]` each.

use sealer_plugin_sdk::wire::{Description, Invocation, Need};
use serde_json::{Map, Value, json};

use super::data::{Wish, by_host, wishes};
use super::nodes;
use crate::phase::Phase;
use crate::plugin::{Error, Plugin, PluginHost, Verb};

pub(super) struct Label;

/// One label; without a value it is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    key: String,
    value: Option<String>,
}

impl Plugin for Label {
    fn kind(&self) -> &'static str {
        "LABEL"
    }

    fn offers(&self, verb: Verb) -> bool {
        verb != Verb::Undo
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some("labels nodes: a line `ADDRESSES KEY=VALUE[,KEY-]` each".to_owned()),
            phases: Phase::names_with_cluster(),
            needs: Some(vec![Need::Kube]),
            idempotent: Some(true),
            ..Description::default()
        })
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        read(invocation).map(|_| ())
    }

    fn plan(&self, invocation: &Invocation, _: &dyn PluginHost) -> Result<Vec<String>, Error> {
        let wanted = by_host(invocation, &read(invocation)?);
        Ok(wanted.iter().map(|(host, changes)| format!("{host}: {}", shown(changes))).collect())
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let wanted = by_host(invocation, &read(invocation)?);
        let known = nodes::list(host, "/api/v1/nodes")?;
        for (address, changes) in wanted {
            let changes: Vec<Change> = changes.into_iter().flatten().collect();
            let changed = nodes::change(host, &known, &address, |node| patch(node, &changes))?;
            let what = if changed { "labelled" } else { "labelled already" };
            host.log(Some(&address), &format!("{what}: {}", shown(&[changes])));
        }
        Ok(())
    }
}

fn shown(changes: &[Vec<Change>]) -> String {
    let word = |change: &Change| match &change.value {
        Some(value) => format!("{}={value}", change.key),
        None => format!("{}-", change.key),
    };
    changes.iter().flatten().map(word).collect::<Vec<_>>().join(",")
}

fn read(invocation: &Invocation) -> Result<Vec<Wish<Vec<Change>>>, Error> {
    wishes(invocation, "ADDRESSES KEY=VALUE[,KEY=VALUE]", |what| what.split(',').map(change).collect())
}

/// `KEY=VALUE`, or `KEY-`, which takes the label away.
fn change(word: &str) -> Result<Change, String> {
    let (key, value) = match (word.split_once('='), word.strip_suffix('-')) {
        (Some((key, value)), _) => (key, Some(value)),
        (None, Some(key)) => (key, None),
        (None, None) => return Err(format!("`{word}` is no label: write KEY=VALUE, or KEY- to remove it")),
    };
    if !is_key(key) {
        return Err(format!("`{key}` is no key of a label"));
    }
    if let Some(value) = value.filter(|value| !value.is_empty() && !is_name(value)) {
        return Err(format!("`{value}` is no value of a label: up to 63 letters, digits, `-`, `_` and `.`"));
    }
    Ok(Change { key: key.to_owned(), value: value.map(str::to_owned) })
}

/// A qualified name of Kubernetes: a name, before which a domain and a slash may stand.
pub(super) fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_name(key),
        Some((domain, name)) => {
            let is_domain = domain.split('.').all(|label| is_name(label) && label == label.to_lowercase());
            is_domain && domain.len() <= 253 && !domain.contains('_') && is_name(name)
        }
    }
}

/// Up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
pub(super) fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = [text.bytes().next(), text.bytes().last()];
    let ends_well = ends.into_iter().all(|byte| byte.is_some_and(|byte| byte.is_ascii_alphanumeric()));
    ends_well && text.len() <= 63 && text.bytes().all(is_inner)
}

fn patch(node: &Value, changes: &[Change]) -> Option<Value> {
    let mut labels = Map::new();
    for change in changes {
        let there = node["metadata"]["labels"][&change.key].as_str();
        if there != change.value.as_deref() {
            labels.insert(change.key.clone(), json!(change.value));
        }
    }
    (!labels.is_empty()).then(|| json!({ "metadata": { "labels": labels } }))
}
