//! Copying content between two places: pull, push, save and load are this one function.

mod graph;
mod referrers;

use std::collections::HashMap;
use std::io::{self, Cursor, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use oci_spec::image::{Descriptor, Digest};
use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;

use crate::content::{Fetch, Push};
use crate::error::{Error, Result};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::{Registry, RegistryError, Repository, is_manifest};
use crate::store::Store;

use graph::{Children, Graph, parse, read_manifest};
pub(crate) use graph::{MOST_NESTED, nested};
pub use referrers::{pull_referrers, push_referrers};

/// Copies content and all that it refers to, as far as the destination lacks it: children before
/// parents, `parallel` blobs at once.
///
/// Each blob is a child task of kind `blob`, skipped when it is there already.
///
/// # Errors
/// The first failure; what was copied whole before it stays.
pub fn copy(task: &Task, src: &dyn Fetch, dst: &dyn Push, root: &Descriptor, parallel: usize) -> Result<()> {
    let mut graph = Graph::default();
    graph.read(src, root, 0)?;
    copy_graph(task, src, dst, graph, parallel)
}

fn copy_graph(task: &Task, src: &dyn Fetch, dst: &dyn Push, graph: Graph, parallel: usize) -> Result<()> {
    let Graph { blobs, manifests, .. } = graph;
    copy_blobs(task, src, dst, blobs, parallel, Ask::First)?;
    for manifest in &manifests {
        task.check()?;
        if dst.exists(&manifest.descriptor)? {
            continue;
        }
        match dst.push(&manifest.descriptor, manifest) {
            // Somebody's cut push or garbage collection: the registry said that a blob is there, and
            // knows better now. What it is asked it has answered wrongly, so it is not asked again.
            Err(Error::Registry(RegistryError::BlobUnknown { .. })) => {
                copy_blobs(task, src, dst, manifest.blobs.clone(), parallel, Ask::Never)?;
                dst.push(&manifest.descriptor, manifest)?;
            }
            pushed => pushed?,
        }
    }
    Ok(())
}

/// Whether the destination is asked for a blob before the blob is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    First,
    Never,
}

fn copy_blobs(
    task: &Task,
    src: &dyn Fetch,
    dst: &dyn Push,
    mut blobs: Vec<Descriptor>,
    parallel: usize,
    ask: Ask,
) -> Result<()> {
    // The largest first: what is begun last ends last.
    blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size()));
    let failed = AtomicBool::new(false);
    let results = fanout(parallel, blobs, |blob| {
        if failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let copied = copy_blob(task, src, dst, &blob, ask);
        failed.fetch_or(copied.is_err(), Ordering::Relaxed);
        copied
    });
    results.into_iter().collect()
}

fn copy_blob(task: &Task, src: &dyn Fetch, dst: &dyn Push, blob: &Descriptor, ask: Ask) -> Result<()> {
    let task = task.child("blob", short(blob.digest()), Some(blob.size()))?;
    if ask == Ask::First && dst.exists(blob)? {
        task.skip();
        return Ok(());
    }
    dst.push(blob, &Watched { task: &task, inner: src, furthest: AtomicU64::new(0) })?;
    task.finish();
    Ok(())
}

fn short(digest: &Digest) -> String {
    format!("{}:{:.12}", digest.algorithm(), digest.digest())
}

/// A source that reports how far it is read, and ends when the task is cancelled.
struct Watched<'a> {
    task: &'a Task,
    inner: &'a dyn Fetch,
    /// How far the content was read at most: what is read again after a failure is no progress.
    furthest: AtomicU64,
}

struct WatchedReader<'a> {
    watched: &'a Watched<'a>,
    inner: Box<dyn Read + Send + 'a>,
    at: u64,
}

impl Watched<'_> {
    fn reached(&self, at: u64) {
        let before = self.furthest.fetch_max(at, Ordering::Relaxed);
        if at > before {
            self.task.advance(at - before);
        }
    }
}

