//! Files that need work before they are a layer: archives that `ADD` unpacks, what stands on the
//! network.

mod repository;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sealer_image::layer::{Entry, EntryKind};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use super::{Builder, Made, entry, give_mode};
use crate::archive::{self, Refused};
use crate::cache::Cache;
use crate::check;
use crate::context::{HardLinks, Item};
use crate::error::{Error, Result};
use crate::kubefile::KubefileError;
use crate::plan::{Action, Placement, Source, Step};
use crate::run;

/// A source on the network.
struct Remote<'a> {
    address: &'a str,
    dest: &'a Path,
    /// Where it is downloaded to.
    file: PathBuf,
    /// What it is; before the download what it must be, where that was said.
    digest: Option<String>,
}

impl Builder<'_> {
    /// As [`copy`](Self::copy), which the cache spares: what is unpacked, and what a checksum pins.
    pub(super) fn gather(&self, task: &Task, step: &Step, made: &[Made], cache: &Cache) -> Result<Made> {
        let Action::Copy { placements, mode, checksum, unpacks } = &step.action else {
            unreachable!("only what takes files is gathered")
        };
        let scratch = run::Scratch::new(&self.request.work_dir.join("scratch"))?;
        let mut remotes = remotes(placements, checksum.as_ref(), &scratch.folder("downloads")?);
        let repositories = self.repositories(task, step, checksum.as_ref())?;
        for remote in remotes.iter_mut().filter(|remote| remote.digest.is_none()) {
            remote.digest = Some(self.download(task, remote)?);
        }
        let listed = self.settled(placements)?;
        let mut key = self.copy_key(if *unpacks { "ADD" } else { "COPY" }, *mode, &listed);
        for remote in &remotes {
            key.add(remote.dest.as_os_str().as_bytes());
            key.add(remote.digest.as_deref().unwrap_or_default());
        }
        repositories.iter().for_each(|repository| repository.add_to(&mut key));
        if let Some(found) = cache.find(self.store, &key) {
            let packed = check::of_layer(task, self.store, &self.below(made)?, &found, step.span)?;
            let instruction = step.instruction.clone();
            return Ok(Made { layer: found.layer, instruction, cached: true, packed });
        }
        let (mut entries, mut links) = (Vec::new(), HardLinks::default());
        for remote in &remotes {
            self.verify(task, step, remote, checksum.as_deref())?;
            let kind = EntryKind::File(remote.file.clone());
            entries.push(Entry { path: remote.dest.to_owned(), kind, mode: 0o644 });
        }
        for (index, repository) in repositories.iter().enumerate() {
            let dir = scratch.folder(&format!("repository-{index}"))?;
            entries.extend(self.check_out(task, step, (repository, checksum.as_deref()), &dir)?);
        }
        let files = scratch.folder("files")?;
        for (placement, items) in &listed {
            for item in items {
                let folder = archive::folder(&files, entries.len()).at(&files)?;
                let unpacked = match unpacks {
                    true => self.unpacked(task, step, (placement, item), &folder)?,
                    false => None,
                };
                match unpacked {
                    Some(more) => entries.extend(more),
                    None => entries.extend(entry(&placement.dest, item, &mut links)?),
                }
            }
        }
        give_mode(&mut entries, *mode);
        let packed = check::packed(&entries, step.span)?;
        self.made(task, step, entries, &key, cache, packed)
    }

    fn download(&self, task: &Task, remote: &Remote<'_>) -> Result<String> {
        let task = task.child("download", remote.address, None)?;
        let digest = self.request.images.registry.download(&task, remote.address, &remote.file)?;
        task.finish();
        Ok(digest.to_string())
    }

    /// Downloads what a checksum pins, and compares.
    fn verify(&self, task: &Task, step: &Step, remote: &Remote<'_>, checksum: Option<&str>) -> Result<()> {
        let Some(checksum) = checksum else { return Ok(()) };
        let digest = self.download(task, remote)?;
        if digest == checksum {
            return Ok(());
        }
        Err(self.refuse(step, format!("`{}` is {digest}, not {checksum}", remote.address)))
    }

    /// What a source of `ADD` holds, where it is an archive: one in a folder stays as it is.
    fn unpacked(
        &self,
        task: &Task,
        step: &Step,
        (placement, item): (&Placement, &Item),
        folder: &Path,
    ) -> Result<Option<Vec<Entry>>> {
        if !item.below.as_os_str().is_empty() || !item.metadata.is_file() {
            return Ok(None);
        }
        let unpack = || match archive::is_archive(&item.path)? {
            true => {
                // `ADD x.tar etc` unpacks into `etc`; the plan says `etc/x.tar`.
                let named = placement.dest.file_name() == item.path.file_name();
                let dest = placement.dest.parent().filter(|_| named).unwrap_or(&placement.dest);
                archive::entries(task, &item.path, dest, folder).map(Some)
            }
            false => Ok(None),
        };
        unpack().map_err(|refused| match refused {
            Refused::Path(error) => error.into(),
            Refused::Cancelled(cancelled) => cancelled.into(),
            Refused::Wrong(reason) => {
                self.refuse(step, format!("the archive `{}` {reason}", item.path.display()))
            }
        })
    }

    fn refuse(&self, step: &Step, message: String) -> Error {
        let mut error = KubefileError::new(&self.kubefile.lines, step.span, message);
        self.name.clone_into(&mut error.file);
        Error::Kubefile(vec![error])
    }
}

fn remotes<'a>(placements: &'a [Placement], checksum: Option<&String>, dir: &Path) -> Vec<Remote<'a>> {
    let remote = |(index, placement): (usize, &'a Placement)| match &placement.source {
        Source::Context(_) | Source::Git(_) => None,
        Source::Remote(address) => Some(Remote {
            address,
            dest: &placement.dest,
            file: dir.join(index.to_string()),
            digest: checksum.cloned(),
        }),
    };
    placements.iter().enumerate().filter_map(remote).collect()
}

/// Tells whether something stands on the network.
pub(super) fn has_remote(placements: &[Placement]) -> bool {
    placements.iter().any(|placement| !matches!(placement.source, Source::Context(_)))
}
