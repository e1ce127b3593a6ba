//! What the comments before the first instruction ask for.

use super::ast::{CopyRules, Span};
use super::error::KubefileError;

/// `# syntax=docker…` asks for Docker's `COPY`, `# escape=\`` for another escape.
pub(super) struct Directives {
    pub(super) copy_rules: CopyRules,
    pub(super) escape: char,
    pub(super) wrong: Vec<KubefileError>,
}

impl Directives {
    pub(super) fn read(lines: &[String]) -> Self {
        let mut read = Self { copy_rules: CopyRules::Sealer, escape: '\\', wrong: Vec::new() };
        for (index, line) in lines.iter().enumerate() {
            let Some(comment) = line.trim().strip_prefix('#') else {
                if line.trim().is_empty() {
                    continue;
                }
                break;
            };
            let Some((name, value)) = comment.trim_start_matches('#').split_once('=') else { continue };
            match (name.trim().to_lowercase().as_str(), value.trim()) {
                ("syntax", value) if value.to_lowercase().starts_with("docker") => {
                    read.copy_rules = CopyRules::Docker;
                }
                ("escape", "\\") => read.escape = '\\',
                ("escape", "`") => read.escape = '`',
                ("escape", value) => {
                    let span = Span { line: index + 1, column: 1, length: line.chars().count().max(1) };
                    let message = format!("`{value}` cannot be the escape: `\\` and `` ` `` can");
                    read.wrong.push(KubefileError::new(lines, span, message));
                }
                _ => {}
            }
        }
        read
    }
}
