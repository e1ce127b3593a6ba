//! Taking images in, whatever form they are in: what is there tells.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageManifest, MediaType};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;
use tar::Entry;

use super::{docker, layout, original, wrong};
use crate::error::{Error, Result};
use crate::layer::{Metered, TarReader, plain};
use crate::reference::Reference;
use crate::store::Store;

/// The small files of an archive that are of interest are no larger than this, in bytes.
const SMALL: u64 = 8 << 20;

/// Takes in all images of `input` and returns their names: a tar of an OCI image layout, an archive
/// of `docker save` or of the original's `save`, each compressed or not; a folder of an OCI image
/// layout, or of skopeo's `dir:`. `name` is the one to give, where there is one image.
///
/// # Errors
/// When it is none of these, when content is missing or not what its name says; names are given last.
pub fn load(task: &Task, store: &Store, input: &Path, name: Option<&Reference>) -> Result<Vec<Reference>> {
    let task = task.child("load", input.display().to_string(), None)?;
    let loaded = match input.is_dir() {
        true => load_dir(&task, store, input, name)?,
        false => load_file(&task, store, input, name)?,
    };
    if loaded.is_empty() {
        return Err(Error::Unnamed { path: input.to_owned() });
    }
    task.finish();
    Ok(loaded)
}

fn load_dir(task: &Task, store: &Store, input: &Path, name: Option<&Reference>) -> Result<Vec<Reference>> {
    if input.join("index.json").is_file() {
        let index = layout::load_dir(task, store, input)?;
        return layout::name_all(store, input, &index, name);
    }
    let path = input.join("manifest.json");
    if !path.is_file() {
        return Err(wrong(input, "is no image: it holds neither `index.json` nor `manifest.json`"));
    }
    let Some(name) = name else { return Ok(Vec::new()) };
    let bytes = fs::read(&path).at(&path)?;
    let manifest: ImageManifest = serde_json::from_slice(&bytes)
        .map_err(|error| wrong(&path, format!("is no manifest of an image: {error}")))?;
    for content in manifest.layers().iter().chain([manifest.config()]) {
        task.check()?;
        let place = input.join(content.digest().digest());
        store.take_in(content, &mut File::open(&place).at(&place)?)?;
    }
    let media_type = manifest.media_type().clone().unwrap_or(MediaType::ImageManifest);
    let root = Descriptor::new(media_type, bytes.len() as u64, store.put_bytes(&bytes)?);
    store.tag(&root, name)?;
    Ok(vec![name.clone()])
}

fn load_file(task: &Task, store: &Store, input: &Path, name: Option<&Reference>) -> Result<Vec<Reference>> {
    let mut pass = Pass { input, files: BTreeMap::new(), links: BTreeMap::new() };
    let (mut files, mut links) = (BTreeMap::new(), BTreeMap::new());
    pass.again(task, &mut |path, entry| {
        let kind = entry.header().entry_type();
        if let Some(descriptor) = layout::blob(path, entry.size()) {
            store.take_in(&descriptor, entry)?;
        } else if kind.is_symlink() {
            let target = entry.link_name().ok().flatten();
            links.extend(target.map(|target| (path.to_owned(), target.into_owned())));
        } else if path.components().count() == 1 && kind.is_file() && entry.size() <= SMALL {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| pass.broken(&error))?;
            files.insert(path.to_owned(), bytes);
        }
        Ok(())
    })?;
    (pass.files, pass.links) = (files, links);
    if let Some(index) = pass.files.get(Path::new("index.json")) {
        return layout::name_all(store, input, index, name);
    }
    if pass.files.contains_key(Path::new("manifest.json")) {
        return docker::load(task, store, &pass, name);
    }
    if pass.files.contains_key(Path::new(original::OBJECT)) {
        return original::load(task, store, &pass, name);
    }
    Err(wrong(input, "holds no image: neither `index.json` nor `manifest.json` is in it"))
}

/// An archive that is gone through from its beginning, as often as it takes.
pub(super) struct Pass<'a> {
    pub(super) input: &'a Path,
    /// Its small files outside of folders.
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
    /// Its links, and where they point.
    pub(super) links: BTreeMap<PathBuf, PathBuf>,
}

/// An archive's bytes.
type Source = Metered<Box<dyn Read>>;

impl Pass<'_> {
    /// Goes through all entries, each with its path.
    pub(super) fn again(
        &self,
        task: &Task,
        visit: &mut dyn FnMut(&Path, &mut Entry<'_, Source>) -> Result<()>,
    ) -> Result<()> {
        let file = File::open(self.input).at(self.input)?;
        let source = plain(BufReader::with_capacity(1 << 20, file)).map_err(|error| self.broken(&error))?;
        let mut archive = TarReader::new(source);
        for entry in archive.entries().map_err(|error| self.broken(&error))? {
            task.check()?;
            let mut entry = entry.map_err(|error| self.broken(&error))?;
            let path = entry.path().map_err(|error| self.broken(&error))?.into_owned();
            let path: PathBuf = path.components().skip_while(|part| part.as_os_str() == ".").collect();
            visit(&path, &mut entry)?;
        }
        Ok(())
    }

    pub(super) fn broken(&self, error: &io::Error) -> Error {
        wrong(self.input, format!("is no archive of images: {error}"))
    }

    pub(super) fn lacks(&self, path: &Path) -> Error {
        wrong(self.input, format!("lacks its file `{}`", path.display()))
    }
}
