//! The plugins that a run knows: the built-in ones and what an image's `plugin/` holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::plugin::Plugin;
use crate::spec::{PluginSpec, SpecError};

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
    plugins: Vec<Box<dyn Plugin>>,
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
    /// Reads the folders `plugin` and `plugins` of an unpacked image, which may be missing: the
    /// shared objects become plugins, the YAML files specs, sorted by file name.
    ///
    /// # Errors
    /// See [`SetError`]. Nothing is loaded or run.
    pub fn read(rootfs: &Path, loader: &Loader) -> Result<(Self, Vec<PluginSpec>), SetError> {
        let _ = (rootfs, loader);
        unimplemented!("PluginSet::read")
    }

    /// Returns the plugin of a type.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&dyn Plugin> {
        self.plugins.iter().map(AsRef::as_ref).find(|plugin| plugin.kind() == kind)
    }

    /// Returns all types, sorted, for messages.
    #[must_use]
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.plugins.iter().map(|plugin| plugin.kind()).collect();
        kinds.sort_unstable();
        kinds
    }
}
