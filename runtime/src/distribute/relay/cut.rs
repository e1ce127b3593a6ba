//! Cuts what the hosts are to have into chunks, where the content says.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fastcdc::v2020::FastCDC;
use sealer_agent::bits::Bits;
use sealer_agent::manifest::{Chunk, Digest, Entry, Kind, Manifest, digest};
use sealer_agent::wire::{Own, Packer, Piece};
use sealer_image::tree::{Node, NodeKind};
use sealer_stdx::fanout::fanout;
use sealer_stdx::fs::{At, PathError};
use sealer_stdx::task::Task;

use crate::distribute::survey::Marks;
use crate::distribute::tree::HostTree;
use crate::error::HostFailure;

/// The sizes of chunks, in bytes: least, aimed at, most. Small ones find more that is unchanged, big
/// ones need a shorter list.
const SIZES: [usize; 3] = [16 * 1024, 64 * 1024, 256 * 1024];
/// So many files are read at once.
const AT_ONCE: usize = 4;
/// So much of a file is in memory at once.
const BLOCK: u64 = 4 * 1024 * 1024;
/// A file is cut here in any case, so that its parts are read at once.
const PART: u64 = 128 * 1024 * 1024;

/// The image's root in chunks, and where each is on this machine.
pub(super) struct Cut {
    pub(super) manifest: Manifest,
    pub(super) packed: Vec<u8>,
    pub(super) digest: Digest,
    /// Where a chunk stands: a file below the source, and an offset.
    places: Vec<(PathBuf, u64)>,
    source: PathBuf,
    /// The entries at a path: hosts may differ in what they are to have there.
    index: BTreeMap<PathBuf, Vec<(Node, usize)>>,
}

/// Cuts what `trees` have of the image, whose root is unpacked at `source`.
pub(super) fn cut(task: &Task, trees: &[&HostTree], source: &Path) -> Result<Cut, HostFailure> {
    let mut nodes: BTreeMap<&PathBuf, Vec<&Node>> = BTreeMap::new();
    for tree in trees {
        for (path, node) in tree.tree.iter().filter(|(path, _)| !tree.own.contains_key(*path)) {
            let known = nodes.entry(path).or_default();
            if !known.contains(&node) {
                known.push(node);
            }
        }
    }
    let chunks = chunks(task, &nodes, source)?;
    let (mut manifest, mut index, mut places) = (Manifest::default(), BTreeMap::new(), Vec::new());
    let mut known: HashMap<Digest, u32> = HashMap::new();
    for (path, nodes) in nodes {
        for node in nodes {
            let kind = match &node.kind {
                NodeKind::Dir => Kind::Dir,
                NodeKind::Symlink { target } => Kind::Symlink(target.as_os_str().as_bytes().to_vec()),
                NodeKind::File { digest, .. } => {
                    let (mut of_file, mut offset) = (Vec::new(), 0);
                    for chunk in chunks.get(digest.digest()).into_iter().flatten() {
                        let next = u32::try_from(places.len()).expect("an image has fewer chunks");
                        let at = *known.entry(chunk.digest).or_insert_with(|| {
                            manifest.chunks.push(*chunk);
                            places.push((path.clone(), offset));
                            next
                        });
                        of_file.push(at);
                        offset += u64::from(chunk.size);
                    }
                    Kind::File { digest: bytes_of(digest.digest()), chunks: of_file }
                }
            };
            let at = manifest.entries.len();
            index.entry(path.clone()).or_insert_with(Vec::new).push((node.clone(), at));
            manifest.entries.push(Entry {
                path: path.as_os_str().as_bytes().to_vec(),
                mode: node.mode,
                kind,
            });
        }
    }
    let packed = manifest.pack().map_err(|error| HostFailure::Agent(error.to_string()))?;
    let digest = digest(&packed);
    Ok(Cut { manifest, packed, digest, places, source: source.to_owned(), index })
}

