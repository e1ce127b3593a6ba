//! What goes under `plugin/`: read, not run, and refused where it could never work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sealer_image::layer::{self, Entry, EntryKind};
use sealer_image::{Image, Platform, Store};
use sealer_plugin::executable;
use sealer_plugin::set::{NOT_EXECUTABLE, is_shared_object, is_yaml};
use sealer_plugin::shared_object::{self, Nature};
use sealer_plugin::spec::{self, PluginSpec};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;
use serde::{Deserialize, Serialize};

use crate::cache::Kept;
use crate::error::Result as BuildResult;
use crate::kubefile::{KubefileError, Span};

/// The folders that plugins are read from: the second is the original's, since its 0.7.
const FOLDERS: [&str; 2] = ["plugin", "plugins"];

/// A plugin's file may be so large.
const MOST: u64 = 256 << 20;

/// What an instruction did to a path of the plugin folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Touched {
    /// It put a file there.
    File(PathBuf),
    /// It removed what was there and below.
    Gone(PathBuf),
}

/// A file that an instruction puts under `plugin/`, or removes from there.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    path: PathBuf,
    /// Nothing where the path and all below it is removed.
    bytes: Option<Vec<u8>>,
    /// Whether it may be executed.
    executable: bool,
    span: Span,
}

impl Packed {
    pub(crate) fn touched(&self) -> Touched {
        match self.bytes {
            Some(_) => Touched::File(self.path.clone()),
            None => Touched::Gone(self.path.clone()),
        }
    }
}

/// Returns the plugin files among a layer's entries.
pub(crate) fn packed(entries: &[Entry], span: Span) -> BuildResult<Vec<Packed>> {
    let mut packed = Vec::new();
    for entry in entries {
        let removes = matches!(entry.kind, EntryKind::Whiteout | EntryKind::OpaqueDir);
        if removes && FOLDERS.iter().any(|folder| entry.path.starts_with(folder)) {
            packed.push(Packed { path: entry.path.clone(), bytes: None, executable: false, span });
        }
        if is_plugin_file(&entry.path)
            && let Some(bytes) = content(entries, entry)?
        {
            let executable = entry.mode & 0o111 != 0;
            packed.push(Packed { path: entry.path.clone(), bytes: Some(bytes), executable, span });
        }
    }
    Ok(packed)
}

