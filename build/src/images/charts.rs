//! Images that charts name when they are rendered, with their default values and with given ones.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::manifest;
use super::needed::{Mention, Place};
use crate::cache::{Cache, Key};
use crate::chart;
use crate::error::Result;

/// Goes up when charts are rendered or looked at in another way.
const VERSION: &str = "CHARTS 2";

/// Values that charts are rendered with, besides their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartValues {
    /// The chart's folder or file below `charts/`; every chart where there is none.
    pub chart: Option<String>,
    /// The file, for messages.
    pub file: PathBuf,
    /// What it holds.
    pub text: String,
}

/// What cannot be rendered, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unrendered {
    pub(crate) place: Place,
    pub(crate) message: String,
}

/// A chart, by its folder or file in the image.
type Found = (PathBuf, BTreeMap<PathBuf, Vec<u8>>);

/// Renders all charts among an image's files, and returns what they mention.
pub(crate) fn mentions(
    cache: &Cache,
    files: &BTreeMap<PathBuf, Vec<u8>>,
    given: &[ChartValues],
) -> Result<(Vec<Mention>, Vec<Unrendered>)> {
    let (mut mentions, mut unrendered) = (Vec::new(), Vec::new());
    for (root, files) in charts(files, &mut unrendered) {
        let name = root.strip_prefix("charts").unwrap_or(&root).display().to_string();
        let mut refused = Vec::new();
        let for_it = given.iter().filter(|one| one.chart.as_ref().is_none_or(|chart| *chart == name));
        for values in std::iter::once(None).chain(for_it.map(Some)) {
            let key = key(&root, &files, values);
            if let Some(found) = cache.noted::<Vec<Mention>>(&key) {
                mentions.extend(found);
                continue;
            }
            match chart::render(&files, &root, values.map(|values| values.text.as_str())) {
                Ok(rendered) => {
                    let found: Vec<Mention> = rendered.iter().flat_map(of_page).collect();
                    cache.note(&key, &found)?;
                    mentions.extend(found);
                }
                Err(failure) => {
                    let place = Place { file: failure.file, line: failure.line };
                    let with = values.map(|one| format!(" (with `{}`)", one.file.display()));
                    let message = failure.message + &with.unwrap_or_default();
                    refused.push((values.is_some(), Unrendered { place, message }));
                }
            }
        }
        // A chart may ask for values: that its defaults alone do not do is no mistake then.
        let is_given = given.iter().any(|one| one.chart.as_ref().is_none_or(|chart| *chart == name));
        unrendered.extend(refused.into_iter().filter(|(given, _)| *given || !is_given).map(|(_, one)| one));
    }
    Ok((mentions, unrendered))
}

/// The charts among files: folders, and packed ones that stand in no other.
fn charts(files: &BTreeMap<PathBuf, Vec<u8>>, unrendered: &mut Vec<Unrendered>) -> Vec<Found> {
    // An empty description describes no chart.
    let there = |(path, bytes): &(&PathBuf, &Vec<u8>)| is_place(path) && !bytes.trim_ascii().is_empty();
    let roots = chart::find(files.iter().filter(there).map(|(path, _)| path));
    let within = |path: &Path| roots.iter().any(|root| path.starts_with(root));
    let mut charts = Vec::new();
    for (path, bytes) in files.iter().filter(|(path, _)| is_place(path) && !within(path)) {
        if path.extension() != Some(OsStr::new("tgz")) {
            continue;
        }
        match chart::of_archive(bytes) {
            Ok(files) if files.contains_key(Path::new("Chart.yaml")) => charts.push((path.clone(), files)),
            Ok(_) => {}
            Err(error) => unrendered.push(Unrendered {
                place: Place { file: path.display().to_string(), line: 0 },
                message: error.to_string(),
            }),
        }
    }
    charts.extend(roots.iter().map(|root| {
        let own = files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(root).ok()?, bytes)));
        (root.clone(), own.map(|(path, bytes)| (path.to_owned(), bytes.clone())).collect())
    }));
    charts.sort();
    charts
}

fn is_place(path: &Path) -> bool {
    super::sources::CHARTS.iter().any(|folder| path.starts_with(folder))
}

fn of_page(page: &chart::Rendered) -> Vec<Mention> {
    let mut mentions = manifest::mentions(&page.file, &page.text);
    for mention in &mut mentions {
        let line = page.lines.get(mention.place.line.saturating_sub(1)).copied();
        mention.place.line = line.unwrap_or(0);
    }
    mentions
}

fn key(root: &Path, files: &BTreeMap<PathBuf, Vec<u8>>, values: Option<&ChartValues>) -> Key {
    let mut key = Key::default();
    key.add(VERSION);
    key.add(root.as_os_str().as_bytes());
    for (path, bytes) in files {
        key.add(path.as_os_str().as_bytes());
        key.add(bytes);
    }
    key.add(values.map_or("", |values| values.text.as_str()));
    key
}
