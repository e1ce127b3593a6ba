//! `sealer build`: builds a cluster image from a Kubefile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sealer_build::images::{ChartValues, Collecting, LOCK_FILE, Why};
use sealer_build::{BuildRequest, Built, Error, build, build_index};
use sealer_image::config::ImageKind;
use sealer_image::layer::Compression;
use sealer_image::{Descriptor, Platform, Reference, Registry};
use sealer_stdx::task::Task;
use serde::Serialize;

use super::sbom;
use crate::cli::{BuildArgs, CompressionName, ImageType, Mode};
use crate::failure::Failure;
use crate::settings::{Settings, platform};
use crate::{given, render, trust};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    name: String,
    digest: String,
    layers: usize,
    cached: usize,
}

pub(super) fn run(args: &BuildArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    lists_are_there(args)?;
    let (store, registry) = (settings.store()?, settings.registry(&args.registry)?);
    let (store, registry) = (&store, &registry);
    let platforms = match args.platform.is_empty() {
        true => vec![platform(None)],
        false => args.platform.clone(),
    };
    let name = args.tag.familiar();
    let values = chart_values(&args.chart_values)?;
    let policy = trust::policy(&args.policy)?;
    let policy = policy.as_ref().map(|(file, policy)| (file.as_path(), policy));
    let pulls: Vec<_> = platforms
        .iter()
        .map(|platform| {
            move |task: &Task, reference: &Reference| trust::pull(task, store, registry, reference, platform)
        })
        .collect();
    let requests: Vec<BuildRequest<'_>> = platforms
        .iter()
        .zip(&pulls)
        .map(|(platform, pull)| BuildRequest {
            policy: policy.map(|(_, policy)| policy),
            ..request(args, settings, (platform, pull), (registry, &values))
        })
        .collect();
    let built = match requests.as_slice() {
        [one] => build(settings.task(), one, store),
        several => build_index(settings.task(), several, store),
    };
    let file = policy.map(|(file, _)| file);
    let built = built.map_err(|error| failed(error, file).building(&name))?;
    if args.sbom {
        sbom::attach(settings, store, &args.tag, &built.descriptor)?;
    }
    render::result(settings, &text(&name, &built), &result(name.clone(), &built))
}

/// Tells what went wrong; what the policy had against it, with the policy's file.
fn failed(error: Error, policy: Option<&Path>) -> Failure {
    match (error, policy) {
        (Error::Policy { reference, source }, Some(file)) => {
            trust::told(file, *source).doing(format!("will not build on `{}`", reference.familiar()))
        }
        (Error::Absent(absent), Some(file))
            if absent.iter().any(|one| matches!(one.why, Why::Refused(_))) =>
        {
            Failure::from(Error::Absent(absent)).hint(format!("{} says which may be used", file.display()))
        }
        (error, _) => error.into(),
    }
}

/// Refuses lists of container images that are not there.
fn lists_are_there(args: &BuildArgs) -> Result<(), Failure> {
    let lists = args.image_list.iter().map(|file| ("--image-list", file));
    let ignored = args.ignored_image_list.iter().map(|file| ("--ignored-image-list", file));
    let with_auth = args.image_list_with_auth.iter().map(|file| ("--image-list-with-auth", file));
    lists
        .chain(ignored)
        .chain(with_auth)
        .try_for_each(|(argument, file)| given::there(argument, file).map(|_| ()))
}

/// What brings an image into the store.
type Pull<'a> = &'a dyn Fn(&Task, &Reference) -> sealer_image::Result<Descriptor>;

/// The request for one platform.
fn request<'a>(
    args: &BuildArgs,
    settings: &Settings,
    (platform, pull): (&Platform, Pull<'a>),
    (registry, values): (&'a Registry, &[ChartValues]),
) -> BuildRequest<'a> {
    let is_app = args.kind == ImageType::AppInstaller || !args.base;
    BuildRequest {
        mode: match args.mode {
            Mode::Lite => sealer_build::Mode::Lite,
        },
        tag: args.tag.clone(),
        context: args.context.clone(),
        kubefile: args.kubefile.clone(),
        build_args: args.build_arg.iter().cloned().collect(),
        no_cache: args.no_cache,
        platform: platform.clone(),
        kind: if is_app { ImageKind::AppInstaller } else { ImageKind::KubeInstaller },
        labels: args.label.iter().cloned().collect(),
        annotations: args.annotation.iter().cloned().collect(),
        compression: match args.compression {
            CompressionName::Zstd => Compression::Zstd,
            CompressionName::Gzip => Compression::Gzip,
        },
        time: settings.source_date_epoch.unwrap_or(0),
        version: env!("CARGO_PKG_VERSION"),
        work_dir: settings.build_dir(),
        images: Collecting {
            registry,
            lists: args.image_list.clone(),
            ignored: args.ignored_image_list.clone(),
            with_auth: args.image_list_with_auth.clone(),
            chart_values: values.to_vec(),
            allow_missing: args.allow_missing,
            write_lock: args.write_lock.then(|| args.context.join(LOCK_FILE)),
        },
        policy: None,
        pull,
    }
}

/// Reads `[CHART=]FILE`.
fn chart_values(given: &[String]) -> Result<Vec<ChartValues>, Failure> {
    let read = |one: &String| {
        let (chart, file) = match one.split_once('=') {
            Some((chart, file)) => (Some(chart.to_owned()), PathBuf::from(file)),
            None => (None, PathBuf::from(one)),
        };
        let text = given::text("--chart-values", &file)?;
        Ok(ChartValues { chart, file, text })
    };
    given.iter().map(read).collect()
}

fn text(name: &str, built: &Built) -> String {
    let cached = match built.cached {
        0 => String::new(),
        cached => format!(", {cached} of them from the cache"),
    };
    format!("built {name}: {}, {} layers{cached}", built.descriptor.digest(), built.layers)
}

fn result(name: String, built: &Built) -> Image {
    Image { name, digest: built.descriptor.digest().to_string(), layers: built.layers, cached: built.cached }
}
