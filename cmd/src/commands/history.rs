//! `sealer history`: which instruction made which layer.

use std::process::ExitCode;

use sealer_image::Image;
use serde::Serialize;

use crate::cli::HistoryArgs;
use crate::failure::Failure;
use crate::render::{self, size, table};
use crate::settings::{Settings, platform};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// Nothing for an instruction that made no layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<String>,
    size_bytes: u64,
}

pub(super) fn run(args: &HistoryArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let image = Image::open(&store, &store.resolve(&args.image)?, &platform(args.platform.clone()))?;
    let made = made(&image);
    let rows = made.iter().map(row).collect();
    render::data(settings, &table::table(&["LAYER", "SIZE", "MADE BY"], rows), &made)
}

fn made(image: &Image) -> Vec<Made> {
    let mut layers = image.manifest.layers().iter();
    let mut made = Vec::new();
    for step in image.config.history().iter().flatten() {
        let layer = if step.empty_layer() == Some(true) { None } else { layers.next() };
        made.push(Made {
            created_by: step.created_by().clone().unwrap_or_default(),
            created: step.created().clone(),
            layer: layer.map(|layer| layer.digest().to_string()),
            size_bytes: layer.map_or(0, sealer_image::Descriptor::size),
        });
    }
    // What has no history is there all the same.
    made.extend(layers.map(|layer| Made {
        created_by: String::new(),
        created: None,
        layer: Some(layer.digest().to_string()),
        size_bytes: layer.size(),
    }));
    made
}

fn row(made: &Made) -> Vec<String> {
    let layer = made.layer.as_ref().map_or("-", |layer| layer.trim_start_matches("sha256:"));
    let by = if made.created_by.is_empty() { "-" } else { &made.created_by };
    vec![layer[..layer.len().min(12)].to_owned(), size::bytes(made.size_bytes), by.to_owned()]
}
