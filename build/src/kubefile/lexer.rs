//! Bytes → logical lines: comments and continuations are gone, every character knows its place.

use super::ast::Span;

/// An instruction's text on one line, however many it was written on.
#[derive(Debug)]
pub(super) struct Logical {
    pub(super) chars: Vec<char>,
    places: Vec<(usize, usize)>,
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
    for (index, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let skipped = if open.is_some() { 0 } else { line.chars().count() - trimmed.chars().count() };
        let (body, continues) = continuation(line, escape);
        let current = open.get_or_insert_with(|| Logical { chars: Vec::new(), places: Vec::new() });
        for (column, character) in body.chars().enumerate().skip(skipped) {
            current.chars.push(character);
            current.places.push((index + 1, column + 1));
        }
        if !continues {
            logical.extend(open.take());
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

/// The escape at the end, blanks after it allowed, continues the line; two are one that does not.
fn continuation(line: &str, escape: char) -> (&str, bool) {
    let end = line.trim_end();
    match end.strip_suffix(escape) {
        Some(body) if !body.ends_with(escape) => (body, true),
        _ => (line, false),
    }
}
