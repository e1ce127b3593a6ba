//! Folders of repositories of git, as entries of a layer.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sealer_image::layer::{Entry, EntryKind};
use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::Task;
use walkdir::WalkDir;

use super::super::{Builder, entry};
use crate::cache::Key;
use crate::context::{HardLinks, Item};
use crate::error::{Error, Result};
use crate::git::{self, Refused};
use crate::kubefile::KubefileError;
use crate::plan::{Action, GitSource, Source, Step};

/// A source in a repository of git.
pub(super) struct Repository<'a> {
    source: &'a GitSource,
    dest: &'a Path,
    /// What it means; before it is asked what it must mean, where that was said.
    commit: String,
}

impl Repository<'_> {
    pub(super) fn add_to(&self, key: &mut Key) {
        key.add("git");
        key.add(self.dest.as_os_str().as_bytes());
        key.add(&self.commit);
        key.add(self.source.folder.as_os_str().as_bytes());
        key.add(format!("{}", self.source.keeps_git_dir));
    }
}

impl Builder<'_> {
    /// The repositories of a step, each with its commit: what a checksum pins is not asked for.
    pub(super) fn repositories<'p>(
        &self,
        task: &Task,
        step: &'p Step,
        checksum: Option<&String>,
    ) -> Result<Vec<Repository<'p>>> {
        let Action::Copy { placements, .. } = &step.action else { return Ok(Vec::new()) };
        let mut known: BTreeMap<(&str, Option<&str>), String> = BTreeMap::new();
        let mut repositories = Vec::new();
        for placement in placements {
            let Source::Git(source) = &placement.source else { continue };
            let named = (source.address.as_str(), source.reference.as_deref());
            let commit = match (checksum, known.get(&named)) {
                (Some(commit), _) | (None, Some(commit)) => commit.clone(),
                (None, None) => {
                    git::resolve(task, source).map_err(|refused| self.no_repository(step, refused))?
                }
            };
            known.insert(named, commit.clone());
            repositories.push(Repository { source, dest: &placement.dest, commit });
        }
        Ok(repositories)
    }

    /// Fetches a repository's files into the empty folder `dir`.
    pub(super) fn check_out(
        &self,
        task: &Task,
        step: &Step,
        (repository, checksum): (&Repository<'_>, Option<&str>),
        dir: &Path,
    ) -> Result<Vec<Entry>> {
        let Repository { source, dest, commit } = repository;
        let refuse = |refused| self.no_repository(step, refused);
        if let Some(checksum) = checksum {
            let found = git::resolve(task, source).map_err(refuse)?;
            if found != checksum {
                return Err(self.refuse(step, format!("`{source}` is {found}, not {checksum}")));
            }
        }
        let task = task.child("download", source.address.as_str(), None)?;
        let folder = git::check_out(&task, source, commit, dir).map_err(refuse)?;
        let entries = entries(&folder, dest)?;
        task.finish();
        Ok(entries)
    }

    fn no_repository(&self, step: &Step, refused: Refused) -> Error {
        let failed = |message: &str, hint: &str, output| {
            let mut at = KubefileError::new(&self.kubefile.lines, step.span, message).hint(hint);
            self.name.clone_into(&mut at.file);
            Error::Git { at: Box::new(at), output }
        };
        match refused {
            Refused::Lacks(reason) => self.refuse(step, reason),
            Refused::NoGit => {
                let hint = "install git, or clone the repository into the context";
                failed("`git`, which fetches repositories, is not on this machine", hint, Vec::new())
            }
            Refused::Failed(output) => {
                let hint =
                    "`git ls-remote` tells the same: credentials come from its own helpers and ssh's keys";
                failed("the repository cannot be fetched", hint, output)
            }
            Refused::Path(error) => error.into(),
            Refused::Cancelled(cancelled) => cancelled.into(),
        }
    }
}

/// What a folder that git laid out holds. Of modes git knows whether a file may be run.
fn entries(folder: &Path, dest: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for found in WalkDir::new(folder).sort_by_file_name() {
        let found = found.map_err(|error| PathError {
            path: error.path().unwrap_or(folder).to_owned(),
            source: error.into(),
        })?;
        let path = found.path().to_owned();
        let metadata = fs::symlink_metadata(&path).at(&path)?;
        let below = path.strip_prefix(folder).expect("it was found there").to_owned();
        let runs = metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0;
        let item = Item { below, path, metadata };
        let Some(mut entry) = entry(dest, &item, &mut HardLinks::default())? else { continue };
        if !matches!(entry.kind, EntryKind::Symlink(_)) {
            entry.mode = if runs { 0o755 } else { 0o644 };
        }
        entries.push(entry);
    }
    Ok(entries)
}
