//! `sealer build`: builds a cluster image from a Kubefile.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use sealer_build::images::{ChartValues, Collecting, LOCK_FILE};
use sealer_build::{BuildRequest, Built, build};
use sealer_image::layer::Compression;
use sealer_image::transfer;
use sealer_stdx::fs::At;
use serde::Serialize;

use crate::cli::{BuildArgs, CompressionName, Mode};
use crate::failure::Failure;
use crate::render;
use crate::settings::{Settings, platform};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    name: String,
    digest: String,
    layers: usize,
    cached: usize,
}

pub(super) fn run(args: BuildArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let (store, registry) = (settings.store()?, settings.registry(&args.registry));
    let platform = platform(args.platform);
    let name = args.tag.familiar();
    let lock = args.context.join(LOCK_FILE);
    let request = BuildRequest {
        mode: match args.mode {
            Mode::Lite => sealer_build::Mode::Lite,
        },
        tag: args.tag,
        context: args.context,
        kubefile: args.kubefile,
        build_args: args.build_arg.into_iter().collect(),
        no_cache: args.no_cache,
        platform: platform.clone(),
        compression: match args.compression {
            CompressionName::Zstd => Compression::Zstd,
            CompressionName::Gzip => Compression::Gzip,
        },
        time: settings.source_date_epoch.unwrap_or(0),
        version: env!("CARGO_PKG_VERSION"),
        work_dir: settings.build_dir(),
        images: Collecting {
            registry: &registry,
            lists: args.image_list,
            ignored: args.ignored_image_list,
            with_auth: args.image_list_with_auth,
            chart_values: chart_values(&args.chart_values)?,
            allow_missing: args.allow_missing,
            write_lock: args.write_lock.then_some(lock),
        },
        pull: &|task, reference| transfer::pull(task, &store, &registry, reference, &platform),
    };
    let built =
        build(settings.task(), &request, &store).map_err(|error| Failure::from(error).building(&name))?;
    render::result(settings, &text(&name, &built), &result(name.clone(), &built))
}

/// Reads `[CHART=]FILE`.
fn chart_values(given: &[String]) -> Result<Vec<ChartValues>, Failure> {
    let read = |one: &String| {
        let (chart, file) = match one.split_once('=') {
            Some((chart, file)) => (Some(chart.to_owned()), PathBuf::from(file)),
            None => (None, PathBuf::from(one)),
        };
        let text = fs::read_to_string(&file).at(&file)?;
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
