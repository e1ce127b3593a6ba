//! Fields and methods of values.

use std::rc::Rc;

use super::exec::Stop;
use super::value::{Files, Value};

/// A field or a method of a value.
pub(super) fn field(value: &Value, name: &str, args: &[Value]) -> Result<Value, Stop> {
    match value {
        Value::Map(map) if args.is_empty() => Ok(map.borrow().get(name).cloned().unwrap_or(Value::Nil)),
        Value::Map(_) => Err(format!("{name} has arguments but is no function").into()),
        Value::Nil => Err(format!("nil pointer evaluating interface {{}}.{name}").into()),
        Value::Files(files) => file_method(files, name, args),
        Value::Versions(versions) if name == "Has" => {
            let wanted = args.first().map(Value::shown).unwrap_or_default();
            Ok(Value::Bool(versions.contains(&wanted)))
        }
        other => Err(format!("can't evaluate field {name} in type {}", other.type_name()).into()),
    }
}

pub(super) fn bytes_text(bytes: &[u8]) -> Value {
    Value::text(String::from_utf8_lossy(bytes))
}

fn file_method(files: &Files, name: &str, args: &[Value]) -> Result<Value, Stop> {
    let asked = args.first().map(Value::shown).unwrap_or_default();
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(match name {
        "Get" | "GetBytes" => files.get(&asked).map_or_else(|| Value::text(""), |bytes| bytes_text(bytes)),
        "Lines" => {
            let text = files.get(&asked).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            Value::list(text.unwrap_or_default().lines().map(Value::text).collect())
        }
        "Glob" => {
            let glob = globset::GlobBuilder::new(&asked).literal_separator(true).build();
            let matcher = glob.map_err(|error| error.to_string())?.compile_matcher();
            let found = files.iter().filter(|(path, _)| matcher.is_match(path));
            Value::Files(Rc::new(found.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()))
        }
        "AsConfig" => {
            let map = files.iter().map(|(path, bytes)| (base(path), bytes_text(bytes))).collect();
            Value::text(crate::chart::yaml::write(&Value::map(map)))
        }
        "AsSecrets" => {
            use base64::prelude::{BASE64_STANDARD, Engine};
            let encoded =
                |(path, bytes): (&String, &Vec<u8>)| (base(path), Value::text(BASE64_STANDARD.encode(bytes)));
            Value::text(crate::chart::yaml::write(&Value::map(files.iter().map(encoded).collect())))
        }
        path => match files.get(path) {
            Some(bytes) => bytes_text(bytes),
            None => return Err(format!("can't evaluate field {path} in type engine.files").into()),
        },
    })
}
