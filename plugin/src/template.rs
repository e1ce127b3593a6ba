//! `sealer plugin new`: the beginning of a plugin, in one of four languages, with all that it needs.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");
static RUST_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sdk/src");
static RUST_ABI: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/abi/src");
static HEADER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/abi/include");
static GO_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sdk/go");

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A shared object, with the SDK.
    Rust,
    /// A shared object, with the header alone.
    C,
    /// A shared object of `-buildmode=c-shared`, with the Go package.
    Go,
    /// A shell script.
    Sh,
}

impl Language {
    /// The template's folder, and what else goes where.
    fn parts(self) -> (&'static str, Vec<(&'static Dir<'static>, &'static str)>) {
        match self {
            Self::Rust => ("rust", vec![(&RUST_SDK, "sdk/src"), (&RUST_ABI, "sdk/abi/src")]),
            Self::C => ("c", vec![(&HEADER, "")]),
            Self::Go => ("go", vec![(&GO_SDK, "sdk")]),
            Self::Sh => ("sh", Vec::new()),
        }
    }
}

/// A plugin that is begun.
#[derive(Debug, Clone)]
pub struct NewPlugin {
    /// Its name: lower case letters, digits, `-` and `_`, a letter first.
    pub name: String,
    /// Its type, for `spec.type`.
    pub kind: String,
    /// What it is written in.
    pub language: Language,
}

/// Why a plugin could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The name cannot be a file's, a crate's and a module's.
    #[error("`{0}` is no name for a plugin: use lower case letters, digits, `-` and `_`, and a letter first")]
    Name(String),
    /// The type cannot stand in the file.
    #[error("`{0}` is no type for a plugin: use letters, digits and `_`")]
    Kind(String),
    /// The folder is there already.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Returns the type that a plugin of this name has when nobody says another: `LIST_NODES`.
#[must_use]
pub fn default_kind(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

impl NewPlugin {
    /// Writes the plugin's files into the new folder `dir`, and returns their paths there, sorted.
    ///
    /// # Errors
    /// A name or type that cannot be one, a folder that is there; nothing is written then.
    pub fn write(&self, dir: &Path) -> Result<Vec<PathBuf>, TemplateError> {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let is_name =
            self.name.starts_with(|c: char| c.is_ascii_lowercase()) && self.name.chars().all(is_inner);
        if !is_name {
            return Err(TemplateError::Name(self.name.clone()));
        }
        let is_kind = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.kind.is_empty() || !self.kind.chars().all(is_kind) {
            return Err(TemplateError::Kind(self.kind.clone()));
        }
        if dir.exists() {
            return Err(TemplateError::Exists(dir.to_owned()));
        }
        let (template, parts) = self.language.parts();
        let template = TEMPLATES.get_dir(template).expect("each language has a template");
        let mut written = Vec::new();
        for file in files(template) {
            let path = file.path().strip_prefix(template.path()).unwrap_or(file.path());
            let text = self.fill(&String::from_utf8_lossy(file.contents()));
            let path = PathBuf::from(self.fill_path(&path.display().to_string()));
            write(dir, &path, text.as_bytes())?;
            written.push(path);
        }
        for (part, to) in parts {
            for file in files(part) {
                let path = Path::new(to).join(file.path());
                write(dir, &path, file.contents())?;
                written.push(path);
            }
        }
        written.sort();
        Ok(written)
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{{name}}", &self.name)
            .replace("{{TYPE}}", &self.kind)
            .replace("{{crate}}", &self.name.replace('-', "_"))
    }

    /// `NAME` stands for the name, and `.in` keeps cargo from taking a template for a package.
    fn fill_path(&self, path: &str) -> String {
        path.replace("NAME", &self.name).trim_end_matches(".in").to_owned()
    }
}

/// The files of a folder, without what tests it.
fn files<'a>(dir: &'a Dir<'a>) -> Vec<&'a include_dir::File<'a>> {
    let mut found = Vec::new();
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) if dir.path().ends_with("testdata") => {}
            DirEntry::Dir(dir) => found.extend(files(dir)),
            DirEntry::File(file) if file.path().to_string_lossy().ends_with("_test.go") => {}
            DirEntry::File(file) => found.push(file),
        }
    }
    found
}

fn write(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), TemplateError> {
    let path = dir.join(path);
    let mode = if bytes.starts_with(b"#!") { 0o755 } else { 0o644 };
    let result = fs::create_dir_all(path.parent().unwrap_or(dir))
        .and_then(|()| fs::write(&path, bytes))
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)));
    result.map_err(|source| TemplateError::Write { path, source })
}
