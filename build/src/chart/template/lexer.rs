//! Template text → literal text and the tokens of actions, each with its line.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Text outside actions, trimmed as the actions beside it ask.
    Text(String),
    /// An action's tokens, without its braces.
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A word: a function, a keyword.
    Word(String),
    /// `.name`; whether a blank stands before it tells a chain from an argument.
    Field(String, bool),
    /// `.` alone.
    Dot(bool),
    /// `$name`.
    Variable(String),
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
}

/// A template that cannot be read: the line and why.
pub(super) type Wrong = (usize, String);

/// Splits a template.
pub(super) fn pieces(text: &str) -> Result<Vec<(usize, Piece)>, Wrong> {
    let mut pieces = Vec::new();
    let (mut rest, mut line, mut trims) = (text, 1, false);
    loop {
        let Some(at) = rest.find("{{") else {
            push_text(&mut pieces, line, rest, trims, false);
            return Ok(pieces);
        };
        let (before, after) = rest.split_at(at);
        let after = &after[2..];
        let left = after.starts_with('-') && after[1..].starts_with(char::is_whitespace);
        push_text(&mut pieces, line, before, trims, left);
        line += newlines(before);
        let body = if left { &after[1..] } else { after };
        let mut scan = Scan { text: body, at: 0, line };
        let (tokens, right) = scan.action()?;
        if let Some(tokens) = tokens {
            pieces.push((line, Piece::Action(tokens)));
        }
        line = scan.line;
        rest = &body[scan.at..];
        trims = right;
    }
}

fn push_text(pieces: &mut Vec<(usize, Piece)>, line: usize, text: &str, left: bool, right: bool) {
    let begins = if left { text.trim_start_matches([' ', '\t', '\r', '\n']) } else { text };
    let line = line + newlines(&text[..text.len() - begins.len()]);
    let text = if right { begins.trim_end_matches([' ', '\t', '\r', '\n']) } else { begins };
    if !text.is_empty() {
        pieces.push((line, Piece::Text(text.to_owned())));
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Reads within an action.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Reads up to the end; no tokens for a comment. Also tells whether the text after it is trimmed.
    fn action(&mut self) -> Result<(Option<Vec<Token>>, bool), Wrong> {
        let begun = self.line;
        if self.rest().trim_start().starts_with("/*") {
            let Some(end) = self.rest().find("*/") else {
                return Err((begun, "unclosed comment".to_owned()));
            };
            self.skip(end + 2);
            return match self.end() {
                Some(trims) => Ok((None, trims)),
                None => Err((begun, "comment ends before closing delimiter".to_owned())),
            };
        }
        let mut tokens = Vec::new();
        loop {
            let blank = self.blanks();
            if let Some(trims) = self.end() {
                return Ok((Some(tokens), trims));
            }
            if self.peek().is_none() {
                return Err((begun, "unclosed action".to_owned()));
            }
            tokens.push(self.token(blank)?);
        }
    }

    fn skip(&mut self, count: usize) {
        self.line += newlines(&self.text[self.at..self.at + count]);
        self.at += count;
    }

    fn blanks(&mut self) -> bool {
        let before = self.at;
        while self.peek().is_some_and(char::is_whitespace) {
            // The blank before `-}}` belongs to it.
            self.bump();
        }
        self.at > before
    }

    /// The end of an action, if it is here.
    fn end(&mut self) -> Option<bool> {
        let before = self.at > 0 && self.text[..self.at].ends_with(char::is_whitespace);
        let rest = self.rest();
        let (length, trims) = if rest.starts_with("}}") {
            (2, false)
        } else if (before && rest.starts_with("-}}")) || rest.starts_with(" -}}") {
            (rest.find("}}")? + 2, true)
        } else {
            return None;
        };
        self.skip(length);
        Some(trims)
    }

    fn token(&mut self, blank: bool) -> Result<Token, Wrong> {
        let line = self.line;
        let c = self.peek().expect("the caller has looked");
        let two = self.rest().chars().nth(1).unwrap_or(' ');
        Ok(match c {
            '|' => self.one(Token::Pipe),
            '(' => self.one(Token::Open),
            ')' => self.one(Token::Close),
            ',' => self.one(Token::Comma),
            '=' => self.one(Token::Assign),
            ':' if two == '=' => {
                self.skip(2);
                Token::Declare
            }
            '"' => Token::Text(self.quoted()?),
            '`' => {
                self.bump();
                let Some(end) = self.rest().find('`') else {
                    return Err((line, "unterminated raw quoted string".to_owned()));
                };
                let text = self.rest()[..end].to_owned();
                self.skip(end + 1);
                Token::Text(text)
            }
            '\'' => self.character()?,
            '$' => {
                self.bump();
                Token::Variable(self.word())
            }
            '.' if two.is_ascii_digit() => self.number()?,
            '.' => {
                self.bump();
                match self.word() {
                    name if name.is_empty() => Token::Dot(blank),
                    name => Token::Field(name, blank),
                }
            }
            c if c.is_ascii_digit() || (matches!(c, '+' | '-') && (two.is_ascii_digit() || two == '.')) => {
                self.number()?
            }
            c if c.is_alphabetic() || c == '_' => Token::Word(self.word()),
            c => return Err((line, format!("unexpected {c:?} in an action"))),
        })
    }

    fn one(&mut self, token: Token) -> Token {
        self.bump();
        token
    }

    fn word(&mut self) -> String {
        let begin = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.bump();
        }
        self.text[begin..self.at].to_owned()
    }

    fn number(&mut self) -> Result<Token, Wrong> {
        let (begin, line) = (self.at, self.line);
        while let Some(c) = self.peek() {
            let sign = matches!(c, '+' | '-');
            let after_e = self.text[begin..self.at].ends_with(['e', 'E']);
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || (sign && (self.at == begin || after_e)))
            {
                break;
            }
            self.bump();
        }
        let text = self.text[begin..self.at].replace('_', "");
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.trim_start_matches('+')),
        };
        let prefixed = [("0x", 16), ("0X", 16), ("0o", 8), ("0b", 2)]
            .into_iter()
            .find_map(|(prefix, radix)| i64::from_str_radix(digits.strip_prefix(prefix)?, radix).ok());
        let octal = digits.strip_prefix('0').and_then(|digits| i64::from_str_radix(digits, 8).ok());
        if let Some(whole) = prefixed.or(octal).or_else(|| digits.parse().ok()) {
            return Ok(Token::Int(sign * whole));
        }
        text.parse().map(Token::Float).map_err(|_| (line, format!("bad number syntax: {text:?}")))
    }

    fn character(&mut self) -> Result<Token, Wrong> {
        let line = self.line;
        self.bump();
        let c = match self.bump() {
            Some('\\') => self.escape()?,
            Some(c) => c,
            None => return Err((line, "unterminated character constant".to_owned())),
        };
        match self.bump() {
            Some('\'') => Ok(Token::Int(i64::from(u32::from(c)))),
            _ => Err((line, "unterminated character constant".to_owned())),
        }
    }

    fn quoted(&mut self) -> Result<String, Wrong> {
        let line = self.line;
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some('\n') | None => return Err((line, "unterminated quoted string".to_owned())),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Wrong> {
        let line = self.line;
        let wrong = || (line, "unknown escape in a string".to_owned());
        let c = self.bump().ok_or_else(wrong)?;
        let digits = match c {
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' | '\'' => return Ok(c),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(wrong()),
        };
        let end = self.at + digits;
        let code = self.text.get(self.at..end).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        self.at = end.min(self.text.len());
        code.and_then(char::from_u32).ok_or_else(wrong)
    }
}
