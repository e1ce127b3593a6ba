//! `sealer diff`: what one image holds that another does not, or has otherwise.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use sealer_image::tree::{Node, NodeKind, Tree};
use sealer_image::{Image, layer};
use serde::Serialize;

use crate::cli::DiffArgs;
use crate::failure::Failure;
use crate::render;
use crate::settings::{Settings, platform};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Added,
    Changed,
    Removed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Difference {
    change: Change,
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_after: Option<u64>,
}

pub(super) fn run(args: &DiffArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    let platform = platform(args.platform.clone());
    let open =
        |name| -> Result<Image, Failure> { Ok(Image::open(&store, &store.resolve(name)?, &platform)?) };
    let (before, after) = (open(&args.before)?, open(&args.after)?);
    let (before, after) = layer::trees(&settings.task().unseen(), &store, (&before, &after))?;
    let differences = differences(&before, &after);
    let lines: Vec<String> = differences.iter().map(line).collect();
    render::data(settings, &lines.join("\n"), &differences)
}

fn differences(before: &Tree, after: &Tree) -> Vec<Difference> {
    let mut both: BTreeMap<&PathBuf, (Option<&Node>, Option<&Node>)> = BTreeMap::new();
    before.iter().for_each(|(path, node)| both.entry(path).or_default().0 = Some(node));
    after.iter().for_each(|(path, node)| both.entry(path).or_default().1 = Some(node));
    let changed = both.into_iter().filter(|(_, (before, after))| before != after);
    let told = changed.map(|(path, (before, after))| Difference {
        change: match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        },
        path: path.clone(),
        size_before: before.and_then(size),
        size_after: after.and_then(size),
    });
    told.collect()
}

fn size(node: &Node) -> Option<u64> {
    match node.kind {
        NodeKind::File { size, .. } => Some(size),
        NodeKind::Dir | NodeKind::Symlink { .. } => None,
    }
}

/// As `docker diff` writes it.
fn line(difference: &Difference) -> String {
    let letter = match difference.change {
        Change::Added => 'A',
        Change::Changed => 'C',
        Change::Removed => 'D',
    };
    format!("{letter} /{}", difference.path.display())
}
