//! Where the sources of `COPY` and `ADD` go.

use std::path::{Component, Path, PathBuf};

use super::{Action, Placement, Planner, Source};
use crate::context::Found;
use crate::kubefile::ast::{CopyRules, Copying};
use crate::kubefile::{KubefileError, Span, Word};
use crate::remote;

impl Planner<'_> {
    pub(super) fn copy(&mut self, copying: &Copying) -> Result<Action, Vec<KubefileError>> {
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for source in &copying.sources {
            match self.find(source) {
                Ok(more) => found.extend(more),
                Err(error) => errors.push(error),
            }
        }
        let checksum = copying.checksum.as_ref().map(|word| self.checksum(word, &found)).transpose();
        let checksum = checksum.map_err(|error| errors.push(error)).unwrap_or_default();
        if copying.keeps_git_dir {
            self.keep_git_dir(copying, &mut found).unwrap_or_else(|error| errors.push(error));
        }
        let mode = copying.mode.as_ref().map(|word| self.mode(word)).transpose();
        let mode = mode.map_err(|error| errors.push(error)).unwrap_or_default();
        let dest = &copying.dest;
        let written = self.text(dest).map_err(|error| errors.push(error)).unwrap_or_default();
        let Some(folder) = image_path(&written) else {
            errors.push(self.error(dest.span, "leaves the image's root by `..`"));
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let placements = match self.kubefile.copy_rules {
            _ if copying.parents => self.place_with_parents(&found, &folder),
            CopyRules::Sealer => self.place_as_sealer(&found, &folder, &written),
            CopyRules::Docker => {
                self.place_as_docker(&found, &folder, &written, dest.span).map_err(|error| vec![error])?
            }
        };
        self.remember(&placements);
        Ok(Action::Copy { placements, mode, checksum, unpacks: copying.unpacks })
    }

    /// Notes the folders that are there from now on.
    pub(super) fn remember(&mut self, placements: &[Placement]) {
        for placement in placements {
            self.folders.extend(placement.dest.ancestors().skip(1).map(Path::to_owned));
            let is_folder = match &placement.source {
                Source::Context(path) => path.is_dir(),
                Source::Remote(_) => false,
                Source::Git(_) => true,
            };
            if is_folder {
                self.folders.insert(placement.dest.clone());
            }
        }
    }

    fn mode(&self, word: &Word) -> Result<u32, KubefileError> {
        let text = self.text(word)?;
        let is_octal =
            (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(&text, 8).ok().filter(|_| is_octal);
        mode.ok_or_else(|| {
            let error = self.error(word.span, format!("`{text}` is no mode"));
            error.hint("a mode is three or four octal digits: `--chmod=0644`")
        })
    }

    pub(super) fn find(&self, source: &Word) -> Result<Vec<Found>, KubefileError> {
        self.found(&self.text(source)?, source.span)
    }

    /// What a pattern names in the context.
    pub(super) fn found(&self, pattern: &str, span: Span) -> Result<Vec<Found>, KubefileError> {
        if let Some(found) = remote::source(pattern) {
            return found
                .map(|found| vec![found])
                .map_err(|(message, hint)| self.error(span, message).hint(hint));
        }
        self.input.context.find(pattern).map_err(|(message, hint)| {
            let error = self.error(span, message);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    fn checksum(&self, word: &Word, found: &[Found]) -> Result<String, KubefileError> {
        let text = self.text(word)?;
        let checked = match found {
            [Found { source: Source::Remote(_), .. }] => remote::checksum(&text),
            [Found { source: Source::Git(_), .. }] => remote::commit(&text),
            _ => Err("`--checksum` is for one source on the network".to_owned()),
        };
        checked.map_err(|message| self.error(word.span, message))
    }

    fn keep_git_dir(&self, copying: &Copying, found: &mut [Found]) -> Result<(), KubefileError> {
        let wrong = |message: &str| Err(self.error(copying.dest.span, message));
        for one in found {
            match &mut one.source {
                Source::Git(git) if git.folder.as_os_str().is_empty() => git.keeps_git_dir = true,
                Source::Git(_) => {
                    return wrong("`--keep-git-dir` is for whole repositories: a folder has no `.git`");
                }
                _ => return wrong("`--keep-git-dir` is for repositories of git"),
            }
        }
        Ok(())
    }

    /// Sources keep the folders that they stand in.
    fn place_with_parents(&self, found: &[Found], folder: &Path) -> Vec<Placement> {
        let place = |one: &Found| {
            let below = match &one.source {
                Source::Context(path) => path.strip_prefix(self.input.context.root()).ok(),
                Source::Remote(_) | Source::Git(_) => None,
            };
            let below = below.or(one.name.as_deref()).unwrap_or(Path::new(""));
            placement(one, folder.join(below))
        };
        found.iter().map(place).collect()
    }

    /// The destination is a folder, in which sources keep their names. One file to a name with a
    /// dot, which is no folder, is that file.
    fn place_as_sealer(&self, found: &[Found], folder: &Path, written: &str) -> Vec<Placement> {
        let renames = match found {
            [one] if !one.is_dir && !written.ends_with('/') => {
                let last = folder.file_name().map(|name| name.to_string_lossy().into_owned());
                last.is_some_and(|last| last.contains('.')) && !self.is_folder(folder)
            }
            _ => false,
        };
        let place = |one: &Found| {
            let dest = match &one.name {
                Some(name) if !renames => folder.join(name),
                _ => folder.to_owned(),
            };
            placement(one, dest)
        };
        found.iter().map(place).collect()
    }

    /// A folder's content goes into the destination; a file goes into it where it is a folder or
    /// ends with `/`, and is it otherwise.
    fn place_as_docker(
        &self,
        found: &[Found],
        folder: &Path,
        written: &str,
        span: Span,
    ) -> Result<Vec<Placement>, KubefileError> {
        let into = written.ends_with('/')
            || written == "."
            || folder.as_os_str().is_empty()
            || self.is_folder(folder);
        if found.len() > 1 && !into {
            let error = self.error(span, "must be a folder, for there are several sources");
            return Err(error.hint(format!("write `{written}/`")));
        }
        let place = |one: &Found| {
            let dest = match &one.name {
                Some(name) if !one.is_dir && into => folder.join(name),
                _ => folder.to_owned(),
            };
            placement(one, dest)
        };
        Ok(found.iter().map(place).collect())
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.folders.contains(path) || (self.input.base_has_folder)(path)
    }
}

pub(super) fn placement(found: &Found, dest: PathBuf) -> Placement {
    Placement { source: found.source.clone(), dest }
}

/// A destination as a path from the image's root; nothing where it would leave that.
fn image_path(written: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(written).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
        }
    }
    Some(path)
}
