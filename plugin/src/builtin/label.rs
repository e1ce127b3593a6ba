//! `LABEL`: gives nodes the labels that `data` says, a line `ADDRESSES KEY=VALUE[,…]` each.

use serde_json::{Map, Value, json};

use super::on_nodes::Change;

/// The labels of one word of `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels(Vec<Label>);

/// One label; without a value it is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    key: String,
    value: Option<String>,
}

impl Change for Labels {
    const KIND: &'static str = "LABEL";
    const SUMMARY: &'static str = "labels nodes: a line `ADDRESSES KEY=VALUE[,KEY-]` each";
    const FORM: &'static str = "ADDRESSES KEY=VALUE[,KEY=VALUE]";
    const DONE: &'static str = "labelled";

    fn read(word: &str) -> Result<Self, String> {
        word.split(',').map(label).collect::<Result<_, _>>().map(Self)
    }

    fn shown(changes: &[Self]) -> String {
        let word = |label: &Label| match &label.value {
            Some(value) => format!("{}={value}", label.key),
            None => format!("{}-", label.key),
        };
        all(changes).map(word).collect::<Vec<_>>().join(",")
    }

    fn patch(node: &Value, changes: &[Self]) -> Option<Value> {
        let mut labels = Map::new();
        for label in all(changes) {
            let there = node["metadata"]["labels"][&label.key].as_str();
            if there != label.value.as_deref() {
                labels.insert(label.key.clone(), json!(label.value));
            }
        }
        (!labels.is_empty()).then(|| json!({ "metadata": { "labels": labels } }))
    }
}

fn all(changes: &[Labels]) -> impl Iterator<Item = &Label> {
    changes.iter().flat_map(|labels| &labels.0)
}

/// `KEY=VALUE`, or `KEY-`, which takes the label away.
fn label(word: &str) -> Result<Label, String> {
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
    Ok(Label { key: key.to_owned(), value: value.map(str::to_owned) })
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
