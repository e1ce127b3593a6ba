//! The root that is put together on the host: laid out aside, filled chunk by chunk, read again for
//! others, and switched to by one rename.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::manifest::{Entry, Kind, Manifest, digest};
use crate::wire::Setup;

/// The folder that a cut transfer leaves: what is right in it counts as had.
const PARTIAL: &str = ".partial";
/// The link to the root that is in use.
const CURRENT: &str = "rootfs";

/// So many threads read what was written.
const READERS: usize = 4;

/// Where a chunk stands: an entry of the manifest, and the offset in its file.
type Place = (u32, u64);

/// A host's root under way.
pub(crate) struct Disk {
    pub(crate) manifest: Arc<Manifest>,
    /// The entries that are the host's.
    entries: Bits,
    /// Those that its present root has just so.
    link: Bits,
    /// Those whose file was there before, of the right size.
    there: Bits,
    /// The cluster's folder.
    dir: PathBuf,
    /// Where the root is now: the rename moves it.
    root: RwLock<PathBuf>,
    places: Vec<Vec<Place>>,
    /// The file that was written last: chunks mostly come in its order.
    last: Mutex<Option<(u32, Arc<File>)>>,
    /// The files that only this process has written to, as it left them.
    stamps: Mutex<HashMap<u32, Stamp>>,
}

/// What a file's inode looks like: nobody can set the time of its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Stamp {
    fn from(found: &Metadata) -> Self {
        Self { inode: found.ino(), size: found.len(), changed: (found.ctime(), found.ctime_nsec()) }
    }
}

impl Disk {
    /// Lays the root out: folders, links, what the present root has, what is the host's own, and
    /// files of the right size.
    pub(crate) fn lay_out(manifest: Arc<Manifest>, setup: &Setup) -> Result<Self> {
        let dir = PathBuf::from(&setup.dir);
        let root = dir.join(PARTIAL);
        DirBuilder::new().recursive(true).mode(0o755).create(&dir).map_err(Error::file(&dir))?;
        make_dir(&root, 0o700)?;
        let mut places = vec![Vec::new(); manifest.chunks.len()];
        for at in setup.entries.iter().filter(|at| *at < manifest.entries.len()) {
            if let Kind::File { chunks, .. } = &manifest.entries[at].kind {
                let mut offset = 0;
                for chunk in chunks {
                    places[*chunk as usize].push((u32::try_from(at).map_err(|_| Error::Garbled)?, offset));
                    offset += u64::from(manifest.chunks[*chunk as usize].size);
                }
            }
        }
        let mut disk = Self {
            entries: setup.entries.clone(),
            link: setup.link.clone(),
            there: Bits::new(manifest.entries.len()),
            manifest,
            dir,
            root: RwLock::new(root.clone()),
            places,
            last: Mutex::default(),
            stamps: Mutex::default(),
        };
        disk.clear_away(&root, setup)?;
        let count = disk.manifest.entries.len();
        for at in setup.entries.iter().filter(|at| *at < count) {
            disk.lay_out_entry(&root, at)?;
        }
        for own in &setup.own {
            let path = root.join(OsStr::from_bytes(&own.path));
            remove(&path)?;
            fs::write(&path, &own.bytes).map_err(Error::file(&path))?;
            chmod(&path, own.mode)?;
        }
        Ok(disk)
    }

