//! The files of an image that name container images, layer by layer, and kept by layer: a layer that
//! was looked through once is not read again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::layer::{self, Change, Entry, EntryKind, Layer};
use sealer_image::{Descriptor, Digest, Image, Reference, Store};
use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::Task;
use walkdir::WalkDir;

use super::layout::{self, Held, Slot};
use super::needed::Mention;
use super::{kubeadm, list, manifest};
use crate::cache::{Cache, Key};
use crate::error::Result;

/// The folders whose files name images: what `sealer run` applies, what applications bring, what the
/// kubelet starts.
const FOLDERS: [&str; 4] = ["manifests", "charts", "application/apps", "etc/kubernetes/manifests"];
pub(crate) const CHARTS: [&str; 2] = ["charts", "application/apps"];
/// No file that names images is larger, in bytes.
const MOST: u64 = 64 << 20;
/// Goes up when what is looked for changes.
const VERSION: &str = "SOURCES 2";
/// The annotation of a layer that holds an image of the registry: nothing there names another.
pub(crate) const IMAGE_LAYER: &str = "io.sealer.layer.images";

/// The files of an image that matter here, upper layers over lower ones.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Sources {
    /// Reads an image and the layers that were made on top of it.
    pub(crate) fn read(
        task: &Task,
        store: &Store,
        cache: &Cache,
        base: Option<&Image>,
        layers: &[Layer],
    ) -> Result<Self> {
        let mut sources = Self::default();
        let of_base = base.map(|base| base.manifest.layers().iter().cloned().zip(base.diff_ids()));
        let own = layers.iter().map(|layer| (layer.descriptor.clone(), layer.diff_id.clone()));
        for (descriptor, diff_id) in of_base.into_iter().flatten().chain(own) {
            let annotations = descriptor.annotations().as_ref();
            if annotations.is_some_and(|annotations| annotations.contains_key(IMAGE_LAYER)) {
                continue;
            }
            sources.apply(changes(task, store, cache, &descriptor, &diff_id)?);
        }
        Ok(sources)
    }

    /// Reads an unpacked image.
    pub(crate) fn of_folder(root: &Path) -> Result<Self> {
        let mut sources = Self::default();
        let walk = WalkDir::new(root).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| {
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            is_near(path)
        }) {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(root).to_owned();
                PathError { path, source: error.into() }
            })?;
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path()).to_owned();
            if entry.file_type().is_file() && is_wanted(&path) {
                sources.files.insert(path, fs::read(entry.path()).at(entry.path())?);
            }
        }
        Ok(sources)
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::File(path, bytes) => {
                    self.files.insert(path, bytes);
                }
                Change::Gone(below) => self.files.retain(|path, _| !path.starts_with(&below)),
            }
        }
    }

    /// What manifests and lists mention. Charts are for themselves.
    pub(crate) fn mentions(&self) -> Vec<Mention> {
        let mut mentions = Vec::new();
        for (path, bytes) in &self.files {
            let file = path.display().to_string();
            let text = String::from_utf8_lossy(bytes);
            if path == Path::new("manifests/imageList") {
                mentions.extend(list::mentions(&file, &text));
            } else if path == Path::new(kubeadm::FILE) {
                mentions.extend(kubeadm::mentions(&text, |repository| self.holds(repository)));
            } else if is_manifest(path) {
                mentions.extend(manifest::mentions(&file, &text));
            }
        }
        mentions
    }

    /// Whether the image's registry holds any tag of a repository.
    fn holds(&self, repository: &str) -> bool {
        let Ok(reference) = repository.parse::<Reference>() else { return false };
        self.tags().keys().any(|slot| slot.repository == reference.repository())
    }

    /// The files, by their path in the image.
    pub(crate) fn files(&self) -> &BTreeMap<PathBuf, Vec<u8>> {
        &self.files
    }

    /// The tags that the image's registry holds, and what they name.
    pub(crate) fn tags(&self) -> BTreeMap<Slot, Digest> {
        let tag = |(path, bytes): (&PathBuf, &Vec<u8>)| match layout::held(path)? {
            Held::Tag(slot) => Some((slot, String::from_utf8_lossy(bytes).trim().parse().ok()?)),
            Held::Revision(..) => None,
        };
        self.files.iter().filter_map(tag).collect()
    }

    /// The manifests that the image's registry holds: repository and digest.
    pub(crate) fn revisions(&self) -> BTreeSet<(String, String)> {
        let revision = |path: &PathBuf| match layout::held(path)? {
            Held::Revision(repository, digest) => Some((repository, digest)),
            Held::Tag(_) => None,
        };
        self.files.keys().filter_map(revision).collect()
    }
}

