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
    use proptest::prelude::*;

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

    /// One character of a pattern, as the model knows it.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Piece {
        Letter(char),
        One,
        Star,
        Stars,
        Slash,
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            4 => prop::sample::select(vec!['a', 'b', '.', '(', '$']).prop_map(Piece::Letter),
            1 => Just(Piece::One),
            1 => Just(Piece::Star),
            1 => Just(Piece::Stars),
            2 => Just(Piece::Slash),
        ]
    }

    /// A pattern without what `clean` rewrites: no `.` or `..` as a part, no slash beside a slash or an end.
    fn pattern() -> impl Strategy<Value = Vec<Piece>> {
        prop::collection::vec(piece(), 1..7).prop_filter("nothing to clean", |pieces| {
            let text = text_of(pieces);
            text.split('/').all(|part| !matches!(part, "" | "." | ".."))
                && pieces
                    .windows(2)
                    .all(|two| !two.iter().all(|one| matches!(one, Piece::Star | Piece::Stars)))
        })
    }

    fn text_of(pieces: &[Piece]) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Letter(letter) => letter.to_string(),
            Piece::One => "?".to_owned(),
            Piece::Star => "*".to_owned(),
            Piece::Stars => "**".to_owned(),
            Piece::Slash => "/".to_owned(),
        };
        pieces.iter().map(text).collect()
    }

    /// What the documentation says, tried in every way: `**` is any number of folders, whole ones unless
    /// it stands last.
    fn fits(pieces: &[Piece], path: &str) -> bool {
        let Some((first, rest)) = pieces.split_first() else { return path.is_empty() };
        let next = path.chars().next();
        let after = |letter: char| &path[letter.len_utf8()..];
        match first {
            Piece::Letter(letter) => next == Some(*letter) && fits(rest, after(*letter)),
            Piece::Slash => next == Some('/') && fits(rest, after('/')),
            Piece::One => next.is_some_and(|next| next != '/' && fits(rest, after(next))),
            Piece::Star => {
                fits(rest, path) || next.is_some_and(|next| next != '/' && fits(pieces, after(next)))
            }
            Piece::Stars => {
                let rest = rest.strip_prefix(&[Piece::Slash]).unwrap_or(rest);
                let folders = path.char_indices().filter(|(_, letter)| *letter == '/');
                rest.is_empty()
                    || fits(rest, path)
                    || folders.into_iter().any(|(at, _)| fits(rest, &path[at + 1..]))
            }
        }
    }

    /// The last line that fits the path, or a folder that it stands in, decides.
    fn model(lines: &[(bool, Vec<Piece>)], path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let stands_in: Vec<String> = (1..=parts.len()).map(|count| parts[..count].join("/")).collect();
        let hit = |pieces: &[Piece]| stands_in.iter().any(|path| fits(pieces, path));
        lines.iter().rev().find(|(_, pieces)| hit(pieces)).is_some_and(|(takes, _)| !takes)
    }

    fn written(lines: &[(bool, Vec<Piece>)]) -> String {
        lines
            .iter()
            .map(|(takes, pieces)| format!("{}{}\n", if *takes { "!" } else { "" }, text_of(pieces)))
            .collect()
    }

    fn path() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab.($]{1,3}", 1..4)
            .prop_map(|parts| parts.join("/"))
            .prop_filter("a path of a file", |path| path.split('/').all(|part| !matches!(part, "." | "..")))
    }

    proptest! {
        #[test]
        fn rules_say_what_a_slow_model_says(
            lines in prop::collection::vec((any::<bool>(), pattern()), 1..5), path in path(),
        ) {
            let rules = written(&lines);
            prop_assert_eq!(left_out(&rules, &path).is_some(), model(&lines, &path), "{:?}", rules);
        }

        #[test]
        fn comments_blank_lines_and_slashes_at_ends_change_nothing(
            lines in prop::collection::vec((any::<bool>(), pattern()), 1..5), path in path(),
        ) {
            let plain = written(&lines);
            let dressed: String = plain
                .lines()
                .map(|line| match line.strip_prefix('!') {
                    Some(rest) => format!("# note\n\n  ! /{rest}/ \r\n"),
                    None => format!("# note\n\n /./{line}/\r\n"),
                })
                .collect();
            prop_assert_eq!(left_out(&dressed, &path).is_some(), left_out(&plain, &path).is_some());
        }

        #[test]
        fn an_exception_takes_back_and_a_rule_after_it_leaves_out_again(path in path(), rules in pattern()) {
            let escaped: String = path.chars().flat_map(|letter| ['\\', letter]).collect();
            let escaped = escaped.replace("\\/", "/");
            let rules = text_of(&rules);
            prop_assert_eq!(left_out(&format!("{rules}\n!{escaped}\n"), &path), None);
            prop_assert_eq!(left_out(&format!("{rules}\n!{escaped}\n"), &format!("{path}/below")), None);
            let again = left_out(&format!("!{rules}\n{escaped}\n"), &path);
            prop_assert_eq!(again, Some(2));
        }

        #[test]
        fn no_text_brings_it_down(text in "(?s).*", path in ".*") {
            if let Ok(rules) = Ignore::parse(".sealerignore", &text) {
                prop_assert_eq!(rules.leaves_out(&path), rules.leaves_out(&path));
            }
        }
    }
}
