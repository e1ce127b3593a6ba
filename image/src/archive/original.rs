//! Archives of the original's `save`, up to its 0.8: a folder for each layer, by its digest, and the
//! object of the image (`pkg/image/image_file_service.go`).

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::Task;
use tar::{Builder, Entry, EntryType, Header};

use super::load::Pass;
use super::wrong;
use crate::error::Result;
use crate::image::{NewImage, commit};
use crate::layer::{Compression, Layer, LayerWriter};
use crate::legacy::ImageObject;
use crate::reference::Reference;
use crate::store::Store;

/// The file that holds the object, as YAML.
pub(super) const OBJECT: &str = "image_metadata.yaml";

/// By which overlay marks a folder that hides what is below it.
const OPAQUE: &str = "SCHILY.xattr.trusted.overlay.opaque";

pub(super) fn load(
    task: &Task,
    store: &Store,
    pass: &Pass<'_>,
    name: Option<&Reference>,
) -> Result<Vec<Reference>> {
    let text = pass.files.get(Path::new(OBJECT)).expect("it was found");
    let object: ImageObject = serde_yaml::from_slice(text)
        .map_err(|error| wrong(pass.input, format!("holds an `{OBJECT}` that cannot be read: {error}")))?;
    let name = match name {
        Some(name) => name.clone(),
        None => object.metadata.name.parse()?,
    };
    let mut layers = Layers { store, open: None, done: HashMap::new() };
    pass.again(task, &mut |path, entry| layers.take(path, entry, pass))?;
    layers.close()?;
    let mut steps = Vec::new();
    for step in object.spec.layers.iter().filter(|step| !step.id.is_empty()) {
        let hex = step.id.trim_start_matches("sha256:");
        let layer = layers.done.get(hex).cloned().ok_or_else(|| pass.lacks(Path::new(hex)))?;
        steps.push((layer, format!("{} {}", step.kind, step.value)));
    }
    let image = NewImage {
        base: None,
        layers: steps,
        platform: object.platform(),
        env: BTreeMap::new(),
        labels: object.labels().into_iter().collect(),
        annotations: BTreeMap::new(),
        sealer: object.sealer(),
        time: 0,
    };
    let root = commit(task, store, image)?;
    store.tag(&root, &name)?;
    Ok(vec![name])
}

/// The layers of an archive, which come one after the other.
struct Layers<'a> {
    store: &'a Store,
    open: Option<(String, Builder<LayerWriter>)>,
    done: HashMap<String, Layer>,
}

impl Layers<'_> {
    fn take<R: Read>(&mut self, path: &Path, entry: &mut Entry<'_, R>, pass: &Pass<'_>) -> Result<()> {
        let mut parts = path.components();
        let Some(Component::Normal(first)) = parts.next() else { return Ok(()) };
        let hex = first.to_string_lossy().into_owned();
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(());
        }
        if self.open.as_ref().is_none_or(|(open, _)| *open != hex) {
            self.close()?;
            if self.done.contains_key(&hex) {
                return Err(wrong(pass.input, format!("holds the layer `{hex}` twice")));
            }
            let writer = LayerWriter::begin(self.store, Compression::default())?;
            self.open = Some((hex, Builder::new(writer)));
        }
        let below: PathBuf = parts.collect();
        if below.as_os_str().is_empty() {
            return Ok(());
        }
        let (_, builder) = self.open.as_mut().expect("it was opened");
        let place = builder.get_ref().place().to_owned();
        append(builder, &below, entry).map_err(|failure| match failure {
            Failure::Read(error) => pass.broken(&error),
            Failure::Write(source) => PathError { path: place, source }.into(),
        })
    }

    fn close(&mut self) -> Result<()> {
        if let Some((hex, builder)) = self.open.take() {
            let place = builder.get_ref().place().to_owned();
            self.done.insert(hex, builder.into_inner().at(&place)?.finish()?);
        }
        Ok(())
    }
}

enum Failure {
    Read(io::Error),
    Write(io::Error),
}

/// Appends an entry of a layer's folder to the layer, overlay's marks in the words of layers.
fn append<R: Read>(
    builder: &mut Builder<LayerWriter>,
    path: &Path,
    entry: &mut Entry<'_, R>,
) -> std::result::Result<(), Failure> {
    let mut header = header(entry.header()).map_err(Failure::Read)?;
    let opaque = is_opaque(entry).map_err(Failure::Read)?;
    let target = entry.link_name().map_err(Failure::Read)?.map(std::borrow::Cow::into_owned);
    let written = match (entry.header().entry_type(), target) {
        (EntryType::Directory, _) => {
            let mut name = path.as_os_str().to_owned();
            name.push("/");
            builder.append_data(&mut header, Path::new(&name), io::empty()).and_then(|()| match opaque {
                true => empty(builder, &path.join(".wh..wh..opq")),
                false => Ok(()),
            })
        }
        (EntryType::Char, _) => {
            let mut name = OsString::from(".wh.");
            name.push(path.file_name().unwrap_or_default());
            empty(builder, &path.with_file_name(name))
        }
        (EntryType::Symlink, Some(target)) => builder.append_link(&mut header, path, target),
        (EntryType::Link, Some(target)) => {
            // A link's target begins with the layer's folder, like every path of the archive.
            let parts = target.components().skip_while(|part| *part == Component::CurDir);
            builder.append_link(&mut header, path, parts.skip(1).collect::<PathBuf>())
        }
        _ => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(entry.size());
            builder.append_data(&mut header, path, entry)
        }
    };
    written.map_err(Failure::Write)
}

fn header(old: &Header) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_entry_type(old.entry_type());
    header.set_mode(old.mode()? & 0o7777);
    header.set_mtime(old.mtime().unwrap_or_default());
    header.set_uid(old.uid().unwrap_or_default());
    header.set_gid(old.gid().unwrap_or_default());
    header.set_size(0);
    Ok(header)
}

fn empty(builder: &mut Builder<LayerWriter>, path: &Path) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(0);
    builder.append_data(&mut header, path, io::empty())
}

fn is_opaque<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<bool> {
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if extension.key() == Ok(OPAQUE) && extension.value_bytes() == b"y" {
            return Ok(true);
        }
    }
    Ok(false)
}
