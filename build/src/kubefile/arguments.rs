//! What stands after an instruction's name: flags, words, JSON arrays.

use super::ast::{Span, Word};
use super::error::KubefileError;
use super::lexer::Logical;

/// What an instruction's reader works on.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    pub(super) lines: &'a [String],
    pub(super) line: &'a Logical,
    /// Where the arguments begin.
    pub(super) from: usize,
    pub(super) escape: char,
}

/// `--name=value` before the first argument.
pub(super) struct Flag {
    pub(super) name: String,
    /// Nothing for `--name` alone.
    pub(super) value: Option<Word>,
    pub(super) span: Span,
}

impl<'a> Arguments<'a> {
    pub(super) fn error(&self, message: impl Into<String>) -> KubefileError {
        self.error_at(self.span(), message)
    }

    pub(super) fn error_at(&self, span: Span, message: impl Into<String>) -> KubefileError {
        KubefileError::new(self.lines, span, message)
    }

    pub(super) fn span(&self) -> Span {
        self.line.span(self.from, self.line.chars.len())
    }

    pub(super) fn text(&self) -> String {
        self.line.text(self.from, self.line.chars.len())
    }

    /// Takes the flags off.
    pub(super) fn flags(&self) -> (Vec<Flag>, Self) {
        let (mut flags, mut rest) = (Vec::new(), *self);
        while rest.line.text(rest.from, rest.line.chars.len().min(rest.from + 2)) == "--" {
            let end =
                rest.from + self.line.chars[rest.from..].iter().take_while(|c| !c.is_whitespace()).count();
            let (text, span) = (self.line.text(rest.from, end), self.line.span(rest.from, end));
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(Word { text: value.to_owned(), span, literal: false })),
                None => (text.as_str(), None),
            };
            flags.push(Flag { name: name.to_owned(), value, span });
            rest = rest.after(end);
        }
        (flags, rest)
    }

    /// What stands after the character `end`, and the blanks there.
    pub(super) fn after(&self, end: usize) -> Self {
        let blanks = self.line.chars[end..].iter().take_while(|c| c.is_whitespace()).count();
        Self { from: end + blanks, ..*self }
    }

    /// Takes the first word off.
    pub(super) fn first(&self) -> Result<(Word, Self), KubefileError> {
        let end = self.from + self.line.chars[self.from..].iter().take_while(|c| !c.is_whitespace()).count();
        if end == self.from {
            return Err(self.error("a name is missing"));
        }
        let word = Word {
            text: self.line.text(self.from, end),
            span: self.line.span(self.from, end),
            literal: false,
        };
        Ok((word, self.after(end)))
    }

    /// The words of a JSON array, or those between blanks.
    pub(super) fn list(&self) -> Result<Vec<Word>, KubefileError> {
        match self.json()? {
            Some(words) => Ok(words),
            None => self.words(),
        }
    }

    /// The words of a JSON array, where the arguments are one.
    pub(super) fn json(&self) -> Result<Option<Vec<Word>>, KubefileError> {
        let text = self.text();
        if !text.starts_with('[') {
            return Ok(None);
        }
        let span = self.span();
        match serde_json::from_str::<Vec<String>>(&text) {
            Ok(words) => Ok(Some(words.into_iter().map(|text| Word { text, span, literal: true }).collect())),
            // `[a-z]*.txt` is a pattern, not a broken array.
            Err(_) if !text.contains('"') => Ok(None),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.split(" at line ").next().unwrap_or_default();
                Err(self.error(format!("it is no JSON array of strings: {reason}")))
            }
        }
    }

    /// Splits at blanks outside quotes. Quotes stay: they are taken off when variables are put in.
    pub(super) fn words(&self) -> Result<Vec<Word>, KubefileError> {
        let line = self.line;
        let mut words = Vec::new();
        let mut at = self.from;
        while at < line.chars.len() {
            if line.chars[at].is_whitespace() {
                at += 1;
                continue;
            }
            let begin = at;
            let mut quote: Option<(char, usize)> = None;
            while at < line.chars.len() && (quote.is_some() || !line.chars[at].is_whitespace()) {
                let character = line.chars[at];
                match quote {
                    Some((open, _)) if character == open => quote = None,
                    None if character == '"' || character == '\'' => quote = Some((character, at)),
                    _ if character == self.escape && quote.is_none_or(|(open, _)| open == '"') => at += 1,
                    _ => {}
                }
                at += 1;
            }
            at = at.min(line.chars.len());
            if let Some((open, place)) = quote {
                let message = format!("the quote `{open}` is not closed");
                return Err(self.error_at(line.span(place, place + 1), message));
            }
            words.push(Word { text: line.text(begin, at), span: line.span(begin, at), literal: false });
        }
        Ok(words)
    }

    /// A command line; a JSON array becomes one whose words are quoted.
    pub(super) fn command(&self) -> String {
        let Some(words) = self.json().unwrap_or(None) else { return self.text() };
        words.iter().map(|word| quote(&word.text)).collect::<Vec<_>>().join(" ")
    }
}

/// Quotes a word for the shell.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
