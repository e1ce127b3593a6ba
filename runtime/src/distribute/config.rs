//! `kind: Config`: files of the image that a Clusterfile overwrites or merges into.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use sealer_image::layer::Unpacked;
use sealer_stdx::fs::At;
use serde_yaml::Value;

use crate::cluster::{ConfigSpec, Strategy};
use crate::error::{Error, InputError, Result};

/// Returns the files as they are to be.
pub(super) fn apply(configs: &[ConfigSpec], unpacked: &Unpacked) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let mut errors = Vec::new();
    for config in configs {
        let bytes = match config.strategy {
            Strategy::Overwrite => config.data.clone().into_bytes(),
            Strategy::Merge => {
                let there = match files.get(&config.path) {
                    Some(bytes) => bytes.clone(),
                    None if unpacked.tree.contains_key(&config.path) => {
                        let path = unpacked.dir.join(&config.path);
                        fs::read(&path).at(&path)?
                    }
                    None => {
                        let message = format!("the image has no `{}` to merge into", config.path.display());
                        errors.push(InputError { place: config.place.clone(), message, hint: None });
                        continue;
                    }
                };
                match merge(&there, &config.data) {
                    Ok(text) => text.into_bytes(),
                    Err(message) => {
                        errors.push(InputError { place: config.place.clone(), message, hint: None });
                        continue;
                    }
                }
            }
        };
        files.insert(config.path.clone(), bytes);
    }
    if errors.is_empty() { Ok(files) } else { Err(Error::Input(errors)) }
}

/// Merges YAML data into every document of a YAML file.
fn merge(there: &[u8], data: &str) -> std::result::Result<String, String> {
    let read = |text: &str, what: &str| -> std::result::Result<Value, String> {
        serde_yaml::from_str(text).map_err(|error| format!("{what} is no YAML: {error}"))
    };
    let data = read(data, "the data")?;
    let there = String::from_utf8_lossy(there);
    let mut merged = Vec::new();
    for (_, document) in sealer_plugin::yaml::documents(&there) {
        let mut value = read(document, "the file")?;
        merge_value(&mut value, &data);
        merged.push(serde_yaml::to_string(&value).map_err(|error| error.to_string())?);
    }
    Ok(merged.join("---\n"))
}

/// Lays the values of one document over those of another.
pub(crate) fn merge_value(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Mapping(into), Value::Mapping(from)) => {
            for (key, value) in from {
                match into.get_mut(key) {
                    Some(there) => merge_value(there, value),
                    None => {
                        into.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (into, from) => into.clone_from(from),
    }
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn merges_into_every_document_and_keeps_the_rest() {
        let there = b"a: {b: 1, c: 2}\nlist: [1]\n---\nkind: X\n";
        let merged = merge(there, "a: {b: 9, d: 3}\nlist: [2, 3]\n").unwrap();
        assert_eq!(
            merged,
            "a:\n  b: 9\n  c: 2\n  d: 3\nlist:\n- 2\n- 3\n---\nkind: X\na:\n  b: 9\n  d: 3\nlist:\n- 2\n- 3\n"
        );
    }
}
