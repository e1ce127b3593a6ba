//! The plugins that a run knows: the built-in ones and what an image's `plugin/` holds.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::builtin;
use crate::child::{Carrier, Loaded};
use crate::executable;
use crate::plugin::{Plugin, Verb};
use crate::shared_object::{self, ABI_VERSION, GO_REMEDY, Nature};
use crate::spec::{self, PluginSpec, SpecError};

/// How plugins that are not built in are run.
#[derive(Debug, Clone)]
pub struct Loader {
    /// The program whose hidden command `plugin-host FILE` loads a shared object: sealer itself.
    pub program: PathBuf,
    /// How long one call may take.
    pub timeout: Duration,
}

/// The plugins of a run, by type.
pub struct PluginSet {
    /// Each with where it is from, for messages.
    plugins: Vec<(Box<dyn Plugin>, String)>,
}

/// What is wrong with a plugin folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// A YAML file is wrong.
    #[error("{} plugin documents are wrong", .0.len())]
    Spec(Vec<SpecError>),
    /// Two shared objects, or one and a built-in, have one type.
    #[error("`{first}` and `{second}` both have the type `{kind}`")]
    Duplicate {
        /// The type.
        kind: String,
        /// The one that was there.
        first: String,
        /// The one that came.
        second: String,
    },
    /// A file is no plugin for this machine.
    #[error("`{file}` {reason}")]
    File {
        /// The file, as the image has it.
        file: String,
        /// Why, as the rest of a sentence: `is built for aarch64, this machine is x86_64`.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl PluginSet {
    /// Returns the built-in plugins alone.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            plugins: builtin::all().into_iter().map(|plugin| (plugin, "sealer itself".to_owned())).collect(),
        }
    }

    /// Reads the folders `plugin` and `plugins` of an unpacked image, which may be missing: the
    /// shared objects become plugins, the YAML files specs, sorted by file name.
    ///
    /// # Errors
    /// See [`SetError`]. Nothing is loaded or run.
    pub fn read(rootfs: &Path, loader: &Loader) -> Result<(Self, Vec<PluginSpec>), SetError> {
        let mut set = Self::built_in();
        let (mut specs, mut errors) = (Vec::new(), Vec::new());
        for path in files(rootfs)? {
            let file = path.strip_prefix(rootfs).unwrap_or(&path).display().to_string();
            let read = |path: &Path| {
                fs::read(path).map_err(|source| SetError::Read { path: path.to_owned(), source })
            };
            if is_yaml(&path) {
                match spec::parse(&file, &String::from_utf8_lossy(&read(&path)?)) {
                    Ok(found) => specs.extend(found),
                    Err(found) => errors.extend(found),
                }
            } else if path.is_file()
                && let Some(plugin) = load(&file, &path, loader)?
            {
                set.add(Box::new(plugin), file)?;
            }
        }
        if errors.is_empty() { Ok((set, specs)) } else { Err(SetError::Spec(errors)) }
    }

    /// Adds the plugin that a file holds.
    ///
    /// # Errors
    /// When it holds none for this machine, or one of a type that there is.
    pub fn add_file(&mut self, path: &Path, loader: &Loader) -> Result<String, SetError> {
        let plugin = of_file(path, loader)?;
        let kind = plugin.kind().to_owned();
        self.add(Box::new(plugin), path.display().to_string())?;
        Ok(kind)
    }

    fn add(&mut self, plugin: Box<dyn Plugin>, file: String) -> Result<(), SetError> {
        if let Some((there, first)) = self.plugins.iter().find(|(there, _)| there.kind() == plugin.kind()) {
            return Err(SetError::Duplicate {
                kind: there.kind().to_owned(),
                first: first.clone(),
                second: file,
            });
        }
        self.plugins.push((plugin, file));
        Ok(())
    }

    /// Returns the plugin of a type.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&dyn Plugin> {
        self.plugins.iter().map(|(plugin, _)| plugin.as_ref()).find(|plugin| plugin.kind() == kind)
    }

    /// Returns all plugins, each with where it is from.
    pub fn iter(&self) -> impl Iterator<Item = (&dyn Plugin, &str)> {
        self.plugins.iter().map(|(plugin, from)| (plugin.as_ref(), from.as_str()))
    }

    /// Returns all types, sorted, for messages.
    #[must_use]
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.plugins.iter().map(|(plugin, _)| plugin.kind()).collect();
        kinds.sort_unstable();
        kinds
    }
}

