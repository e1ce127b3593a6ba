//! Images that Kubernetes manifests name: every field of every kind, and the original's line scan,
//! so that nothing it found is lost.

use super::needed::{Mention, Place};
use crate::yaml::{self, Node, Value};

/// The keys under which custom resources keep an image's tag beside its repository.
const TAGS: [&str; 4] = ["tag", "imageTag", "version", "digest"];

/// Returns what a manifest mentions, in the order of its lines.
pub(crate) fn mentions(file: &str, text: &str) -> Vec<Mention> {
    let mut walk = Walk { file, found: Vec::new() };
    // What is no YAML yet (a template) is read by lines alone.
    for document in yaml::documents(text).unwrap_or_default() {
        walk.node(&document);
    }
    let mut found = walk.found;
    for mention in by_lines(file, text) {
        if !found.iter().any(|other| other.name == mention.name) {
            found.push(mention);
        }
    }
    found.sort_by(|one, other| (one.place.line, &one.name).cmp(&(other.place.line, &other.name)));
    found
}

/// The original's scanner (`build/buildkit/imageutils.go`): in each line the quotes are removed, what
/// stands before the first `:` must end with `image` and hold no `#`, and the rest is the image.
fn by_lines(file: &str, text: &str) -> Vec<Mention> {
    let image = |(index, line): (usize, &str)| {
        let line = line.replace('"', "");
        let (key, value) = line.split_once(':')?;
        if !key.trim_end().ends_with("image") || key.contains('#') {
            return None;
        }
        let name = bare(&value.replace(char::is_whitespace, "")).to_owned();
        let place = Place { file: file.to_owned(), line: index + 1 };
        // The beginning of a block, a list or a mapping is no name, but `{{` may become one.
        let is_block = name.starts_with(['>', '|', '[', '{']) && !name.starts_with("{{");
        (!name.is_empty() && !is_block).then_some(Mention { name, place, certain: false })
    };
    text.lines().enumerate().filter_map(image).collect()
}

/// Takes quotes and a comment off.
fn bare(text: &str) -> &str {
    let text = text.split('#').next().unwrap_or_default();
    text.trim_matches(['\'', '"'])
}

