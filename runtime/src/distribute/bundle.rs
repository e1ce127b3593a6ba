//! Compressed tar streams that hosts share: produced once, read while they grow.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::Scope;

use sealer_agent::Pace;
use sealer_image::digest::Hasher;
use sealer_image::tree::{Node, NodeKind};
use sealer_stdx::fs::{At, PathError};
use tar::{Builder, EntryType, Header};

use super::survey::Marks;
use super::tree::{HostTree, REGISTRY};

/// How a stream is compressed: what the host can take apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Packing {
    Zstd,
    Gzip,
}

impl Packing {
    /// The command that takes the stream apart.
    pub(super) fn unpack(self) -> &'static str {
        match self {
            Self::Zstd => "zstd -dcq",
            Self::Gzip => "gzip -dcq",
        }
    }
}

/// What goes into a stream.
pub(super) struct Part {
    entries: Vec<(PathBuf, Node, Option<Vec<u8>>)>,
}

/// Cuts what a host is sent into parts that other hosts are likely to be sent as well: the image's
/// own files, those of its registry, and what is the host's alone.
pub(super) fn parts(tree: &HostTree, send: &Marks) -> Vec<Part> {
    let mut parts: BTreeMap<u8, Part> = BTreeMap::new();
    for ((path, node), sent) in tree.tree.iter().zip(send) {
        if matches!(node.kind, NodeKind::File { .. }) && !sent {
            continue;
        }
        let own = tree.own.get(path).cloned();
        let part = match (&own, path.starts_with(REGISTRY)) {
            (Some(_), _) => 2,
            (None, true) => 1,
            (None, false) => 0,
        };
        parts.entry(part).or_insert_with(|| Part { entries: Vec::new() }).entries.push((
            path.clone(),
            node.clone(),
            own,
        ));
    }
    parts.into_values().collect()
}

/// The streams of one distribution.
pub(crate) struct Bundles<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    /// The unpacked image.
    source: PathBuf,
    scratch: PathBuf,
    /// What bounds the rate of all streams together.
    pub(super) pace: &'env Pace,
    made: Mutex<HashMap<(Packing, String), Arc<Bundle>>>,
}

impl<'scope, 'env> Bundles<'scope, 'env> {
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        source: PathBuf,
        scratch: PathBuf,
        pace: &'env Pace,
    ) -> Self {
        Self { scope, source, scratch, pace, made: Mutex::default() }
    }

    /// Returns the stream of a part: one that is under way, or a new one.
    pub(super) fn stream(&self, part: Part, packing: Packing) -> Result<Stream, PathError> {
        let key = (packing, key(&part));
        let mut made = self.made.lock().expect("no holder panics");
        if let Some(bundle) = made.get(&key) {
            return Ok(Stream { bundle: Arc::clone(bundle), at: 0 });
        }
        let file = tempfile::tempfile_in(&self.scratch).at(&self.scratch)?;
        let bundle = Arc::new(Bundle { file, state: Mutex::default(), grown: Condvar::new() });
        made.insert(key, Arc::clone(&bundle));
        let (producer, source) = (Arc::clone(&bundle), self.source.clone());
        self.scope.spawn(move || {
            let produced = produce(&producer, &source, part, packing);
            producer.finish(produced.map_err(|error| error.to_string()));
        });
        Ok(Stream { bundle, at: 0 })
    }
}

fn key(part: &Part) -> String {
    let mut hasher = Hasher::default();
    for (path, node, _) in &part.entries {
        hasher.update(path.as_os_str().as_bytes());
        hasher.update(format!("\0{node:?}\0").as_bytes());
    }
    hasher.finish().to_string()
}

struct Bundle {
    file: File,
    state: Mutex<Progress>,
    grown: Condvar,
}

#[derive(Default)]
struct Progress {
    written: u64,
    /// How production ended.
    ended: Option<Result<(), String>>,
}

impl Bundle {
    fn finish(&self, result: Result<(), String>) {
        self.state.lock().expect("no holder panics").ended = Some(result);
        self.grown.notify_all();
    }
}

struct Growing<'a>(&'a Bundle);

impl Write for Growing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = &self.0.file;
        let count = file.write(bytes)?;
        self.0.state.lock().expect("no holder panics").written += count as u64;
        self.0.grown.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A bundle, read from its beginning by one host.
pub(super) struct Stream {
    bundle: Arc<Bundle>,
    at: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.bundle.state.lock().expect("no holder panics");
        while state.written == self.at {
            match &state.ended {
                Some(Ok(())) => return Ok(0),
                Some(Err(message)) => return Err(io::Error::other(message.clone())),
                None => state = self.bundle.grown.wait(state).expect("no holder panics"),
            }
        }
        let there = usize::try_from(state.written - self.at).unwrap_or(usize::MAX).min(buffer.len());
        drop(state);
        let count = self.bundle.file.read_at(&mut buffer[..there], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn produce(bundle: &Bundle, source: &Path, part: Part, packing: Packing) -> Result<(), PathError> {
    let sink = io::BufWriter::with_capacity(256 * 1024, Growing(bundle));
    let place = Path::new("the stream to the hosts");
    match packing {
        Packing::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(sink, 1).at(place)?;
            encoder.multithread(2).at(place)?;
            let mut encoder = archive(encoder, source, part)?.finish().at(place)?;
            encoder.flush().at(place)
        }
        Packing::Gzip => {
            let encoder = flate2::write::GzEncoder::new(sink, flate2::Compression::fast());
            let mut sink = archive(encoder, source, part)?.finish().at(place)?;
            sink.flush().at(place)
        }
    }
}

fn archive<W: Write>(sink: W, source: &Path, part: Part) -> Result<W, PathError> {
    let mut builder = Builder::new(sink);
    for (path, node, own) in part.entries {
        let place = source.join(&path);
        let mut header = Header::new_gnu();
        header.set_mode(node.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        match (&node.kind, own) {
            (NodeKind::Dir, _) => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, path.join(""), io::empty()).at(&place)?;
            }
            (NodeKind::Symlink { target }, _) => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, &path, target).at(&place)?;
            }
            (NodeKind::File { .. }, Some(bytes)) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, &path, bytes.as_slice()).at(&place)?;
            }
            (NodeKind::File { size, .. }, None) => {
                header.set_size(*size);
                let file = File::open(&place).at(&place)?;
                builder.append_data(&mut header, &path, file.take(*size)).at(&place)?;
            }
        }
    }
    builder.into_inner().at(source)
}
