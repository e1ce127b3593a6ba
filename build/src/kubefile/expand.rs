//! Variables and quotes, by the rules of Docker's shell words (`frontend/dockerfile/shell/lex.go` of
//! buildkit).

mod pattern;

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Puts variables into a word and takes its quotes off; `escape` is the character that takes a sign
/// its meaning. docs/reference/kubefile.md lists what may be written. A variable that is not set is
/// empty.
///
/// # Errors
/// What is wrong with the word, as a phrase.
pub fn expand(word: &str, escape: char, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut reader = Reader { chars: word.chars().peekable(), escape, variables, depth: 0 };
    reader.until(None, Escapes::AreTaken)
}

/// Variables may stand so deep in one another.
const DEEPEST: usize = 64;

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    escape: char,
    variables: &'a BTreeMap<String, String>,
    depth: usize,
}

/// What becomes of escapes: a pattern has some of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    AreTaken,
    Stay,
}

impl Reader<'_> {
    /// Reads up to `stop`, which is taken, or the end.
    fn until(&mut self, stop: Option<char>, escapes: Escapes) -> Result<String, String> {
        let mut out = String::new();
        while let Some(character) = self.chars.next() {
            match character {
                _ if Some(character) == stop => return Ok(out),
                '\'' => out.push_str(&self.single_quoted()?),
                '"' => out.push_str(&self.double_quoted()?),
                '$' => out.push_str(&self.variable()?),
                other if other == self.escape => {
                    out.extend(Some(other).filter(|_| escapes == Escapes::Stay));
                    out.extend(self.chars.next());
                }
                other => out.push(other),
            }
        }
        match stop {
            Some(stop) => Err(format!("`{stop}` is missing")),
            None => Ok(out),
        }
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        let mut out = String::new();
        for character in self.chars.by_ref() {
            if character == '\'' {
                return Ok(out);
            }
            out.push(character);
        }
        Err("the quote `'` is not closed".to_owned())
    }

    fn double_quoted(&mut self) -> Result<String, String> {
        let mut out = String::new();
        while let Some(character) = self.chars.next() {
            match character {
                '"' => return Ok(out),
                '$' => out.push_str(&self.variable()?),
                other if other == self.escape => match self.chars.next() {
                    Some(escaped) if escaped == self.escape || escaped == '"' || escaped == '$' => {
                        out.push(escaped);
                    }
                    Some(other) => out.extend([self.escape, other]),
                    None => {}
                },
                other => out.push(other),
            }
        }
        Err("the quote `\"` is not closed".to_owned())
    }

    fn variable(&mut self) -> Result<String, String> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            return if name.is_empty() {
                Ok("$".to_owned())
            } else {
                Ok(self.value(&name).unwrap_or_default())
            };
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("variables stand more than {DEEPEST} deep in one another"));
        }
        let braced = self.braced();
        self.depth -= 1;
        braced
    }

    fn braced(&mut self) -> Result<String, String> {
        // `${{x}` is no name, and `${:-x}` has none.
        let name = self.name();
        if name.is_empty() && self.chars.peek().is_none_or(|next| "{}:".contains(*next)) {
            return Err("`${` is followed by no name".to_owned());
        }
        let value = self.value(&name);
        match self.chars.next() {
            Some('}') => Ok(value.unwrap_or_default()),
            Some(':') => {
                let operator = self.chars.next().filter(|operator| "-+?".contains(*operator));
                let operator = operator.ok_or("only `:-`, `:+` and `:?` may follow a name")?;
                let other = self.until(Some('}'), Escapes::AreTaken)?;
                let empty = value.as_deref() == Some("");
                let full = value.filter(|value| !value.is_empty());
                choose(operator, full, other, || needed(&name, empty))
            }
            Some(operator @ ('-' | '+' | '?')) => {
                let other = self.until(Some('}'), Escapes::AreTaken)?;
                choose(operator, value, other, || needed(&name, false))
            }
            Some(side @ ('#' | '%')) => {
                let word = self.until(Some('}'), Escapes::Stay)?;
                let (word, longest) = match word.strip_prefix(side) {
                    Some(rest) => (rest, true),
                    None => (word.as_str(), false),
                };
                let cut = if side == '#' { pattern::without_prefix } else { pattern::without_suffix };
                cut(&value.unwrap_or_default(), word, longest)
            }
            Some('/') => {
                let all = self.chars.next_if_eq(&'/').is_some();
                let word = self.until(Some('/'), Escapes::Stay)?;
                let other = self.until(Some('}'), Escapes::AreTaken)?;
                pattern::replaced(&value.unwrap_or_default(), &word, &other, all)
            }
            Some(other) => Err(format!(
                "`${{{name}{other}` is not understood: `:-`, `:+`, `:?`, `-`, `+`, `?`, `#`, `%`, `/` and `}}` are"
            )),
            None => Err("`}` is missing".to_owned()),
        }
    }

    /// Letters, digits and `_`; or a shell's parameter: all digits, or one sign.
    fn name(&mut self) -> String {
        let Some(first) = self.chars.peek().copied() else { return String::new() };
        let mut name = String::new();
        if "@*#?-$!".contains(first) {
            name.extend(self.chars.next());
            return name;
        }
        let is_parameter = first.is_numeric();
        let belongs = |c: &char| {
            if is_parameter { c.is_numeric() } else { c.is_alphanumeric() || *c == '_' }
        };
        while let Some(next) = self.chars.next_if(belongs) {
            name.push(next);
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

fn needed(name: &str, empty: bool) -> String {
    format!("`{name}` is needed and {}", if empty { "empty" } else { "not set" })
}

fn choose(
    operator: char,
    value: Option<String>,
    other: String,
    needed: impl FnOnce() -> String,
) -> Result<String, String> {
    match operator {
        '-' => Ok(value.unwrap_or(other)),
        '+' => Ok(if value.is_some() { other } else { String::new() }),
        _ => value.ok_or_else(|| if other.is_empty() { needed() } else { other }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put_in(word: &str) -> Result<String, String> {
        let variables = [("a", "A"), ("empty", ""), ("long_1", "some words"), ("path", "/a/b.tar.gz")];
        let variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        expand(word, '\\', &variables)
    }

    #[test]
    fn variables_are_put_in_and_quotes_taken_off() {
        let rows = [
            ("plain", "plain"),
            ("$a${a}b$long_1.x", "AAbsome words.x"),
            ("$none${none}$", "$"),
            ("${none:-x}${none-x}${empty:-x}${empty-x}${a:-x}", "xxxA"),
            ("${none:+x}${none+x}${empty:+x}${empty+x}${a:+x}", "xx"),
            ("${a:?m}${a?m}${empty?m}", "AA"),
            ("${none:-${a}-$a}", "A-A"),
            ("'$a'\\$a\"\\$a\"", "$a$a$a"),
            ("\"$a b\\\"\\n\" 'c\"' \\ d", "A b\"\\n c\"  d"),
            ("$1a$12", "a"),
            ("${path#*/}${path##*/}", "a/b.tar.gzb.tar.gz"),
            ("${path%.*}|${path%%.*}|${path%x}", "/a/b.tar|/a/b|/a/b.tar.gz"),
            ("${path/a/$a}${path//?.t/x}", "/A/b.tar.gz/a/xar.gz"),
            ("${path#\\*}${path/\\//:}", "/a/b.tar.gz:a/b.tar.gz"),
        ];
        for (word, expected) in rows {
            assert_eq!(put_in(word), Ok(expected.to_owned()), "{word}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_said() {
        let rows = [
            ("${none:?name it}", "name it"),
            ("${empty:?}", "`empty` is needed and empty"),
            ("${none?}", "`none` is needed and not set"),
            ("${", "`${` is followed by no name"),
            ("${a", "`}` is missing"),
            ("${a:-b", "`}` is missing"),
            ("${path#\\a}", "`\\a` is no pattern: `\\` stands before `*`, `?`, `\\`, `/` and `}` alone"),
            ("'a", "the quote `'` is not closed"),
        ];
        for (word, expected) in rows {
            assert_eq!(put_in(word), Err(expected.to_owned()), "{word}");
        }
    }

    #[test]
    fn another_character_can_escape() {
        let rows = [("`$a\\$a", "$a\\A"), ("\"`\"\\\"", "\"\\"), ("a```b", "a`b")];
        for (word, expected) in rows {
            assert_eq!(expand(word, '`', &BTreeMap::from([("a".into(), "A".into())])), Ok(expected.into()));
        }
    }

    proptest! {
        #[test]
        fn no_word_brings_it_down(word in ".*") {
            let _ = put_in(&word);
        }

        #[test]
        fn a_word_without_signs_is_itself(word in "[a-zA-Z0-9 ./:_-]*") {
            prop_assert_eq!(put_in(&word), Ok(word));
        }
    }
}
