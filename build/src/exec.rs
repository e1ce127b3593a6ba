//! The build itself: plan → layers → image → name.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sealer_image::image::{NewImage, commit};
use sealer_image::layer::{self, Compression, Entry, EntryKind, Layer, WriteOptions};
use sealer_image::{Descriptor, Image, Platform, Reference, SealerConfig, Store};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::cache::{Cache, Key};
use crate::check;
use crate::context::{BuildContext, HardLinks, Item};
use crate::error::{Error, Result};
use crate::kubefile::{self, Kubefile, KubefileError};
use crate::plan::{self, Action, BuildPlan, Placement, PlanInput, Step};
use crate::run::{self, Run};

/// What a build collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Needs no cluster and no container runtime.
    Lite,
}

/// What is to be built.
pub struct BuildRequest<'a> {
    /// What to collect.
    pub mode: Mode,
    /// The image's name.
    pub tag: Reference,
    /// The folder that `COPY` takes from.
    pub context: PathBuf,
    /// The Kubefile; `Kubefile` in the context where there is none.
    pub kubefile: Option<PathBuf>,
    /// The values of `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// Whether every instruction is done again.
    pub no_cache: bool,
    /// What the image is for.
    pub platform: Platform,
    /// How layers are compressed.
    pub compression: Compression,
    /// The time of everything in the image, in seconds since the epoch.
    pub time: u64,
    /// The version of sealer, which the image notes.
    pub version: &'a str,
    /// A folder for what builds keep: the cache, unpacked images, scratch.
    pub work_dir: PathBuf,
    /// Brings an image into the store that is not there.
    pub pull: &'a dyn Fn(&Task, &Reference) -> sealer_image::Result<Descriptor>,
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its name.
    pub reference: Reference,
    /// Its manifest.
    pub descriptor: Descriptor,
    /// How many layers were taken from an earlier build.
    pub cached: usize,
    /// How many layers this build added.
    pub layers: usize,
}

/// Builds an image and names it. An error leaves the store as it was, but for content without a name.
///
/// # Errors
/// See [`Error`]; a Kubefile's mistakes come all at once.
pub fn build(task: &Task, request: &BuildRequest<'_>, store: &Store) -> Result<Built> {
    let task = task.child("build", request.tag.familiar(), None)?;
    let context = BuildContext::open(&request.context)?;
    let (name, kubefile) = read(request)?;
    let named = |errors: Vec<KubefileError>| {
        Error::Kubefile(errors.into_iter().map(|error| in_file(error, &name)).collect())
    };
    let base = base(&task, request, store, &kubefile).map_err(|error| match error {
        Error::Kubefile(errors) => named(errors),
        error => error,
    })?;
    let base_folders = BaseFolders { task: &task, store, base: base.as_ref(), work_dir: &request.work_dir };
    let input = PlanInput {
        context: &context,
        build_args: &request.build_args,
        base_has_folder: &|path| base_folders.has(path),
    };
    let plan = plan::plan(&kubefile, &input).map_err(named)?;
    let mut builder =
        Builder { task: &task, request, store, context: &context, base, name: &name, kubefile: &kubefile };
    let cache = Cache::open(request.work_dir.join("cache"), !request.no_cache)?;
    let made = builder.layers(&plan, &cache)?;
    let cached = made.iter().filter(|made| made.cached).count();
    let packed: Vec<check::Packed> = made.iter().flat_map(|made| made.packed.clone()).collect();
    check::check(&task, store, builder.base.as_ref(), &packed, &request.platform).map_err(named)?;
    let layers: Vec<(Layer, String)> =
        made.into_iter().filter_map(|made| Some((made.layer?, made.instruction))).collect();
    let count = layers.len();
    let descriptor = builder.commit(&plan, layers)?;
    store.tag(&descriptor, &request.tag)?;
    task.finish();
    Ok(Built { reference: request.tag.clone(), descriptor, cached, layers: count })
}

fn in_file(mut error: KubefileError, name: &str) -> KubefileError {
    if error.file == "Kubefile" {
        name.clone_into(&mut error.file);
    }
    error
}

