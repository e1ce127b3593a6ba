//! What reading any of our YAML files needs: its documents, and what a parser's error means.

/// Splits a file at its `---` lines; each document with the number of its first line.
#[must_use]
pub fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut begin, mut first) = (0, 1);
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_separator(line) {
            documents.push((first, &text[begin..at]));
            (begin, first) = (at + line.len(), index + 2);
        }
        at += line.len();
    }
    documents.push((first, &text[begin..]));
    documents.retain(|(_, document)| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    });
    documents
}

/// Whether a line ends a document: it may hold a comment besides.
fn is_separator(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("---") else { return false };
    let said = rest.trim();
    said.is_empty() || (said.starts_with('#') && rest.starts_with([' ', '\t']))
}

/// Returns a parser's error as its line in the document, a phrase, and what was meant.
#[must_use]
pub fn explain(error: &serde_saphyr::Error) -> (usize, String, Option<String>) {
    let line = error.location().map_or(1, |location| usize::try_from(location.line()).unwrap_or(1));
    let message = error.without_snippet().to_string();
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    let hint = suggestion(&message);
    (line, message, hint)
}

/// For "unknown field `a`, expected one of b, c": the one that is nearly it.
fn suggestion(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (field, rest) = rest.split_once('`')?;
    let known = rest.split_once("expected ")?.1.trim_start_matches("one of ");
    let known = known.split(", ").map(|word| word.trim_matches('`'));
    let nearest = known.min_by_key(|word| strsim::damerau_levenshtein(word, field))?;
    (strsim::damerau_levenshtein(nearest, field) <= 3).then(|| format!("did you mean `{nearest}`?"))
}
