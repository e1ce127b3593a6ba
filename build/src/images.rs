//! The container images that a cluster needs: found in the image's files, brought from registries,
//! kept in the image's `registry/`.

mod charts;
mod fetch;
pub(crate) mod held;
mod kubeadm;
mod layout;
mod list;
mod lock;
mod manifest;
mod needed;
pub(crate) mod sources;
mod verify;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::layer::{self, Entry, EntryKind, Layer, WriteOptions};
use sealer_image::signature::PolicyError;
use sealer_image::{Image, Reference, Registry, Store};
use sealer_stdx::fs::{At, write_atomic};
use sealer_stdx::task::Task;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::exec::BuildRequest;
use fetch::{Fetcher, Resolved};
use layout::Slot;
use list::Ignored;
use needed::{Mention, sort};
use sources::Sources;

pub use charts::ChartValues;
pub use lock::{LOCK_ANNOTATION, LOCK_FILE, Lock};
pub use needed::{Needed, Place};
pub use verify::{Lack, Verified, verify};

/// The list of a context that holds credentials; no `COPY` takes it.
pub(crate) const WITH_AUTH: &str = "imageListWithAuth.yaml";
/// The annotation in which the original's 0.9 and later lists the images of an image.
const IMAGES_ANNOTATION: &str = "sealer.image.container.images";

/// What is to be collected, besides what the image's files name.
pub struct Collecting<'a> {
    /// How registries are reached.
    pub registry: &'a Registry,
    /// Files that list images, one a line.
    pub lists: Vec<PathBuf>,
    /// Files that list images to leave out, one a line; `*` stands for anything.
    pub ignored: Vec<PathBuf>,
    /// A list with credentials; `imageListWithAuth.yaml` in the context where there is none.
    pub with_auth: Option<PathBuf>,
    /// Values that charts are rendered with, besides their own.
    pub chart_values: Vec<ChartValues>,
    /// Whether an image that cannot be had is a warning.
    pub allow_missing: bool,
    /// Where the lock is written.
    pub write_lock: Option<PathBuf>,
}

/// An image that a cluster needs and that cannot be put into the cluster image.
#[derive(Debug)]
pub struct Absent {
    /// What the files call it.
    pub name: String,
    /// Where it is named.
    pub places: Vec<Place>,
    /// Why.
    pub why: Why,
}

/// Why an image cannot be put into a cluster image.
#[derive(Debug)]
pub enum Why {
    /// It is no name of an image; why.
    NoName(String),
    /// It cannot be brought.
    Fetch(sealer_image::Error),
    /// The policy refuses it, or cannot be used.
    Refused(Box<PolicyError>),
    /// It is a chart, and cannot be rendered; why.
    Render(String),
    /// Another image has its place in the registry, which leaves the source's name out.
    Collision(Box<Reference>),
}