fn files(rootfs: &Path) -> Result<Vec<PathBuf>, SetError> {
    let mut files = Vec::new();
    for folder in ["plugin", "plugins"] {
        let path = rootfs.join(folder);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(SetError::Read { path, source }),
            Ok(entries) => entries,
        };
        for entry in entries {
            files.push(entry.map_err(|source| SetError::Read { path: path.clone(), source })?.path());
        }
    }
    files.sort_by(|one, other| one.file_name().cmp(&other.file_name()).then(one.cmp(other)));
    Ok(files)
}

/// Tells whether a path under `plugin/` is one of the YAML files.
#[must_use]
pub fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Tells whether a path under `plugin/` is one of the shared objects.
#[must_use]
pub fn is_shared_object(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so")
}

/// Returns the plugin that a file must hold.
pub(crate) fn of_file(path: &Path, loader: &Loader) -> Result<Loaded, SetError> {
    let path =
        std::path::absolute(path).map_err(|source| SetError::Read { path: path.to_owned(), source })?;
    let file = path.display().to_string();
    load(&file, &path, loader)?.ok_or_else(|| SetError::File {
        file: file.clone(),
        reason: "is no plugin: it has no line `sealer-plugin: TYPE`, and its name does not end in .so"
            .to_owned(),
        hint: Some("docs/reference/plugins.md says what makes a plugin".to_owned()),
    })
}

/// Returns the plugin that a file holds, if it holds one.
fn load(file: &str, path: &Path, loader: &Loader) -> Result<Option<Loaded>, SetError> {
    let bytes = fs::read(path).map_err(|source| SetError::Read { path: path.to_owned(), source })?;
    if is_shared_object(path) {
        let (kind, verbs) = loadable(file, &bytes)?;
        let loaded = Loaded::new(kind, path.to_owned(), Carrier::SharedObject, verbs, loader.clone());
        return Ok(Some(loaded));
    }
    let refuse = |reason: String, hint| SetError::File { file: file.to_owned(), reason, hint };
    let Some(found) = executable::inspect(&bytes).map_err(|reason| refuse(reason, None))? else {
        return Ok(None);
    };
    let here = sealer_architecture();
    if let Some(architecture) = found.architecture.filter(|architecture| architecture != here) {
        return Err(refuse(format!("is built for {architecture}, this machine is {here}"), None));
    }
    let mode = fs::metadata(path).map_err(|source| SetError::Read { path: path.to_owned(), source })?;
    if mode.permissions().mode() & 0o111 == 0 {
        return Err(refuse(NOT_EXECUTABLE.to_owned(), Some(EXECUTABLE_REMEDY.to_owned())));
    }
    let (kind, verbs) = (found.kind, found.verbs);
    Ok(Some(Loaded::new(kind, path.to_owned(), Carrier::Executable, verbs, loader.clone())))
}

/// What is wrong with a plugin that may not be executed, as the rest of a sentence.
pub const NOT_EXECUTABLE: &str = "has a line `sealer-plugin:`, but is not executable";
/// What to do about that.
pub const EXECUTABLE_REMEDY: &str = "`chmod +x` it, and build the image again";

/// Returns the type and the verbs of a shared object that this machine can load.
fn loadable(file: &str, bytes: &[u8]) -> Result<(String, Vec<Verb>), SetError> {
    let refuse = |reason: String, hint: Option<&str>| SetError::File {
        file: file.to_owned(),
        reason,
        hint: hint.map(str::to_owned),
    };
    let object = shared_object::inspect(bytes).map_err(|error| refuse(error.reason, None))?;
    let here = sealer_architecture();
    match object.nature {
        Nature::GoPlugin => Err(refuse(
            "is a plugin of Go's `-buildmode=plugin`, which only the program it was built with can load"
                .to_owned(),
            Some(GO_REMEDY),
        )),
        Nature::Other { reason } => Err(refuse(format!("is no plugin: {reason}"), None)),
        Nature::Plugin { .. } if object.architecture != here => {
            Err(refuse(format!("is built for {}, this machine is {here}", object.architecture), None))
        }
        Nature::Plugin { abi, .. } if abi != ABI_VERSION => {
            let reason =
                format!("has version {abi} of the plugin ABI; this sealer knows version {ABI_VERSION}");
            Err(refuse(reason, Some("use the sealer that the plugin was made for, or a later one")))
        }
        Nature::Plugin { kind, verbs, .. } => Ok((kind, verbs)),
    }
}

fn sealer_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
