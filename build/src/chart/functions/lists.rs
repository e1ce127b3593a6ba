//! Functions of lists.

use super::{Given, arg, string};
use crate::chart::template::value::Value;

/// No chart has longer ones.
const LONGEST: usize = 100_000;

pub(super) fn call(name: &str, args: &[Value]) -> Option<Given> {
    Some(match name.strip_prefix("must").map(lower_first).as_deref().unwrap_or(name) {
        "list" | "tuple" => Ok(Value::list(args.to_vec())),
        "first" => of(args).map(|items| items.first().cloned().unwrap_or(Value::Nil)),
        "last" => of(args).map(|items| items.last().cloned().unwrap_or(Value::Nil)),
        "rest" => of(args).map(|items| Value::list(items.into_iter().skip(1).collect())),
        "initial" => of(args).map(|mut items| {
            items.pop();
            Value::list(items)
        }),
        "append" | "push" => changed(args, Vec::push),
        "prepend" => changed(args, |items, value| items.insert(0, value)),
        "concat" => Ok(Value::list(args.iter().flat_map(Value::items).collect())),
        "reverse" => of(args).map(|items| Value::list(items.into_iter().rev().collect())),
        "uniq" => of(args).map(|items| {
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                if !kept.contains(&item) {
                    kept.push(item);
                }
            }
            Value::list(kept)
        }),
        "without" => of(args)
            .map(|items| Value::list(items.into_iter().filter(|item| !args[1..].contains(item)).collect())),
        "has" => arg(args, 1).map(|list| Value::Bool(list.items().contains(&args[0]))),
        "compact" => of(args).map(|items| Value::list(items.into_iter().filter(Value::is_true).collect())),
        "slice" => slice(args),
        "chunk" => chunk(args),
        "sortAlpha" => of(args).map(|items| {
            let mut texts: Vec<String> = items.iter().map(Value::shown).collect();
            texts.sort();
            Value::list(texts.iter().map(Value::text).collect())
        }),
        "toStrings" => {
            of(args).map(|items| Value::list(items.iter().map(|one| Value::text(one.shown())).collect()))
        }
        "until" => arg(args, 0).and_then(|end| steps(0, end.integer(), 1)),
        "untilStep" => {
            arg(args, 2).and_then(|step| steps(args[0].integer(), args[1].integer(), step.integer()))
        }
        "seq" => seq(args),
        "all" => Ok(Value::Bool(args.iter().all(Value::is_true))),
        "any" => Ok(Value::Bool(args.iter().any(Value::is_true))),
        "empty" => arg(args, 0).map(|value| Value::Bool(!value.is_true())),
        "coalesce" => Ok(args.iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil)),
        "default" => default(args),
        "ternary" => arg(args, 2).map(|test| args[usize::from(!test.is_true())].clone()),
        "kindOf" => arg(args, 0).map(|value| Value::text(value.kind())),
        "kindIs" => string(args, 0).and_then(|kind| Ok(Value::Bool(kind_is(&kind, arg(args, 1)?)))),
        "typeOf" => arg(args, 0).map(|value| Value::text(value.type_name())),
        "typeIs" | "typeIsLike" => string(args, 0)
            .and_then(|name| Ok(Value::Bool(arg(args, 1)?.type_name() == name.trim_start_matches('*')))),
        "deepEqual" => arg(args, 1).map(|other| Value::Bool(args[0] == *other)),
        _ => return None,
    })
}

/// `mustFirst` is `first`.
fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn kind_is(kind: &str, value: &Value) -> bool {
    value.kind() == kind || (kind == "int" && value.kind() == "int64")
}

fn of(args: &[Value]) -> Result<Vec<Value>, super::Stop> {
    match arg(args, 0)? {
        Value::List(items) => Ok(items.to_vec()),
        Value::Nil => Ok(Vec::new()),
        value @ Value::Versions(_) => Ok(value.items()),
        other => Err(format!("Cannot find first on type {}", other.type_name()).into()),
    }
}

fn changed(args: &[Value], change: impl Fn(&mut Vec<Value>, Value)) -> Given {
    let mut items = of(args)?;
    change(&mut items, arg(args, 1)?.clone());
    Ok(Value::list(items))
}

fn slice(args: &[Value]) -> Given {
    let items = of(args)?;
    let place = |index: usize, other: usize| {
        args.get(index).map_or(other, |value| usize::try_from(value.integer()).unwrap_or(0)).min(items.len())
    };
    let (from, to) = (place(1, 0), place(2, items.len()));
    Ok(Value::list(items[from..to.max(from)].to_vec()))
}

fn chunk(args: &[Value]) -> Given {
    let size = usize::try_from(arg(args, 0)?.integer()).unwrap_or(0).max(1);
    Ok(Value::list(arg(args, 1)?.items().chunks(size).map(|one| Value::list(one.to_vec())).collect()))
}

fn steps(from: i64, to: i64, step: i64) -> Given {
    let mut items = Vec::new();
    let mut at = from;
    while step != 0 && ((step > 0 && at < to) || (step < 0 && at > to)) {
        if items.len() >= LONGEST {
            return Err("the list would be too long".into());
        }
        items.push(Value::Int(at));
        at += step;
    }
    Ok(Value::list(items))
}

fn seq(args: &[Value]) -> Given {
    let numbers: Vec<i64> = args.iter().map(Value::integer).collect();
    let (from, step, to) = match numbers[..] {
        [to] => (1, if to < 1 { -1 } else { 1 }, to),
        [from, to] => (from, if to < from { -1 } else { 1 }, to),
        [from, step, to] => (from, step, to),
        _ => return Ok(Value::text("")),
    };
    let items = steps(from, to + step.signum(), step)?.items();
    Ok(Value::text(items.iter().map(Value::shown).collect::<Vec<_>>().join(" ")))
}

fn default(args: &[Value]) -> Given {
    match args {
        [other] => Ok(other.clone()),
        [_, value] if value.is_true() => Ok(value.clone()),
        [other, _] => Ok(other.clone()),
        _ => Err("wrong number of args for default".into()),
    }
}
