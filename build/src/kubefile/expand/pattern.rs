//! Patterns of variables: `*` is anything, `?` one character.

use regex::{NoExpand, Regex};

/// Takes off what the pattern matches at the beginning.
pub(super) fn without_prefix(value: &str, pattern: &str, longest: bool) -> Result<String, String> {
    let matcher = matcher(pattern, longest, "^", "")?;
    let end = matcher.find(value).map_or(0, |found| found.end());
    Ok(value[end..].to_owned())
}

/// Takes off what the pattern matches at the end.
pub(super) fn without_suffix(value: &str, pattern: &str, longest: bool) -> Result<String, String> {
    let matcher = matcher(pattern, longest, "^", "$")?;
    let mut ends: Vec<usize> = value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
    if !longest {
        ends.reverse();
    }
    let begin = ends.into_iter().find(|at| matcher.is_match(&value[*at..])).unwrap_or(value.len());
    Ok(value[..begin].to_owned())
}

/// Puts `other` in the place of what the pattern matches: the first, or all.
pub(super) fn replaced(value: &str, pattern: &str, other: &str, all: bool) -> Result<String, String> {
    let matcher = matcher(pattern, true, "", "")?;
    let count = if all { 0 } else { 1 };
    Ok(matcher.replacen(value, count, NoExpand(other)).into_owned())
}

fn matcher(pattern: &str, longest: bool, begin: &str, end: &str) -> Result<Regex, String> {
    let mut text = String::from(begin);
    let mut chars = pattern.chars().peekable();
    while let Some(character) = chars.next() {
        match character {
            '*' => text.push_str(if longest { ".*" } else { ".*?" }),
            '?' => text.push('.'),
            // `}` and `/` are escaped for what stands around the pattern.
            '\\' if chars.peek().is_some_and(|next| "}/".contains(*next)) => {}
            '\\' => match chars.next() {
                Some(next @ ('*' | '?' | '\\')) => text.extend(['\\', next]),
                _ => {
                    return Err(format!(
                        "`{pattern}` is no pattern: `\\` stands before `*`, `?`, `\\`, `/` and `}}` alone"
                    ));
                }
            },
            other => text.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push_str(end);
    Regex::new(&text).map_err(|_| format!("`{pattern}` is no pattern"))
}
