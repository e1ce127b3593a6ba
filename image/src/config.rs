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
    /// Whether it is a cluster or something for one.
    #[serde(default, skip_serializing_if = "ImageKind::is_default")]
    pub kind: ImageKind,
    /// The applications that it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<Application>,
    /// The names of the applications that `cmds` launch, where a Kubefile says `LAUNCH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launch: Vec<String>,
    /// The build arguments and their values, which `cmds` are expanded with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

/// What an image is: the original's `type` since 0.9.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageKind {
    /// A cluster, with what is installed on it.
    #[default]
    KubeInstaller,
    /// Something for a cluster that is there: a run only launches it.
    AppInstaller,
}

impl ImageKind {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// An application of an image, whose files stand in `application/apps/NAME/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// What sort it is of.
    #[serde(rename = "type")]
    pub kind: ApplicationKind,
    /// Its files, by their paths in its folder.
    pub files: Vec<String>,
    /// Its variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What launches it, in the image's root.
    pub cmds: Vec<String>,
}

/// What sort an application is of, in the original's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationKind {
    /// A Helm chart.
    Helm,
    /// Kubernetes' manifests.
    Kube,
    /// Shell scripts.
    Shell,
    /// Files of several sorts.
    #[default]
    #[serde(rename = "")]
    Mixed,
}

/// The manifest's annotation that tools of the original's 0.9 and later read.
pub const EXTENSION_ANNOTATION: &str = "sealer.image.extension";
