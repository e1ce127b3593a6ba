//! The folder that `COPY` takes from, and nothing outside it.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use globset::GlobBuilder;
use sealer_stdx::fs::{At, PathError};
use walkdir::WalkDir;

use crate::error::{Error, Result};
use crate::ignore::Ignore;
use crate::images::is_builds_own;
use crate::kubefile::KubefileError;
use crate::plan::Source;

/// A context: its folder and what is left out of it.
#[derive(Debug)]
pub struct BuildContext {
    root: PathBuf,
    ignore: Ignore,
}

/// What a source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it stands.
    pub(crate) source: Source,
    /// Its last part; nothing where its content is meant (`.`, `charts/.`).
    pub(crate) name: Option<PathBuf>,
    pub(crate) is_dir: bool,
}

/// A file, folder or link below a source.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Relative to the source; empty for the source itself.
    pub(crate) below: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
}

impl Item {
    /// How long ago it was changed last; nothing for a time to come.
    pub(crate) fn age(&self) -> Option<Duration> {
        let seconds = Duration::from_secs(u64::try_from(self.metadata.ctime()).ok()?);
        let rest = Duration::from_nanos(u64::try_from(self.metadata.ctime_nsec()).ok()?);
        (UNIX_EPOCH + seconds + rest).elapsed().ok()
    }
}

impl BuildContext {
    /// Opens a context and reads the first ignore file that is there: `KUBEFILE.sealerignore` and
    /// `KUBEFILE.dockerignore` beside the Kubefile, `.sealerignore`, `.containerignore` and
    /// `.dockerignore` in the context.
    ///
    /// # Errors
    /// When the folder is none or the ignore file is wrong.
    pub fn open(dir: &Path, kubefile: &Path) -> Result<Self> {
        let root = fs::canonicalize(dir).map_err(|_| Error::NoContext { path: dir.to_owned() })?;
        if !root.is_dir() {
            return Err(Error::NoContext { path: dir.to_owned() });
        }
        let beside = [".sealerignore", ".dockerignore"].map(|ending| {
            let mut name = kubefile.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            kubefile.with_file_name(name)
        });
        let within = [".sealerignore", ".containerignore", ".dockerignore"].map(|name| root.join(name));
        for path in beside.into_iter().chain(within) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match fs::read_to_string(&path).at(&path) {
                Ok(text) => return Ok(Self { root, ignore: parse_ignore(&name, &text)? }),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { root, ignore: Ignore::default() })
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns what `pattern` names, sorted; more than one where it has wildcards.
    ///
    /// # Errors
    /// What is wrong with the pattern, as a phrase, and a hint.
    pub(crate) fn find(&self, pattern: &str) -> std::result::Result<Vec<Found>, (String, Option<String>)> {
        let relative = self.relative(pattern)?;
        let found = if has_wildcards(pattern) { self.matching(&relative)? } else { vec![relative] };
        let mut taken = Vec::new();
        let mut left_out = None;
        for path in &found {
            let place = self.root.join(path);
            let Ok(metadata) = fs::symlink_metadata(&place) else { continue };
            self.check_inside(&place, path)?;
            match self.ignored(path) {
                Some(by) if !(metadata.is_dir() && self.ignore.has_exceptions()) => left_out = Some(by),
                _ => taken.push(Found {
                    name: path.file_name().filter(|_| !pattern.ends_with("/.")).map(PathBuf::from),
                    is_dir: metadata.is_dir(),
                    source: Source::Context(place),
                }),
            }
        }
        if taken.is_empty() {
            let message = format!("not in the build context `{}`", self.root.display());
            return Err((message, left_out.or_else(|| self.nearest(&found))));
        }
        Ok(taken)
    }

    /// Lists a source and all below it, parents first, sorted, without what is left out.
    ///
    /// # Errors
    /// When something cannot be looked at, or is neither file, folder nor link.
    pub(crate) fn items(&self, source: &Path) -> std::result::Result<Vec<Item>, PathError> {
        let mut items = Vec::new();
        let mut walk = WalkDir::new(source).follow_root_links(false).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(source).to_owned();
                PathError { path, source: error.into() }
            })?;
            let path = entry.path();
            let in_context = path.strip_prefix(&self.root).expect("sources are inside");
            let metadata = fs::symlink_metadata(path).at(path)?;
            if !in_context.as_os_str().is_empty() && self.ignored(in_context).is_some() {
                if metadata.is_dir() && !self.ignore.has_exceptions() {
                    walk.skip_current_dir();
                }
                continue;
            }
            check_sort(path, &metadata)?;
            let below = path.strip_prefix(source).expect("it was found there").to_owned();
            items.push(Item { below, path: path.to_owned(), metadata });
        }
        Ok(items)
    }

    fn relative(&self, pattern: &str) -> std::result::Result<PathBuf, (String, Option<String>)> {
        let mut relative = PathBuf::new();
        for part in Path::new(pattern).components() {
            match part {
                Component::Normal(name) => relative.push(name),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
                Component::ParentDir => {
                    if !relative.pop() {
                        return Err((
                            self.outside(),
                            Some("a build takes only what its context holds".to_owned()),
                        ));
                    }
                }
            }
        }
        Ok(relative)
    }

    fn outside(&self) -> String {
        format!("outside the build context `{}`", self.root.display())
    }

    /// A link on the way, or at its end, must not lead out of the context.
    fn check_inside(&self, place: &Path, path: &Path) -> std::result::Result<(), (String, Option<String>)> {
        match fs::canonicalize(place) {
            Ok(real) if !real.starts_with(&self.root) => {
                let message = format!("a link to `{}`, {}", real.display(), self.outside());
                Err((message, Some(format!("put the file itself at `{}`", path.display()))))
            }
            _ => Ok(()),
        }
    }

    fn matching(&self, pattern: &Path) -> std::result::Result<Vec<PathBuf>, (String, Option<String>)> {
        // Go's patterns, which the original has, know no braces.
        let text = pattern.to_string_lossy().replace('{', "\\{").replace('}', "\\}");
        let glob = GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build();
        let matcher =
            glob.map_err(|error| (format!("no pattern: {}", error.kind()), None))?.compile_matcher();
        let depth = pattern.components().count();
        let walk = WalkDir::new(&self.root).min_depth(1).max_depth(if text.contains("**") {
            usize::MAX
        } else {
            depth
        });
        let found = walk.sort_by_file_name().into_iter().filter_map(|entry| {
            let entry = entry.ok()?;
            let path = entry.path().strip_prefix(&self.root).expect("it was found there").to_owned();
            matcher.is_match(&path).then_some(path)
        });
        Ok(found.collect())
    }

    fn ignored(&self, path: &Path) -> Option<String> {
        if is_builds_own(path) {
            return Some(format!("`{}` is for the build alone: no image gets it", path.display()));
        }
        let (line, text) = self.ignore.leaves_out(&path.to_string_lossy())?;
        Some(format!("`{}` line {line} (`{text}`) leaves it out", self.ignore.file))
    }

    /// A path that is there, each part of it the one asked for or nearly.
    fn nearest(&self, found: &[PathBuf]) -> Option<String> {
        let mut near = PathBuf::new();
        for part in found.first()? {
            let name = part.to_string_lossy();
            if fs::symlink_metadata(self.root.join(&near).join(part)).is_ok() {
                near.push(part);
                continue;
            }
            let there = fs::read_dir(self.root.join(&near)).ok()?;
            let there = there.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let distance = |other: &str| strsim::damerau_levenshtein(other, &name);
            let best =
                there.filter(|other| distance(other) <= 2).min_by_key(|one| (distance(one), one.clone()));
            near.push(best?);
        }
        Some(format!("did you mean `{}`?", near.display()))
    }
}

