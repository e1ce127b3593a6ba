//! Go templates: `*.tmpl` files of an image, and Clusterfiles.

use std::collections::HashMap;

use gtmpl_ng::Value as Templated;

use crate::cluster::{Env, Value};

/// Renders a template with an environment.
///
/// # Errors
/// The line, counted from 1, and what is wrong there. A name that the environment lacks is wrong.
pub(crate) fn text(template: &str, env: &Env) -> Result<String, (usize, String)> {
    if !template.contains("{{") {
        return Ok(template.to_owned());
    }
    check_names(template, env)?;
    let values: HashMap<String, Templated> =
        env.iter().map(|(name, value)| (name.clone(), templated(value))).collect();
    gtmpl_ng::template(template, Templated::Object(values))
        .map_err(|error| (line_in(&error.to_string()), error.to_string()))
}

fn templated(value: &Value) -> Templated {
    match value {
        Value::One(value) => Templated::String(value.clone()),
        Value::Many(values) => Templated::Array(values.iter().cloned().map(Templated::String).collect()),
    }
}

/// Go renders `<no value>` for a name that is not there: nobody ever wants that in a file.
fn check_names(template: &str, env: &Env) -> Result<(), (usize, String)> {
    for (index, line) in template.lines().enumerate() {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("{{") {
            let (action, after) = after.split_once("}}").unwrap_or((after, ""));
            for word in action.split(|c: char| c.is_whitespace() || "()|".contains(c)) {
                let Some(name) = word.strip_prefix('.') else { continue };
                let name = name.split('.').next().unwrap_or_default();
                let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if is_name && !env.contains_key(name) {
                    return Err((index + 1, format!("`{name}` is not in the environment")));
                }
            }
            rest = after;
        }
    }
    Ok(())
}

/// The engine names a line as `:3:`.
fn line_in(message: &str) -> usize {
    message.split(':').find_map(|part| part.trim().parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::add_env;

    fn env() -> Env {
        let mut env = Env::new();
        add_env(
            &mut env,
            [("Port", "8443"), ("IPS", "10.0.0.1;10.0.0.2")].map(|(name, value)| (name.into(), value.into())),
        );
        env
    }

    #[test]
    fn renders_values_and_lists() {
        let template = "port: {{ .Port }}\n{{ range .IPS }}- {{ . }}\n{{ end }}";
        assert_eq!(text(template, &env()), Ok("port: 8443\n- 10.0.0.1\n- 10.0.0.2\n".to_owned()));
        assert_eq!(text("no template", &env()), Ok("no template".to_owned()));
    }

    #[test]
    fn a_name_that_is_not_there_is_named_with_its_line() {
        assert_eq!(
            text("a: 1\nb: {{ .Prot }}\n", &env()),
            Err((2, "`Prot` is not in the environment".to_owned()))
        );
    }
}