/// What collecting added.
pub(crate) struct Collected {
    pub(crate) layers: Vec<(Layer, String)>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Collects the images that the base and the layers on top of it need.
pub(crate) fn collect(
    task: &Task,
    request: &BuildRequest<'_>,
    store: &Store,
    base: Option<&Image>,
    layers: &[Layer],
    cache: &Cache,
) -> Result<Collected> {
    let collecting = &request.images;
    let sources = Sources::read(task, store, cache, base, layers)?;
    let (mut mentions, ignored) = mentions(request, &sources)?;
    let (of_charts, unrendered) = charts::mentions(cache, sources.files(), &collecting.chart_values)?;
    mentions.extend(of_charts);
    let sorted = sort(mentions, |name, reference| ignored.holds(name, reference));
    for mention in sorted.doubtful.iter().filter(|mention| mention.name.contains("{{")) {
        task.warn(format!(
            "{}: which image `{}` is shows on the hosts only; name it in `manifests/imageList`",
            mention.place, mention.name
        ));
    }
    let broken = sorted.broken.into_iter().map(|(mention, reason)| Absent {
        name: mention.name,
        places: vec![mention.place],
        why: Why::NoName(reason),
    });
    let mut absent: Vec<Absent> = broken.collect();
    absent.extend(unrendered.into_iter().map(|one| Absent {
        name: one.place.file.clone(),
        places: vec![one.place],
        why: Why::Render(one.message),
    }));
    if sorted.needed.is_empty() && absent.is_empty() {
        write_lock(collecting, &base_lock(base))?;
        return Ok(Collected { layers: Vec::new(), annotations: BTreeMap::new() });
    }
    let task = task.child("collect", format!("{} images", sorted.needed.len()), None)?;
    let nested = Store::open(&request.work_dir.join("nested"))?;
    let fetcher = Fetcher {
        task: &task,
        store,
        nested: &nested,
        cache,
        registry: collecting.registry,
        policy: request.policy,
        platform: &request.platform,
    };
    let mut lock = base_lock(base);
    let (resolved, more) = find(&fetcher, &sources, &mut lock, sorted.needed, &given_lock(request)?)?;
    absent.extend(more);
    absent.retain(|absent| !matches!(absent.why, Why::Fetch(sealer_image::Error::Cancelled(_))));
    task.check()?;
    if !absent.is_empty() && !collecting.allow_missing {
        return Err(Error::Absent(absent));
    }
    absent.iter().for_each(|absent| task.warn(absent.to_string()));
    let before = layers.len() + base.map_or(0, |base| base.manifest.layers().len());
    let mut made = fetcher.layers(&resolved, before + 1)?;
    made.extend(lock_layer(&task, request, store, &lock, base)?);
    // What is in layers now need not stay beside them; where another build needs it, it stays.
    nested.collect(&[])?;
    task.finish();
    write_lock(collecting, &lock)?;
    Ok(Collected { layers: made, annotations: annotations(request, &lock) })
}

fn write_lock(collecting: &Collecting<'_>, lock: &Lock) -> Result<()> {
    match &collecting.write_lock {
        Some(path) => Ok(write_atomic(path, lock.to_text().as_bytes(), 0o644)?),
        None => Ok(()),
    }
}

/// What the image's files and the lists mention, and what is left out.
fn mentions(request: &BuildRequest<'_>, sources: &Sources) -> Result<(Vec<Mention>, Ignored)> {
    let collecting = &request.images;
    let mut mentions = sources.mentions();
    for path in &collecting.lists {
        let text = fs::read_to_string(path).at(path)?;
        mentions.extend(list::mentions(&path.display().to_string(), &text));
    }
    let in_context = request.context.join(WITH_AUTH);
    let with_auth = collecting.with_auth.clone().or_else(|| in_context.exists().then_some(in_context));
    if let Some(path) = with_auth {
        let text = fs::read_to_string(&path).at(&path)?;
        let file = path.display().to_string();
        let found = list::with_auth(&file, &text, collecting.registry)
            .map_err(|(line, reason)| Error::List { place: Place { file, line }, reason })?;
        mentions.extend(found);
    }
    let mut ignored = Ignored::default();
    for path in &collecting.ignored {
        ignored.add(&fs::read_to_string(path).at(path)?);
    }
    Ok((mentions, ignored))
}

/// Finds out what is to be brought: whatever is not inside already. The lock gets all of it.
fn find(
    fetcher: &Fetcher<'_>,
    sources: &Sources,
    lock: &mut Lock,
    needed: Vec<Needed>,
    given: &Lock,
) -> Result<(Vec<Resolved>, Vec<Absent>)> {
    let (tags, revisions) = (sources.tags(), sources.revisions());
    let mut missing = Vec::new();
    for one in needed {
        let slot = Slot::of(&one.reference);
        let inside = match one.reference.digest() {
            Some(digest) if revisions.contains(&(slot.repository.clone(), digest.to_owned())) => {
                digest.parse().ok()
            }
            Some(_) => None,
            None => tags.get(&slot).cloned(),
        };
        match inside {
            _ if lock.get(&one.reference).is_some() => {}
            Some(digest) => {
                lock.0.insert(one.reference.to_string(), digest);
            }
            None => missing.push(one),
        }
    }
    let wanted = missing.iter().map(|one| (one.reference.clone(), given.get(&one.reference).cloned()));
    let found = fetcher.resolve(wanted.collect());
    let (mut resolved, mut absent): (Vec<Resolved>, Vec<Absent>) = (Vec::new(), Vec::new());
    for (one, found) in missing.into_iter().zip(found) {
        let refuse = |why| Absent { name: one.reference.familiar(), places: one.places.clone(), why };
        match found {
            Err(why) => absent.push(refuse(why)),
            Ok(found) => {
                let other = lock.beside(&one.reference).find(|(_, digest)| **digest != found.named);
                if let Some((other, _)) = other {
                    absent.push(refuse(Why::Collision(Box::new(other))));
                    continue;
                }
                let is_there = lock.beside(&one.reference).next().is_some();
                lock.0.insert(one.reference.to_string(), found.named.clone());
                // The same image under another registry's name has the same place.
                if !is_there {
                    resolved.push(found);
                }
            }
        }
    }
    Ok((resolved, absent))
}

fn base_lock(base: Option<&Image>) -> Lock {
    let annotations = base.and_then(|base| base.manifest.annotations().as_ref());
    annotations
        .and_then(|all| all.get(LOCK_ANNOTATION))
        .map(|json| Lock::of_annotation(json))
        .unwrap_or_default()
}

fn given_lock(request: &BuildRequest<'_>) -> Result<Lock> {
    let path = request.context.join(LOCK_FILE);
    let text = match fs::read_to_string(&path).at(&path) {
        Err(error) if error.is_not_found() => return Ok(Lock::default()),
        read => read?,
    };
    let file = path.display().to_string();
    Lock::parse(&text).map_err(|(line, reason)| Error::List { place: Place { file, line }, reason })
}

/// The lock as a file of the image's root, unless the base's says the same.
fn lock_layer(
    task: &Task,
    request: &BuildRequest<'_>,
    store: &Store,
    lock: &Lock,
    base: Option<&Image>,
) -> Result<Option<(Layer, String)>> {
    if *lock == base_lock(base) {
        return Ok(None);
    }
    let bytes = lock.to_text().into_bytes();
    let entry = Entry { path: LOCK_FILE.into(), kind: EntryKind::Bytes(bytes), mode: 0o644 };
    let options = WriteOptions { compression: request.compression, time: request.time };
    let mut layer = layer::write(task, store, vec![entry], options)?;
    let annotations = HashMap::from([(sources::IMAGE_LAYER.to_owned(), String::new())]);
    layer.descriptor.set_annotations(Some(annotations));
    Ok(Some((layer, format!("LOCK {LOCK_FILE}"))))
}

fn annotations(request: &BuildRequest<'_>, lock: &Lock) -> BTreeMap<String, String> {
    if lock.0.is_empty() {
        return BTreeMap::new();
    }
    let platform = serde_json::json!({
        "os": request.platform.os,
        "architecture": request.platform.architecture,
        "variant": request.platform.variant.clone().unwrap_or_default(),
    });
    let image = |name: &String| serde_json::json!({"image": name, "appName": "", "platform": platform});
    let images: Vec<serde_json::Value> = lock.0.keys().map(image).collect();
    BTreeMap::from([
        (LOCK_ANNOTATION.to_owned(), lock.to_annotation()),
        (IMAGES_ANNOTATION.to_owned(), serde_json::Value::from(images).to_string()),
    ])
}

/// Returns the names of images that a manifest holds, in the order of its lines.
#[must_use]
pub fn named(file: &str, text: &str) -> Vec<String> {
    manifest::mentions(file, text).into_iter().map(|mention| mention.name).collect()
}

/// Whether a file of a context's root is read by the build itself and never copied into the image:
/// the list with credentials, and the lock, which the image has of its own.
pub(crate) fn is_builds_own(path: &Path) -> bool {
    path == Path::new(WITH_AUTH) || path == Path::new(LOCK_FILE)
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = self.places.first() {
            write!(f, "{place}: ")?;
        }
        match &self.why {
            Why::Render(reason) => write!(f, "the chart cannot be rendered: {reason}")?,
            Why::NoName(reason) => write!(f, "`{}` is no image's name: {reason}", self.name)?,
            Why::Fetch(error) => write!(f, "`{}` cannot be had: {error}", self.name)?,
            Why::Refused(error) => write!(f, "{error}")?,
            Why::Collision(other) => write!(
                f,
                "`{}` has the place of `{}` in the image's registry, which leaves the source's name out",
                self.name,
                other.familiar()
            )?,
        }
        match self.places.len() {
            0 | 1 => Ok(()),
            count => write!(f, " (named in {} more places)", count - 1),
        }
    }
}
