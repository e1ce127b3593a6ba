//! Images in a file: a tar of an OCI image layout.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageIndex, MediaType};
use sealer_stdx::fs::{At, PathError, sync_dir};
use sealer_stdx::task::Task;
use tar::{Archive, Builder, EntryType, Header};

use crate::content::Push;
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::store::{LAYOUT, REF_NAME, Store, children, name_of};

/// Writes images, with their names, into the file `out`, which is whole or not there.
///
/// # Errors
/// When a name is not in the store, content is missing, or the file cannot be written.
pub fn save(task: &Task, store: &Store, references: &[Reference], out: &Path) -> Result<()> {
    let mut roots = Vec::new();
    for reference in references {
        roots.push((reference, store.resolve(reference)?));
    }
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = tempfile::NamedTempFile::new_in(dir).at(dir)?;
    let mut content = Vec::new();
    let mut seen = HashSet::new();
    for (_, root) in &roots {
        gather(store, root, &mut seen, &mut content)?;
    }
    let total = content.iter().map(Descriptor::size).sum();
    let task = task.child("save", out.display().to_string(), Some(total))?;
    let index = index(&roots);
    write(&task, store, &content, &index, aside.as_file_mut()).map_err(|error| match error {
        Failure::Content(error) => error,
        Failure::Out(source) => PathError { path: out.to_owned(), source }.into(),
    })?;
    aside.as_file().sync_all().at(out)?;
    aside.persist(out).map_err(|error| error.error).at(out)?;
    sync_dir(dir)?;
    task.finish();
    Ok(())
}

