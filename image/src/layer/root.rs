//! A folder that layers are unpacked into, which nothing in them can leave.
//!
//! Only this value writes below the folder, so what stands there is known from the tree alone: a
//! path is resolved there, never on disk, and every parent that is written through is a real folder.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use oci_spec::image::Digest;
use sealer_stdx::fs::At;

use super::disk::Disk;
use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::store::overflow::is_full;
use crate::tree::{Node, NodeKind, Tree};

/// As many links as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// The folder, what stands in it, and which of that the present layer made.
#[derive(Clone)]
pub(super) struct Root {
    disk: Disk,
    tree: Tree,
    made: HashSet<PathBuf>,
}

/// An entry of the layer that is being unpacked, for messages.
pub(super) struct Origin<'a> {
    pub(super) layer: &'a Digest,
    pub(super) entry: &'a Path,
}

impl Origin<'_> {
    pub(super) fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::Entry { layer: self.layer.clone(), entry: self.entry.to_owned(), reason: reason.into() }
    }
}

impl Root {
    pub(super) fn new(disk: Disk) -> Self {
        Self { disk, tree: Tree::new(), made: HashSet::new() }
    }

    /// Forgets which entries the layer before made: whiteouts remove only what lower layers hold.
    pub(super) fn begin_layer(&mut self) {
        self.made.clear();
    }

    /// Sets the folders' permissions, which would have been in the way before, and returns the tree.
    pub(super) fn finish(self) -> Result<Tree> {
        for (path, node) in self.tree.iter().rev() {
            if node.kind == NodeKind::Dir {
                self.disk.set_mode(path, node.mode)?;
            }
        }
        Ok(self.tree)
    }

    /// Returns where `path` leads when links on the way are followed, its last part not. A path
    /// that would step out of the root is refused.
    pub(super) fn resolve(&self, path: &Path, origin: &Origin<'_>) -> Result<PathBuf> {
        let mut resolved = PathBuf::new();
        let mut todo =
            parts(path).ok_or_else(|| origin.refuse("leaves the image's root by an absolute path"))?;
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            let Some(name) = part else {
                if !resolved.pop() {
                    return Err(origin.refuse("leaves the image's root by `..`"));
                }
                continue;
            };
            resolved.push(name);
            if todo.is_empty() {
                break;
            }
            let Some(Node { kind: NodeKind::Symlink { target }, .. }) = self.tree.get(&resolved) else {
                continue;
            };
            links += 1;
            let steps = parts(target).filter(|_| links <= MOST_LINKS).ok_or_else(|| {
                let (link, target) = (resolved.display(), target.display());
                origin.refuse(format!("leaves the image's root through the link `{link}` to `{target}`"))
            })?;
            resolved.pop();
            for step in steps.into_iter().rev() {
                todo.push_front(step);
            }
        }
        Ok(resolved)
    }

    pub(super) fn make_dir(&mut self, path: PathBuf, mode: u32, origin: &Origin<'_>) -> Result<()> {
        self.make_parents(&path, origin)?;
        let there = self.tree.get(&path).is_some_and(|node| node.kind == NodeKind::Dir);
        if !there {
            self.remove(&path, Spare::Nothing)?;
            self.disk.make_dir(&path)?;
        }
        self.record(path, NodeKind::Dir, mode);
        Ok(())
    }

    pub(super) fn make_file(
        &mut self,
        path: PathBuf,
        mode: u32,
        bytes: &mut dyn Read,
        origin: &Origin<'_>,
    ) -> Result<()> {
        self.make_way(&path, origin)?;
        let mut made = self.disk.make_file(&path)?;
        let sink = made.as_mut().map(|(file, _)| file);
        let (size, digest) = copy_hashed(bytes, sink).map_err(|failure| match failure {
            Copy::Read(error) => Error::from_read(error, origin.layer),
            Copy::Full(missing) => {
                let path = made.as_ref().map_or_else(|| path.clone(), |(_, place)| place.clone());
                Error::Full { path, missing }
            }
            Copy::Write(source) => {
                let path = made.as_ref().map_or_else(|| path.clone(), |(_, place)| place.clone());
                sealer_stdx::fs::PathError { path, source }.into()
            }
        })?;
        if let Some((file, place)) = made {
            file.set_permissions(Permissions::from_mode(mode)).at(&place)?;
        }
        self.record(path, NodeKind::File { size, digest }, mode);
        Ok(())
    }

    pub(super) fn make_symlink(&mut self, path: PathBuf, target: &Path, origin: &Origin<'_>) -> Result<()> {
        self.make_way(&path, origin)?;
        self.disk.make_symlink(&path, target)?;
        self.record(path, NodeKind::Symlink { target: target.to_owned() }, 0o777);
        Ok(())
    }

    /// Makes a hard link to a file that stands in the root already.
    pub(super) fn make_hardlink(&mut self, path: PathBuf, target: &Path, origin: &Origin<'_>) -> Result<()> {
        let target = self.resolve(target, origin).map_err(|_| {
            origin.refuse(format!("is a hard link to `{}`, outside the image's root", target.display()))
        })?;
        let Some(node @ Node { kind: NodeKind::File { .. }, .. }) = self.tree.get(&target).cloned() else {
            return Err(origin
                .refuse(format!("is a hard link to `{}`, which is no file of the image", target.display())));
        };
        if path == target {
            return Ok(());
        }
        self.make_way(&path, origin)?;
        self.disk.make_hardlink(&path, &target)?;
        self.record(path, node.kind, node.mode);
        Ok(())
    }

    pub(super) fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()> {
        self.disk.set_attribute(path, name, value)
    }

    /// Removes what lower layers hold at `path`.
    pub(super) fn whiteout(&mut self, path: &Path) -> Result<()> {
        self.remove(path, Spare::MadeByThisLayer)
    }

    /// Removes what lower layers hold below `path`.
    pub(super) fn whiteout_below(&mut self, path: &Path) -> Result<()> {
        let below: Vec<PathBuf> =
            self.below(path).filter(|other| other.parent() == Some(path)).cloned().collect();
        below.iter().try_for_each(|child| self.remove(child, Spare::MadeByThisLayer))
    }

    fn record(&mut self, path: PathBuf, kind: NodeKind, mode: u32) {
        self.made.insert(path.clone());
        self.tree.insert(path, Node { kind, mode });
    }

    /// Makes the parents of what is to stand at `path`, and removes what stands there.
    fn make_way(&mut self, path: &Path, origin: &Origin<'_>) -> Result<()> {
        if path.as_os_str().is_empty() {
            return Err(origin.refuse("would replace the image's root"));
        }
        self.make_parents(path, origin)?;
        self.remove(path, Spare::Nothing)
    }

    fn make_parents(&mut self, path: &Path, origin: &Origin<'_>) -> Result<()> {
        let mut missing = Vec::new();
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            match self.tree.get(parent).map(|node| &node.kind) {
                Some(NodeKind::Dir) => break,
                Some(_) => {
                    return Err(
                        origin.refuse(format!("stands below `{}`, which is no folder", parent.display()))
                    );
                }
                None => missing.push(parent.to_owned()),
            }
        }
        for parent in missing.into_iter().rev() {
            self.disk.make_dir(&parent)?;
            self.record(parent, NodeKind::Dir, 0o755);
        }
        Ok(())
    }

    fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        let after = self.tree.range::<Path, _>((std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded));
        after.map(|(other, _)| other).take_while(move |other| other.starts_with(path))
    }

    fn remove(&mut self, path: &Path, spare: Spare) -> Result<()> {
        let mut doomed: Vec<PathBuf> = self.below(path).cloned().collect();
        doomed.insert(0, path.to_owned());
        if matches!(spare, Spare::MadeByThisLayer) {
            let kept: HashSet<PathBuf> = doomed
                .iter()
                .filter(|path| self.made.contains(*path))
                .flat_map(|path| path.ancestors().map(Path::to_owned).collect::<Vec<_>>())
                .collect();
            doomed.retain(|path| !kept.contains(path));
        }
        for path in doomed.iter().rev() {
            let Some(node) = self.tree.remove(path) else { continue };
            match node.kind {
                NodeKind::Dir => self.disk.remove_dir(path)?,
                NodeKind::File { .. } | NodeKind::Symlink { .. } => self.disk.remove_file(path)?,
            }
        }
        Ok(())
    }
}

