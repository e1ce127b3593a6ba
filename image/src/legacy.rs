//! Images of the original: its 0.5 to 0.8 keep an object of `kind: Image` where others keep the OCI
//! configuration, its 0.9 and later an annotation (`types/api/v1/image_types.go`,
//! `pkg/define/image/v1/image_extension.go`).

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{
    Arch, ConfigBuilder, History, HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder, Os,
    RootFsBuilder,
};
use serde::Deserialize;

use crate::config::{ImageKind, SealerConfig};

/// The object, as JSON in a configuration or as YAML in an archive.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ImageObject {
    #[serde(default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

/// Its name.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) name: String,
}

/// What it is made of.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Spec {
    #[serde(default)]
    pub(crate) layers: Vec<Step>,
    #[serde(default)]
    sealer_version: String,
    #[serde(default)]
    platform: Platform,
    #[serde(default)]
    image_config: ImageConfig,
}

/// An instruction: `type` is `FROM`, `COPY`, `RUN`, `CMD` or `BASE`. Only those with an id are layers.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Step {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) value: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct ImageConfig {
    /// Of 0.8.
    image_type: Option<String>,
    /// Of 0.8.
    #[serde(default)]
    cmd: Inherited<Vec<String>>,
    #[serde(default)]
    args: Args,
    #[serde(default)]
    labels: Option<HashMap<String, String>>,
}

/// What comes from the base, and what is the image's own.
#[derive(Debug, Clone, Default, Deserialize)]
struct Inherited<T> {
    parent: Option<T>,
    current: Option<T>,
}

/// Up to 0.7 a plain map; in 0.8 two of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Args {
    Plain(BTreeMap<String, String>),
    Split { parent: Option<BTreeMap<String, String>>, current: Option<BTreeMap<String, String>> },
    None(()),
}

impl Default for Args {
    fn default() -> Self {
        Self::None(())
    }
}

impl ImageObject {
    /// Reads a configuration that is such an object; nothing where it is another document.
    pub(crate) fn of_config(bytes: &[u8]) -> Option<Self> {
        let object: Self = serde_json::from_slice(bytes).ok()?;
        (object.kind == "Image" || !object.spec.layers.is_empty()).then_some(object)
    }

    /// What `run` needs to know. Commands stand in `CMD` steps up to 0.7, in the image's
    /// configuration in 0.8.
    pub(crate) fn sealer(&self) -> SealerConfig {
        let spec = &self.spec;
        let cmd = &spec.image_config.cmd;
        let mut cmds: Vec<String> = cmd.parent.iter().chain(&cmd.current).flatten().cloned().collect();
        if cmds.is_empty() {
            cmds =
                spec.layers.iter().filter(|step| step.kind == "CMD").map(|step| step.value.clone()).collect();
        }
        let args = match &spec.image_config.args {
            Args::Plain(args) => args.clone(),
            Args::Split { parent, current } => {
                parent.iter().chain(current).flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
            }
            Args::None(()) => BTreeMap::new(),
        };
        let is_app = spec.image_config.image_type.as_deref() == Some("application");
        let kind = if is_app { ImageKind::AppInstaller } else { ImageKind::KubeInstaller };
        let sealer_version = spec.sealer_version.clone();
        SealerConfig { sealer_version, kind, cmds, args, ..SealerConfig::default() }
    }

    /// What it is for.
    pub(crate) fn platform(&self) -> crate::Platform {
        let known = |text: &str, default: &str| if text.is_empty() { default.into() } else { text.into() };
        let platform = &self.spec.platform;
        crate::Platform {
            os: known(&platform.os, "linux"),
            architecture: known(&platform.architecture, "amd64"),
            variant: platform.variant.clone().filter(|variant| !variant.is_empty()),
        }
    }

    pub(crate) fn labels(&self) -> HashMap<String, String> {
        self.spec.image_config.labels.clone().unwrap_or_default()
    }

    /// The same as an OCI configuration. Its layers have no digests of their unpacked archives: the
    /// ids that stand in the object were made before whiteouts were changed for the registry.
    pub(crate) fn configuration(&self) -> ImageConfiguration {
        let platform = self.platform();
        let rootfs = RootFsBuilder::default().typ("layers").diff_ids(Vec::new());
        let config = ConfigBuilder::default().labels(self.labels());
        let mut builder = ImageConfigurationBuilder::default()
            .os(Os::from(platform.os.as_str()))
            .architecture(Arch::from(platform.architecture.as_str()))
            .rootfs(rootfs.build().expect("all fields are set"))
            .history(self.spec.layers.iter().map(Step::history).collect::<Vec<_>>())
            .config(config.build().expect("nothing is required"));
        if let Some(variant) = platform.variant {
            builder = builder.variant(variant);
        }
        builder.build().expect("all required fields are set")
    }
}

impl Step {
    fn history(&self) -> History {
        let builder = HistoryBuilder::default().created_by(format!("{} {}", self.kind, self.value));
        builder.empty_layer(self.id.is_empty()).build().expect("nothing is required")
    }
}

/// The annotation of 0.9 and later.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Extension {
    build_client: Client,
    #[serde(rename = "type")]
    kind: String,
    applications: Vec<Application>,
    launch: Launch,
    env: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Client {
    sealer_version: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Launch {
    cmds: Option<Vec<String>>,
    app_names: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Application {
    name: String,
    #[serde(alias = "launchCmds")]
    cmds: Option<Vec<String>>,
}

/// Reads `sealer.image.extension`: commands are those to launch, else those of the applications that
/// are launched, in their order.
pub(crate) fn extension(json: &str) -> Option<SealerConfig> {
    let extension: Extension = serde_json::from_str(json).ok()?;
    let mut cmds = extension.launch.cmds.unwrap_or_default();
    if cmds.is_empty() {
        let launched = extension.launch.app_names.unwrap_or_default();
        let of = |name: &String| extension.applications.iter().find(|application| application.name == *name);
        cmds = launched
            .iter()
            .filter_map(of)
            .flat_map(|application| application.cmds.clone().unwrap_or_default())
            .collect();
    }
    Some(SealerConfig {
        sealer_version: extension.build_client.sealer_version,
        cmds,
        args: extension.env.unwrap_or_default(),
        kind: if extension.kind == "app-installer" {
            ImageKind::AppInstaller
        } else {
            ImageKind::KubeInstaller
        },
        ..SealerConfig::default()
    })
}
