//! The image that a build stands on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use sealer_image::{Image, Reference, Store, layer};
use sealer_stdx::task::Task;

use crate::error::{Error, Result};
use crate::exec::BuildRequest;
use crate::kubefile::{InstructionKind, Kubefile, KubefileError};
use crate::plan;

/// As many links as the system follows on the way to one file.
const MOST_LINKS: usize = 40;

/// Opens the base image: from the store where it is there, else pulled; nothing for `scratch`.
pub(crate) fn open(
    task: &Task,
    request: &BuildRequest<'_>,
    store: &Store,
    kubefile: &Kubefile,
) -> Result<Option<Image>> {
    let name = plan::base(kubefile, &request.build_args, &request.platform)
        .map_err(|error| Error::Kubefile(vec![error]))?;
    let Some(name) = name else { return Ok(None) };
    let reference: Reference = name.parse().map_err(|error: sealer_image::Error| {
        let word = kubefile.instructions.iter().find_map(|one| match &one.kind {
            InstructionKind::From(word) => Some(word),
            _ => None,
        });
        let span = word.expect("the name was read from there").span;
        let error = KubefileError::new(&kubefile.lines, span, error.to_string());
        let upper = name.split([':', '@']).next().is_some_and(|name| name.contains(char::is_uppercase));
        Error::Kubefile(vec![if upper { error.hint("an image's name is in lower case") } else { error }])
    })?;
    let found = match store.resolve(&reference) {
        Err(sealer_image::Error::NotFound { .. }) => (request.pull)(task, &reference),
        found => found,
    };
    if let (Some(policy), Ok(descriptor)) = (request.policy, &found) {
        policy
            .check(store, &reference, descriptor)
            .map_err(|source| Error::Policy { reference: reference.clone(), source: Box::new(source) })?;
    }
    let opened = found.and_then(|descriptor| Image::open(store, &descriptor, &request.platform));
    match opened {
        Ok(image) => Ok(Some(image)),
        Err(sealer_image::Error::Cancelled(error)) => Err(error.into()),
        Err(source) => Err(Error::Base { reference, source: Box::new(source) }),
    }
}

/// The variables that an image sets.
pub(crate) fn env(image: Option<&Image>) -> BTreeMap<String, String> {
    let config = image.and_then(|image| image.config.config().as_ref());
    let items = config.and_then(|config| config.env().as_ref()).into_iter().flatten();
    items.filter_map(|item| item.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}

/// Looks into the base image only when a `COPY` depends on what is a folder there.
pub(crate) struct BaseFolders<'a> {
    pub(crate) task: &'a Task,
    pub(crate) store: &'a Store,
    pub(crate) base: Option<&'a Image>,
    pub(crate) work_dir: &'a Path,
}

impl BaseFolders<'_> {
    pub(crate) fn has(&self, path: &Path) -> bool {
        let Some(base) = self.base else { return false };
        let unpacked = layer::unpacked(self.task, self.store, base, &self.work_dir.join("rootfs"));
        unpacked.is_ok_and(|unpacked| is_folder_in(&unpacked.dir, path))
    }
}

/// Tells whether a path is a folder of an image, whose links begin at its own root.
fn is_folder_in(root: &Path, path: &Path) -> bool {
    let mut left: Vec<OsString> = path.iter().rev().map(OsString::from).collect();
    let (mut at, mut links) = (PathBuf::new(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let Ok(target) = fs::read_link(root.join(&at).join(&part)) else {
            at.push(part);
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return false;
        }
        if target.is_absolute() {
            at.clear();
        }
        let parts = target.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
        left.extend(parts.collect::<Vec<_>>().into_iter().rev());
    }
    fs::symlink_metadata(root.join(at)).is_ok_and(|metadata| metadata.is_dir())
}
