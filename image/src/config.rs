//! What sealer keeps in an image beyond the OCI configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The manifest's annotation that holds [`SealerConfig`] as JSON.
pub const ANNOTATION: &str = "io.sealer.image.v1";

/// What `run` needs to know of an image. Grows only by optional fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealerConfig {
    /// The version of sealer that built the image.
    #[serde(default)]
    pub sealer_version: String,
    /// The commands that `run` executes on the first master, in order; the base image's come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cmds: Vec<String>,
    /// The build arguments and their values, which `cmds` are expanded with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

/// The manifest's annotation that tools of the original's 0.9 and later read.
pub const EXTENSION_ANNOTATION: &str = "sealer.image.extension";
