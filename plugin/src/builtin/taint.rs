//! `TAINT`: taints nodes as `data` says, a line `ADDRESSES TAINT` each, in kubectl's words.

use serde_json::{Value, json};

use super::label::{is_key, is_name};
use super::on_nodes::Change;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// What becomes of a node's taints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taint {
    /// This one is there, in the place of one with the same key and effect.
    Add { key: String, value: String, effect: String },
    /// Those with the key are gone; with an effect, only those that have it too.
    Remove { key: String, effect: Option<String> },
}

impl Change for Taint {
    const KIND: &'static str = "TAINT";
    const SUMMARY: &'static str = "taints nodes: a line `ADDRESSES KEY[=VALUE]:EFFECT[-]` each";
    const FORM: &'static str = "ADDRESSES KEY=VALUE:EFFECT";
    const DONE: &'static str = "tainted";

    fn read(word: &str) -> Result<Self, String> {
        taint(word)
    }

    fn shown(changes: &[Self]) -> String {
        let word = |change: &Self| match change {
            Self::Add { key, value, effect } if value.is_empty() => format!("{key}:{effect}"),
            Self::Add { key, value, effect } => format!("{key}={value}:{effect}"),
            Self::Remove { key, effect: Some(effect) } => format!("{key}:{effect}-"),
            Self::Remove { key, effect: None } => format!("{key}-"),
        };
        changes.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn patch(node: &Value, changes: &[Self]) -> Option<Value> {
        let there = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let mut taints = there.clone();
        for change in changes {
            match change {
                Self::Remove { key, effect } => taints.retain(|taint| !is_of(taint, key, effect.as_deref())),
                Self::Add { key, value, effect } => {
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
}

/// `KEY=VALUE:EFFECT`, `KEY=:EFFECT`, `KEY:EFFECT`; with `-` at the end it is taken away, and `KEY-`
/// takes all of the key away.
fn taint(word: &str) -> Result<Taint, String> {
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
        (effect, true) => Ok(Taint::Remove { key, effect }),
        (Some(effect), false) => Ok(Taint::Add { key, value: value.to_owned(), effect }),
        (None, false) => {
            Err(format!("`{word}` is no taint: write KEY=VALUE:EFFECT, and `-` at its end to take it away"))
        }
    }
}

fn is_of(taint: &Value, key: &str, effect: Option<&str>) -> bool {
    taint["key"] == key && effect.is_none_or(|effect| taint["effect"] == effect)
}
