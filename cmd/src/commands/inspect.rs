//! `sealer inspect`: shows what a local image is made of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use sealer_image::{Image, Platform};
use serde::Serialize;

use crate::cli::InspectArgs;
use crate::failure::Failure;
use crate::render::{self, size};
use crate::settings::{Settings, platform};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    name: String,
    digest: String,
    platform: Platform,
    env: Vec<String>,
    labels: BTreeMap<String, String>,
    cmds: Vec<String>,
    args: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    layers: Vec<InspectedLayer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectedLayer {
    digest: String,
    media_type: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
}

pub(super) fn run(args: &InspectArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let image = Image::open(&store, &store.resolve(&args.image)?, &platform(args.platform.clone()))?;
    let inspected = inspect(args.image.familiar(), &image);
    render::data(settings, &text(&inspected), &inspected)
}

fn inspect(name: String, image: &Image) -> Inspected {
    let config = image.config.config().clone().unwrap_or_default();
    let made = image.config.history().iter().flatten().filter(|step| step.empty_layer() != Some(true));
    let mut made = made.map(|step| step.created_by().clone());
    let layers = image.manifest.layers().iter().map(|layer| InspectedLayer {
        digest: layer.digest().to_string(),
        media_type: layer.media_type().to_string(),
        size_bytes: layer.size(),
        created_by: made.next().flatten(),
    });
    Inspected {
        name,
        digest: image.descriptor.digest().to_string(),
        platform: image.platform(),
        env: config.env().clone().unwrap_or_default(),
        labels: config.labels().clone().unwrap_or_default().into_iter().collect(),
        cmds: image.sealer.cmds.clone(),
        args: image.sealer.args.clone(),
        annotations: image.manifest.annotations().clone().unwrap_or_default().into_iter().collect(),
        layers: layers.collect(),
    }
}

fn text(image: &Inspected) -> String {
    let mut text =
        format!("Name:      {}\nDigest:    {}\nPlatform:  {}\n", image.name, image.digest, image.platform);
    section(&mut text, "Env", image.env.iter().cloned());
    section(&mut text, "Labels", image.labels.iter().map(|(key, value)| format!("{key}={value}")));
    section(&mut text, "Args", image.args.iter().map(|(key, value)| format!("{key}={value}")));
    section(&mut text, "Cmd", image.cmds.iter().cloned());
    let layers = image.layers.iter().map(|layer| {
        let by = layer.created_by.as_deref().unwrap_or("-");
        format!("{}  {:>10}  {by}", layer.digest, size::bytes(layer.size_bytes))
    });
    section(&mut text, "Layers", layers);
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    for (index, line) in lines.enumerate() {
        let head = if index == 0 { format!("{title}:") } else { String::new() };
        let _ = writeln!(text, "{head:<10} {line}");
    }
}
