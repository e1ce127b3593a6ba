//! The functions of templates: Go's own, Helm's, and sprig's.

mod dicts;
mod encoding;
mod lists;
mod numbers;
mod text;
mod version;

use std::cmp::Ordering;

use super::template::Run;
use super::template::exec::Stop;
use super::template::print;
use super::template::value::Value;

/// What a function gives.
type Given = Result<Value, Stop>;

/// Calls a function by its name.
pub(super) fn call(run: &Run<'_>, name: &str, args: &[Value]) -> Given {
    let known = helm(run, name, args)
        .or_else(|| own(name, args))
        .or_else(|| text::call(name, args))
        .or_else(|| lists::call(name, args))
        .or_else(|| dicts::call(name, args))
        .or_else(|| numbers::call(name, args))
        .or_else(|| encoding::call(name, args))
        .or_else(|| version::call(name, args));
    known.unwrap_or_else(|| Err("function not defined".into()))
}

/// Whether a version is within a constraint; what is none of either is.
pub(super) fn fits(constraint: &str, version: &str) -> bool {
    version::fits(constraint, version).unwrap_or(true)
}

/// The argument at a place.
fn arg(args: &[Value], index: usize) -> Result<&Value, Stop> {
    args.get(index)
        .ok_or_else(|| format!("wrong number of args: want {}, got {}", index + 1, args.len()).into())
}

/// The argument at a place as text.
fn string(args: &[Value], index: usize) -> Result<String, Stop> {
    match arg(args, index)? {
        Value::Nil => Ok(String::new()),
        value => Ok(value.shown()),
    }
}

fn last(args: &[Value]) -> Result<&Value, Stop> {
    arg(args, args.len().saturating_sub(1))
}

/// Helm's: those that see other templates.
fn helm(run: &Run<'_>, name: &str, args: &[Value]) -> Option<Given> {
    Some(match name {
        "include" => string(args, 0).and_then(|name| {
            let output = run.render(&name, args.get(1).unwrap_or(&Value::Nil))?;
            Ok(Value::text(output.text))
        }),
        "tpl" => string(args, 0)
            .and_then(|text| Ok(Value::text(run.render_text(&text, args.get(1).unwrap_or(&Value::Nil))?))),
        "required" => string(args, 0).and_then(|message| match arg(args, 1)? {
            Value::Nil => Err(message.into()),
            Value::Text(text) if text.is_empty() => Err(message.into()),
            value => Ok(value.clone()),
        }),
        "fail" => string(args, 0).and_then(|message| Err(message.into())),
        // A rendering sees no cluster, as `helm template` sees none.
        "lookup" => Ok(Value::of([])),
        "getHostByName" => Ok(Value::text("")),
        _ => return None,
    })
}

/// Go's own.
fn own(name: &str, args: &[Value]) -> Option<Given> {
    Some(match name {
        "not" => arg(args, 0).map(|value| Value::Bool(!value.is_true())),
        "eq" => arg(args, 0).map(|first| Value::Bool(args[1..].iter().any(|other| same(first, other)))),
        "ne" => arg(args, 1).map(|second| Value::Bool(!same(&args[0], second))),
        "lt" => ordered(args, |order| order == Ordering::Less),
        "le" => ordered(args, |order| order != Ordering::Greater),
        "gt" => ordered(args, |order| order == Ordering::Greater),
        "ge" => ordered(args, |order| order != Ordering::Less),
        "len" => arg(args, 0).and_then(length),
        "index" => index(args),
        "slice" if matches!(args.first(), Some(Value::Text(_))) => slice_text(args),
        "print" => Ok(Value::text(joined(args, false))),
        "println" => Ok(Value::text(joined(args, true) + "\n")),
        "printf" => string(args, 0).map(|format| Value::text(print::printf(&format, &args[1..]))),
        "html" | "js" | "urlquery" => string(args, 0).map(|text| Value::text(escaped(name, &text))),
        _ => return None,
    })
}

fn same(one: &Value, other: &Value) -> bool {
    one == other
}

fn ordered(args: &[Value], wanted: impl Fn(Ordering) -> bool) -> Given {
    let (one, other) = (arg(args, 0)?, arg(args, 1)?);
    let order = match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Int(one), Value::Int(other)) => one.cmp(other),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            one.number().partial_cmp(&other.number()).unwrap_or(Ordering::Equal)
        }
        _ => return Err("incompatible types for comparison".into()),
    };
    Ok(Value::Bool(wanted(order)))
}

fn length(value: &Value) -> Given {
    let count = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.borrow().len(),
        Value::Files(files) => files.len(),
        Value::Versions(versions) => versions.len(),
        other => return Err(format!("len of type {}", other.type_name()).into()),
    };
    Ok(Value::Int(count as i64))
}

fn index(args: &[Value]) -> Given {
    let mut value = arg(args, 0)?.clone();
    for key in &args[1..] {
        value = match (&value, key) {
            (Value::Map(map), key) => map.borrow().get(&key.shown()).cloned().unwrap_or(Value::Nil),
            (Value::List(items), Value::Int(_) | Value::Float(_)) => {
                let at = key.integer();
                let item = usize::try_from(at).ok().and_then(|at| items.get(at));
                item.cloned().ok_or_else(|| format!("index out of range: {at}"))?
            }
            (Value::Text(text), Value::Int(at)) => {
                let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at));
                Value::Int(i64::from(*byte.ok_or_else(|| format!("index out of range: {at}"))?))
            }
            (Value::Nil, _) => return Err("index of untyped nil".into()),
            (other, _) => return Err(format!("can't index item of type {}", other.type_name()).into()),
        };
    }
    Ok(value)
}

fn slice_text(args: &[Value]) -> Given {
    let text = string(args, 0)?;
    let from = args.get(1).map_or(0, Value::integer);
    let to = args.get(2).map_or(text.len() as i64, Value::integer);
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let piece = range.and_then(|(from, to)| text.get(from..to));
    piece.map(Value::text).ok_or_else(|| "index out of range".into())
}

/// `print` puts a blank between two that are no text; `println` always.
fn joined(args: &[Value], always: bool) -> String {
    let mut out = String::new();
    for (index, value) in args.iter().enumerate() {
        let between = |one: &Value| !matches!(one, Value::Text(_));
        if index > 0 && (always || (between(value) && between(&args[index - 1]))) {
            out.push(' ');
        }
        out.push_str(&value.shown());
    }
    out
}

fn escaped(name: &str, text: &str) -> String {
    match name {
        "html" => text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;"),
        "urlquery" => text.bytes().fold(String::new(), |mut out, byte| {
            match byte {
                b' ' => out.push('+'),
                byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => out.push(byte as char),
                byte => out.push_str(&format!("%{byte:02X}")),
            }
            out
        }),
        _ => text.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"").replace('\n', "\\n"),
    }
}
