//! Variables and quotes, by the rules of Docker's shell words.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Puts variables into a word and takes its quotes off: `$NAME`, `${NAME}`, `${NAME:-default}`,
/// `${NAME-default}`, `${NAME:+other}`, `${NAME+other}`. A variable that is not set is empty.
///
/// # Errors
/// What is wrong with the word, as a phrase.
pub fn expand(word: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut reader = Reader { chars: word.chars().peekable(), variables };
    reader.until(None)
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    variables: &'a BTreeMap<String, String>,
}

impl Reader<'_> {
    /// Reads up to `stop`, which is taken, or the end.
    fn until(&mut self, stop: Option<char>) -> Result<String, String> {
        let mut out = String::new();
        while let Some(character) = self.chars.next() {
            match character {
                _ if Some(character) == stop => return Ok(out),
                '\'' => out.push_str(&self.single_quoted()?),
                '"' => out.push_str(&self.double_quoted()?),
                '$' => out.push_str(&self.variable()?),
                '\\' => out.extend(self.chars.next()),
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
                '\\' => match self.chars.next() {
                    Some(escaped @ ('"' | '$' | '\\')) => out.push(escaped),
                    Some(other) => out.extend(['\\', other]),
                    None => {}
                },
                other => out.push(other),
            }
        }
        Err("the quote `\"` is not closed".to_owned())
    }

    fn variable(&mut self) -> Result<String, String> {
        if self.chars.next_if_eq(&'{').is_some() {
            return self.braced();
        }
        let name = self.name();
        if name.is_empty() { Ok("$".to_owned()) } else { Ok(self.value(&name).unwrap_or_default()) }
    }

    fn braced(&mut self) -> Result<String, String> {
        let name = self.name();
        if name.is_empty() {
            return Err("`${` is followed by no name".to_owned());
        }
        let value = self.value(&name);
        match self.chars.next() {
            Some('}') => Ok(value.unwrap_or_default()),
            Some(':') => {
                let operator = self.chars.next();
                let other = self.until(Some('}'))?;
                choose(operator, value.filter(|value| !value.is_empty()), other)
            }
            Some(operator @ ('-' | '+' | '?')) => {
                let other = self.until(Some('}'))?;
                choose(Some(operator), value, other)
            }
            Some(other) => Err(format!(
                "`${{{name}{other}` is not understood: `:-`, `:+`, `:?`, `-`, `+`, `?` and `}}` are"
            )),
            None => Err("`}` is missing".to_owned()),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(next);
            // `$1` is one parameter; `$12` is it and a `2`.
            if name.len() == 1 && next.is_ascii_digit() {
                break;
            }
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

fn choose(operator: Option<char>, value: Option<String>, other: String) -> Result<String, String> {
    match operator {
        Some('-') => Ok(value.unwrap_or(other)),
        Some('+') => Ok(if value.is_some() { other } else { String::new() }),
        Some('?') => value.ok_or(if other.is_empty() {
            "a variable that is needed is not set".to_owned()
        } else {
            other
        }),
        _ => Err("only `:-`, `:+` and `:?` may follow a name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put_in(word: &str) -> Result<String, String> {
        let variables = [("a", "A"), ("empty", ""), ("long_1", "some words")];
        let variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        expand(word, &variables)
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
            ("$1a$12", "a2"),
        ];
        for (word, expected) in rows {
            assert_eq!(put_in(word), Ok(expected.to_owned()), "{word}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_said() {
        let rows = [
            ("${none:?name it}", "name it"),
            ("${empty:?}", "a variable that is needed is not set"),
            ("${none?}", "a variable that is needed is not set"),
            ("${", "`${` is followed by no name"),
            ("${a", "`}` is missing"),
            ("${a:-b", "`}` is missing"),
            ("'a", "the quote `'` is not closed"),
        ];
        for (word, expected) in rows {
            assert_eq!(put_in(word), Err(expected.to_owned()), "{word}");
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