enum Failure {
    Content(Error),
    Out(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Content(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

fn write(
    task: &Task,
    store: &Store,
    content: &[Descriptor],
    index: &ImageIndex,
    out: &mut File,
) -> std::result::Result<(), Failure> {
    let mut builder = Builder::new(BufWriter::with_capacity(1 << 20, out));
    append(&mut builder, "oci-layout", LAYOUT.len() as u64, LAYOUT)?;
    let index = serde_json::to_vec(index).expect("an index is plain data");
    append(&mut builder, "index.json", index.len() as u64, index.as_slice())?;
    for descriptor in content {
        task.check().map_err(Error::from)?;
        let path = format!("blobs/{}/{}", descriptor.digest().algorithm(), descriptor.digest().digest());
        append(&mut builder, &path, descriptor.size(), store.open_blob(descriptor.digest())?)?;
        task.advance(descriptor.size());
    }
    builder.into_inner()?.flush()?;
    Ok(())
}

fn append<W: Write>(builder: &mut Builder<W>, path: &str, size: u64, bytes: impl Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    builder.append_data(&mut header, path, bytes)
}

fn index(roots: &[(&Reference, Descriptor)]) -> ImageIndex {
    let entries = roots.iter().map(|(reference, root)| {
        let mut entry = root.clone();
        let mut annotations = entry.annotations().clone().unwrap_or_default();
        annotations.insert(REF_NAME.to_owned(), reference.to_string());
        entry.set_annotations(Some(annotations));
        entry
    });
    let mut index = ImageIndex::default();
    index.set_schema_version(2);
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(entries.collect());
    index
}

/// Lists content and all that it refers to, children first, each once.
fn gather(
    store: &Store,
    descriptor: &Descriptor,
    seen: &mut HashSet<String>,
    content: &mut Vec<Descriptor>,
) -> Result<()> {
    if !seen.insert(descriptor.digest().to_string()) {
        return Ok(());
    }
    for child in children(store, descriptor)? {
        gather(store, &child, seen, content)?;
    }
    content.push(descriptor.clone());
    Ok(())
}

/// Takes in all images of `input`, a tar or a folder of an OCI image layout, and returns their names.
///
/// # Errors
/// When it is neither, when content is missing or not what its name says; names are given last.
pub fn load(task: &Task, store: &Store, input: &Path) -> Result<Vec<Reference>> {
    let task = task.child("load", input.display().to_string(), None)?;
    let index = if input.is_dir() { load_dir(&task, store, input)? } else { load_tar(&task, store, input)? };
    let index: ImageIndex = serde_json::from_slice(&index)
        .map_err(|error| layout(input, format!("holds an index that cannot be read: {error}")))?;
    let mut loaded = Vec::new();
    for entry in index.manifests() {
        check_whole(store, entry)?;
        let Some(name) = name_of(entry) else { continue };
        let reference: Reference = name.parse()?;
        let mut root = entry.clone();
        root.set_annotations(None);
        store.tag(&root, &reference)?;
        loaded.push(reference);
    }
    if loaded.is_empty() {
        return Err(layout(input, "holds no image that has a name"));
    }
    task.finish();
    Ok(loaded)
}

fn layout(path: &Path, reason: impl Into<String>) -> Error {
    Error::Layout { path: path.to_owned(), reason: reason.into() }
}

fn load_tar(task: &Task, store: &Store, input: &Path) -> Result<Vec<u8>> {
    let file = File::open(input).at(input)?;
    let mut archive = Archive::new(BufReader::with_capacity(1 << 20, file));
    let broken = |error: io::Error| layout(input, format!("is no tar of an image layout: {error}"));
    let mut index = None;
    for entry in archive.entries().map_err(broken)? {
        task.check()?;
        let mut entry = entry.map_err(broken)?;
        let path: PathBuf =
            entry.path().map_err(broken)?.components().skip_while(|part| part.as_os_str() == ".").collect();
        if path == Path::new("index.json") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            index = Some(bytes);
        } else if path == Path::new("manifest.json") && index.is_none() {
            return Err(layout(input, "is an archive of docker; archives of OCI image layouts are taken"));
        } else if let Some(descriptor) = blob(&path, entry.size()) {
            store.take_in(&descriptor, &mut entry)?;
        }
    }
    index.ok_or_else(|| layout(input, "holds no `index.json`"))
}

fn load_dir(task: &Task, store: &Store, input: &Path) -> Result<Vec<u8>> {
    for entry in walkdir::WalkDir::new(input.join("blobs")).min_depth(2).max_depth(2) {
        task.check()?;
        let entry = entry.map_err(|error| layout(input, format!("cannot be read: {error}")))?;
        let size = entry.metadata().map_err(|error| layout(input, error.to_string()))?.len();
        let path = entry.path().strip_prefix(input).expect("it was found there");
        if let Some(descriptor) = blob(path, size) {
            store.take_in(&descriptor, &mut File::open(entry.path()).at(entry.path())?)?;
        }
    }
    let index = input.join("index.json");
    Ok(fs::read(&index).at(&index)?)
}

/// What the name of a blob's file says of its content.
fn blob(path: &Path, size: u64) -> Option<Descriptor> {
    let rest = path.strip_prefix("blobs").ok()?;
    let digest = rest.to_str()?.replacen('/', ":", 1);
    let digest: oci_spec::image::Digest = digest.parse().ok()?;
    Some(Descriptor::new(MediaType::Other("application/octet-stream".to_owned()), size, digest))
}

fn check_whole(store: &Store, root: &Descriptor) -> Result<()> {
    for child in children(store, root)? {
        if !store.exists(&child)? {
            return Err(Error::Missing { digest: child.digest().clone() });
        }
        check_whole(store, &child)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    fn image(store: &Store) -> Descriptor {
        let layer = store.put_bytes(b"layer").unwrap();
        let config = store.put_bytes(b"{}").unwrap();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageManifest.to_string(),
            "config": { "mediaType": MediaType::ImageConfig.to_string(), "digest": config, "size": 2 },
            "layers": [{ "mediaType": MediaType::ImageLayer.to_string(), "digest": layer, "size": 5 }],
        });
        let manifest = manifest.to_string();
        let digest = store.put_bytes(manifest.as_bytes()).unwrap();
        Descriptor::new(MediaType::ImageManifest, manifest.len() as u64, digest)
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("one")).unwrap();
        let (task, name) = (Task::unobserved(), "demo:v1".parse::<Reference>().unwrap());
        let root = image(&store);
        store.tag(&root, &name).unwrap();
        let out = dir.path().join("demo.tar");
        save(&task, &store, std::slice::from_ref(&name), &out).unwrap();
        let other = Store::open(&dir.path().join("two")).unwrap();
        assert_eq!(load(&task, &other, &out).unwrap(), std::slice::from_ref(&name));
        assert_eq!(other.resolve(&name).unwrap(), root);
        assert_eq!(other.read(&sha256(b"layer")).unwrap(), b"layer");
        let third = Store::open(&dir.path().join("three")).unwrap();
        assert_eq!(load(&task, &third, other.root()).unwrap(), [name]);
    }

    #[test]
    fn an_archive_that_lacks_a_blob_gives_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("one")).unwrap();
        let name: Reference = "demo:v1".parse().unwrap();
        store.tag(&image(&store), &name).unwrap();
        let layer = sha256(b"layer");
        fs::remove_file(store.blob_path(&layer)).unwrap();
        let other = Store::open(&dir.path().join("two")).unwrap();
        let error = load(&Task::unobserved(), &other, store.root()).unwrap_err();
        assert_eq!(error.to_string(), format!("content {layer} is missing from the store"));
        assert_eq!(other.references().unwrap(), []);
    }

    #[test]
    fn a_file_that_is_no_archive_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("one")).unwrap();
        let file = dir.path().join("notes.txt");
        fs::write(&file, "no tar at all").unwrap();
        let error = load(&Task::unobserved(), &store, &file).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} ", file.display())), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
