//! A chart's files: its description, values, templates, and the charts within it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::template::Failure;
use super::template::value::Value;
use super::{values, yaml};

/// A packed chart may unpack to so much, in bytes.
const MOST: u64 = 128 << 20;

/// The files of a chart, by their path in it.
pub(crate) type ChartFiles = BTreeMap<PathBuf, Vec<u8>>;

/// A chart.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// `Chart.yaml`.
    description: Value,
    /// The name that the chart above gives it.
    alias: Option<String>,
    /// `values.yaml`.
    values: Value,
    files: BTreeMap<String, Vec<u8>>,
    /// The charts within it.
    pub(super) inner: Vec<Chart>,
    /// Its folder, from the image's root.
    folder: String,
}

/// Returns the folders of charts among files, without those within other charts.
pub(crate) fn find<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> BTreeSet<PathBuf> {
    let is_description = |path: &&PathBuf| path.file_name().is_some_and(|name| name == "Chart.yaml");
    let all: BTreeSet<PathBuf> =
        paths.filter(is_description).filter_map(|path| Some(path.parent()?.to_owned())).collect();
    let within = |path: &&PathBuf| path.ancestors().skip(1).any(|above| all.contains(above));
    all.iter().filter(|path| !within(path)).cloned().collect()
}

/// Returns the files of a packed chart (`.tgz`), without the folder that they stand in.
pub(crate) fn of_archive(bytes: &[u8]) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MOST));
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path: PathBuf = entry.path()?.components().skip(1).collect();
        if entry.header().entry_type().is_file() && !path.as_os_str().is_empty() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(path, content);
        }
    }
    Ok(files)
}

/// Makes a chart of its files. `folder` is where they stand, for messages.
pub(crate) fn of_files(files: &ChartFiles, folder: &str) -> Result<Chart, Failure> {
    let fail = |file: &str, message: String| Failure { file: format!("{folder}/{file}"), line: 0, message };
    let text =
        |name: &str| files.get(Path::new(name)).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let read = |name: &str| match text(name) {
        Some(text) => values::parse(&format!("{folder}/{name}"), &text),
        None => Ok(Value::of([])),
    };
    let description = read("Chart.yaml")?;
    if description.get("name").is_none() {
        return Err(fail("Chart.yaml", "it has no `name`".to_owned()));
    }
    if description.get("dependencies").is_none()
        && let (Value::Map(map), Some(more)) = (&description, read("requirements.yaml")?.get("dependencies"))
    {
        map.borrow_mut().insert("dependencies".to_owned(), more);
    }
    let mut own: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut inner: BTreeMap<String, ChartFiles> = BTreeMap::new();
    for (path, bytes) in files {
        let name = path.display().to_string();
        match name.strip_prefix("charts/").map(|rest| rest.split_once('/')) {
            Some(Some((chart, rest))) => {
                inner.entry(chart.to_owned()).or_default().insert(rest.into(), bytes.clone());
            }
            Some(None) if name.ends_with(".tgz") => {
                let chart = of_archive(bytes).map_err(|error| fail(&name, error.to_string()))?;
                inner.insert(name["charts/".len()..].to_owned(), chart);
            }
            _ => {
                own.insert(name, bytes.clone());
            }
        }
    }
    let values = read("values.yaml")?;
    let charts = inner
        .into_iter()
        .filter(|(name, files)| !name.starts_with(['_', '.']) && files.contains_key(Path::new("Chart.yaml")));
    let inner: Result<Vec<Chart>, Failure> =
        charts.map(|(name, files)| of_files(&files, &format!("{folder}/charts/{name}"))).collect();
    Ok(Chart { description, alias: None, values, files: own, inner: inner?, folder: folder.to_owned() })
}

impl Chart {
    pub(super) fn name(&self) -> &str {
        // The name is text or a number; `of_files` has seen that it is there.
        self.alias.as_deref().unwrap_or_else(|| self.folder_name())
    }