/// Keeps what a layer's entries say, before they are written and forgotten.
pub(crate) fn keep(cache: &Cache, layer: &Layer, entries: &[Change]) -> Result<()> {
    cache.note(&key(&layer.diff_id), &entries)
}

/// Returns what entries that are not written yet do to the files that matter here.
pub(crate) fn of_entries(entries: &[Entry]) -> Result<Vec<Change>> {
    let (mut gone, mut files) = (Vec::new(), Vec::new());
    for entry in entries {
        if !is_near(&entry.path) {
            continue;
        }
        if entry.kind != EntryKind::Dir {
            gone.push(Change::Gone(entry.path.clone()));
        }
        if is_wanted(&entry.path)
            && let Some(bytes) = content(entries, entry)?
        {
            files.push(Change::File(entry.path.clone(), bytes));
        }
    }
    gone.extend(files);
    Ok(gone)
}

fn content(entries: &[Entry], entry: &Entry) -> Result<Option<Vec<u8>>> {
    match &entry.kind {
        EntryKind::File(source) => Ok(Some(fs::read(source).at(source)?)),
        EntryKind::Bytes(bytes) => Ok(Some(bytes.clone())),
        EntryKind::Hardlink(first) => match entries.iter().find(|other| other.path == *first) {
            Some(other) if other.path != entry.path => content(entries, other),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn changes(
    task: &Task,
    store: &Store,
    cache: &Cache,
    layer: &Descriptor,
    diff_id: &Digest,
) -> Result<Vec<Change>> {
    let key = key(diff_id);
    if let Some(changes) = cache.noted(&key) {
        return Ok(changes);
    }
    let mut changes = layer::read_changes(task, store, layer, Some(diff_id), MOST, is_wanted)?;
    changes.retain(|change| match change {
        Change::File(..) => true,
        Change::Gone(path) => is_near(path),
    });
    cache.note(&key, &changes)?;
    Ok(changes)
}

fn key(diff_id: &Digest) -> Key {
    let mut key = Key::default();
    key.add(VERSION);
    key.add(diff_id.to_string());
    key
}

/// Whether a path is one of the folders, below one, or above one.
fn is_near(path: &Path) -> bool {
    let folders = FOLDERS.iter().copied().chain(["registry", kubeadm::FILE]).map(Path::new);
    folders.into_iter().any(|folder| path.starts_with(folder) || folder.starts_with(path))
}

fn is_wanted(path: &Path) -> bool {
    let is_chart = CHARTS.iter().any(|folder| path.starts_with(folder));
    let is_named = [kubeadm::FILE, "manifests/imageList"].iter().any(|name| path == Path::new(name));
    is_chart || is_manifest(path) || is_named || layout::held(path).is_some()
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    let known = ["yaml", "yml", "tmpl", "json"].contains(&extension.as_str());
    // Applications are manifests or charts; what is a chart's is no manifest yet.
    let in_chart =
        path.starts_with("charts") || path.components().any(|part| part.as_os_str() == "templates");
    known && !in_chart && FOLDERS.iter().any(|folder| path.starts_with(folder))
}