/// What a removal leaves alone.
#[derive(Clone, Copy)]
enum Spare {
    Nothing,
    MadeByThisLayer,
}

/// The steps of a path, `None` for `..`; nothing for an absolute path.
fn parts(path: &Path) -> Option<VecDeque<Option<OsString>>> {
    let mut parts = VecDeque::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => parts.push_back(None),
            Component::Normal(name) => parts.push_back(Some(name.to_owned())),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts)
}

enum Copy {
    Read(io::Error),
    Write(io::Error),
    /// The disk is full; so much of the file did not fit.
    Full(u64),
}

/// So many zero bytes at once are a hole.
const BLOCK: usize = 4096;

fn copy_hashed(
    source: &mut dyn Read,
    mut sink: Option<&mut File>,
) -> std::result::Result<(u64, Digest), Copy> {
    let mut hasher = Hasher::default();
    let mut size = 0;
    let mut buffer = [0; 64 * 1024];
    let mut ends_in_hole = false;
    loop {
        let count = source.read(&mut buffer).map_err(Copy::Read)?;
        if count == 0 {
            if let Some(sink) = sink.filter(|_| ends_in_hole) {
                sink.set_len(size).map_err(Copy::Write)?;
            }
            return Ok((size, hasher.finish()));
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
        // What was a hole takes no room again.
        ends_in_hole = count >= BLOCK && buffer[..count].iter().all(|byte| *byte == 0);
        match &mut sink {
            Some(sink) if ends_in_hole => {
                sink.seek(SeekFrom::Start(size)).map_err(Copy::Write)?;
            }
            Some(sink) => {
                if let Err(error) = sink.write_all(&buffer[..count]) {
                    return Err(match is_full(&error) {
                        true => Copy::Full(count as u64 + io::copy(source, &mut io::sink()).unwrap_or(0)),
                        false => Copy::Write(error),
                    });
                }
            }
            None => {}
        }
    }
}
