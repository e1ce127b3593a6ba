//! Functions of texts.

use regex::Regex;

use super::{Given, Stop, arg, last, string};
use crate::chart::template::print;
use crate::chart::template::value::Value;

pub(super) fn call(name: &str, args: &[Value]) -> Option<Given> {
    Some(match name {
        "quote" => Ok(each(args, print::quoted)),
        "squote" => Ok(each(args, |text| format!("'{text}'"))),
        "toString" => string(args, 0).map(Value::text),
        "trunc" => trunc(args),
        "abbrev" => abbrev(args),
        "substr" => substr(args),
        "indent" => indent(args, false),
        "nindent" => indent(args, true),
        "repeat" => repeat(args),
        "replace" => replace(args),
        "contains" => two(args, |part, text| Value::Bool(text.contains(part))),
        "hasPrefix" => two(args, |part, text| Value::Bool(text.starts_with(part))),
        "hasSuffix" => two(args, |part, text| Value::Bool(text.ends_with(part))),
        "trimPrefix" => two(args, |part, text| Value::text(text.strip_prefix(part).unwrap_or(text))),
        "trimSuffix" => two(args, |part, text| Value::text(text.strip_suffix(part).unwrap_or(text))),
        "trimAll" => two(args, |set, text| Value::text(text.trim_matches(|c| set.contains(c)))),
        "wrap" | "wrapWith" => last(args).cloned(),
        "cat" => Ok(Value::text(
            args.iter()
                .filter(|one| !matches!(one, Value::Nil))
                .map(Value::shown)
                .collect::<Vec<_>>()
                .join(" "),
        )),
        "plural" => plural(args),
        "splitList" => two(args, |by, text| Value::list(text.split(by).map(Value::text).collect())),
        "split" | "splitn" => split(name, args),
        "join" => join(args),
        name if name.to_lowercase().contains("regex") => {
            return pattern(name.trim_start_matches("must"), args);
        }
        "base" | "dir" | "clean" | "ext" | "isAbs" | "osBase" | "osDir" | "osClean" | "osExt" => {
            string(args, 0).map(|text| path(name.trim_start_matches("os"), &text))
        }
        _ => return plain(name, args),
    })
}

/// Those of one text alone.
fn plain(name: &str, args: &[Value]) -> Option<Given> {
    let change: fn(&str) -> String = match name {
        "trim" => |text| text.trim().to_owned(),
        "upper" => str::to_uppercase,
        "lower" => str::to_lowercase,
        "title" => |text| begins(text, |c| c.to_uppercase().collect()),
        "untitle" => |text| begins(text, |c| c.to_lowercase().collect()),
        "nospace" => |text| text.split_whitespace().collect(),
        "initials" => |text| text.split_whitespace().filter_map(|word| word.chars().next()).collect(),
        "swapcase" => |text| {
            let swap =
                |c: char| if c.is_uppercase() { c.to_lowercase().next() } else { c.to_uppercase().next() };
            text.chars().filter_map(swap).collect()
        },
        "snakecase" => |text| words(text).join("_"),
        "kebabcase" => |text| words(text).join("-"),
        "camelcase" => {
            |text| words(text).iter().map(|word| begins(word, |c| c.to_uppercase().collect())).collect()
        }
        _ => return None,
    };
    Some(string(args, 0).map(|text| Value::text(change(&text))))
}

fn each(args: &[Value], change: impl Fn(&str) -> String) -> Value {
    let there = args.iter().filter(|value| !matches!(value, Value::Nil));
    Value::text(there.map(|value| change(&value.shown())).collect::<Vec<_>>().join(" "))
}

fn two(args: &[Value], make: impl Fn(&str, &str) -> Value) -> Given {
    Ok(make(&string(args, 0)?, &string(args, 1)?))
}