fn read(request: &BuildRequest<'_>) -> Result<(String, Kubefile)> {
    let path = request.kubefile.clone().unwrap_or_else(|| request.context.join("Kubefile"));
    let name =
        request.kubefile.as_ref().map_or_else(|| "Kubefile".to_owned(), |path| path.display().to_string());
    let bytes = match fs::read(&path).at(&path) {
        Err(error) if error.is_not_found() => return Err(Error::NoKubefile { path }),
        read => read?,
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::Kubefile(vec![in_file(KubefileError::whole("it is no text in UTF-8"), &name)]))?;
    let kubefile = kubefile::parse(&text)
        .map_err(|errors| Error::Kubefile(errors.into_iter().map(|error| in_file(error, &name)).collect()))?;
    Ok((name, kubefile))
}

/// The base image: from the store where it is there, else pulled.
fn base(
    task: &Task,
    request: &BuildRequest<'_>,
    store: &Store,
    kubefile: &Kubefile,
) -> Result<Option<Image>> {
    let name = plan::base(kubefile, &request.build_args).map_err(|error| Error::Kubefile(vec![error]))?;
    let Some(name) = name else { return Ok(None) };
    let reference: Reference = name.parse().map_err(|error: sealer_image::Error| {
        let span =
            kubefile.instructions.iter().find(|one| matches!(one.kind, kubefile::InstructionKind::From(_)));
        let span = span.map(|one| one.span).expect("the name was read from there");
        Error::Kubefile(vec![KubefileError::new(&kubefile.lines, span, error.to_string())])
    })?;
    let found = match store.resolve(&reference) {
        Err(sealer_image::Error::NotFound { .. }) => (request.pull)(task, &reference),
        found => found,
    };
    let opened = found.and_then(|descriptor| Image::open(store, &descriptor, &request.platform));
    match opened {
        Ok(image) => Ok(Some(image)),
        Err(sealer_image::Error::Cancelled(error)) => Err(error.into()),
        Err(source) => Err(Error::Base { reference, source: Box::new(source) }),
    }
}

/// Looks into the base image only when a `COPY` depends on what is a folder there.
struct BaseFolders<'a> {
    task: &'a Task,
    store: &'a Store,
    base: Option<&'a Image>,
    work_dir: &'a Path,
}

impl BaseFolders<'_> {
    fn has(&self, path: &Path) -> bool {
        let Some(base) = self.base else { return false };
        let unpacked = layer::unpacked(self.task, self.store, base, &self.work_dir.join("rootfs"));
        unpacked.is_ok_and(|unpacked| unpacked.dir.join(path).is_dir())
    }
}

/// What a step gave.
struct Made {
    /// Nothing where the step changed nothing.
    layer: Option<Layer>,
    instruction: String,
    cached: bool,
    packed: Vec<check::Packed>,
}

struct Builder<'a> {
    task: &'a Task,
    request: &'a BuildRequest<'a>,
    store: &'a Store,
    context: &'a BuildContext,
    base: Option<Image>,
    name: &'a str,
    kubefile: &'a Kubefile,
}

