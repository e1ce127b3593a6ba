//! Bytes → logical lines: comments and continuations are gone, every character knows its place.

use super::ast::Span;

/// An instruction's text on one line, however many it was written on.
#[derive(Debug)]
pub(super) struct Logical {
    pub(super) chars: Vec<char>,
    places: Vec<(usize, usize)>,
    /// What its heredocs hold, in order.
    pub(super) heredocs: Vec<Heredoc>,
}

/// The lines after an instruction, up to a word alone.
#[derive(Debug)]
pub(super) struct Heredoc {
    /// `<<WORD` as written.
    pub(super) mark: String,
    /// Where that stands.
    pub(super) span: Span,
    /// The word at its end.
    pub(super) word: String,
    /// Whether tabs before its lines go (`<<-`).
    strips: bool,
    pub(super) body: String,
    /// Whether the word came.
    pub(super) is_closed: bool,
}

impl Logical {
    /// Where the characters `from..to` stand, as far as they are on the line of the first.
    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        let last = (self.places.len() - 1).min(from);
        let (line, column) = self.places[last];
        let same =
            self.places[last..to.max(last + 1).min(self.places.len())].iter().filter(|place| place.0 == line);
        Span { line, column, length: same.count().max(1) }
    }

    pub(super) fn text(&self, from: usize, to: usize) -> String {
        self.chars[from..to].iter().collect()
    }

    /// The heredocs that it begins. Only instructions that may hold files have any.
    fn marks(&self) -> Vec<Heredoc> {
        let text: String = self.chars.iter().collect();
        let name = text.split_whitespace().next().unwrap_or_default().to_uppercase();
        if !["ADD", "COPY", "RUN"].contains(&name.as_str()) {
            return Vec::new();
        }
        let (mut marks, mut at, mut quote) = (Vec::new(), 0, None);
        while at < self.chars.len() {
            let character = self.chars[at];
            if quote.is_none() && at > 0 && self.chars[at - 1].is_whitespace() {
                marks.extend(self.mark(at));
            }
            match quote {
                Some(open) if character == open => quote = None,
                None if "\"'".contains(character) => quote = Some(character),
                _ => {}
            }
            at += 1;
        }
        marks
    }

    /// `<<WORD`, `<<-WORD`, with or without quotes and a descriptor's number, where a word begins.
    fn mark(&self, at: usize) -> Option<Heredoc> {
        let end = at + self.chars[at..].iter().take_while(|c| !c.is_whitespace()).count();
        let mark = self.text(at, end);
        let rest = mark.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let (rest, strips) = match rest.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let word = ['"', '\'']
            .iter()
            .find_map(|quote| rest.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(rest);
        let first = word.chars().next().filter(|c| c.is_ascii_alphabetic() || *c == '_');
        let is_word = first.is_some() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let (word, span) = (word.to_owned(), self.span(at, end));
        is_word.then_some(Heredoc { mark, span, word, strips, body: String::new(), is_closed: false })
    }
}

/// The lines of a file as they stand, without their ends and a byte order mark.
pub(super) fn physical_lines(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned()).collect()
}

/// Joins the lines of each instruction. Comments and, within an instruction, empty lines are left out.
pub(super) fn logical_lines(lines: &[String], escape: char) -> Vec<Logical> {
    let mut logical = Vec::new();
    let mut open: Option<Logical> = None;
    let mut numbered = lines.iter().enumerate();
    while let Some((index, line)) = numbered.next() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let skipped = if open.is_some() { 0 } else { line.chars().count() - trimmed.chars().count() };
        let (body, continues) = continuation(line, escape);
        let empty = || Logical { chars: Vec::new(), places: Vec::new(), heredocs: Vec::new() };
        let current = open.get_or_insert_with(empty);
        for (column, character) in body.chars().enumerate().skip(skipped) {
            current.chars.push(character);
            current.places.push((index + 1, column + 1));
        }
        if !continues && let Some(mut ended) = open.take() {
            ended.heredocs = ended.marks();
            for heredoc in &mut ended.heredocs {
                fill(heredoc, &mut numbered);
            }
            logical.push(ended);
        }
    }
    logical.extend(open);
    for line in &mut logical {
        while line.chars.last().is_some_and(|last| last.is_whitespace()) {
            line.chars.pop();
            line.places.pop();
        }
    }
    logical.retain(|line| !line.chars.is_empty());
    logical
}

/// Takes the lines up to the heredoc's word.
fn fill<'a>(heredoc: &mut Heredoc, lines: &mut impl Iterator<Item = (usize, &'a String)>) {
    for (_, line) in lines {
        let line = if heredoc.strips { line.trim_start_matches('\t') } else { line };
        if line == heredoc.word {
            heredoc.is_closed = true;
            return;
        }
        heredoc.body.push_str(line);
        heredoc.body.push('\n');
    }
}

/// The escape at the end, blanks after it allowed, continues the line; two are one that does not.
fn continuation(line: &str, escape: char) -> (&str, bool) {
    let end = line.trim_end();
    match end.strip_suffix(escape) {
        Some(body) if !body.ends_with(escape) => (body, true),
        _ => (line, false),
    }
}
