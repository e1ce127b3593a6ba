//! Writing images into a file or a folder, which is whole or not there.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oci_spec::image::Descriptor;
use sealer_stdx::fs::{At, PathError, sync_dir};
use sealer_stdx::task::Task;
use tar::{Builder, EntryType, Header};

use super::{Format, SaveOptions, docker, layout, wrong};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::overflow::{Overflow, check_room};
use crate::store::{LAYOUT, Store};

/// Of what is packed as a whole; its layers have their own.
const ZSTD_LEVEL: i32 = 3;

/// What skopeo's `dir:` begins with (containers/image, `directory/directory_dest.go`).
const DIR_VERSION: &[u8] = b"Directory Transport Version: 1.1\n";

/// Writes images, with their names, to `out`.
///
/// # Errors
/// When a name is not in the store, content is missing, the form cannot hold them, or `out` cannot be
/// written.
pub fn save(
    task: &Task,
    store: &Store,
    references: &[Reference],
    out: &Path,
    options: SaveOptions,
) -> Result<()> {
    let mut roots = Vec::new();
    for reference in references {
        roots.push((reference, store.resolve(reference)?));
    }
    let parent = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let task = task.child("save", out.display().to_string(), None)?;
    if options.format == Format::Dir {
        let [(_, root)] = &roots[..] else { return Err(wrong(out, "can hold one image in this form")) };
        save_dir(&task, store, root, out, parent)?;
        task.finish();
        return Ok(());
    }
    if options.format == Format::OciArchive && !options.zstd {
        check_room(parent, content_size(store, &roots)?)?;
    }
    let mut aside = tempfile::NamedTempFile::new_in(parent).at(parent)?;
    let mut sink = Sink::new(aside.as_file_mut(), options.zstd).at(out)?;
    let written = match options.format {
        Format::DockerArchive => docker::save(&task, store, &roots, &mut sink),
        Format::OciArchive | Format::Dir => save_layout(&task, store, &roots, &mut sink),
    };
    written.and_then(|()| sink.finish(parent)).map_err(|error| match error {
        Failure::Content(error) => error,
        Failure::Out(source) => PathError { path: out.to_owned(), source }.into(),
    })?;
    aside.as_file().sync_all().at(out)?;
    aside.persist(out).map_err(|error| error.error).at(out)?;
    sync_dir(parent)?;
    task.finish();
    Ok(())
}

/// The bytes of all content of some images.
fn content_size(store: &Store, roots: &[(&Reference, Descriptor)]) -> Result<u64> {
    let (mut content, mut seen) = (Vec::new(), HashSet::new());
    for (_, root) in roots {
        layout::gather(store, root, &mut seen, &mut content)?;
    }
    Ok(content.iter().map(Descriptor::size).sum())
}

/// Whose failure it was.
pub(super) enum Failure {
    Content(Error),
    Out(io::Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Content(error.into())
    }
}

/// The file, compressed or not.
pub(super) enum Sink<'a> {
    Plain(BufWriter<Overflow<&'a mut File>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Overflow<&'a mut File>>>),
}

impl<'a> Sink<'a> {
    fn new(file: &'a mut File, zstd: bool) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, Overflow::new(file));
        if !zstd {
            return Ok(Self::Plain(file));
        }
        let mut encoder = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?;
        encoder.multithread(2)?;
        Ok(Self::Zstd(encoder))
    }

    fn finish(self, parent: &Path) -> std::result::Result<(), Failure> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Zstd(encoder) => encoder.finish().map_err(Failure::Out)?,
        };
        file.flush().map_err(Failure::Out)?;
        file.get_ref().whole(parent)?;
        Ok(())
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

fn save_layout(
    task: &Task,
    store: &Store,
    roots: &[(&Reference, Descriptor)],
    out: &mut Sink<'_>,
) -> std::result::Result<(), Failure> {
    let mut content = Vec::new();
    let mut seen = HashSet::new();
    for (_, root) in roots {
        layout::gather(store, root, &mut seen, &mut content)?;
    }
    let mut builder = Builder::new(out);
    append(&mut builder, "oci-layout", LAYOUT.len() as u64, &mut &LAYOUT[..])?;
    let index = serde_json::to_vec(&layout::index(roots)).expect("an index is plain data");
    append(&mut builder, "index.json", index.len() as u64, &mut index.as_slice())?;
    // Some readers look for the folders.
    let algorithms: BTreeSet<String> =
        content.iter().map(|blob| format!("blobs/{}/", blob.digest().algorithm())).collect();
    for folder in std::iter::once("blobs/".to_owned()).chain(algorithms) {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        builder.append_data(&mut header, &folder, io::empty()).map_err(Failure::Out)?;
    }
    for descriptor in content {
        let task = task.child("blob", descriptor.digest().to_string(), Some(descriptor.size()))?;
        let path = format!("blobs/{}/{}", descriptor.digest().algorithm(), descriptor.digest().digest());
        append(&mut builder, &path, descriptor.size(), &mut store.open_blob(descriptor.digest())?)?;
        task.advance(descriptor.size());
        task.finish();
    }
    builder.finish().map_err(Failure::Out)
}

/// Appends a file to an archive.
pub(super) fn append<W: Write>(
    builder: &mut Builder<W>,
    path: &str,
    size: u64,
    bytes: &mut dyn Read,
) -> std::result::Result<(), Failure> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    let bytes = BufReader::with_capacity(256 << 10, bytes);
    builder.append_data(&mut header, path, bytes).map_err(Failure::Out)
}

fn save_dir(task: &Task, store: &Store, root: &Descriptor, out: &Path, parent: &Path) -> Result<()> {
    if out.is_file() || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(wrong(out, "is there already and holds something"));
    }
    let image = Image::open(store, root, &Platform::host())?;
    check_room(parent, image.manifest.layers().iter().map(Descriptor::size).sum())?;
    let aside = tempfile::Builder::new().prefix(".save-").tempdir_in(parent).at(parent)?;
    let write = |name: &str, bytes: &[u8]| fs::write(aside.path().join(name), bytes).at(out);
    write("version", DIR_VERSION)?;
    write("manifest.json", &store.read(image.descriptor.digest())?)?;
    for blob in image.manifest.layers().iter().chain([image.manifest.config()]) {
        let task = task.child("blob", blob.digest().to_string(), Some(blob.size()))?;
        let mut source = store.open_blob(blob.digest())?;
        let copied = File::create(aside.path().join(blob.digest().digest())).and_then(|mut file| {
            io::copy(&mut source, &mut file)?;
            file.sync_all()
        });
        copied.at(out)?;
        task.finish();
    }
    fs::set_permissions(aside.path(), Permissions::from_mode(0o755)).at(out)?;
    if out.is_dir() {
        fs::remove_dir(out).at(out)?;
    }
    fs::rename(aside.path(), out).at(out)?;
    Ok(sync_dir(parent)?)
}
