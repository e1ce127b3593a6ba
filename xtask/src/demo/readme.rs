//! The README's copy of what the demo shows.

use std::fs;

use crate::command::{Failure, Result, root};

const BEGIN: &str = "<!-- demo -->\n";
const END: &str = "<!-- /demo -->";

/// Puts a transcript at its place in the README.
pub(super) fn put(transcript: &str) -> Result<()> {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        parts.ok_or_else(|| Failure::wrong("README.md has no place for the demo: `<!-- demo -->`"))?;
    let text = format!("{before}{BEGIN}```\n{}\n```\n{END}{after}", transcript.trim());
    fs::write(&path, text).map_err(Failure::file(&path))
}
