//! Sources on the network: files of the web, and folders of repositories of git.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::context::Found;
use crate::plan::Source;

/// A folder of a repository of git, as `ADDRESS#REFERENCE:FOLDER` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GitSource {
    /// What `git` is told.
    pub address: String,
    /// A branch, a tag, a whole commit id, or a reference from `refs/` on; nothing for what the
    /// repository's `HEAD` names.
    pub reference: Option<String>,
    /// The folder; empty for all of it.
    pub folder: PathBuf,
    /// Whether `.git` comes along.
    pub keeps_git_dir: bool,
}

impl fmt::Display for GitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)?;
        let reference = self.reference.as_deref().unwrap_or_default();
        match self.folder.as_os_str().is_empty() {
            true if reference.is_empty() => Ok(()),
            true => write!(f, "#{reference}"),
            false => write!(f, "#{reference}:{}", self.folder.display()),
        }
    }
}

/// What is wrong with a source, as a phrase, and what to do.
type Wrong = (String, String);

/// What a source names on the network; nothing for a source of the context.
///
/// # Errors
/// Why it cannot be taken.
pub(crate) fn source(text: &str) -> Option<Result<Found, Wrong>> {
    let (scheme, rest) = match text.split_once("://") {
        Some(parts) => parts,
        None if text.starts_with("git@") => ("ssh", text),
        None => return None,
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let is_git = path.ends_with(".git") || path.ends_with(".git/");
    Some(match scheme {
        "git" | "ssh" => check_user(scheme, path).and_then(|()| git(text)),
        "http" | "https" | "file" if is_git => check_user(scheme, path).and_then(|()| git(text)),
        "http" | "https" => check_user(scheme, path).and_then(|()| file(text, path)),
        _ => {
            let message = format!(
                "`{scheme}://` is no source: files of the context, `https://` and repositories of git are"
            );
            Err((message, "download it into the context first".to_owned()))
        }
    })
}

/// Refuses what everybody could read in the image. The user of ssh is no secret.
fn check_user(scheme: &str, path: &str) -> Result<(), Wrong> {
    let user = path.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
    match user {
        Some(user) if scheme != "ssh" || user.contains(':') => {
            let message = "names a user, or a password, which everybody could read in the image".to_owned();
            Err((message, "download it into the context first".to_owned()))
        }
        _ => Ok(()),
    }
}

fn file(address: &str, path: &str) -> Result<Found, Wrong> {
    let name = path.split_once('/').and_then(|(_, path)| path.rsplit('/').next());
    match name.filter(|name| !name.is_empty() && !matches!(*name, "." | "..")) {
        Some(name) => Ok(Found {
            source: Source::Remote(address.to_owned()),
            name: Some(PathBuf::from(name)),
            is_dir: false,
        }),
        None => Err(("names no file of that host".to_owned(), "give the address of a file".to_owned())),
    }
}

fn git(text: &str) -> Result<Found, Wrong> {
    let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (reference, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
    if reference.starts_with('-') || !reference.bytes().all(is_plain) || reference.contains("..") {
        let message = format!("`{reference}` is no branch, tag or commit");
        return Err((message, "write `ADDRESS#REFERENCE:FOLDER`".to_owned()));
    }
    let mut inside = PathBuf::new();
    for part in Path::new(folder).components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                let message = format!("`{folder}` leaves the repository by `..`");
                return Err((message, "name a folder of the repository".to_owned()));
            }
        }
    }
    let source = GitSource {
        address: address.to_owned(),
        reference: Some(reference.to_owned()).filter(|reference| !reference.is_empty()),
        folder: inside,
        keeps_git_dir: false,
    };
    // Its content goes into the destination, as in the original and in Docker.
    Ok(Found { source: Source::Git(source), name: None, is_dir: true })
}

/// What git allows in a reference, but for dots (git-check-ref-format).
fn is_plain(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"~^:?*[\\".contains(&byte)
}

/// Tells whether a reference is a whole commit id.
pub(crate) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Reads `--checksum=COMMIT`, of a repository of git.
///
/// # Errors
/// What is wrong with it, as a phrase.
pub(crate) fn commit(text: &str) -> Result<String, String> {
    match is_commit(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no commit: 40 hexadecimal digits, or 64, are")),
    }
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