impl Fetch for Watched<'_> {
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        self.task.check()?;
        let inner = self.inner.fetch(content, from)?;
        self.reached(from);
        Ok(Box::new(WatchedReader { watched: self, inner, at: from }))
    }
}

impl Read for WatchedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watched.task.check().map_err(Error::from)?;
        let count = self.inner.read(buffer)?;
        self.at += count as u64;
        self.watched.reached(self.at);
        Ok(count)
    }
}

/// Brings an image into the store, names it there, and returns its manifest's descriptor.
///
/// Of an index, only the image for the platform is brought, and it is what gets the name: so
/// whatever the store names is there whole.
///
/// # Errors
/// Those of the registry; `Verify` when content is not what it should be; `Platform`; `Full` before
/// anything is fetched that the disk has no room for.
pub fn pull(
    task: &Task,
    store: &Store,
    registry: &Registry,
    reference: &Reference,
    platform: &Platform,
) -> Result<Descriptor> {
    pull_wanted(task, store, registry, reference, &Wanted::For(platform.clone()))
}

/// What of an index is brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The image for one platform.
    For(Platform),
    /// All that it refers to; the index itself gets the name.
    All,
}

/// The same as [`pull`], for one platform or all.
///
/// # Errors
/// As [`pull`].
pub fn pull_wanted(
    task: &Task,
    store: &Store,
    registry: &Registry,
    reference: &Reference,
    wanted: &Wanted,
) -> Result<Descriptor> {
    let task = task.child("pull", reference.familiar(), None)?;
    let repository = registry.repository(&task, reference);
    let named = repository.resolve()?;
    let image = bring(&task, store, &repository, reference, named, wanted)?;
    task.finish();
    Ok(image)
}

/// Brings what a name led to in its repository, and names it.
pub(crate) fn bring(
    task: &Task,
    store: &Store,
    repository: &Repository<'_>,
    reference: &Reference,
    named: Descriptor,
    wanted: &Wanted,
) -> Result<Descriptor> {
    let source = Nearest::new(store, repository);
    let parallel = repository.parallel();
    let image = match wanted {
        Wanted::For(platform) => choose(&source, &named, platform)?,
        Wanted::All => named,
    };
    let mut graph = Graph::default();
    graph.read(&source, &image, 0)?;
    store.check_room(&graph.blobs)?;
    copy_graph(task, &source, store, graph, parallel)?;
    store.tag(&image, reference)?;
    Ok(image)
}

/// Returns the image for a platform that `named`, which a name led to in a registry, is or has, and
/// puts what both say into the store: of their blobs, nothing.
///
/// # Errors
/// As [`pull`].
pub fn find(
    store: &Store,
    repository: &Repository<'_>,
    named: &Descriptor,
    platform: &Platform,
) -> Result<Descriptor> {
    let source = Nearest::new(store, repository);
    let image = choose(&source, named, platform)?;
    for manifest in [named, &image] {
        store.put_bytes(&read_manifest(&source, manifest)?)?;
    }
    Ok(image)
}

/// Sends the image of that name from the store to its registry, and returns what was sent.
///
/// # Errors
/// `NotFound` when the store has no such name; those of the registry.
pub fn push(task: &Task, store: &Store, registry: &Registry, reference: &Reference) -> Result<Descriptor> {
    let image = store.resolve(reference)?;
    let task = task.child("push", reference.familiar(), None)?;
    let repository = registry.repository(&task, reference).with_mounts(neighbours(store, reference)?);
    copy(&task, store, &repository, &image, registry.settings().parallel)?;
    repository.tag(&image, store)?;
    task.finish();
    Ok(image)
}

