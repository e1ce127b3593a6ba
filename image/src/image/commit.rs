//! Writing an image: its configuration and manifest.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use oci_spec::image::{
    Arch, Config, ConfigBuilder, Descriptor, History, HistoryBuilder, ImageConfiguration,
    ImageConfigurationBuilder, ImageManifestBuilder, MediaType, Os, RootFsBuilder,
};
use sealer_stdx::task::Task;
use serde::Serialize;

use super::Image;
use crate::config::{ANNOTATION, EXTENSION_ANNOTATION, SealerConfig};
use crate::error::{Error, Result};
use crate::layer::{self, Layer};
use crate::platform::Platform;
use crate::store::Store;

/// As many layers as overlay file systems stack, which container tools rely on.
const MOST_LAYERS: usize = 128;

/// What an image is to be made of.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The image it stands on. Its layers, environment, labels, commands and arguments come first.
    pub base: Option<Image>,
    /// The new layers, lowest first, each with the instruction that made it (`COPY . .`), which
    /// goes into the history.
    pub layers: Vec<(Layer, String)>,
    /// What it is for.
    pub platform: Platform,
    /// `ENV`, by name; the base's are kept unless they stand here again.
    pub env: BTreeMap<String, String>,
    /// `LABEL`, by name; likewise.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The commands and arguments of this image alone; the base's are put before them.
    pub sealer: SealerConfig,
    /// When it was made, in seconds since the epoch: zero unless SOURCE_DATE_EPOCH was given.
    pub time: u64,
}

/// Writes configuration and manifest into the store and returns the manifest's descriptor. The
/// image has no name yet: `Store::tag` gives one.
///
/// # Errors
/// When there are more than 128 layers or the store cannot be written.
pub fn commit(task: &Task, store: &Store, image: NewImage) -> Result<Descriptor> {
    task.check()?;
    let mut layers: Vec<Descriptor> =
        image.base.iter().flat_map(|base| base.manifest.layers()).map(layer::plain_words).collect();
    layers.extend(image.layers.iter().map(|(layer, _)| layer.descriptor.clone()));
    if layers.len() > MOST_LAYERS {
        return Err(Error::Layers { count: layers.len(), most: MOST_LAYERS });
    }
    let sealer = merged(image.base.as_ref(), &image.sealer);
    let below = match &image.base {
        Some(base) => base.steps(store)?.into_iter().map(|(_, diff_id, _)| diff_id.to_string()).collect(),
        None => Vec::new(),
    };
    let config = configuration(&image, below);
    let config = put(store, MediaType::ImageConfig, &config)?;
    let mut annotations: HashMap<String, String> =
        image.base.as_ref().and_then(|base| base.manifest.annotations().clone()).unwrap_or_default();
    annotations.extend(image.annotations);
    annotations.insert(ANNOTATION.to_owned(), json(&sealer));
    annotations.insert(EXTENSION_ANNOTATION.to_owned(), extension(&sealer));
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .annotations(annotations)
        .build()
        .expect("all required fields are set");
    put(store, MediaType::ImageManifest, &manifest)
}

fn merged(base: Option<&Image>, own: &SealerConfig) -> SealerConfig {
    let mut merged = base.map(|base| base.sealer.clone()).unwrap_or_default();
    merged.sealer_version.clone_from(&own.sealer_version);
    merged.cmds.extend(own.cmds.iter().cloned());
    merged.args.extend(own.args.clone());
    merged.kind = own.kind;
    merged.applications.retain(|one| own.applications.iter().all(|other| other.name != one.name));
    merged.applications.extend(own.applications.iter().cloned());
    merged.launch.extend(own.launch.iter().cloned());
    merged
}

/// What tools of the original's 0.9 and later read of an image.
fn extension(sealer: &SealerConfig) -> String {
    let mut extension = serde_json::json!({
        "buildClient": { "sealerVersion": sealer.sealer_version, "buildahVersion": "" },
        "schemaVersion": "v1alpha1",
        "type": sealer.kind,
        "launch": { "cmds": sealer.cmds },
    });
    if !sealer.applications.is_empty() {
        extension["applications"] = serde_json::json!(sealer.applications);
    }
    if !sealer.launch.is_empty() {
        extension["launch"]["app_names"] = serde_json::json!(sealer.launch);
    }
    json(&extension)
}

fn configuration(image: &NewImage, mut diff_ids: Vec<String>) -> ImageConfiguration {
    let base = image.base.as_ref().map(|base| &base.config);
    diff_ids.extend(image.layers.iter().map(|(layer, _)| layer.diff_id.to_string()));
    let mut history = base.and_then(|base| base.history().clone()).unwrap_or_default();
    let created = timestamp(image.time);
    history.extend(image.layers.iter().map(|(_, instruction)| step(&created, instruction)));
    let mut builder = ImageConfigurationBuilder::default()
        .created(created)
        .architecture(Arch::from(image.platform.architecture.as_str()))
        .os(Os::from(image.platform.os.as_str()))
        .config(run_config(base.and_then(|base| base.config().as_ref()), image))
        .rootfs(
            RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build().expect("all fields are set"),
        )
        .history(history);
    if let Some(variant) = &image.platform.variant {
        builder = builder.variant(variant.clone());
    }
    builder.build().expect("all required fields are set")
}

fn step(created: &str, instruction: &str) -> History {
    HistoryBuilder::default().created(created).created_by(instruction).build().expect("nothing is required")
}

fn run_config(base: Option<&Config>, image: &NewImage) -> Config {
    let mut env: Vec<String> = base.and_then(|base| base.env().clone()).unwrap_or_default();
    for (name, value) in &image.env {
        env.retain(|item| item.split('=').next() != Some(name));
        env.push(format!("{name}={value}"));
    }
    let mut labels = base.and_then(|base| base.labels().clone()).unwrap_or_default();
    labels.extend(image.labels.clone());
    let mut builder = ConfigBuilder::default();
    if !env.is_empty() {
        builder = builder.env(env);
    }
    if !labels.is_empty() {
        builder = builder.labels(labels);
    }
    builder.build().expect("nothing is required")
}

fn timestamp(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// Puts a document into the store as JSON whose maps are sorted: the same value gives the same bytes.
pub(crate) fn put(store: &Store, media_type: MediaType, document: &impl Serialize) -> Result<Descriptor> {
    let bytes = json(document).into_bytes();
    let digest = store.put_bytes(&bytes)?;
    Ok(Descriptor::new(media_type, bytes.len() as u64, digest))
}

fn json(document: &impl Serialize) -> String {
    let mut value = serde_json::to_value(document).expect("documents are plain data");
    value.sort_all_objects();
    value.to_string()
}