/// Where a link leads is seen on the hosts.
fn content(entries: &[Entry], entry: &Entry) -> BuildResult<Option<Vec<u8>>> {
    match &entry.kind {
        EntryKind::File(source) => Ok(Some(fs::read(source).at(source)?)),
        EntryKind::Bytes(bytes) => Ok(Some(bytes.clone())),
        EntryKind::Hardlink(first) => match entries.iter().find(|other| other.path == *first) {
            Some(other) if other.path != entry.path => content(entries, other),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Returns the plugin files of a layer that an earlier build made on top of `below`.
pub(crate) fn of_layer(
    task: &Task,
    store: &Store,
    below: &Image,
    kept: &Kept,
    span: Span,
) -> BuildResult<Vec<Packed>> {
    let Some(layer) = kept.layer.as_ref().filter(|_| !kept.touched.is_empty()) else { return Ok(Vec::new()) };
    let mut alone = below.clone();
    alone.manifest.set_layers(vec![layer.descriptor.clone()]);
    alone.config.rootfs_mut().set_diff_ids(vec![layer.diff_id.to_string()]);
    let mut files = layer::read_files(task, store, &alone, MOST, is_plugin_file)?;
    let packed = |touched: &Touched| {
        let (path, bytes) = match touched {
            Touched::Gone(path) => (path, None),
            Touched::File(path) => (path, Some(files.remove(path)?)),
        };
        // The build that made the layer has looked at this.
        Some(Packed { path: path.clone(), bytes, executable: true, span })
    };
    Ok(kept.touched.iter().filter_map(packed).collect())
}

fn is_plugin_file(path: &Path) -> bool {
    path.parent().is_some_and(|parent| FOLDERS.iter().any(|folder| parent == Path::new(folder)))
}

/// Checks the plugin files of a build, with those of its base where they belong together.
pub(crate) fn check(
    task: &Task,
    store: &Store,
    base: Option<&Image>,
    packed: &[Packed],
    lines: &[String],
    platform: &Platform,
) -> Result<(), Vec<KubefileError>> {
    let (files, gone) = latest(packed);
    if files.is_empty() {
        return Ok(());
    }
    let mut found = Found { lines, ..Found::default() };
    for file in &files {
        found.read(file, platform);
    }
    if found.errors.is_empty() {
        let hidden = |path: &Path| {
            files.iter().any(|file| file.path == path) || gone.iter().any(|gone| path.starts_with(gone))
        };
        found.read_base(task, store, base, &hidden);
    }
    found.match_types(task);
    if found.errors.is_empty() { Ok(()) } else { Err(found.errors) }
}

/// A plugin's file as the image has it in the end.
struct File<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    executable: bool,
    span: Span,
}

/// The files that are there in the end, by path, and what was removed.
fn latest(packed: &[Packed]) -> (Vec<File<'_>>, Vec<&Path>) {
    let (mut files, mut gone) = (BTreeMap::new(), Vec::new());
    for one in packed {
        let path = one.path.as_path();
        match &one.bytes {
            Some(bytes) => {
                files.insert(path, File { path, bytes, executable: one.executable, span: one.span });
            }
            None => {
                files.retain(|other: &&Path, _| !other.starts_with(path));
                gone.push(path);
            }
        }
    }
    (files.into_values().collect(), gone)
}

#[derive(Default)]
struct Found<'a> {
    lines: &'a [String],
    specs: Vec<(PluginSpec, &'a File<'a>)>,
    /// Shared objects by type.
    objects: BTreeMap<String, &'a File<'a>>,
    /// Types whose files were refused: that is said once.
    refused: BTreeSet<String>,
    /// Types that the base image's YAML files name.
    base_specs: BTreeSet<String>,
    /// The base image's shared objects by type.
    base_objects: BTreeMap<String, PathBuf>,
    errors: Vec<KubefileError>,
}

impl<'a> Found<'a> {
    fn read(&mut self, packed: &'a File<'a>, platform: &Platform) {
        if is_yaml(packed.path) {
            self.read_yaml(packed);
        } else if is_shared_object(packed.path) {
            self.read_object(packed, platform);
        } else {
            self.read_executable(packed, platform);
        }
    }

    fn read_yaml(&mut self, packed: &'a File<'a>) {
        let file = packed.path.display().to_string();
        let text = String::from_utf8_lossy(packed.bytes);
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

    fn read_object(&mut self, packed: &'a File<'a>, platform: &Platform) {
        let file = packed.path.display();
        let object = match shared_object::inspect(packed.bytes) {
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
            Nature::Plugin { kind, .. } if object.architecture != platform.architecture => {
                self.refused.insert(kind);
                self.refuse_machine(packed, &object.architecture, platform);
            }
            Nature::Plugin { kind, abi, .. } if abi != shared_object::ABI_VERSION => {
                self.refused.insert(kind);
                self.refuse(
                    packed,
                    format!("`{file}` has version {abi} of the plugin ABI; this sealer knows version {}", shared_object::ABI_VERSION),
                    Some("use the sealer that the plugin was made for, or a later one"),
                );
            }
            Nature::Plugin { kind, .. } => self.take(packed, kind),
        }
    }

    fn read_executable(&mut self, packed: &'a File<'a>, platform: &Platform) {
        let file = packed.path.display();
        match executable::inspect(packed.bytes) {
            Err(reason) => self.refuse(packed, format!("`{file}` {reason}"), None),
            Ok(None) => {}
            Ok(Some(found)) => match found.architecture {
                Some(architecture) if architecture != platform.architecture => {
                    self.refused.insert(found.kind);
                    self.refuse_machine(packed, &architecture, platform);
                }
                _ if !packed.executable => {
                    self.refused.insert(found.kind);
                    self.refuse(packed, format!("`{file}` {NOT_EXECUTABLE}"), Some("`chmod +x` it"));
                }
                _ => self.take(packed, found.kind),
            },
        }
    }

    fn refuse_machine(&mut self, packed: &File<'_>, architecture: &str, platform: &Platform) {
        let message =
            format!("`{}` is built for {architecture}, the image for {platform}", packed.path.display());
        let hint = "build the plugin for the image's platform, or the image with `--platform`";
        self.refuse(packed, message, Some(hint));
    }

    /// Takes a plugin in, unless its type is another's.
    fn take(&mut self, packed: &'a File<'a>, kind: String) {
        if sealer_plugin::BUILT_IN.contains(&kind.as_str()) {
            let message = format!("`{}` has the type `{kind}`, which is built in", packed.path.display());
            self.refuse(packed, message, Some("give the plugin a type of its own"));
        } else if let Some(other) = self.objects.get(&kind).map(|other| other.path.to_owned()) {
            self.refuse_second(packed, &kind, &other);
        } else {
            self.objects.insert(kind, packed);
        }
    }

    fn refuse_second(&mut self, packed: &File<'_>, kind: &str, other: &Path) {
        let message =
            format!("`{}` and `{}` both have the type `{kind}`", packed.path.display(), other.display());
        self.refuse(packed, message, Some("leave one of them out"));
    }

    fn refuse(&mut self, packed: &File<'_>, message: String, hint: Option<&str>) {
        let error = KubefileError::new(self.lines, packed.span, message);
        self.errors.push(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }

    /// Reads the base image's plugin files but for those that the build hides. What is wrong with
    /// them was its own build's matter.
    fn read_base(
        &mut self,
        task: &Task,
        store: &Store,
        base: Option<&Image>,
        hidden: &dyn Fn(&Path) -> bool,
    ) {
        let Some(base) = base else { return };
        let Ok(files) = layer::read_files(task, store, base, MOST, is_plugin_file) else { return };
        for (path, bytes) in files.into_iter().filter(|(path, _)| !hidden(path)) {
            if is_yaml(&path) {
                let specs = spec::parse(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
                self.base_specs.extend(specs.unwrap_or_default().into_iter().map(|spec| spec.kind));
            } else if let Some(kind) = kind(&path, &bytes) {
                self.base_objects.insert(kind, path);
            }
        }
    }

    fn match_types(&mut self, task: &Task) {
        let mut errors = Vec::new();
        for (spec, packed) in &self.specs {
            let known = sealer_plugin::BUILT_IN.contains(&spec.kind.as_str())
                || self.objects.contains_key(&spec.kind)
                || self.refused.contains(&spec.kind)
                || self.base_objects.contains_key(&spec.kind);
            if !known {
                errors.push(unknown_type(spec, packed, self.objects.keys().chain(self.base_objects.keys())));
            }
        }
        self.errors.extend(errors);
        for (kind, packed) in self.objects.clone() {
            if let Some(other) = self.base_objects.get(&kind).cloned() {
                self.refuse_second(packed, &kind, &other);
            }
            let named = self.specs.iter().any(|(spec, _)| spec.kind == kind);
            if !named && !self.base_specs.contains(&kind) {
                task.warn(format!(
                    "`{}` runs only where a Clusterfile has a plugin of type `{kind}`: the image names it in no YAML",
                    packed.path.display()
                ));
            }
        }
    }
}

/// Returns the type of a plugin's file.
fn kind(path: &Path, bytes: &[u8]) -> Option<String> {
    if !is_shared_object(path) {
        return Some(executable::inspect(bytes).ok()??.kind);
    }
    match shared_object::inspect(bytes).ok()?.nature {
        Nature::Plugin { kind, .. } => Some(kind),
        Nature::GoPlugin | Nature::Other { .. } => None,
    }
}

fn unknown_type<'k>(
    spec: &PluginSpec,
    packed: &File<'_>,
    provided: impl Iterator<Item = &'k String>,
) -> KubefileError {
    let text = String::from_utf8_lossy(packed.bytes);
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
            "types are {}; a file that provides another must be copied too",
            known.join(", ")
        )),
    }
}