/// Finds out which blobs another repository of the same registry may have, by the names in the
/// store: an image stands there as a rule beside the base that it was built on.
fn neighbours(store: &Store, reference: &Reference) -> Result<HashMap<Digest, String>> {
    let mut found = HashMap::new();
    for (other, root) in store.references()? {
        if other.registry() != reference.registry() || other.repository() == reference.repository() {
            continue;
        }
        let mut graph = Graph::default();
        // An image that is not whole here is no reason not to send this one.
        let _ = graph.read(store, &root, 0);
        found.extend(graph.blobs.iter().map(|blob| (blob.digest().clone(), other.repository().to_owned())));
    }
    Ok(found)
}

/// The store for what it has, the registry for the rest; for a manifest once, which is read to choose by
/// and then to follow.
struct Nearest<'a> {
    store: &'a Store,
    remote: &'a dyn Fetch,
    manifests: Mutex<HashMap<Digest, Vec<u8>>>,
}

impl<'a> Nearest<'a> {
    fn new(store: &'a Store, remote: &'a dyn Fetch) -> Self {
        Self { store, remote, manifests: Mutex::default() }
    }

    fn manifest(&self, content: &Descriptor) -> Result<Vec<u8>> {
        let mut known = self.manifests.lock().expect("no holder panics");
        if let Some(bytes) = known.get(content.digest()) {
            return Ok(bytes.clone());
        }
        let bytes = read_manifest(self.remote, content)?;
        known.insert(content.digest().clone(), bytes.clone());
        Ok(bytes)
    }
}

impl Fetch for Nearest<'_> {
    fn fetch(&self, content: &Descriptor, from: u64) -> Result<Box<dyn Read + Send + '_>> {
        if self.store.exists(content)? {
            return self.store.fetch(content, from);
        }
        if !is_manifest(content.media_type()) {
            return self.remote.fetch(content, from);
        }
        let mut reader = Cursor::new(self.manifest(content)?);
        reader.set_position(from);
        Ok(Box::new(reader))
    }
}

/// Returns the image that an index, perhaps of indexes, has for a platform.
fn choose(src: &dyn Fetch, named: &Descriptor, platform: &Platform) -> Result<Descriptor> {
    let mut found = named.clone();
    for _ in 0..=MOST_NESTED {
        let children: Children = parse(&found, &read_manifest(src, &found)?)?;
        if children.config.is_some() || children.manifests.is_empty() {
            return Ok(found);
        }
        found = child_for(&children.manifests, platform)?;
        if !is_manifest(found.media_type()) {
            return Ok(found);
        }
    }
    Err(nested(&found))
}

fn child_for(children: &[Descriptor], platform: &Platform) -> Result<Descriptor> {
    let fits = |child: &&Descriptor| platform_of(child).is_some_and(|has| covers(&has, platform));
    let exact = children.iter().find(|child| platform_of(child).as_ref() == Some(platform));
    exact.or_else(|| children.iter().find(fits)).cloned().ok_or_else(|| {
        // `unknown/unknown` is what attestations stand under.
        let available = children.iter().filter_map(platform_of);
        let available = available.filter(|platform| platform.os != "unknown").collect();
        Error::Platform { wanted: platform.clone(), available }
    })
}

fn platform_of(descriptor: &Descriptor) -> Option<Platform> {
    let platform = descriptor.platform().as_ref()?;
    Some(Platform {
        os: platform.os().to_string(),
        architecture: platform.architecture().to_string(),
        variant: platform.variant().clone(),
    })
}

/// Tells whether an image for one platform runs on another. `v8` is what every arm64 is.
fn covers(has: &Platform, wanted: &Platform) -> bool {
    let variant = |platform: &Platform| match (&platform.variant, platform.architecture.as_str()) {
        (None, "arm64") => Some("v8".to_owned()),
        (variant, _) => variant.clone(),
    };
    has.os == wanted.os
        && has.architecture == wanted.architecture
        && (variant(has) == variant(wanted) || wanted.variant.is_none() || has.variant.is_none())
}

#[cfg(test)]
mod tests;