/// The chunks of each file, by the hexadecimal digest of the file.
fn chunks<'a>(
    task: &Task,
    nodes: &BTreeMap<&PathBuf, Vec<&'a Node>>,
    source: &Path,
) -> Result<HashMap<&'a str, Vec<Chunk>>, HostFailure> {
    let mut files: HashMap<&str, (&PathBuf, u64)> = HashMap::new();
    for (path, nodes) in nodes {
        for node in nodes {
            if let NodeKind::File { digest, size } = &node.kind
                && *size > 0
            {
                files.entry(digest.digest()).or_insert((path, *size));
            }
        }
    }
    let parts = files.into_iter().flat_map(|(digest, (path, size))| {
        (0..size.div_ceil(PART)).map(move |part| (digest, path, part * PART))
    });
    let cut = fanout(AT_ONCE, parts.collect(), |(digest, path, offset): (&'a str, &PathBuf, u64)| {
        task.check()?;
        let path = source.join(path);
        Ok::<_, HostFailure>((digest, chunks_of(&path, offset).at(&path)?))
    });
    let mut chunks: HashMap<&str, Vec<Chunk>> = HashMap::new();
    for part in cut {
        let (digest, part) = part?;
        chunks.entry(digest).or_default().extend(part);
    }
    Ok(chunks)
}

/// The chunks of a part of a file.
fn chunks_of(path: &Path, offset: u64) -> io::Result<Vec<Chunk>> {
    let [least, average, most] = SIZES;
    let mut file = File::open(path)?;
    let left = file.metadata()?.len().saturating_sub(offset).min(PART);
    file.seek(SeekFrom::Start(offset))?;
    let mut file = file.take(PART);
    let (mut chunks, mut buffer) = (Vec::new(), Vec::with_capacity(left.min(BLOCK) as usize + 1));
    loop {
        let ended = file.by_ref().take(BLOCK - buffer.len() as u64).read_to_end(&mut buffer)? == 0;
        let cutter = FastCDC::new(&buffer, least, average, most);
        let mut from = 0;
        // Where a chunk ends depends on the bytes up to there, or on the end of the file.
        while from < buffer.len() && (ended || buffer.len() - from >= most) {
            let (_, to) = cutter.cut(from, buffer.len() - from);
            let size = u32::try_from(to - from).map_err(io::Error::other)?;
            chunks.push(Chunk { digest: digest(&buffer[from..to]), size });
            from = to;
        }
        buffer.drain(..from);
        if ended {
            return Ok(chunks);
        }
    }
}

fn bytes_of(hex: &str) -> Digest {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = hex.get(at * 2..at * 2 + 2).and_then(|two| u8::from_str_radix(two, 16).ok()).unwrap_or(0);
    }
    bytes
}

impl Cut {
    /// The entries that a host is to have, those of them that its present root has, and its own files.
    pub(super) fn share(&self, tree: &HostTree, link: &Marks) -> (Bits, Bits, Vec<Own>) {
        let count = self.manifest.entries.len();
        let (mut entries, mut linked, mut own) = (Bits::new(count), Bits::new(count), Vec::new());
        for ((path, node), had) in tree.tree.iter().zip(link) {
            if let Some(bytes) = tree.own.get(path) {
                let path = path.as_os_str().as_bytes().to_vec();
                own.push(Own { path, mode: node.mode, bytes: bytes.clone() });
                continue;
            }
            let at = self.index.get(path).and_then(|known| known.iter().find(|(there, _)| there == node));
            if let Some((_, at)) = at {
                entries.insert(*at);
                if *had {
                    linked.insert(*at);
                }
            }
        }
        (entries, linked, own)
    }

    /// Reads a chunk. The agent checks it, and says so if it is another than when it was cut.
    pub(super) fn piece(&self, at: usize, packer: &mut Packer) -> Result<Piece, PathError> {
        let ((path, offset), chunk) = (&self.places[at], self.manifest.chunks[at]);
        let path = self.source.join(path);
        let mut bytes = vec![0; chunk.size as usize];
        File::open(&path).at(&path)?.read_exact_at(&mut bytes, *offset).at(&path)?;
        Ok(packer.pack(u32::try_from(at).expect("an image has fewer chunks"), bytes))
    }
}
