//! `sealer manifest`: images for several platforms under one name.

use std::process::ExitCode;

use sealer_image::{Descriptor, Reference, Store, image, transfer};
use serde::Serialize;

use super::{image_result, prune};
use crate::cli::ManifestCommand;
use crate::failure::{Failure, Kind};
use crate::render::{self, size, table};
use crate::settings::Settings;

pub(super) fn run(command: &ManifestCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    match command {
        ManifestCommand::Create { name, images } => create(settings, name, images),
        ManifestCommand::Add { name, images } => add(settings, name, images),
        ManifestCommand::Remove { name, which } => remove(settings, name, which),
        ManifestCommand::Inspect { name } => inspect(settings, name),
        ManifestCommand::Push { name, registry } => {
            let (store, registry) = (settings.store()?, settings.registry(registry)?);
            index(&store, name)?;
            let sent = transfer::push(settings.task(), &store, &registry, name)
                .map_err(|error| Failure::from(error).doing(format!("cannot push `{}`", name.familiar())))?;
            image_result(settings, "pushed", name, &sent)
        }
        ManifestCommand::Delete { name } => delete(settings, name),
    }
}

fn create(settings: &Settings, name: &Reference, images: &[Reference]) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    if store.resolve(name).is_ok() {
        return Err(Failure::new(Kind::Failed, format!("`{}` is there already", name.familiar())).hint(
            format!(
                "`sealer manifest add {0} IMAGE` adds to it; `sealer rmi {0}` removes it",
                name.familiar()
            ),
        ));
    }
    put(settings, &store, name, entries(&store, images)?, "created")
}

fn add(settings: &Settings, name: &Reference, images: &[Reference]) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let mut all = index(&store, name)?;
    all.extend(entries(&store, images)?);
    put(settings, &store, name, all, "changed")
}

fn remove(settings: &Settings, name: &Reference, which: &[String]) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let mut all = index(&store, name)?;
    for one in which {
        let before = all.len();
        all.retain(|entry| !is(entry, one));
        if all.len() == before {
            return Err(Failure::new(Kind::Failed, format!("`{}` holds no `{one}`", name.familiar()))
                .hint(format!("`sealer manifest inspect {}` lists what it holds", name.familiar())));
        }
    }
    put(settings, &store, name, all, "changed")
}

fn is(entry: &Descriptor, which: &str) -> bool {
    let digest = entry.digest().to_string();
    let short = which.len() >= 12 && digest.trim_start_matches("sha256:").starts_with(which);
    digest == which
        || short
        || image::platform_of(entry).is_some_and(|platform| platform.to_string() == which)
}

fn put(
    settings: &Settings,
    store: &Store,
    name: &Reference,
    images: Vec<Descriptor>,
    done: &str,
) -> Result<ExitCode, Failure> {
    let descriptor = image::assemble(store, images)?;
    store.tag(&descriptor, name)?;
    image_result(settings, done, name, &descriptor)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    platform: String,
    digest: String,
    media_type: String,
    size_bytes: u64,
}

fn inspect(settings: &Settings, name: &Reference) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let entries: Vec<Entry> = index(&store, name)?.iter().map(entry).collect();
    let row =
        |entry: &Entry| vec![entry.platform.clone(), entry.digest.clone(), size::bytes(entry.size_bytes)];
    let text = table::table(&["PLATFORM", "DIGEST", "SIZE"], entries.iter().map(row).collect());
    render::data(settings, &text, &entries)
}

fn entry(descriptor: &Descriptor) -> Entry {
    Entry {
        platform: image::platform_of(descriptor)
            .map_or_else(|| "-".to_owned(), |platform| platform.to_string()),
        digest: descriptor.digest().to_string(),
        media_type: descriptor.media_type().to_string(),
        size_bytes: descriptor.size(),
    }
}

fn delete(settings: &Settings, name: &Reference) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    index(&store, name)?;
    store.untag(name)?;
    store.collect(&prune::views(settings))?;
    render::result(settings, &format!("deleted {}", name.familiar()), &[name.familiar()])
}

/// The images of a name that is for several.
fn index(store: &Store, name: &Reference) -> Result<Vec<Descriptor>, Failure> {
    let root = store.resolve(name)?;
    if !image::leads_to_many(store, &root)? {
        return Err(Failure::new(
            Kind::Failed,
            format!("`{}` is one image, not a list of several", name.familiar()),
        )
        .hint("`sealer manifest create NAME IMAGE...` makes a list"));
    }
    Ok(image::entries(store, &root)?)
}

fn entries(store: &Store, images: &[Reference]) -> Result<Vec<Descriptor>, Failure> {
    let mut all = Vec::new();
    for name in images {
        all.extend(image::entries(store, &store.resolve(name)?)?);
    }
    Ok(all)
}
