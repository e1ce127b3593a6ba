//! `.sealerignore`: what of a context is left out, by the rules of `.dockerignore`.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// One line's rule.
#[derive(Debug)]
struct Rule {
    line: usize,
    text: String,
    pattern: Regex,
    /// The rule begins with `!`: what it matches is taken after all.
    takes: bool,
}

/// The rules of a file, in order. The last that matches decides.
#[derive(Debug, Default)]
pub struct Ignore {
    /// The file's name, for messages.
    pub(crate) file: String,
    rules: Vec<Rule>,
}

impl Ignore {
    /// Reads the rules.
    ///
    /// # Errors
    /// The number of the first line that is no rule, and why.
    pub fn parse(file: &str, text: &str) -> Result<Self, (usize, String)> {
        let mut rules = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let text = line.trim();
            if line.starts_with('#') || text.is_empty() {
                continue;
            }
            let (takes, pattern) = match text.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, text),
            };
            if pattern.is_empty() {
                return Err((index + 1, "`!` is followed by no pattern".to_owned()));
            }
            let pattern = to_regex(&clean(pattern)).map_err(|reason| (index + 1, reason))?;
            rules.push(Rule { line: index + 1, text: text.to_owned(), pattern, takes });
        }
        Ok(Self { file: file.to_owned(), rules })
    }

    /// Returns the line that leaves `path` out (with `/`, relative to the context), and its text.
    #[must_use]
    pub fn leaves_out(&self, path: &str) -> Option<(usize, &str)> {
        let mut by = None;
        for rule in &self.rules {
            // A rule that would change nothing is not looked at.
            if rule.takes == by.is_some() && rule.matches(path) {
                by = if rule.takes { None } else { Some((rule.line, rule.text.as_str())) };
            }
        }
        by
    }

    /// Tells whether something below a folder that is left out may be taken after all.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.takes)
    }
}

impl Rule {
    /// A rule for a folder is one for all that is in it.
    fn matches(&self, path: &str) -> bool {
        let parents = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| &path[..at]);
        self.pattern.is_match(path) || parents.into_iter().any(|parent| self.pattern.is_match(parent))
    }
}

/// Takes out `.`, `..` and double slashes, as Go's `filepath.Clean` does, and the leading slash.
fn clean(pattern: &str) -> String {
    let rooted = pattern.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// After `compile` of moby's patternmatcher.
fn to_regex(pattern: &str) -> Result<Regex, String> {
    let mut regex = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(character) = chars.next() {
        match character {
            '*' if chars.next_if_eq(&'*').is_some() => {
                let _ = chars.next_if_eq(&'/');
                regex.push_str(if chars.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => regex.extend(['\\', character]),
            '[' => class(&mut chars, &mut regex).ok_or_else(|| format!("`{pattern}` is no pattern"))?,
            '\\' => match chars.next() {
                Some(next) => regex.push_str(&regex::escape(&next.to_string())),
                None => return Err(format!("`{pattern}` ends in the middle of an escape")),
            },
            other => regex.push(other),
        }
    }
    regex.push('$');
    Regex::new(&format!("(?s){regex}")).map_err(|_| format!("`{pattern}` is no pattern"))
}

/// Reads `a-z]` after its bracket, by the rules of Go's `filepath.Match`: no class is empty, and `-`
/// stands between two letters alone. Nothing where it is none.
fn class(chars: &mut Peekable<Chars<'_>>, regex: &mut String) -> Option<()> {
    regex.push('[');
    regex.extend(chars.next_if_eq(&'^'));
    let mut is_empty = true;
    loop {
        if !is_empty && chars.next_if_eq(&']').is_some() {
            regex.push(']');
            return Some(());
        }
        is_empty = false;
        let first = letter(chars)?;
        regex.push_str(&first);
        if chars.next_if_eq(&'-').is_some() {
            regex.push('-');
            regex.push_str(&letter(chars)?);
        }
    }
}

/// A letter of a class, for a regular expression.
fn letter(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let letter = match chars.next()? {
        '-' | ']' => return None,
        '\\' => chars.next()?,
        other => other,
    };
    Some(regex::escape(letter.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(rules: &str, path: &str) -> Option<usize> {
        Ignore::parse(".sealerignore", rules).unwrap().leaves_out(path).map(|(line, _)| line)
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let rules = "# notes\n*.md\n!README.md\ndocs/**/draft\n\n/secret\n";
        assert_eq!(left_out(rules, "CHANGES.md"), Some(2));
        assert_eq!(left_out(rules, "README.md"), None);
        assert_eq!(left_out(rules, "a/b.md"), None);
        assert_eq!(left_out(rules, "docs/draft"), Some(4));
        assert_eq!(left_out(rules, "docs/a/b/draft/c"), Some(4));
        assert_eq!(left_out(rules, "secret/key"), Some(6));
        assert_eq!(left_out(rules, "other/secret"), None);
    }

    #[test]
    fn a_rule_that_is_none_is_named_by_its_line() {
        assert_eq!(
            Ignore::parse(".sealerignore", "a\n!\n").unwrap_err(),
            (2, "`!` is followed by no pattern".into())
        );
        for wrong in ["[a", "[]a]", "[-]", "[x-]", "[a-b-c]", "[z-a]", "[\\"] {
            assert_eq!(
                Ignore::parse(".sealerignore", wrong).unwrap_err(),
                (1, format!("`{wrong}` is no pattern"))
            );
        }
    }

    #[test]
    fn a_class_holds_letters_and_nothing_of_regular_expressions() {
        assert_eq!(left_out("[a&&b]", "&"), Some(1));
        assert_eq!(left_out("[[:alpha:]]", "x]"), None);
        assert_eq!(left_out("[[:alpha:]]", ":]"), Some(1));
        assert_eq!(left_out("[^a-c\\-]x", "-x"), None);
    }
}
