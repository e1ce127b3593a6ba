//! Lists of images: `manifests/imageList`, `--image-list`, `--ignored-image-list`, and those with
//! credentials, `imageListWithAuth.yaml`.

use sealer_image::{Reference, Registry};
use secrecy::SecretString;

use super::needed::{Mention, Place};
use crate::yaml::{self, Node};

/// Returns what a list names: one image a line; empty lines and those that begin with `#` are passed over.
pub(crate) fn mentions(file: &str, text: &str) -> Vec<Mention> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = lines(text).map(|(line, name)| {
        let place = Place { file: file.to_owned(), line };
        Mention { name: unquoted(name).to_owned(), place, certain: true }
    });
    lines.collect()
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// One pair of quotes, as the original takes it off.
fn unquoted(text: &str) -> &str {
    let pair = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    pair('"').or_else(|| pair('\'')).unwrap_or(text)
}

/// The images that are left out: names, or patterns with `*` for anything.
#[derive(Debug, Default)]
pub(crate) struct Ignored(Vec<String>);

impl Ignored {
    pub(crate) fn add(&mut self, text: &str) {
        self.0.extend(lines(text).map(|(_, line)| unquoted(line).to_owned()));
    }

    pub(crate) fn holds(&self, name: &str, reference: &Reference) -> bool {
        let whole = reference.to_string();
        self.0.iter().any(|pattern| {
            let same = pattern.parse::<Reference>().is_ok_and(|other| other == *reference);
            same || matches(pattern, name) || matches(pattern, &whole)
        })
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Reads an `imageListWithAuth.yaml`, and has its credentials used for its images. They go nowhere else.
///
/// # Errors
/// The line and what is wrong with it.
pub(crate) fn with_auth(
    file: &str,
    text: &str,
    registry: &Registry,
) -> Result<Vec<Mention>, (usize, String)> {
    let documents = yaml::documents(text).map_err(|mistake| (mistake.line, mistake.reason))?;
    let mut mentions = Vec::new();
    for entry in documents.iter().flat_map(Node::items) {
        let text = |key: &str| entry.get(key).and_then(Node::text).filter(|text| !text.is_empty());
        let (Some(user), Some(password)) = (text("username"), text("password")) else {
            return Err((entry.line, "`username` and `password` must both be given".to_owned()));
        };
        let password = SecretString::from(password.to_owned());
        let images = entry.get("images").map(Node::items).unwrap_or_default();
        if images.is_empty() {
            return Err((entry.line, "`images` names none".to_owned()));
        }
        for image in images {
            let name = image.text().unwrap_or_default();
            let name = match text("registry") {
                Some(host) if !name.starts_with(&format!("{host}/")) => format!("{host}/{name}"),
                _ => name.to_owned(),
            };
            let reference: Reference =
                name.parse().map_err(|error: sealer_image::Error| (image.line, error.to_string()))?;
            registry.give(&reference, user, &password);
            let place = Place { file: file.to_owned(), line: image.line };
            mentions.push(Mention { name, place, certain: true });
        }
    }
    Ok(mentions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_names_may_have_stars() {
        let mut ignored = Ignored::default();
        ignored.add("# not these\nbusybox\n'registry.example/test/*'\n*:debug\n");
        let holds = |name: &str| ignored.holds(name, &name.parse().unwrap());
        let names =
            ["docker.io/library/busybox:latest", "registry.example/test/a:1", "app:debug", "busybox:1"];
        assert_eq!(names.map(holds), [true, true, true, false]);
    }
}
