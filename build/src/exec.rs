//! The build itself: plan → layers → image → name.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use sealer_image::config::ImageKind;
use sealer_image::layer::{Compression, Layer};
use sealer_image::signature::Policy;
use sealer_image::{Descriptor, Platform, Reference, Store, image};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::base::{self, BaseFolders};
use crate::cache::Cache;
use crate::check::{self, Packed};
use crate::context::BuildContext;
use crate::error::{Error, Result};
use crate::images::{self, Collecting};
use crate::kubefile::{self, Kubefile, KubefileError};
use crate::plan::{self, PlanInput};
use crate::steps::Builder;

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
    /// Whether it is a cluster or something for one.
    pub kind: ImageKind,
    /// `--label`, over those of the Kubefile.
    pub labels: BTreeMap<String, String>,
    /// `--annotation`: annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// How layers are compressed.
    pub compression: Compression,
    /// The time of everything in the image, in seconds since the epoch.
    pub time: u64,
    /// The version of sealer, which the image notes.
    pub version: &'a str,
    /// A folder for what builds keep: the cache, unpacked images, scratch.
    pub work_dir: PathBuf,
    /// Which container images come along.
    pub images: Collecting<'a>,
    /// Which images may be built upon and brought along, where somebody has said so.
    pub policy: Option<&'a Policy>,
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
    let built = make(task, request, store)?;
    store.tag(&built.descriptor, &request.tag)?;
    Ok(built)
}

/// Builds one image for several platforms: each request is for one of them, and of the same name.
///
/// # Errors
/// Those of [`build`]. When one platform's image cannot be built, none is named.
pub fn build_index(task: &Task, requests: &[BuildRequest<'_>], store: &Store) -> Result<Built> {
    let (mut images, mut cached, mut layers) = (Vec::new(), 0, 0);
    for request in requests {
        let built = make(task, request, store)?;
        images.push(image::for_platform(&built.descriptor, &request.platform));
        cached += built.cached;
        layers += built.layers;
    }
    let first = requests.first().expect("there is a request for each platform");
    let descriptor = image::assemble(store, images)?;
    store.tag(&descriptor, &first.tag)?;
    Ok(Built { reference: first.tag.clone(), descriptor, cached, layers })
}

/// Builds an image that has no name yet.
fn make(task: &Task, request: &BuildRequest<'_>, store: &Store) -> Result<Built> {
    let task = task.child("build", request.tag.familiar(), None)?;
    let context = BuildContext::open(&request.context, &kubefile_path(request))?;
    let (name, kubefile) = read(request)?;
    let named = |errors: Vec<KubefileError>| {
        Error::Kubefile(errors.into_iter().map(|error| in_file(error, &name)).collect())
    };
    let base = base::open(&task, request, store, &kubefile).map_err(|error| match error {
        Error::Kubefile(errors) => named(errors),
        error => error,
    })?;
    let base_folders = BaseFolders { task: &task, store, base: base.as_ref(), work_dir: &request.work_dir };
    let input = PlanInput {
        context: &context,
        platform: &request.platform,
        build_args: &request.build_args,
        base_env: &base::env(base.as_ref()),
        base_has_folder: &|path| base_folders.has(path),
    };
    let mut plan = plan::plan(&kubefile, &input).map_err(named)?;
    plan.config.labels.extend(request.labels.clone());
    let builder =
        Builder { task: &task, request, store, context: &context, base, name: &name, kubefile: &kubefile };
    let cache = Cache::open(request.work_dir.join("cache"), !request.no_cache)?;
    let made = builder.layers(&plan, &cache)?;
    let cached = made.iter().filter(|made| made.cached).count();
    let packed: Vec<Packed> = made.iter().flat_map(|made| made.packed.clone()).collect();
    let lines = &kubefile.lines;
    check::check(&task, store, builder.base.as_ref(), &packed, lines, &request.platform).map_err(named)?;
    let mut layers: Vec<(Layer, String)> =
        made.into_iter().filter_map(|made| Some((made.layer?, made.instruction))).collect();
    let own: Vec<Layer> = layers.iter().map(|(layer, _)| layer.clone()).collect();
    let collected = images::collect(&task, request, store, builder.base.as_ref(), &own, &cache)?;
    layers.extend(collected.layers);
    let count = layers.len();
    let mut annotations = request.annotations.clone();
    annotations.extend(collected.annotations);
    let descriptor = builder.commit(&plan.config, layers, annotations)?;
    task.finish();
    Ok(Built { reference: request.tag.clone(), descriptor, cached, layers: count })
}

fn in_file(mut error: KubefileError, name: &str) -> KubefileError {
    if error.file == "Kubefile" {
        name.clone_into(&mut error.file);
    }
    error
}

fn kubefile_path(request: &BuildRequest<'_>) -> PathBuf {
    request.kubefile.clone().unwrap_or_else(|| request.context.join("Kubefile"))
}

fn read(request: &BuildRequest<'_>) -> Result<(String, Kubefile)> {
    let path = kubefile_path(request);
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
