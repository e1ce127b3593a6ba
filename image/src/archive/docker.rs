//! Archives of `docker save`: a list of images, their configurations, and their layers unpacked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifestBuilder, MediaType};
use sealer_stdx::task::Task;
use serde::{Deserialize, Serialize};
use tar::Builder;

use super::load::Pass;
use super::save::{Failure, Sink, append};
use super::wrong;
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::image::{Image, put};
use crate::layer::{self, Layer};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::Store;

/// One image in `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: PathBuf,
    repo_tags: Option<Vec<String>>,
    layers: Vec<PathBuf>,
}

/// An archive that is being written.
struct Writing<'a, 'b> {
    task: &'a Task,
    store: &'a Store,
    builder: Builder<&'a mut Sink<'b>>,
    written: HashSet<PathBuf>,
}

pub(super) fn save(
    task: &Task,
    store: &Store,
    roots: &[(&Reference, Descriptor)],
    out: &mut Sink<'_>,
) -> std::result::Result<(), Failure> {
    let mut writing = Writing { task, store, builder: Builder::new(out), written: HashSet::new() };
    let mut images: Vec<(String, Listed)> = Vec::new();
    for (reference, root) in roots {
        let image = Image::open(store, root, &Platform::host())?;
        let digest = image.descriptor.digest().to_string();
        match images.iter_mut().find(|(other, _)| *other == digest) {
            Some((_, listed)) => listed.repo_tags.get_or_insert_default().push(reference.familiar()),
            None => images.push((digest, writing.image(reference, &image)?)),
        }
    }
    let list: Vec<Listed> = images.into_iter().map(|(_, listed)| listed).collect();
    let list = serde_json::to_vec(&list).expect("a list is plain data");
    append(&mut writing.builder, "manifest.json", list.len() as u64, &mut list.as_slice())?;
    writing.builder.finish().map_err(Failure::Out)
}

impl Writing<'_, '_> {
    fn image(&mut self, reference: &Reference, image: &Image) -> std::result::Result<Listed, Failure> {
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for (descriptor, diff_id, _) in image.steps(self.store)? {
            let path = PathBuf::from(format!("{}.tar", diff_id.digest()));
            if self.written.insert(path.clone()) {
                self.layer(&descriptor, &path)?;
            }
            layers.push(path);
            diff_ids.push(diff_id.to_string());
        }
        let config = configuration(image, diff_ids);
        let name = format!("{}.json", sha256(&config).digest());
        if self.written.insert(PathBuf::from(&name)) {
            append(&mut self.builder, &name, config.len() as u64, &mut config.as_slice())?;
        }
        Ok(Listed { config: name.into(), repo_tags: Some(vec![reference.familiar()]), layers })
    }

    /// Writes a layer unpacked. Its size stands before it in an archive, so it is unpacked twice.
    fn layer(&mut self, layer: &Descriptor, path: &Path) -> std::result::Result<(), Failure> {
        let task = self.task.child("blob", layer.digest().to_string(), Some(layer.size()))?;
        let broken = |error| Error::from_read(error, layer.digest());
        let size =
            io::copy(&mut layer::unpacked_bytes(self.store, layer)?, &mut io::sink()).map_err(broken)?;
        let mut bytes = layer::unpacked_bytes(self.store, layer)?;
        append(&mut self.builder, &path.to_string_lossy(), size, &mut bytes)?;
        task.advance(layer.size());
        task.finish();
        Ok(())
    }
}

/// The configuration with the digests of the layers, which the original's images do not know.
fn configuration(image: &Image, diff_ids: Vec<String>) -> Vec<u8> {
    let mut config = image.config.clone();
    let mut rootfs = config.rootfs().clone();
    rootfs.set_diff_ids(diff_ids);
    config.set_rootfs(rootfs);
    serde_json::to_vec(&config).expect("a configuration is plain data")
}

/// Takes in all images of an archive, whose small files and links the first pass has found.
pub(super) fn load(
    task: &Task,
    store: &Store,
    pass: &Pass<'_>,
    name: Option<&Reference>,
) -> Result<Vec<Reference>> {
    let list = pass.files.get(Path::new("manifest.json")).expect("it was found");
    let images: Vec<Listed> = serde_json::from_slice(list)
        .map_err(|error| wrong(pass.input, format!("holds a list of images that cannot be read: {error}")))?;
    let mut wanted: HashMap<PathBuf, Option<Layer>> = HashMap::new();
    for path in images.iter().flat_map(|image| &image.layers) {
        wanted.insert(followed(path, &pass.links), None);
    }
    pass.again(task, &mut |path, entry| {
        if let Some(place) = wanted.get_mut(path) {
            *place = Some(layer::import(task, store, entry, &|error| pass.broken(error))?);
        }
        Ok(())
    })?;
    let mut loaded = Vec::new();
    for image in &images {
        let mut layers = Vec::new();
        for path in &image.layers {
            let layer = wanted.get(&followed(path, &pass.links)).cloned().flatten();
            layers.push(layer.ok_or_else(|| pass.lacks(path))?);
        }
        let config = pass.files.get(&image.config).ok_or_else(|| pass.lacks(&image.config))?;
        let root = assemble(store, config, &layers, pass.input)?;
        let names: Vec<Reference> = match name {
            Some(name) if images.len() == 1 => vec![name.clone()],
            _ => image.repo_tags.iter().flatten().map(|name| name.parse()).collect::<Result<_>>()?,
        };
        for name in names {
            store.tag(&root, &name)?;
            loaded.push(name);
        }
    }
    Ok(loaded)
}

fn assemble(store: &Store, config: &[u8], layers: &[Layer], input: &Path) -> Result<Descriptor> {
    let parsed: ImageConfiguration = serde_json::from_slice(config)
        .map_err(|error| wrong(input, format!("holds a configuration that cannot be read: {error}")))?;
    let expected = parsed.rootfs().diff_ids();
    if expected.len() != layers.len() {
        let (expected, found) = (expected.len(), layers.len());
        return Err(wrong(input, format!("holds {found} layers of an image that has {expected}")));
    }
    for (expected, layer) in expected.iter().zip(layers) {
        if *expected != layer.diff_id.to_string() {
            return Err(Error::Verify {
                what: "layer",
                digest: layer.descriptor.digest().clone(),
                detail: format!("unpacked it is {}, the configuration says {expected}", layer.diff_id),
            });
        }
    }
    let config = Descriptor::new(MediaType::ImageConfig, config.len() as u64, store.put_bytes(config)?);
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers.iter().map(|layer| layer.descriptor.clone()).collect::<Vec<_>>())
        .build()
        .expect("all required fields are set");
    put(store, MediaType::ImageManifest, &manifest)
}

/// Older archives hold a layer once, and links to it elsewhere.
fn followed(path: &Path, links: &BTreeMap<PathBuf, PathBuf>) -> PathBuf {
    let Some(target) = links.get(path) else { return path.to_owned() };
    let mut place = path.parent().unwrap_or(Path::new("")).to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => {
                place.pop();
            }
            Component::Normal(name) => place.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    place
}