    fn folder_name(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or_default()
    }

    /// The name that its description has.
    pub(super) fn own_name(&self) -> String {
        self.description.get("name").map(|name| name.shown()).unwrap_or_default()
    }

    pub(super) fn named(&self, alias: String) -> Self {
        Self { alias: Some(alias), ..self.clone() }
    }

    pub(super) fn defaults(&self) -> Value {
        self.values.deep()
    }

    pub(super) fn dependencies(&self) -> Vec<Value> {
        self.description.get("dependencies").map(|all| all.items()).unwrap_or_default()
    }

    pub(super) fn version(&self) -> String {
        self.description.get("version").map(|version| version.shown()).unwrap_or_default()
    }

    /// What templates see as `.Chart`: the fields of Helm's `chart.Metadata`.
    pub(super) fn metadata(&self) -> Value {
        let mut fields = BTreeMap::new();
        if let Value::Map(map) = &self.description {
            for (key, value) in map.borrow().iter() {
                let name = match key.as_str() {
                    "apiVersion" => "APIVersion".to_owned(),
                    key => {
                        let mut chars = key.chars();
                        let first = chars.next().map(|c| c.to_ascii_uppercase().to_string());
                        first.unwrap_or_default() + chars.as_str()
                    }
                };
                // Versions are texts, whatever they look like.
                let value = match value {
                    Value::Int(_) | Value::Float(_) => Value::text(value.shown()),
                    value => value.clone(),
                };
                fields.insert(name, value);
            }
        }
        for name in ["Description", "AppVersion", "Home", "Icon", "KubeVersion", "Type", "Version"] {
            fields.entry(name.to_owned()).or_insert_with(|| Value::text(""));
        }
        fields.insert("Name".to_owned(), Value::text(self.alias.clone().unwrap_or_else(|| self.own_name())));
        fields.insert("IsRoot".to_owned(), Value::Bool(self.alias.is_none()));
        Value::map(fields)
    }

    pub(super) fn templates(&self) -> Vec<(String, String)> {
        self.texts("templates/")
    }

    pub(super) fn crds(&self) -> Vec<(String, String)> {
        let mut crds: Vec<(String, String)> = self
            .texts("crds/")
            .into_iter()
            .map(|(file, text)| (format!("{}/{file}", self.name()), text))
            .collect();
        for inner in &self.inner {
            let below = inner.crds().into_iter();
            crds.extend(below.map(|(file, text)| (format!("{}/charts/{file}", self.name()), text)));
        }
        crds
    }

    fn texts(&self, folder: &str) -> Vec<(String, String)> {
        let within = self.files.iter().filter(|(name, _)| name.starts_with(folder));
        within.map(|(name, bytes)| (name.clone(), String::from_utf8_lossy(bytes).into_owned())).collect()
    }

    /// What templates see as `.Files`.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let hidden = |name: &str| {
            let special = ["Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json"];
            special.contains(&name) || name.starts_with("templates/")
        };
        self.files.iter().filter(|(name, _)| !hidden(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The place of a file, from the image's root, by the name that its template has.
    pub(super) fn place(&self, name: &str) -> String {
        match name.split_once('/') {
            Some((root, rest)) if root == self.name() => format!("{}/{rest}", self.folder),
            _ => name.to_owned(),
        }
    }
}

/// Reads YAML that must be a mapping.
pub(super) fn mapping(file: &str, text: &str) -> Result<Value, Failure> {
    let documents = crate::yaml::documents(text).map_err(|mistake| Failure {
        file: file.to_owned(),
        line: mistake.line,
        message: mistake.reason,
    })?;
    match documents.first().map(yaml::value) {
        None | Some(Value::Nil) => Ok(Value::of([])),
        Some(map @ Value::Map(_)) => Ok(map),
        Some(other) => Err(Failure {
            file: file.to_owned(),
            line: 1,
            message: format!("it is no mapping but {}", other.type_name()),
        }),
    }
}
