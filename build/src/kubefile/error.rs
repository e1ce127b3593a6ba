//! A mistake in a Kubefile, with the line it stands in.

use std::fmt;

use super::ast::Span;

/// A mistake, where it stands, and what to do about it.
///
/// Displayed, it shows the line with a caret below the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubefileError {
    /// The file as the person named it: `Kubefile`.
    pub file: String,
    /// Where in the file; `None` for the file as a whole.
    pub span: Option<Span>,
    /// The line as it stands.
    pub source_line: String,
    /// What is wrong, as a phrase.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl KubefileError {
    /// A mistake in a line of `lines`.
    pub(crate) fn new(lines: &[String], span: Span, message: impl Into<String>) -> Self {
        let source_line = lines.get(span.line - 1).cloned().unwrap_or_default();
        Self {
            file: "Kubefile".to_owned(),
            span: Some(span),
            source_line,
            message: message.into(),
            hint: None,
        }
    }

    /// A mistake of the file as a whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { file: "Kubefile".to_owned(), span: None, source_line: String::new(), message, hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::error::Error for KubefileError {}

impl fmt::Display for KubefileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(span) = self.span else { return write!(f, "  --> {}: {}", self.file, self.message) };
        let number = span.line.to_string();
        let gutter = " ".repeat(number.len());
        // A tab stays a tab, so that the caret stands below its place however wide tabs are.
        let before: String = self
            .source_line
            .chars()
            .take(span.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "  --> {}:{}:{}", self.file, span.line, span.column)?;
        writeln!(f, " {gutter} |")?;
        writeln!(f, " {number} | {}", self.source_line)?;
        write!(f, " {gutter} | {before}{} {}", "^".repeat(span.length.max(1)), self.message)
    }
}
