//! The steps of a plan, one layer each: from the cache, from files, or from a command.

mod gather;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use sealer_image::image::{NewImage, commit};
use sealer_image::layer::{self, Entry, EntryKind, Layer, WriteOptions};
use sealer_image::{Descriptor, Image, SealerConfig, Store};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::cache::{Cache, Kept, Key};
use crate::check::{self, Packed};
use crate::context::{BuildContext, HardLinks, Item};
use crate::error::Result;
use crate::exec::BuildRequest;
use crate::images::sources;
use crate::kubefile::{Kubefile, KubefileError};
use crate::plan::{Action, BuildPlan, ConfigPlan, Placement, Source, Step};
use crate::run::{self, Run};
use gather::has_remote;

/// No system's clock for files has longer ticks.
const TICK: Duration = Duration::from_millis(20);

/// What a step gave.
pub(crate) struct Made {
    /// Nothing where the step changed nothing.
    pub(crate) layer: Option<Layer>,
    pub(crate) instruction: String,
    pub(crate) cached: bool,
    pub(crate) packed: Vec<Packed>,
}

/// Makes the layers of a plan.
pub(crate) struct Builder<'a> {
    pub(crate) task: &'a Task,
    pub(crate) request: &'a BuildRequest<'a>,
    pub(crate) store: &'a Store,
    pub(crate) context: &'a BuildContext,
    pub(crate) base: Option<Image>,
    /// The Kubefile's, for messages.
    pub(crate) name: &'a str,
    pub(crate) kubefile: &'a Kubefile,
}

