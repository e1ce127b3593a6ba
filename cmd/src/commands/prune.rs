//! `sealer prune`: removes what no image needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sealer_image::Store;
use sealer_image::store::{Garbage, GarbageKind};
use sealer_stdx::fs::At;
use serde::Serialize;

use crate::cli::PruneArgs;
use crate::failure::Failure;
use crate::render::{self, size};
use crate::settings::Settings;

/// What can be removed.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Freed {
    content_bytes: u64,
    partial_bytes: u64,
    unpacked_bytes: u64,
    cache_bytes: u64,
    dry_run: bool,
}

pub(super) fn run(args: &PruneArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let views = views(settings);
    let mut freed = Freed { dry_run: args.dry_run, ..Freed::default() };
    for garbage in store.garbage(&views)? {
        *freed.of(garbage.kind) += garbage.size;
    }
    let cached = if args.cache { cached(settings, &store)? } else { Vec::new() };
    for garbage in &cached {
        match garbage.kind {
            GarbageKind::Unpacked => freed.unpacked_bytes += garbage.size,
            _ => freed.cache_bytes += garbage.size,
        }
    }
    if !args.dry_run {
        remove(&cached)?;
        let told = freed.content_bytes + freed.partial_bytes;
        let collected = store.collect(&views)?;
        if collected == 0 && told > 0 {
            return Err(Failure::new(
                crate::failure::Kind::Failed,
                "other commands work with the local images",
            )
            .hint("run it again when they have ended"));
        }
    }
    let total = freed.content_bytes + freed.partial_bytes + freed.unpacked_bytes + freed.cache_bytes;
    let word = if args.dry_run { "would free" } else { "freed" };
    render::result(settings, &format!("{word} {}{}", size::bytes(total), freed.text()), &freed)
}

impl Freed {
    fn of(&mut self, kind: GarbageKind) -> &mut u64 {
        match kind {
            GarbageKind::Content => &mut self.content_bytes,
            GarbageKind::Partial => &mut self.partial_bytes,
            GarbageKind::Unpacked => &mut self.unpacked_bytes,
        }
    }

    fn text(self) -> String {
        let parts = [
            ("content", self.content_bytes),
            ("broken-off downloads", self.partial_bytes),
            ("unpacked images", self.unpacked_bytes),
            ("build cache", self.cache_bytes),
        ];
        let told = parts.iter().filter(|(_, bytes)| *bytes > 0);
        let told: Vec<String> = told.map(|(name, bytes)| format!("{name} {}", size::bytes(*bytes))).collect();
        if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
    }
}

/// The folders of unpacked images.
pub(super) fn views(settings: &Settings) -> [PathBuf; 2] {
    [settings.root.join("rootfs"), settings.build_dir().join("rootfs")]
}

/// What is made again where it is missing: the build's cache, and the unpacked images that have a name.
pub(super) fn cached(settings: &Settings, store: &Store) -> Result<Vec<Garbage>, Failure> {
    let mut cached = listed(&settings.build_dir().join("cache"), GarbageKind::Content)?;
    let known: Vec<PathBuf> =
        store.garbage(&views(settings))?.into_iter().map(|garbage| garbage.path).collect();
    for view in views(settings) {
        let unpacked = listed(&view, GarbageKind::Unpacked)?;
        cached.extend(unpacked.into_iter().filter(|garbage| !known.contains(&garbage.path)));
    }
    Ok(cached)
}

fn listed(dir: &Path, kind: GarbageKind) -> Result<Vec<Garbage>, Failure> {
    let mut found = Vec::new();
    if !dir.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(dir).at(dir)? {
        let path = entry.at(dir)?.path();
        let size = bytes(&path)?;
        found.push(Garbage { path, size, kind });
    }
    // A folder goes before the list that says that it is whole.
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// What a file or a folder takes, each hard link by itself.
pub(super) fn bytes(path: &Path) -> Result<u64, Failure> {
    let metadata = fs::symlink_metadata(path).at(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut total = 0;
    for entry in fs::read_dir(path).at(path)? {
        total += bytes(&entry.at(path)?.path())?;
    }
    Ok(total)
}

fn remove(cached: &[Garbage]) -> Result<(), Failure> {
    for Garbage { path, .. } in cached {
        if path.is_dir() {
            fs::remove_dir_all(path).at(path)?;
        } else {
            fs::remove_file(path).at(path)?;
        }
    }
    Ok(())
}
