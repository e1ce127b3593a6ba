//! `TAINT`: taints nodes as `data` says, a line `ADDRESSES TAINT` each, in kubectl's words.

use sealer_plugin_sdk::wire::{Description, Invocation, Need};
use serde_json::{Value, json};

use super::data::{Wish, by_host, wishes};
use super::label::{is_key, is_name};
use super::nodes;
use crate::phase::Phase;
use crate::plugin::{Error, Plugin, PluginHost, Verb};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) struct Taint;

/// What becomes of a node's taints.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// This one is there, in the place of one with the same key and effect.
    Add { key: String, value: String, effect: String },
    /// Those with the key are gone; with an effect, only those that have it too.
    Remove { key: String, effect: Option<String> },
}

impl Plugin for Taint {
    fn kind(&self) -> &'static str {
        "TAINT"
    }

    fn offers(&self, verb: Verb) -> bool {
        verb != Verb::Undo
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some("taints nodes: a line `ADDRESSES KEY[=VALUE]:EFFECT[-]` each".to_owned()),
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
            let changed = nodes::change(host, &known, &address, |node| patch(node, &changes))?;
            let what = if changed { "tainted" } else { "tainted already" };
            host.log(Some(&address), &format!("{what}: {}", shown(&changes)));
        }
        Ok(())
    }
}

fn shown(changes: &[Change]) -> String {
    let word = |change: &Change| match change {
        Change::Add { key, value, effect } if value.is_empty() => format!("{key}:{effect}"),
        Change::Add { key, value, effect } => format!("{key}={value}:{effect}"),
        Change::Remove { key, effect: Some(effect) } => format!("{key}:{effect}-"),
        Change::Remove { key, effect: None } => format!("{key}-"),
    };
    changes.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn read(invocation: &Invocation) -> Result<Vec<Wish<Change>>, Error> {
    wishes(invocation, "ADDRESSES KEY=VALUE:EFFECT", change)
}

/// `KEY=VALUE:EFFECT`, `KEY=:EFFECT`, `KEY:EFFECT`; with `-` at the end it is taken away, and `KEY-`
/// takes all of the key away.
fn change(word: &str) -> Result<Change, String> {
    let (text, removes) = word.strip_suffix('-').map_or((word, false), |text| (text, true));
    let (name, effect) = match text.rsplit_once(':') {
        Some((name, effect)) => (name, Some(effect)),
        None => (text, None),
    };
    let (key, value) = name.split_once('=').unwrap_or((name, ""));
    if !is_key(key) {
        return Err(format!("`{key}` is no key of a taint"));
    }
    if !value.is_empty() && !is_name(value) {
        return Err(format!("`{value}` is no value of a taint: up to 63 letters, digits, `-`, `_` and `.`"));
    }
    if let Some(effect) = effect.filter(|effect| !EFFECTS.contains(effect)) {
        return Err(format!("the effect `{effect}` is none of {}", EFFECTS.join(", ")));
    }
    let key = key.to_owned();
    match (effect.map(str::to_owned), removes) {
        (effect, true) => Ok(Change::Remove { key, effect }),
        (Some(effect), false) => Ok(Change::Add { key, value: value.to_owned(), effect }),
        (None, false) => {
            Err(format!("`{word}` is no taint: write KEY=VALUE:EFFECT, and `-` at its end to take it away"))
        }
    }
}

fn patch(node: &Value, changes: &[Change]) -> Option<Value> {
    let there = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let mut taints = there.clone();
    for change in changes {
        match change {
            Change::Remove { key, effect } => taints.retain(|taint| !is_of(taint, key, effect.as_deref())),
            Change::Add { key, value, effect } => {
                let mut taint = json!({ "key": key, "effect": effect });
                if !value.is_empty() {
                    taint["value"] = json!(value);
                }
                match taints.iter_mut().find(|taint| is_of(taint, key, Some(effect))) {
                    // The server adds when a taint that evicts was put: that one stays as it is.
                    Some(same) if same["value"].as_str().unwrap_or_default() == value => {}
                    Some(other) => *other = taint,
                    None => taints.push(taint),
                }
            }
        }
    }
    (taints != there).then(|| json!({ "spec": { "taints": taints } }))
}

fn is_of(taint: &Value, key: &str, effect: Option<&str>) -> bool {
    taint["key"] == key && effect.is_none_or(|effect| taint["effect"] == effect)
}
