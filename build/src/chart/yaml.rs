//! Values from YAML, as Helm reads them, and back to YAML, JSON and TOML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::template::print;
use super::template::value::Value;
use crate::yaml::{Node, Value as Content};

/// A node as a value, by the types of YAML 1.1 that Helm's reader knows. Helm reads by way of JSON, so
/// that every number is Go's `float64`.
pub(crate) fn value(node: &Node) -> Value {
    match &node.value {
        Content::Scalar { text, plain: false } => Value::text(text),
        Content::Scalar { text, plain: true } => scalar(text),
        Content::Sequence(items) => Value::list(items.iter().map(value).collect()),
        Content::Mapping(entries) => {
            let entry = |(key, item): &(Node, Node)| (key.text().unwrap_or_default().to_owned(), value(item));
            Value::map(entries.iter().map(entry).collect())
        }
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Nil,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']).replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Value::text(text);
    }
    let negative = text.starts_with('-');
    let signed = |number: i64| Value::Float(if negative { -number } else { number } as f64);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(number) =
            digits.strip_prefix(prefix).and_then(|rest| i64::from_str_radix(rest, radix).ok())
        {
            return signed(number);
        }
    }
    let is_octal =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| (b'0'..b'8').contains(&b));
    if is_octal && let Ok(number) = i64::from_str_radix(&digits, 8) {
        return signed(number);
    }
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if let (true, Ok(number)) = (is_number, digits.parse::<i64>()) {
        return signed(number);
    }
    match digits.parse::<f64>() {
        Ok(number) if is_number => Value::Float(if negative { -number } else { number }),
        _ => Value::text(text),
    }
}

/// As JSON.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => (*value as i64).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(text) => text.to_string().into(),
        Value::List(_) | Value::Versions(_) => value.items().iter().map(json).collect(),
        Value::Map(map) => {
            let map = map.borrow();
            map.iter()
                .map(|(key, value)| (key.clone(), json(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Files(files) => files.keys().cloned().collect::<Vec<_>>().into(),
    }
}

/// As YAML of block style, keys sorted, lists at the indent of their key.
pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(map) if !map.borrow().is_empty() => write_map(&mut out, &map.borrow(), 0),
        Value::List(items) if !items.is_empty() => write_list(&mut out, items, 0),
        value => {
            out.push_str(&inline(value, 0));
            out.push('\n');
        }
    }
    out
}

fn write_map(out: &mut String, map: &BTreeMap<String, Value>, depth: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(depth));
        }
        out.push_str(&text(key, depth));
        out.push(':');
        below(out, value, depth, false);
    }
}

fn write_list(out: &mut String, items: &[Value], depth: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(depth));
        }
        out.push('-');
        below(out, item, depth, true);
    }
}

fn below(out: &mut String, value: &Value, depth: usize, in_list: bool) {
    match value {
        Value::Map(map) if !map.borrow().is_empty() => {
            out.push(if in_list { ' ' } else { '\n' });
            write_map(out, &map.borrow(), depth + 2);
        }
        Value::List(items) if !items.is_empty() => {
            out.push(if in_list { ' ' } else { '\n' });
            write_list(out, items, if in_list { depth + 2 } else { depth });
        }
        value => {
            out.push(' ');
            out.push_str(&inline(value, depth));
            out.push('\n');
        }
    }
}

fn inline(value: &Value, depth: usize) -> String {
    match value {
        Value::Nil => "null".to_owned(),
        Value::Text(content) => text(content, depth),
        Value::Map(_) => "{}".to_owned(),
        Value::List(_) | Value::Versions(_) => "[]".to_owned(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => (*number as i64).to_string(),
        value => value.shown(),
    }
}

fn text(content: &str, depth: usize) -> String {
    if content.contains('\n') && !content.starts_with([' ', '\n', '\t']) && !content.contains(['\t', '\r']) {
        let chomp = match content.strip_suffix('\n') {
            None => "-",
            Some(rest) if rest.ends_with('\n') => "+",
            Some(_) => "",
        };
        let blanks = " ".repeat(depth + 2);
        let mut block = format!("|{chomp}");
        for line in content.strip_suffix('\n').unwrap_or(content).split('\n') {
            block.push('\n');
            if !line.is_empty() {
                block.push_str(&blanks);
                block.push_str(line);
            }
        }
        return block;
    }
    let special = content.is_empty()
        || content.trim() != content
        || content.starts_with(|c: char| "!&*|>@`%{}[],#\"'=~".contains(c))
        || content.starts_with("---")
        || (content.starts_with(['-', '?', ':']) && content[1..].starts_with(' ') | (content.len() == 1))
        || content.contains(": ")
        || content.contains(" #")
        || content.ends_with(':')
        || content.chars().any(char::is_control);
    if !special && matches!(scalar(content), Value::Text(_)) && !is_time(content) {
        return content.to_owned();
    }
    if content.chars().any(char::is_control) { print::quoted(content) } else { quoted(content) }
}

/// As Go's writer quotes: what would be read as another type doubly, all else singly.
fn quoted(content: &str) -> String {
    if matches!(scalar(content), Value::Text(_)) && !is_time(content) {
        format!("'{}'", content.replace('\'', "''"))
    } else {
        print::quoted(content)
    }
}

/// YAML 1.1 knows times: `2020-09-07`.
fn is_time(content: &str) -> bool {
    let bytes = content.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    content.len() >= 8 && (0..4).all(digit) && bytes[4] == b'-' && digit(5) && content[5..].contains('-')
}

/// As TOML, as far as charts write it: tables of plain values.
pub(crate) fn toml(value: &Value, path: &str) -> String {
    let Value::Map(map) = value else { return String::new() };
    let (mut own, mut tables) = (String::new(), String::new());
    for (key, value) in map.borrow().iter() {
        if let Value::Map(_) = value {
            let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let _ = write!(tables, "\n[{name}]\n{}", toml(value, &name));
        } else {
            let _ = writeln!(own, "{key} = {}", json(value));
        }
    }
    own + &tables
}
