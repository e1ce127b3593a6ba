//! Pieces → a tree of nodes, and the templates that a file defines.

use super::lexer::{Piece, Token, Wrong, pieces};

/// A node of a template, and its line.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Text(String),
    Action(Pipeline),
    If { test: Pipeline, then: Vec<Node>, other: Vec<Node> },
    With { test: Pipeline, then: Vec<Node>, other: Vec<Node> },
    Range { over: Pipeline, body: Vec<Node>, other: Vec<Node> },
    Template { name: String, data: Option<Pipeline> },
    Break,
    Continue,
}

/// Commands, each of which gets the result of the one before it as its last argument.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) line: usize,
    /// Variables that are set.
    pub(super) names: Vec<String>,
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a`
    Variable(String, Vec<String>),
    Function(String),
    /// `(…).a`
    Paren(Box<Pipeline>, Vec<String>),
}

/// What a file holds: its own text, and templates by name.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) body: Vec<Node>,
    pub(super) defined: Vec<(String, Vec<Node>)>,
}

/// How deep blocks may stand in each other.
const DEEPEST: usize = 200;

pub(super) fn parse(text: &str) -> Result<Parsed, Wrong> {
    let mut parser = Parser { pieces: pieces(text)?, at: 0, parsed: Parsed::default(), depth: 0 };
    let (body, end) = parser.block()?;
    if let Some((line, word, _)) = end {
        return Err((line, format!("unexpected {{{{{word}}}}}")));
    }
    parser.parsed.body = body;
    Ok(parser.parsed)
}

struct Parser {
    pieces: Vec<(usize, Piece)>,
    at: usize,
    parsed: Parsed,
    depth: usize,
}

/// What ended a block: its line, `end` or `else`, and what follows `else`.
type End = Option<(usize, String, Vec<Token>)>;

impl Parser {
    fn block(&mut self) -> Result<(Vec<Node>, End), Wrong> {
        self.depth += 1;
        let mut nodes = Vec::new();
        while let Some((line, piece)) = self.pieces.get(self.at).cloned() {
            if self.depth > DEEPEST {
                return Err((line, "blocks stand too deep in each other".to_owned()));
            }
            self.at += 1;
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node { line, kind: Kind::Text(text) });
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let word = match tokens.first() {
                Some(Token::Word(word)) => word.clone(),
                _ => String::new(),
            };
            if matches!(word.as_str(), "end" | "else") {
                self.depth -= 1;
                return Ok((nodes, Some((line, word, tokens[1..].to_vec()))));
            }
            nodes.extend(self.action(line, &word, &tokens)?);
        }
        self.depth -= 1;
        Ok((nodes, None))
    }

    fn action(&mut self, line: usize, word: &str, tokens: &[Token]) -> Result<Option<Node>, Wrong> {
        let rest = tokens.get(1..).unwrap_or_default();
        let kind = match word {
            "if" | "with" | "range" => self.control(line, word, rest)?,
            "define" => {
                let name = one_text(line, rest)?;
                let body = self.body(line)?;
                self.parsed.defined.push((name, body));
                return Ok(None);
            }
            "block" => {
                let (name, data) = called(line, rest)?;
                let body = self.body(line)?;
                self.parsed.defined.push((name.clone(), body));
                Kind::Template { name, data }
            }
            "template" => {
                let (name, data) = called(line, rest)?;
                Kind::Template { name, data }
            }
            "break" if rest.is_empty() => Kind::Break,
            "continue" if rest.is_empty() => Kind::Continue,
            _ => Kind::Action(pipeline(line, tokens)?),
        };
        Ok(Some(Node { line, kind }))
    }

    /// Reads up to `end`.
    fn body(&mut self, line: usize) -> Result<Vec<Node>, Wrong> {
        match self.block()? {
            (body, Some((_, word, _))) if word == "end" => Ok(body),
            (_, Some((line, ..))) => Err((line, "unexpected {{else}}".to_owned())),
            (_, None) => Err((line, "it has no {{end}}".to_owned())),
        }
    }

    fn control(&mut self, line: usize, word: &str, tokens: &[Token]) -> Result<Kind, Wrong> {
        let test = pipeline(line, tokens)?;
        let (then, end) = self.block()?;
        let other = match end {
            None => return Err((line, format!("{{{{{word}}}}} has no {{{{end}}}}"))),
            Some((_, end, _)) if end == "end" => Vec::new(),
            Some((_, _, rest)) if rest.is_empty() => self.body(line)?,
            // `else if` is an `if` within `else`, and shares its end.
            Some((at, _, rest)) => match rest.first() {
                Some(Token::Word(next)) if matches!(next.as_str(), "if" | "with") => {
                    let kind = self.control(at, next, &rest[1..])?;
                    vec![Node { line: at, kind }]
                }
                _ => return Err((at, "unexpected word after {{else}}".to_owned())),
            },
        };
        Ok(match word {
            "if" => Kind::If { test, then, other },
            "with" => Kind::With { test, then, other },
            _ => Kind::Range { over: test, body: then, other },
        })
    }
}

fn one_text(line: usize, tokens: &[Token]) -> Result<String, Wrong> {
    match tokens {
        [Token::Text(name)] => Ok(name.clone()),
        _ => Err((line, "a template's name must be a text".to_owned())),
    }
}

fn called(line: usize, tokens: &[Token]) -> Result<(String, Option<Pipeline>), Wrong> {
    let Some((Token::Text(name), rest)) = tokens.split_first() else {
        return Err((line, "a template's name must be a text".to_owned()));
    };
    let data = if rest.is_empty() { None } else { Some(pipeline(line, rest)?) };
    Ok((name.clone(), data))
}

fn pipeline(line: usize, tokens: &[Token]) -> Result<Pipeline, Wrong> {
    let mut reader = Reader { line, tokens, at: 0, depth: 0 };
    let pipeline = reader.pipeline()?;
    if reader.at < tokens.len() {
        return Err((line, "unexpected `)` in an action".to_owned()));
    }
    Ok(pipeline)
}

struct Reader<'a> {
    line: usize,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn pipeline(&mut self) -> Result<Pipeline, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err((self.line, "parentheses stand too deep in each other".to_owned()));
        }
        let (names, declares) = self.names();
        let mut commands = vec![Vec::new()];
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Close => break,
                Token::Pipe => {
                    self.at += 1;
                    commands.push(Vec::new());
                }
                _ => {
                    let operand = self.operand()?;
                    commands.last_mut().expect("there is one").push(operand);
                }
            }
        }
        self.depth -= 1;
        if commands.iter().any(Vec::is_empty) {
            return Err((self.line, "missing value for command".to_owned()));
        }
        Ok(Pipeline { line: self.line, names, declares, commands })
    }

    /// `$a :=`, `$a =`, `$i, $e :=`.
    fn names(&mut self) -> (Vec<String>, bool) {
        let tokens = &self.tokens[self.at..];
        let (names, used) = match tokens {
            [Token::Variable(one), Token::Declare | Token::Assign, ..] => (vec![one.clone()], 2),
            [
                Token::Variable(one),
                Token::Comma,
                Token::Variable(two),
                Token::Declare | Token::Assign,
                ..,
            ] => (vec![one.clone(), two.clone()], 4),
            _ => return (Vec::new(), false),
        };
        let declares = tokens[used - 1] == Token::Declare;
        self.at += used;
        (names, declares)
    }

    fn operand(&mut self) -> Result<Operand, Wrong> {
        let token = self.tokens[self.at].clone();
        self.at += 1;
        Ok(match token {
            Token::Dot(_) => Operand::Dot,
            Token::Text(text) => Operand::Text(text),
            Token::Int(number) => Operand::Int(number),
            Token::Float(number) => Operand::Float(number),
            Token::Word(word) => match word.as_str() {
                "nil" => Operand::Nil,
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                _ => Operand::Function(word),
            },
            Token::Field(name, _) => {
                let mut path = vec![name];
                path.extend(self.chain());
                Operand::Field(path)
            }
            Token::Variable(name) => Operand::Variable(name, self.chain()),
            Token::Open => {
                let inner = self.pipeline()?;
                if self.tokens.get(self.at) != Some(&Token::Close) {
                    return Err((self.line, "unclosed left paren".to_owned()));
                }
                self.at += 1;
                Operand::Paren(Box::new(inner), self.chain())
            }
            other => return Err((self.line, format!("unexpected {other:?} in an action"))),
        })
    }

    fn chain(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        while let Some(Token::Field(name, false)) = self.tokens.get(self.at) {
            path.push(name.clone());
            self.at += 1;
        }
        path
    }
}