impl Builder<'_> {
    fn layers(&mut self, plan: &BuildPlan, cache: &Cache) -> Result<Vec<Made>> {
        let mut made: Vec<Made> = Vec::new();
        for step in &plan.steps {
            let task = self.task.child("layer", step.instruction.clone(), None)?;
            let one = match &step.action {
                Action::Copy(placements) => self.copy(&task, step, placements, cache)?,
                Action::Run { command, env } => self.run(&task, plan, step, (command, env), &made, cache)?,
            };
            if one.cached {
                task.skip()
            } else {
                task.finish()
            }
            made.push(one);
        }
        Ok(made)
    }

    fn copy(&self, task: &Task, step: &Step, placements: &[Placement], cache: &Cache) -> Result<Made> {
        let mut key = self.key("COPY");
        let mut links = HardLinks::default();
        let mut entries = Vec::new();
        for placement in placements {
            for item in self.context.items(&placement.source)? {
                add_stat(&mut key, &placement.dest, &item);
                entries.extend(entry(&placement.dest, &item, &mut links)?);
            }
        }
        let packed = check::packed(&entries, step.span, &self.kubefile.lines)?;
        self.made(task, step, entries, &key, cache, packed)
    }

    fn run(
        &self,
        task: &Task,
        plan: &BuildPlan,
        step: &Step,
        (command, env): (&str, &BTreeMap<String, String>),
        made: &[Made],
        cache: &Cache,
    ) -> Result<Made> {
        let below: Vec<(Layer, String)> =
            made.iter().filter_map(|made| Some((made.layer.clone()?, made.instruction.clone()))).collect();
        let below = self.commit(plan, below)?;
        let mut key = self.key("RUN");
        key.add(below.digest().to_string());
        key.add(command);
        env.iter().for_each(|(name, value)| key.add(format!("{name}={value}")));
        if let Some(layer) = cache.find(self.store, &key) {
            return Ok(Made {
                layer: Some(layer),
                instruction: step.instruction.clone(),
                cached: true,
                packed: Vec::new(),
            });
        }
        let below = Image::open(self.store, &below, &self.request.platform)?;
        let unpacked = layer::unpacked(task, self.store, &below, &self.request.work_dir.join("rootfs"))?;
        let mut at = KubefileError::new(&self.kubefile.lines, step.span, "");
        self.name.clone_into(&mut at.file);
        let run = Run { command, env, lower: &unpacked.dir, at };
        let entries = run::run(task, &self.request.work_dir.join("scratch"), &run)?;
        let packed = check::packed(&entries, step.span, &self.kubefile.lines)?;
        self.made(task, step, entries, &key, cache, packed)
    }

    fn made(
        &self,
        task: &Task,
        step: &Step,
        entries: Vec<Entry>,
        key: &Key,
        cache: &Cache,
        packed: Vec<check::Packed>,
    ) -> Result<Made> {
        let instruction = step.instruction.clone();
        if entries.is_empty() {
            return Ok(Made { layer: None, instruction, cached: false, packed });
        }
        if let Some(layer) = cache.find(self.store, key) {
            return Ok(Made { layer: Some(layer), instruction, cached: true, packed });
        }
        let options = WriteOptions { compression: self.request.compression, time: self.request.time };
        let layer = layer::write(task, self.store, entries, options)?;
        cache.keep(key, &layer)?;
        Ok(Made { layer: Some(layer), instruction, cached: false, packed })
    }

    fn key(&self, sort: &str) -> Key {
        let mut key = Key::default();
        key.add(sort);
        key.add(self.request.version);
        key.add(format!("{:?} {}", self.request.compression, self.request.time));
        key
    }

    fn commit(&self, plan: &BuildPlan, layers: Vec<(Layer, String)>) -> Result<Descriptor> {
        let image = NewImage {
            base: self.base.clone(),
            layers,
            platform: self.request.platform.clone(),
            env: plan.config.env.clone(),
            labels: plan.config.labels.clone(),
            annotations: BTreeMap::new(),
            sealer: SealerConfig {
                sealer_version: self.request.version.to_owned(),
                cmds: plan.config.cmds.clone(),
                args: plan.config.args.clone(),
            },
            time: self.request.time,
        };
        Ok(commit(self.task, self.store, image)?)
    }
}

fn add_stat(key: &mut Key, dest: &Path, item: &Item) {
    let metadata = &item.metadata;
    key.add(dest.as_os_str().as_bytes());
    key.add(item.below.as_os_str().as_bytes());
    key.add(format!("{:o} {}", metadata.mode(), metadata.nlink()));
    // A folder's size and times change with what is in it, which stands for itself.
    if !metadata.is_dir() {
        let (modified, changed) =
            ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
        key.add(format!(
            "{} {modified:?} {changed:?} {} {}",
            metadata.size(),
            metadata.dev(),
            metadata.ino()
        ));
    }
}

fn entry(dest: &Path, item: &Item, links: &mut HardLinks) -> Result<Option<Entry>> {
    let path = if item.below.as_os_str().is_empty() { dest.to_owned() } else { dest.join(&item.below) };
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let metadata = &item.metadata;
    let kind = if metadata.is_dir() {
        EntryKind::Dir
    } else if metadata.is_symlink() {
        EntryKind::Symlink(fs::read_link(&item.path).at(&item.path)?)
    } else if let Some(first) = links.first(metadata, &path) {
        EntryKind::Hardlink(first)
    } else {
        EntryKind::File(item.path.clone())
    };
    Ok(Some(Entry { path, kind, mode: metadata.permissions().mode() & 0o7777 }))
}
