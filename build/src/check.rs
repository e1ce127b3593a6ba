//! What goes under `plugin/`: read, not run, and refused where it could never work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::layer::{self, Entry, EntryKind};
use sealer_image::{Image, Platform, Store};
use sealer_plugin::shared_object::{self, Nature};
use sealer_plugin::spec::{self, PluginSpec};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use crate::error::Result as BuildResult;
use crate::kubefile::{KubefileError, Span};

/// The folders that plugins are read from: the second is the original's, since its 0.7.
const FOLDERS: [&str; 2] = ["plugin", "plugins"];

/// A plugin's file may be so large.
const MOST: u64 = 256 << 20;

/// A file that an instruction puts under `plugin/`.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    path: PathBuf,
    bytes: Vec<u8>,
    span: Span,
    lines: Vec<String>,
}

/// Returns the plugin files among a layer's entries.
pub(crate) fn packed(entries: &[Entry], span: Span, lines: &[String]) -> BuildResult<Vec<Packed>> {
    let mut packed = Vec::new();
    for entry in entries.iter().filter(|entry| is_plugin_file(&entry.path)) {
        let bytes = match &entry.kind {
            EntryKind::File(source) => fs::read(source).at(source)?,
            EntryKind::Bytes(bytes) => bytes.clone(),
            _ => continue,
        };
        packed.push(Packed { path: entry.path.clone(), bytes, span, lines: lines.to_vec() });
    }
    Ok(packed)
}

