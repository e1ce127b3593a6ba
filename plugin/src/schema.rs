//! `data` held against the JSON Schema that a plugin describes it by.

use serde_json::Value;

/// Reads `data` as YAML and checks it.
///
/// # Errors
/// The first thing that is wrong, as a phrase.
pub fn check(schema: &Value, data: &str) -> Result<(), String> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| format!("the schema in the plugin's description is wrong: {error}"))?;
    let value: Value = if data.trim().is_empty() {
        Value::Null
    } else {
        serde_saphyr::from_str(data).map_err(|error| {
            let (line, message, _) = crate::yaml::explain(&error);
            format!("line {line}: {message}")
        })?
    };
    validator.validate(&value).map_err(|error| {
        let place = error.instance_path().to_string();
        if place.is_empty() { error.to_string() } else { format!("`{place}`: {error}") }
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::json;

    #[test]
    fn data_is_held_against_the_schema() {
        let schema = json!({
            "type": "object",
            "required": ["retention"],
            "properties": { "retention": { "type": "integer", "minimum": 1 } },
            "additionalProperties": false,
        });
        assert_eq!(check(&schema, "retention: 3\n"), Ok(()));
        assert_eq!(
            check(&schema, "retention: 0\n"),
            Err("`/retention`: 0 is less than the minimum of 1".to_owned())
        );
        assert_eq!(check(&schema, "{}"), Err("\"retention\" is a required property".to_owned()));
        assert_eq!(check(&schema, ""), Err("null is not of type \"object\"".to_owned()));
    }
}