    /// Removes what an earlier run left that has no place in this root.
    fn clear_away(&self, root: &Path, setup: &Setup) -> Result<()> {
        let mut wanted: HashMap<&[u8], bool> = HashMap::new();
        for at in self.entries.iter().filter(|at| *at < self.manifest.entries.len()) {
            let entry = &self.manifest.entries[at];
            wanted.insert(&entry.path, matches!(entry.kind, Kind::Dir));
        }
        wanted.extend(setup.own.iter().map(|own| (own.path.as_slice(), false)));
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for found in fs::read_dir(&folder).map_err(Error::file(&folder))? {
                let found = found.map_err(Error::file(&folder))?;
                let path = found.path();
                let is_dir = found.file_type().map_err(Error::file(&path))?.is_dir();
                let name = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes();
                match wanted.get(name) {
                    Some(dir) if *dir == is_dir => {
                        if is_dir {
                            folders.push(path);
                        }
                    }
                    _ => remove(&path)?,
                }
            }
        }
        Ok(())
    }

    fn lay_out_entry(&mut self, root: &Path, at: usize) -> Result<()> {
        let entry = &self.manifest.entries[at];
        let path = root.join(OsStr::from_bytes(&entry.path));
        match &entry.kind {
            Kind::Dir => make_dir(&path, entry.mode),
            Kind::Symlink(target) => {
                remove(&path)?;
                symlink(OsStr::from_bytes(target), &path).map_err(Error::file(&path))
            }
            Kind::File { .. } if self.link.has(at) => {
                remove(&path)?;
                let there = self.dir.join(CURRENT).join(OsStr::from_bytes(&entry.path));
                fs::hard_link(&there, &path).map_err(Error::file(&path))
            }
            Kind::File { chunks, .. } => {
                let size = self.manifest.size(chunks);
                // A file that another root shares must not be written to.
                let usable = fs::symlink_metadata(&path)
                    .is_ok_and(|found| found.is_file() && found.nlink() == 1 && found.len() == size);
                if usable {
                    self.there.insert(at);
                    return chmod(&path, entry.mode);
                }
                remove(&path)?;
                let file = File::create_new(&path).map_err(Error::file(&path))?;
                file.set_len(size).map_err(Error::file(&path))?;
                chmod(&path, entry.mode)?;
                let stamp = Stamp::from(&file.metadata().map_err(Error::file(&path))?);
                let at = u32::try_from(at).map_err(|_| Error::Garbled)?;
                self.stamps.lock().expect("no holder panics").insert(at, stamp);
                Ok(())
            }
        }
    }

    /// Whether a chunk has a place in this host's root at all.
    pub(crate) fn wants(&self, chunk: usize) -> bool {
        !self.places[chunk].is_empty()
    }

    /// Returns a chunk's bytes where they stand in the root already, and whether they have to be
    /// written anywhere else in it.
    pub(crate) fn held(&self, chunk: usize) -> Option<(Vec<u8>, bool)> {
        let linked = |place: &Place| self.link.has(place.0 as usize);
        let known = |place: &Place| linked(place) || self.there.has(place.0 as usize);
        let places = &self.places[chunk];
        let bytes = places.iter().filter(|place| known(place)).find_map(|place| self.read(chunk, *place))?;
        let complete = places.iter().all(|place| {
            linked(place) || (known(place) && (places.len() == 1 || self.read(chunk, *place).is_some()))
        });
        Some((bytes, !complete))
    }

    /// Whether the present root has all of a chunk's places: nothing has to be read to know.
    pub(crate) fn is_linked(&self, chunk: usize) -> bool {
        self.places[chunk].iter().all(|place| self.link.has(place.0 as usize))
    }

    /// Writes a chunk to all its places.
    pub(crate) fn write(&self, chunk: usize, bytes: &[u8]) -> Result<()> {
        for (at, offset) in self.places[chunk].iter().filter(|place| !self.link.has(place.0 as usize)) {
            let (path, file) = self.open(*at)?;
            let mut stamps = self.stamps.lock().expect("no holder panics");
            let left = stamps.remove(at);
            let is_ours =
                left.is_some() && left == Some((&file.metadata().map_err(Error::file(&path))?).into());
            file.write_all_at(bytes, *offset).map_err(Error::file(&path))?;
            if is_ours {
                stamps.insert(*at, (&file.metadata().map_err(Error::file(&path))?).into());
            }
        }
        Ok(())
    }

    fn open(&self, at: u32) -> Result<(PathBuf, Arc<File>)> {
        let path = self.path(&self.manifest.entries[at as usize]);
        let mut last = self.last.lock().expect("no holder panics");
        if let Some((there, file)) = &*last
            && *there == at
        {
            return Ok((path, Arc::clone(file)));
        }
        let file = Arc::new(OpenOptions::new().write(true).open(&path).map_err(Error::file(&path))?);
        *last = Some((at, Arc::clone(&file)));
        Ok((path, file))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.root.read().expect("no holder panics").join(OsStr::from_bytes(&entry.path))
    }

    /// Reads a chunk again. None, if it is at none of its places any more.
    pub(crate) fn again(&self, chunk: usize) -> Option<Vec<u8>> {
        self.places[chunk].iter().find_map(|place| self.read(chunk, *place))
    }

    /// The file that a chunk stands in first.
    pub(crate) fn name(&self, chunk: usize) -> String {
        let place = self.places[chunk].first();
        place.map_or_else(String::new, |(at, _)| {
            String::from_utf8_lossy(&self.manifest.entries[*at as usize].path).into_owned()
        })
    }

    fn read(&self, chunk: usize, (at, offset): Place) -> Option<Vec<u8>> {
        let wanted = self.manifest.chunks[chunk];
        let file = File::open(self.path(&self.manifest.entries[at as usize])).ok()?;
        let mut bytes = vec![0; wanted.size as usize];
        file.read_exact_at(&mut bytes, offset).ok()?;
        (digest(&bytes) == wanted.digest).then_some(bytes)
    }

    /// Reads once more what somebody else may have written to: every file that was there before, and each
    /// that is not as this process left it. Returns the chunks that are not right.
    pub(crate) fn wrong(&self) -> Result<Bits> {
        let count = self.manifest.entries.len();
        let mut places: Vec<(u32, Place)> = Vec::new();
        for at in self.entries.iter().filter(|at| *at < count && !self.link.has(*at) && !self.is_ours(*at)) {
            let Kind::File { chunks, .. } = &self.manifest.entries[at].kind else { continue };
            let mut offset = 0;
            for chunk in chunks {
                places.push((*chunk, (u32::try_from(at).map_err(|_| Error::Garbled)?, offset)));
                offset += u64::from(self.manifest.chunks[*chunk as usize].size);
            }
        }
        let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS);
        let share = places.len().div_ceil(readers).max(1);
        let found = thread::scope(|scope| {
            let readers: Vec<_> =
                places.chunks(share).map(|places| scope.spawn(|| self.wrong_of(places))).collect();
            readers.into_iter().map(|reader| reader.join().expect("it does not panic")).collect::<Vec<_>>()
        });
        let mut wrong = Bits::new(self.manifest.chunks.len());
        for chunks in found {
            chunks?.into_iter().for_each(|chunk| wrong.insert(chunk as usize));
        }
        Ok(wrong)
    }

    /// Whether a file is as this process left it, which made it.
    fn is_ours(&self, at: usize) -> bool {
        let left = u32::try_from(at)
            .ok()
            .and_then(|at| self.stamps.lock().expect("no holder panics").get(&at).copied());
        let found = fs::symlink_metadata(self.path(&self.manifest.entries[at]));
        left.is_some() && left == found.ok().map(|found| Stamp::from(&found))
    }

    fn wrong_of(&self, places: &[(u32, Place)]) -> Result<Vec<u32>> {
        let (mut wrong, mut buffer) = (Vec::new(), Vec::new());
        let mut last: Option<(u32, File)> = None;
        for (chunk, (at, offset)) in places {
            let wanted = self.manifest.chunks[*chunk as usize];
            let file = match &mut last {
                Some((there, file)) if there == at => file,
                last => {
                    let path = self.path(&self.manifest.entries[*at as usize]);
                    &mut last.insert((*at, File::open(&path).map_err(Error::file(&path))?)).1
                }
            };
            buffer.resize(wanted.size as usize, 0);
            if file.read_exact_at(&mut buffer, *offset).is_err() || digest(&buffer) != wanted.digest {
                wrong.push(*chunk);
            }
        }
        Ok(wrong)
    }

    /// The files of the root, with their digests: what a cache keeps.
    pub(crate) fn files(&self) -> impl Iterator<Item = (PathBuf, &crate::manifest::Digest)> {
        let entries = self.entries.iter().filter_map(|at| self.manifest.entries.get(at));
        entries.filter_map(|entry| match &entry.kind {
            Kind::File { digest, chunks } if !chunks.is_empty() => Some((self.path(entry), digest)),
            _ => None,
        })
    }

    /// Switches to the root by one rename, then removes the one before.
    pub(crate) fn switch(&self) -> Result<()> {
        *self.last.lock().expect("no holder panics") = None;
        let mut root = self.root.write().expect("no holder panics");
        chmod(&root, 0o755)?;
        let folder = File::open(&*root).map_err(Error::file(&root))?;
        rustix::fs::syncfs(&folder).map_err(|error| Error::file(&root)(error.into()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = format!(".rootfs-{now}-{}", std::process::id());
        let new = self.dir.join(&name);
        fs::rename(&*root, &new).map_err(Error::file(&new))?;
        root.clone_from(&new);
        let current = self.dir.join(CURRENT);
        if fs::symlink_metadata(&current).is_ok_and(|found| found.is_dir()) {
            let before = self.dir.join(".rootfs-before");
            fs::rename(&current, &before).map_err(Error::file(&before))?;
        }
        let link = self.dir.join(".link");
        remove(&link)?;
        symlink(&name, &link).map_err(Error::file(&link))?;
        fs::rename(&link, &current).map_err(Error::file(&current))?;
        for found in fs::read_dir(&self.dir).map_err(Error::file(&self.dir))? {
            let path = found.map_err(Error::file(&self.dir))?.path();
            let old = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".rootfs-"));
            if old && path != new {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn make_dir(path: &Path, mode: u32) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Error::file(path)(error)),
        _ => {}
    }
    chmod(path, mode)
}

fn chmod(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::file(path))
}

/// Removes whatever is at a path.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(Error::file(path))?,
    };
    if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.map_err(Error::file(path))
}
