//! The plugins that a run knows: the built-in ones and what an image's `plugin/` holds.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::builtin;
use crate::child::Loaded;
use crate::plugin::Plugin;
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
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("yaml" | "yml") => match spec::parse(&file, &String::from_utf8_lossy(&read(&path)?)) {
                    Ok(found) => specs.extend(found),
                    Err(found) => errors.extend(found),
                },
                Some("so") => {
                    let kind = loadable(&file, &read(&path)?)?;
                    set.add(Box::new(Loaded::new(kind, path, loader.clone())), file)?;
                }
                _ => {}
            }
        }
        if errors.is_empty() { Ok((set, specs)) } else { Err(SetError::Spec(errors)) }
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

/// Returns the type of a shared object that this machine can load.
fn loadable(file: &str, bytes: &[u8]) -> Result<String, SetError> {
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
        Nature::Plugin { kind, .. } => Ok(kind),
    }
}

fn sealer_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