impl Builder<'_> {
    pub(crate) fn layers(&self, plan: &BuildPlan, cache: &Cache) -> Result<Vec<Made>> {
        let mut made: Vec<Made> = Vec::new();
        for step in &plan.steps {
            let task = self.task.child("layer", step.instruction.clone(), None)?;
            let one = match &step.action {
                Action::Copy { placements, unpacks, .. } if *unpacks || has_remote(placements) => {
                    self.gather(&task, step, &made, cache)?
                }
                Action::Copy { placements, mode, .. } => {
                    self.copy(&task, step, (placements, *mode), cache)?
                }
                Action::Run { command, env } => self.run(&task, step, (command, env), &made, cache)?,
            };
            if one.cached {
                task.skip();
            } else {
                task.finish();
            }
            made.push(one);
        }
        Ok(made)
    }

    fn copy(
        &self,
        task: &Task,
        step: &Step,
        (placements, mode): (&[Placement], Option<u32>),
        cache: &Cache,
    ) -> Result<Made> {
        let listed = self.settled(placements)?;
        let key = self.copy_key("COPY", mode, &listed);
        let mut links = HardLinks::default();
        let mut entries = Vec::new();
        for (placement, items) in &listed {
            for item in items {
                entries.extend(entry(&placement.dest, item, &mut links)?);
            }
        }
        give_mode(&mut entries, mode);
        let packed = check::packed(&entries, step.span)?;
        self.made(task, step, entries, &key, cache, packed)
    }

    fn copy_key(&self, sort: &str, mode: Option<u32>, listed: &[(&Placement, Vec<Item>)]) -> Key {
        let mut key = self.key(sort);
        key.add(mode.map(|mode| format!("{mode:o}")).unwrap_or_default());
        for (placement, items) in listed {
            items.iter().for_each(|item| add_stat(&mut key, &placement.dest, item));
        }
        key
    }

    /// Lists the sources. A file that changes twice within one tick of the system's clock would look
    /// unchanged to the cache: files as young as that are looked at once more when they are older.
    fn settled<'p>(&self, placements: &'p [Placement]) -> Result<Vec<(&'p Placement, Vec<Item>)>> {
        let list = || -> Result<Vec<(&'p Placement, Vec<Item>)>> {
            let items = |one: &'p Placement| match &one.source {
                Source::Context(path) => Some(self.context.items(path).map(|items| (one, items))),
                Source::Remote(_) | Source::Git(_) => None,
            };
            Ok(placements.iter().filter_map(items).collect::<std::result::Result<_, _>>()?)
        };
        let listed = list()?;
        let age = listed.iter().flat_map(|(_, items)| items).filter_map(Item::age).min();
        match age.and_then(|age| TICK.checked_sub(age)) {
            Some(wait) => {
                thread::sleep(wait);
                list()
            }
            None => Ok(listed),
        }
    }

    fn run(
        &self,
        task: &Task,
        step: &Step,
        (command, env): (&str, &BTreeMap<String, String>),
        made: &[Made],
        cache: &Cache,
    ) -> Result<Made> {
        let below = self.below(made)?;
        let mut key = self.key("RUN");
        key.add(below.descriptor.digest().to_string());
        key.add(command);
        env.iter().for_each(|(name, value)| key.add(format!("{name}={value}")));
        if let Some(found) = cache.find(self.store, &key) {
            let packed = check::of_layer(task, self.store, &below, &found, step.span)?;
            return Ok(Made {
                layer: found.layer,
                instruction: step.instruction.clone(),
                cached: true,
                packed,
            });
        }
        let unpacked = layer::unpacked(task, self.store, &below, &self.request.work_dir.join("rootfs"))?;
        let mut at = KubefileError::new(&self.kubefile.lines, step.span, "");
        self.name.clone_into(&mut at.file);
        let run = Run { command, env, time: self.request.time, lower: &unpacked.dir, at };
        let ran = run::run(task, &self.request.work_dir.join("scratch"), &run)?;
        let packed = check::packed(&ran.entries, step.span)?;
        let made = self.made(task, step, ran.entries, &key, cache, packed);
        // The files are read where the command wrote them.
        drop(ran.scratch);
        made
    }

    /// The image as far as it is made, by its layers alone: a later `LABEL` is nothing to a `RUN`.
    fn below(&self, made: &[Made]) -> Result<Image> {
        let layers = made.iter().filter_map(|made| Some((made.layer.clone()?, String::new()))).collect();
        let descriptor = self.commit(&ConfigPlan::default(), layers, BTreeMap::new())?;
        Ok(Image::open(self.store, &descriptor, &self.request.platform)?)
    }

    fn made(
        &self,
        task: &Task,
        step: &Step,
        entries: Vec<Entry>,
        key: &Key,
        cache: &Cache,
        packed: Vec<Packed>,
    ) -> Result<Made> {
        let instruction = step.instruction.clone();
        if let Some(found) = cache.find(self.store, key) {
            return Ok(Made { layer: found.layer, instruction, cached: true, packed });
        }
        let options = WriteOptions { compression: self.request.compression, time: self.request.time };
        let named = sources::of_entries(&entries)?;
        let layer = match entries.is_empty() {
            true => None,
            false => Some(layer::write(task, self.store, entries, options)?),
        };
        if let Some(layer) = &layer {
            sources::keep(cache, layer, &named)?;
        }
        let touched = packed.iter().map(Packed::touched).collect();
        let kept = Kept { layer, touched };
        cache.keep(key, &kept)?;
        Ok(Made { layer: kept.layer, instruction, cached: false, packed })
    }

    fn key(&self, sort: &str) -> Key {
        let mut key = Key::default();
        key.add(sort);
        key.add(self.request.version);
        key.add(format!("{:?} {}", self.request.compression, self.request.time));
        key
    }

    pub(crate) fn commit(
        &self,
        config: &ConfigPlan,
        layers: Vec<(Layer, String)>,
        annotations: BTreeMap<String, String>,
    ) -> Result<Descriptor> {
        let image = NewImage {
            base: self.base.clone(),
            layers,
            platform: self.request.platform.clone(),
            env: config.env.clone(),
            labels: config.labels.clone(),
            annotations,
            sealer: SealerConfig {
                sealer_version: self.request.version.to_owned(),
                kind: self.request.kind,
                cmds: config.cmds.clone(),
                args: config.args.clone(),
                applications: config.applications.clone(),
                launch: config.launch.clone(),
            },
            time: self.request.time,
        };
        Ok(commit(self.task, self.store, image)?)
    }
}

/// Gives all but links the mode that was asked for.
fn give_mode(entries: &mut [Entry], mode: Option<u32>) {
    let Some(mode) = mode else { return };
    let links = |kind: &EntryKind| matches!(kind, EntryKind::Symlink(_) | EntryKind::Hardlink(_));
    entries.iter_mut().filter(|entry| !links(&entry.kind)).for_each(|entry| entry.mode = mode);
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