fn begins(text: &str, change: impl Fn(char) -> String) -> String {
    let mut start = true;
    let mut out = String::new();
    for c in text.chars() {
        if start {
            out.push_str(&change(c));
        } else {
            out.push(c);
        }
        start = !(c.is_alphanumeric() || c == '\'' || c == '_');
    }
    out
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in text.chars() {
        if !c.is_alphanumeric() {
            before = ' ';
            continue;
        }
        if before == ' ' || (c.is_uppercase() && !before.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

fn trunc(args: &[Value]) -> Given {
    let (most, text) = (arg(args, 0)?.integer(), string(args, 1)?);
    let chars: Vec<char> = text.chars().collect();
    let count = usize::try_from(most.unsigned_abs()).unwrap_or(usize::MAX).min(chars.len());
    let kept = if most < 0 { &chars[chars.len() - count..] } else { &chars[..count] };
    Ok(Value::text(kept.iter().collect::<String>()))
}

fn abbrev(args: &[Value]) -> Given {
    let (most, text) = (usize::try_from(arg(args, 0)?.integer()).unwrap_or(0), string(args, 1)?);
    if text.chars().count() <= most || most < 4 {
        return Ok(Value::text(text));
    }
    Ok(Value::text(text.chars().take(most - 3).collect::<String>() + "..."))
}

fn substr(args: &[Value]) -> Given {
    let (from, to, text) = (arg(args, 0)?.integer(), arg(args, 1)?.integer(), string(args, 2)?);
    let from = usize::try_from(from).unwrap_or(0).min(text.len());
    let to = usize::try_from(to).unwrap_or(text.len()).min(text.len());
    Ok(Value::text(text.get(from..to.max(from)).unwrap_or_default()))
}

fn indent(args: &[Value], newline: bool) -> Given {
    let count = usize::try_from(arg(args, 0)?.integer()).unwrap_or(0).min(1000);
    let (text, blanks) = (string(args, 1)?, " ".repeat(count));
    let indented = blanks.clone() + &text.replace('\n', &format!("\n{blanks}"));
    Ok(Value::text(if newline { format!("\n{indented}") } else { indented }))
}

fn repeat(args: &[Value]) -> Given {
    let (count, text) = (usize::try_from(arg(args, 0)?.integer()).unwrap_or(0), string(args, 1)?);
    if count.saturating_mul(text.len()) > 1 << 24 {
        return Err("the text would be too long".into());
    }
    Ok(Value::text(text.repeat(count)))
}

fn replace(args: &[Value]) -> Given {
    Ok(Value::text(string(args, 2)?.replace(&string(args, 0)?, &string(args, 1)?)))
}

fn plural(args: &[Value]) -> Given {
    let one = arg(args, 2)?.integer() == 1;
    Ok(arg(args, usize::from(!one))?.clone())
}

fn split(name: &str, args: &[Value]) -> Given {
    let by = string(args, 0)?;
    let text = last(args)?.shown();
    let most =
        if name == "splitn" { usize::try_from(arg(args, 1)?.integer()).unwrap_or(0) } else { usize::MAX };
    let parts = text.splitn(most, by.as_str()).enumerate();
    Ok(Value::map(parts.map(|(index, part)| (format!("_{index}"), Value::text(part))).collect()))
}

fn join(args: &[Value]) -> Given {
    let by = string(args, 0)?;
    let items = arg(args, 1)?.items();
    let items = items.iter().filter(|item| !matches!(item, Value::Nil));
    Ok(Value::text(items.map(Value::shown).collect::<Vec<_>>().join(&by)))
}

fn pattern(name: &str, args: &[Value]) -> Option<Given> {
    let name = name.to_lowercase();
    Some((|| {
        let written = string(args, 0)?;
        if name == "regexquotemeta" {
            return Ok(Value::text(regex::escape(&written)));
        }
        let regex = Regex::new(&written).map_err(|error| Stop::from(error.to_string()))?;
        let text = string(args, 1)?;
        Ok(match name.as_str() {
            "regexmatch" => Value::Bool(regex.is_match(&text)),
            "regexfind" => Value::text(regex.find(&text).map_or("", |found| found.as_str())),
            "regexfindall" => {
                let most = usize::try_from(arg(args, 2)?.integer()).unwrap_or(usize::MAX);
                Value::list(regex.find_iter(&text).take(most).map(|one| Value::text(one.as_str())).collect())
            }
            "regexreplaceall" => {
                let by = string(args, 2)?;
                Value::text(regex.replace_all(&text, by.as_str()))
            }
            "regexreplaceallliteral" => {
                let by = string(args, 2)?;
                Value::text(regex.replace_all(&text, regex::NoExpand(&by)))
            }
            "regexsplit" => {
                let most = usize::try_from(arg(args, 2)?.integer()).unwrap_or(usize::MAX);
                Value::list(regex.splitn(&text, most).map(Value::text).collect())
            }
            _ => return Err("function not defined".into()),
        })
    })())
}

fn path(name: &str, text: &str) -> Value {
    let clean = |text: &str| {
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            match part {
                ".." if parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                ".." if text.starts_with('/') => {}
                part => parts.push(part),
            }
        }
        let joined = parts.join("/");
        match (text.starts_with('/'), joined.is_empty()) {
            (true, _) => format!("/{joined}"),
            (false, true) => ".".to_owned(),
            (false, false) => joined,
        }
    };
    let cleaned = clean(text);
    match name.to_lowercase().as_str() {
        "base" => Value::text(match cleaned.rsplit('/').next() {
            Some("") => "/",
            Some(base) => base,
            None => ".",
        }),
        "dir" => Value::text(match text.rsplit_once('/') {
            Some((dir, _)) => clean(if dir.is_empty() { "/" } else { dir }),
            None => ".".to_owned(),
        }),
        "ext" => Value::text(
            text.rsplit('/').next().and_then(|base| base.rfind('.').map(|at| &base[at..])).unwrap_or(""),
        ),
        "isabs" => Value::Bool(text.starts_with('/')),
        _ => Value::text(cleaned),
    }
}
