//! `sealer system df`: what takes how much space.

use std::path::Path;
use std::process::ExitCode;

use sealer_image::store::GarbageKind;
use serde::Serialize;

use super::prune;
use crate::cli::SystemCommand;
use crate::failure::Failure;
use crate::render::{self, size, table};
use crate::settings::Settings;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    what: &'static str,
    count: usize,
    size_bytes: u64,
    reclaimable_bytes: u64,
}

pub(super) fn run(command: &SystemCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    let SystemCommand::Df = command;
    let used = used(settings)?;
    let rows = used.iter().map(row).collect();
    render::data(settings, &table::table(&["WHAT", "COUNT", "SIZE", "RECLAIMABLE"], rows), &used)
}

fn used(settings: &Settings) -> Result<Vec<Used>, Failure> {
    let store = settings.store()?;
    let garbage = store.garbage(&prune::views(settings))?;
    let of = |kind| garbage.iter().filter(move |one| one.kind == kind);
    let sum = |kind| of(kind).map(|one| one.size).sum::<u64>();
    let cached = prune::cached(settings, &store)?;
    let kept = |kind| cached.iter().filter(move |one| one.kind == kind);
    let unpacked = kept(GarbageKind::Unpacked).map(|one| one.size).sum::<u64>() + sum(GarbageKind::Unpacked);
    let cache = kept(GarbageKind::Content).map(|one| one.size).sum();
    let folders = |paths: &[&Path]| paths.iter().filter(|path| path.is_dir()).count();
    let all: Vec<&Path> = cached.iter().chain(&garbage).map(|one| one.path.as_path()).collect();
    Ok(vec![
        Used {
            what: "images",
            count: store.references()?.len(),
            size_bytes: prune::bytes(&store.root().join("blobs"))?,
            reclaimable_bytes: sum(GarbageKind::Content),
        },
        Used {
            what: "broken-off downloads",
            count: of(GarbageKind::Partial).count(),
            size_bytes: sum(GarbageKind::Partial),
            reclaimable_bytes: sum(GarbageKind::Partial),
        },
        Used {
            what: "unpacked images",
            count: folders(&all),
            size_bytes: unpacked,
            reclaimable_bytes: unpacked,
        },
        Used {
            what: "build cache",
            count: kept(GarbageKind::Content).count(),
            size_bytes: cache,
            reclaimable_bytes: cache,
        },
    ])
}

fn row(used: &Used) -> Vec<String> {
    let (size, reclaimable) = (size::bytes(used.size_bytes), size::bytes(used.reclaimable_bytes));
    vec![used.what.to_owned(), used.count.to_string(), size, reclaimable]
}