fn parse_ignore(name: &str, text: &str) -> Result<Ignore> {
    Ignore::parse(name, text).map_err(|(line, message)| {
        let source_line = text.lines().nth(line - 1).unwrap_or_default().to_owned();
        let length = source_line.chars().count();
        let span = crate::kubefile::Span { line, column: 1, length };
        Error::Kubefile(vec![KubefileError {
            file: name.to_owned(),
            span: Some(span),
            source_line,
            message,
            hint: None,
        }])
    })
}

fn has_wildcards(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn check_sort(path: &Path, metadata: &Metadata) -> std::result::Result<(), PathError> {
    let kind = metadata.file_type();
    if kind.is_socket() || kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
        let source =
            std::io::Error::other("is a device, socket or pipe: an image holds files, folders and links");
        return Err(PathError { path: path.to_owned(), source });
    }
    Ok(())
}

/// Remembers the first name of each file that has several, so that the others become hard links.
#[derive(Debug, Default)]
pub(crate) struct HardLinks(BTreeMap<(u64, u64), PathBuf>);

impl HardLinks {
    /// Returns the path in the image that this file stands at already.
    pub(crate) fn first(&mut self, metadata: &Metadata, in_image: &Path) -> Option<PathBuf> {
        if metadata.nlink() < 2 || !metadata.is_file() {
            return None;
        }
        let key = (metadata.dev(), metadata.ino());
        if let Some(first) = self.0.get(&key) {
            return Some(first.clone());
        }
        self.0.insert(key, in_image.to_owned());
        None
    }
}
