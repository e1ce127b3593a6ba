//! Sources on the network.

use std::path::PathBuf;

/// What a source is called that stands on the network: an address of the web, and the name of the
/// file that it leads to. Nothing for a source of the context.
///
/// # Errors
/// Why it cannot be taken, as a phrase, and what to do.
pub(crate) fn address(source: &str) -> Option<Result<PathBuf, (String, String)>> {
    let is_git = source.starts_with("git@") || source.starts_with("git://") || source.starts_with("ssh://");
    let (scheme, rest) = match source.split_once("://") {
        Some(parts) => parts,
        None if is_git => ("git", source),
        None => return None,
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    if is_git || path.ends_with(".git") {
        let message = "repositories of git are not taken by this version".to_owned();
        return Some(Err((message, "clone it into the context first".to_owned())));
    }
    if scheme != "http" && scheme != "https" {
        let message = format!("`{scheme}://` is no source: files of the context and `https://` are");
        return Some(Err((message, "download it into the context first".to_owned())));
    }
    if path.split('/').next().is_some_and(|host| host.contains('@')) {
        let message = "names a user, or a password, which everybody could read in the image".to_owned();
        return Some(Err((message, "download it into the context first".to_owned())));
    }
    let name = path.split_once('/').and_then(|(_, path)| path.rsplit('/').next());
    Some(match name.filter(|name| !name.is_empty() && !matches!(*name, "." | "..")) {
        Some(name) => Ok(PathBuf::from(name)),
        None => Err(("names no file of that host".to_owned(), "give the address of a file".to_owned())),
    })
}

/// Reads `--checksum=sha256:…`.
///
/// # Errors
/// What is wrong with it, as a phrase.
pub(crate) fn checksum(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    let is_hex =
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_hex {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no checksum: `sha256:` and 64 hexadecimal digits are"))
    }
}