struct Walk<'a> {
    file: &'a str,
    found: Vec<Mention>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar { text, .. } => self.text(node, text),
            Value::Sequence(items) => {
                for (before, item) in std::iter::once(None).chain(items.iter().map(Some)).zip(items) {
                    self.argument(before.and_then(Node::text), item);
                    self.node(item);
                }
            }
            Value::Mapping(entries) => {
                self.parts(node);
                self.variable(node);
                for (key, value) in entries {
                    self.entry(key.text().unwrap_or_default(), value, node);
                }
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Node, within: &Node) {
        let lower = key.to_lowercase();
        match &value.value {
            Value::Scalar { text, plain } if lower.ends_with("image") => {
                let nothing = *plain && matches!(text.as_str(), "" | "~" | "null" | "true" | "false");
                // A container has a name beside its image; other keys of that name may mean a picture.
                let certain = key == "image" && within.get("name").is_some();
                if !nothing && !has_parts(within, key) {
                    self.add(text, value.line, certain);
                }
            }
            Value::Sequence(items) if lower.ends_with("images") => {
                for item in items {
                    match item.text() {
                        Some(text) if looks_like_image(text) => self.add(text, item.line, false),
                        _ => self.node(item),
                    }
                }
            }
            _ => self.node(value),
        }
    }

    /// An image in parts, as charts' values and custom resources have it: `registry`, `repository`
    /// or `name`, `tag`, `digest`.
    fn parts(&mut self, node: &Node) {
        let text = |key: &str| node.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let whole = |repository: &str| match text("registry") {
            Some(registry) => format!("{registry}/{repository}"),
            None => repository.to_owned(),
        };
        let tagged = |name: String| {
            let name = match TAGS[..3].iter().find_map(|key| text(key)) {
                Some(tag) => format!("{name}:{tag}"),
                None => name,
            };
            match text("digest").filter(|digest| digest.starts_with("sha256:")) {
                Some(digest) => format!("{name}@{digest}"),
                None => name,
            }
        };
        if TAGS.iter().all(|key| text(key).is_none()) {
            return;
        }
        for key in ["repository", "image", "baseImage"] {
            let Some(repository) = text(key) else { continue };
            if !repository.contains("://") && !has_tag(repository) {
                let line = node.get(key).map_or(node.line, |node| node.line);
                self.add(&tagged(whole(repository)), line, false);
            }
        }
    }

    /// A variable of a container that holds an image: `RELATED_IMAGE_PROXY`.
    fn variable(&mut self, node: &Node) {
        let (Some(name), Some(value)) = (node.get("name"), node.get("value")) else { return };
        let (Some(name), Some(text)) = (name.text(), value.text()) else { return };
        if name.to_uppercase().contains("IMAGE") && looks_like_image(text) {
            self.add(text, value.line, false);
        }
    }

    /// An argument after its flag: `--engine-image` and then the image.
    fn argument(&mut self, flag: Option<&str>, item: &Node) {
        let is_flag = |flag: &str| {
            flag.starts_with('-') && !flag.contains('=') && flag.to_lowercase().ends_with("image")
        };
        let text = item.text().filter(|text| looks_like_image(text) && has_tag(text));
        if let Some(text) = text.filter(|_| flag.is_some_and(is_flag)) {
            self.add(text, item.line, false);
        }
    }

    /// Arguments of commands (`--reloader-image=…`) and documents within documents.
    fn text(&mut self, node: &Node, text: &str) {
        if text.contains('\n') {
            return self.document_within(node, text);
        }
        let Some((flag, value)) = text.split_once('=').filter(|(flag, _)| flag.starts_with('-')) else {
            return;
        };
        let named = flag.to_lowercase().contains("image") && looks_like_image(value);
        if named || is_full_name(value) {
            self.add(value, node.line, false);
        }
    }

    /// Configurations hold manifests as text: those of operators and injectors.
    fn document_within(&mut self, node: &Node, text: &str) {
        if !text.to_lowercase().contains("image") {
            return;
        }
        let Ok(documents) = yaml::documents(text) else { return };
        let before = self.found.len();
        for document in documents.iter().filter(|document| document.text().is_none()) {
            self.node(document);
        }
        for mention in &mut self.found[before..] {
            // A block of text begins with its first line.
            mention.place.line += node.line - 1;
            mention.certain = false;
        }
    }

    fn add(&mut self, name: &str, line: usize, certain: bool) {
        let name = name.trim().to_owned();
        let place = Place { file: self.file.to_owned(), line };
        let known = self.found.iter().any(|other| other.name == name && other.place == place);
        if !name.is_empty() && !known {
            self.found.push(Mention { name, place, certain });
        }
    }
}

/// Whether a scalar image is but the repository of an image whose tag stands beside it.
fn has_parts(node: &Node, key: &str) -> bool {
    let there = |key: &str| node.get(key).and_then(Node::text).is_some_and(|text| !text.is_empty());
    matches!(key, "image" | "baseImage")
        && TAGS.iter().any(|key| there(key))
        && node.get(key).and_then(Node::text).is_some_and(|text| !has_tag(text))
}

fn has_tag(name: &str) -> bool {
    name.contains('@') || name.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

/// A word that may be an image where one is expected: with a path, a tag or a digest.
fn looks_like_image(text: &str) -> bool {
    let plain = !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains("://");
    plain && (text.contains('/') || has_tag(text)) && !text.starts_with(['/', '.'])
}

/// A word that can hardly be anything else: a registry, a path, and a tag or a digest.
fn is_full_name(text: &str) -> bool {
    let Some((registry, path)) = text.split_once('/') else { return false };
    let host = registry.split(':').next().unwrap_or_default();
    let named = host == "localhost" || (host.contains('.') && host.chars().any(char::is_alphabetic));
    looks_like_image(text) && named && !path.is_empty() && has_tag(path) && !text.contains([',', '=', '?'])
}

#[cfg(test)]
mod tests;
