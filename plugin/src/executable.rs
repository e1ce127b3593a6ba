//! What an executable says of itself, read from the file without running it.
//!
//! Somewhere in it stands a line `sealer-plugin: TYPE VERB...`: a comment of a script, a string of a
//! program. A file without one is no plugin, whatever else it is for.

use memchr::memmem;

use crate::plugin::Verb;

/// What the line begins with.
const MARK: &[u8] = b"sealer-plugin: ";

/// An executable that is a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// Its type.
    pub kind: String,
    /// Its verbs; `run` is one of them.
    pub verbs: Vec<Verb>,
    /// The processor it is for, where it is a program, in Go's words: `amd64`, `arm64`.
    pub architecture: Option<String>,
}

/// Reads a file that is neither YAML nor a shared object; nothing where it is no plugin.
///
/// # Errors
/// What is wrong with its line, as the rest of a sentence that begins with the file.
pub fn inspect(bytes: &[u8]) -> Result<Option<Executable>, String> {
    let Some(at) = memmem::find(bytes, MARK) else { return Ok(None) };
    let rest = &bytes[at + MARK.len()..];
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0)).unwrap_or(rest.len());
    let line = String::from_utf8_lossy(&rest[..end.min(256)]).into_owned();
    let mut words = line.split_whitespace();
    let kind = words.next().unwrap_or_default().to_owned();
    if kind.is_empty() {
        return Err("has a line `sealer-plugin:` without a type".to_owned());
    }
    let mut verbs = vec![Verb::Run];
    for word in words {
        let verb = Verb::ALL.into_iter().find(|verb| verb.name() == word);
        let verb = verb.ok_or_else(|| {
            let known = Verb::ALL.map(Verb::name).join(", ");
            format!("has the unknown verb `{word}` in its line `sealer-plugin:`; there are {known}")
        })?;
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    verbs.sort_unstable();
    let architecture = crate::shared_object::architecture_of(bytes);
    Ok(Some(Executable { kind, verbs, architecture }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_makes_a_plugin_of_a_script() {
        let script = b"#!/bin/sh\n# sealer-plugin: LIST_NODE validate describe\necho hello\n";
        let found = Executable {
            kind: "LIST_NODE".to_owned(),
            verbs: vec![Verb::Run, Verb::Describe, Verb::Validate],
            architecture: None,
        };
        assert_eq!(inspect(script), Ok(Some(found)));
        assert_eq!(inspect(b"#!/bin/sh\necho hello\n"), Ok(None));
    }

    #[test]
    fn a_wrong_line_is_refused() {
        let empty = inspect(b"# sealer-plugin: \n");
        assert_eq!(empty, Err("has a line `sealer-plugin:` without a type".to_owned()));
        let verb = inspect(b"# sealer-plugin: X runn\n").expect_err("there is no such verb");
        assert_eq!(
            verb,
            "has the unknown verb `runn` in its line `sealer-plugin:`; there are run, describe, validate, plan, undo"
        );
    }
}
