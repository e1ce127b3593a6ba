//! The values of a chart and of the charts within it, put together by Helm's rules
//! (`chartutil.CoalesceValues`, `ProcessDependencies`).

use std::collections::BTreeMap;

use super::load::{Chart, mapping};
use super::template::Failure;
use super::template::value::{Shared, Value};

/// Reads a file of values.
pub(super) fn parse(file: &str, text: &str) -> Result<Value, Failure> {
    mapping(file, text)
}

/// The values that a chart is rendered with: its own under the given ones, those of the charts
/// within it under what it says for them.
pub(super) fn prepare(chart: &Chart, given: &Value) -> Result<Value, Failure> {
    let values = given.deep();
    if let Value::Map(map) = &values {
        under(map, &chart.defaults());
        let inner: Vec<Chart> = enabled(chart, &values);
        import(chart, &inner, map);
        for inner in inner {
            coalesce(map, &inner)?;
        }
        without_nothing(map);
    }
    Ok(values)
}

fn coalesce(parent: &Shared, chart: &Chart) -> Result<(), Failure> {
    let own = match parent.borrow().get(chart.name()) {
        Some(Value::Map(own)) => own.clone(),
        _ => Shared::default(),
    };
    let global = match parent.borrow().get("global") {
        Some(global @ Value::Map(_)) => global.deep(),
        _ => Value::of([]),
    };
    // What the chart above says of everybody goes before what is said of this one.
    let mut mine = BTreeMap::new();
    mine.insert("global".to_owned(), global);
    let mine = Value::map(mine);
    if let (Value::Map(all), Some(Value::Map(inner))) = (&mine, own.borrow().get("global")) {
        let Some(Value::Map(all)) = all.borrow().get("global").cloned() else { return Ok(()) };
        under(&all, &Value::Map(inner.clone()));
    }
    let global = mine.get("global").unwrap_or(Value::Nil);
    own.borrow_mut().insert("global".to_owned(), global);
    let defaults = chart.defaults();
    under(&own, &defaults);
    let values = Value::Map(own.clone());
    let inner = enabled(chart, &values);
    import(chart, &inner, &own);
    for inner in inner {
        coalesce(&own, &inner)?;
    }
    parent.borrow_mut().insert(chart.name().to_owned(), values);
    Ok(())
}

/// Puts `lower` under what `upper` has. A key that `upper` has as nothing stays nothing.
fn under(upper: &Shared, lower: &Value) {
    let Value::Map(lower) = lower else { return };
    for (key, value) in lower.borrow().iter() {
        let there = upper.borrow().get(key).cloned();
        match (there, value) {
            (None, value) => {
                upper.borrow_mut().insert(key.clone(), value.deep());
            }
            (Some(Value::Map(inner)), Value::Map(_)) => under(&inner, value),
            _ => {}
        }
    }
}

/// A key that is set to nothing takes the default away.
fn without_nothing(map: &Shared) {
    map.borrow_mut().retain(|_, value| !matches!(value, Value::Nil));
    for value in map.borrow().values() {
        if let Value::Map(inner) = value {
            without_nothing(inner);
        }
    }
}

/// The charts within a chart that its dependencies' conditions and tags let in, by their aliases.
pub(super) fn enabled(chart: &Chart, values: &Value) -> Vec<Chart> {
    let dependencies = chart.dependencies();
    let text =
        |dependency: &Value, key: &str| dependency.get(key).filter(Value::is_true).map(|value| value.shown());
    let mut enabled = Vec::new();
    for inner in &chart.inner {
        let mut named = false;
        for dependency in &dependencies {
            if text(dependency, "name") != Some(inner.own_name()) || !fits(dependency, inner) {
                continue;
            }
            named = true;
            if is_enabled(dependency, values) {
                let name = text(dependency, "alias").unwrap_or_else(|| inner.own_name());
                enabled.push(inner.named(name));
            }
        }
        if !named {
            enabled.push(inner.named(inner.own_name()));
        }
    }
    enabled
}

/// Of one chart in several versions, a dependency means the one that its version lets in.
fn fits(dependency: &Value, chart: &Chart) -> bool {
    let Some(wanted) = dependency.get("version").filter(Value::is_true) else { return true };
    super::functions::fits(&wanted.shown(), &chart.version())
}

fn is_enabled(dependency: &Value, values: &Value) -> bool {
    let condition = dependency.get("condition").map(|condition| condition.shown()).unwrap_or_default();
    for path in condition.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        if let Some(Value::Bool(value)) = at(values, path) {
            return value;
        }
    }
    let tags = dependency.get("tags").map(|tags| tags.items()).unwrap_or_default();
    let set = |tag: &Value| match at(values, &format!("tags.{}", tag.shown())) {
        Some(Value::Bool(value)) => Some(value),
        _ => None,
    };
    let found: Vec<bool> = tags.iter().filter_map(set).collect();
    found.is_empty() || found.contains(&true)
}

fn at(values: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(values.clone(), |value, key| value.get(key))
}

/// `import-values`: what a chart within passes up.
fn import(chart: &Chart, inner: &[Chart], values: &Shared) {
    for dependency in chart.dependencies() {
        let name = ["alias", "name"].iter().find_map(|key| dependency.get(key)).map(|name| name.shown());
        let Some(inner) = inner.iter().find(|inner| Some(inner.name()) == name.as_deref()) else { continue };
        let given = values.borrow().get(inner.name()).cloned().unwrap_or_else(|| Value::of([])).deep();
        if let Value::Map(map) = &given {
            under(map, &inner.defaults());
        }
        for import in dependency.get("import-values").map(|all| all.items()).unwrap_or_default() {
            let (child, parent) = match &import {
                Value::Map(_) => (
                    import.get("child").map(|path| path.shown()).unwrap_or_default(),
                    import.get("parent").map(|path| path.shown()).unwrap_or_default(),
                ),
                name => (format!("exports.{}", name.shown()), ".".to_owned()),
            };
            let Some(found) = at(&given, &child) else { continue };
            let wrapped = parent.split('.').rev().filter(|part| !part.is_empty());
            let wrapped = wrapped.fold(found, |value, key| Value::of([(key, value)]));
            under(values, &wrapped);
        }
    }
}
