//! Functions of maps. They change the map that they are given, as sprig's do.

use std::collections::BTreeMap;

use super::{Given, Stop, arg, string};
use crate::chart::template::value::{Shared, Value};

pub(super) fn call(name: &str, args: &[Value]) -> Option<Given> {
    Some(match name {
        "dict" => Ok(dict(args)),
        "get" => map(args, 0).and_then(|map| {
            Ok(map.borrow().get(&string(args, 1)?).cloned().unwrap_or_else(|| Value::text("")))
        }),
        "set" => map(args, 0).and_then(|map| {
            map.borrow_mut().insert(string(args, 1)?, arg(args, 2)?.clone());
            Ok(args[0].clone())
        }),
        "unset" => map(args, 0).and_then(|map| {
            map.borrow_mut().remove(&string(args, 1)?);
            Ok(args[0].clone())
        }),
        "hasKey" => {
            map(args, 0).and_then(|map| Ok(Value::Bool(map.borrow().contains_key(&string(args, 1)?))))
        }
        "keys" => maps(args).map(|maps| {
            let keys = maps.iter().flat_map(|map| map.borrow().keys().map(Value::text).collect::<Vec<_>>());
            Value::list(keys.collect())
        }),
        "values" => map(args, 0).map(|map| Value::list(map.borrow().values().cloned().collect())),
        "pick" => picked(args, true),
        "omit" => picked(args, false),
        "pluck" => pluck(args),
        "dig" => dig(args),
        "merge" | "mustMerge" => merged(args, false),
        "mergeOverwrite" | "mustMergeOverwrite" => merged(args, true),
        "deepCopy" | "mustDeepCopy" => arg(args, 0).map(Value::deep),
        _ => return None,
    })
}

fn map(args: &[Value], index: usize) -> Result<Shared, Stop> {
    match arg(args, index)? {
        Value::Map(map) => Ok(map.clone()),
        other => Err(format!(
            "wrong type for value; expected map[string]interface {{}}; got {}",
            other.type_name()
        )
        .into()),
    }
}

fn maps(args: &[Value]) -> Result<Vec<Shared>, Stop> {
    (0..args.len()).map(|index| map(args, index)).collect()
}

fn dict(args: &[Value]) -> Value {
    let entry = |pair: &[Value]| (pair[0].shown(), pair.get(1).cloned().unwrap_or_else(|| Value::text("")));
    Value::map(args.chunks(2).map(entry).collect())
}

fn picked(args: &[Value], keep: bool) -> Given {
    let map = map(args, 0)?;
    let keys: Vec<String> = args[1..]
        .iter()
        .flat_map(|one| match one {
            Value::List(items) => items.iter().map(Value::shown).collect(),
            one => vec![one.shown()],
        })
        .collect();
    let kept = map
        .borrow()
        .iter()
        .filter(|(key, _)| keys.contains(key) == keep)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Ok(Value::map(kept))
}

fn pluck(args: &[Value]) -> Given {
    let key = string(args, 0)?;
    Ok(Value::list(args[1..].iter().filter_map(|map| map.get(&key)).collect()))
}

/// `dig "a" "b" default map`.
fn dig(args: &[Value]) -> Given {
    if args.len() < 3 {
        return Err("dig needs at least three arguments".into());
    }
    let (path, rest) = args.split_at(args.len() - 2);
    let mut value = rest[1].clone();
    for key in path {
        match value.get(&key.shown()) {
            Some(next) => value = next,
            None => return Ok(rest[0].clone()),
        }
    }
    Ok(value)
}

fn merged(args: &[Value], overwrite: bool) -> Given {
    let dest = map(args, 0)?;
    for index in 1..args.len() {
        if matches!(args[index], Value::Nil) {
            continue;
        }
        merge_into(&dest, &map(args, index)?, overwrite);
    }
    Ok(args[0].clone())
}

/// mergo's rules: what is empty counts as missing.
fn merge_into(dest: &Shared, source: &Shared, overwrite: bool) {
    if std::rc::Rc::ptr_eq(dest, source) {
        return;
    }
    let entries: BTreeMap<String, Value> = source.borrow().clone();
    for (key, value) in entries {
        let there = dest.borrow().get(&key).cloned();
        match (there, &value) {
            (Some(Value::Map(inner)), Value::Map(other)) => merge_into(&inner, other, overwrite),
            (Some(there), _) if there.is_true() && (!overwrite || !value.is_true()) => {}
            (Some(Value::Bool(_)), _) if !overwrite && !value.is_true() => {}
            _ => {
                dest.borrow_mut().insert(key, value.clone());
            }
        }
    }
}