fn is_plugin_file(path: &Path) -> bool {
    FOLDERS.iter().any(|folder| path.starts_with(folder)) && (is_yaml(path) || is_shared_object(path))
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn is_shared_object(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so")
}

/// Checks the plugin files of a build, with those of its base where they belong together.
pub(crate) fn check(
    task: &Task,
    store: &Store,
    base: Option<&Image>,
    packed: &[Packed],
    platform: &Platform,
) -> Result<(), Vec<KubefileError>> {
    if packed.is_empty() {
        return Ok(());
    }
    // Of two files of one path, the later instruction's is the image's.
    let latest: BTreeMap<&Path, &Packed> =
        packed.iter().map(|packed| (packed.path.as_path(), packed)).collect();
    let mut found = Found::default();
    for packed in latest.values() {
        found.read(packed, platform);
    }
    if found.errors.is_empty() && found.needs_base() {
        found.read_base(task, store, base, &latest);
    }
    found.match_types(task);
    if found.errors.is_empty() { Ok(()) } else { Err(found.errors) }
}

#[derive(Default)]
struct Found<'a> {
    specs: Vec<(PluginSpec, &'a Packed)>,
    /// Shared objects by type.
    objects: BTreeMap<String, PathBuf>,
    /// Types that the base image's files name or provide.
    base_types: BTreeSet<String>,
    errors: Vec<KubefileError>,
}

impl<'a> Found<'a> {
    fn read(&mut self, packed: &'a Packed, platform: &Platform) {
        if is_yaml(&packed.path) {
            self.read_yaml(packed);
        } else {
            self.read_object(packed, platform);
        }
    }

    fn read_yaml(&mut self, packed: &'a Packed) {
        let file = packed.path.display().to_string();
        let text = String::from_utf8_lossy(&packed.bytes);
        match spec::parse(&file, &text) {
            Ok(specs) => self.specs.extend(specs.into_iter().map(|spec| (spec, packed))),
            Err(errors) => self.errors.extend(errors.into_iter().map(|error| {
                let source_line =
                    text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default().to_owned();
                let length = source_line.trim().chars().count();
                let column = source_line.chars().take_while(|c| c.is_whitespace()).count() + 1;
                let span = Some(Span { line: error.line.max(1), column, length });
                KubefileError {
                    file: error.file,
                    span,
                    source_line,
                    message: error.message,
                    hint: error.hint,
                }
            })),
        }
    }

    fn read_object(&mut self, packed: &Packed, platform: &Platform) {
        let file = packed.path.display();
        let object = match shared_object::inspect(&packed.bytes) {
            Ok(object) => object,
            Err(error) => return self.refuse(packed, format!("`{file}` {}", error.reason), None),
        };
        match object.nature {
            Nature::GoPlugin => self.refuse(
                packed,
                format!("`{file}` is a plugin of Go's `-buildmode=plugin`, which only the program it was built with can load"),
                Some(shared_object::GO_REMEDY),
            ),
            Nature::Other { reason } => {
                self.refuse(packed, format!("`{file}` is no plugin: {reason}"), Some("docs/reference/plugin-abi.md says what one exports"));
            }
            Nature::Plugin { .. } if object.architecture != platform.architecture => self.refuse(
                packed,
                format!("`{file}` is built for {}, the image for {platform}", object.architecture),
                Some("build the plugin for the image's platform, or the image with `--platform`"),
            ),
            Nature::Plugin { abi, .. } if abi != shared_object::ABI_VERSION => self.refuse(
                packed,
                format!("`{file}` has version {abi} of the plugin ABI; this sealer knows version {}", shared_object::ABI_VERSION),
                Some("use the sealer that the plugin was made for, or a later one"),
            ),
            Nature::Plugin { kind, .. } => match self.objects.get(&kind) {
                Some(other) => {
                    let message = format!("`{file}` and `{}` both have the type `{kind}`", other.display());
                    self.refuse(packed, message, Some("leave one of them out"));
                }
                None => {
                    self.objects.insert(kind, packed.path.clone());
                }
            },
        }
    }

    fn refuse(&mut self, packed: &Packed, message: String, hint: Option<&str>) {
        let error = KubefileError::new(&packed.lines, packed.span, message);
        self.errors.push(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }

    /// Tells whether a type is named that nothing new provides, or the other way round.
    fn needs_base(&self) -> bool {
        let named: BTreeSet<&str> = self.specs.iter().map(|(spec, _)| spec.kind.as_str()).collect();
        let built_in = |kind: &&str| sealer_plugin::BUILT_IN.contains(kind);
        named.iter().any(|kind| !built_in(kind) && !self.objects.contains_key(*kind))
            || self.objects.keys().any(|kind| !named.contains(kind.as_str()))
    }

    fn read_base(
        &mut self,
        task: &Task,
        store: &Store,
        base: Option<&Image>,
        latest: &BTreeMap<&Path, &Packed>,
    ) {
        let Some(base) = base else { return };
        let Ok(files) = layer::read_files(task, store, base, MOST, is_plugin_file) else { return };
        for (path, bytes) in files.into_iter().filter(|(path, _)| !latest.contains_key(path.as_path())) {
            if is_yaml(&path) {
                let specs = spec::parse(&path.display().to_string(), &String::from_utf8_lossy(&bytes))
                    .unwrap_or_default();
                self.base_types.extend(specs.into_iter().map(|spec| spec.kind));
            } else if let Ok(object) = shared_object::inspect(&bytes)
                && let Nature::Plugin { kind, .. } = object.nature
            {
                self.base_types.insert(kind);
            }
        }
    }

    fn match_types(&mut self, task: &Task) {
        let mut errors = Vec::new();
        for (spec, packed) in &self.specs {
            let known = sealer_plugin::BUILT_IN.contains(&spec.kind.as_str())
                || self.objects.contains_key(&spec.kind)
                || self.base_types.contains(&spec.kind);
            if !known {
                errors.push(unknown_type(spec, packed, self.objects.keys()));
            }
        }
        self.errors.extend(errors);
        let named: BTreeSet<&str> = self.specs.iter().map(|(spec, _)| spec.kind.as_str()).collect();
        for (kind, path) in &self.objects {
            if !named.contains(kind.as_str()) && !self.base_types.contains(kind) {
                task.warn(format!(
                    "`{}` runs only where a Clusterfile has a plugin of type `{kind}`: the image names it in no YAML",
                    path.display()
                ));
            }
        }
    }
}

fn unknown_type<'k>(
    spec: &PluginSpec,
    packed: &Packed,
    provided: impl Iterator<Item = &'k String>,
) -> KubefileError {
    let text = String::from_utf8_lossy(&packed.bytes);
    let wanted = |line: &&str| line.trim_start().starts_with("type:");
    let (at, line) = text
        .lines()
        .enumerate()
        .skip(spec.line.saturating_sub(1))
        .find(|(_, line)| wanted(line))
        .unwrap_or((spec.line.saturating_sub(1), ""));
    let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
    let span = Span { line: at + 1, column, length: line.trim().chars().count() };
    let known: Vec<String> =
        sealer_plugin::BUILT_IN.iter().map(|kind| (*kind).to_owned()).chain(provided.cloned()).collect();
    KubefileError {
        file: packed.path.display().to_string(),
        span: Some(span),
        source_line: line.to_owned(),
        message: format!("no plugin has the type `{}`", spec.kind),
        hint: Some(format!(
            "types are {}; a `.so` that exports another must be copied too",
            known.join(", ")
        )),
    }
}
