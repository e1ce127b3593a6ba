//! Arguments of the commands on images.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealer_image::{Platform, Reference};

use super::trust::PolicyArgs;

/// How to reach registries.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct RegistryArgs {
    /// Trust the certificates in this file too (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Vec<PathBuf>,
    /// Trust the `*.crt` in this folder, show a registry its `*.cert` with its `*.key` (can be repeated)
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Vec<PathBuf>,
    /// Mirrors and other places of images [default: `~/.config/containers/registries.conf` or that in /etc]
    #[arg(long, value_name = "FILE")]
    pub(crate) registries_conf: Option<PathBuf>,
    /// Do not check the certificate of this registry (can be repeated)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) insecure_registry: Vec<String>,
    /// Speak plain HTTP with this registry (can be repeated)
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) plain_http: Vec<String>,
}

/// What a build collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Needs no cluster and no container runtime.
    Lite,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    /// Smaller and faster.
    Zstd,
    /// For tools that know nothing newer.
    Gzip,
}

/// What an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImageType {
    /// A cluster, with what is installed on it.
    KubeInstaller,
    /// Something for a cluster: a run only launches it.
    AppInstaller,
}

/// Arguments of `build`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer build -t registry.example:5000/demo:v1 .
  sealer build -m lite -f Kubefile --build-arg VERSION=1.2 -t demo:v1 context/")]
pub(crate) struct BuildArgs {
    /// What to collect: `lite` needs no cluster and no container runtime
    #[arg(short, long, value_enum, default_value_t = Mode::Lite)]
    pub(crate) mode: Mode,
    /// Name of the image
    #[arg(short, long, value_name = "NAME", alias = "imageName")]
    pub(crate) tag: Reference,
    /// The Kubefile [default: `Kubefile` in the context]
    #[arg(short = 'f', long = "kubefile", value_name = "FILE", alias = "file")]
    pub(crate) kubefile: Option<PathBuf>,
    /// Give an `ARG` of the Kubefile a value (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) build_arg: Vec<(String, String)>,
    /// Do every instruction again
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Bring the container images that this file lists, one a line (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) image_list: Vec<PathBuf>,
    /// Leave out the container images that this file lists; `*` stands for anything (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) ignored_image_list: Vec<PathBuf>,
    /// Container images of registries that want a password [default: `imageListWithAuth.yaml` in the context]
    #[arg(long, value_name = "FILE")]
    pub(crate) image_list_with_auth: Option<PathBuf>,
    /// Render charts with these values too: FILE for every chart, CHART=FILE for `charts/CHART` (can be repeated)
    #[arg(long, value_name = "[CHART=]FILE")]
    pub(crate) chart_values: Vec<String>,
    /// Hang a bill of materials on the image, as `sealer sbom --attach` does
    #[arg(long)]
    pub(crate) sbom: bool,
    /// Warn where a container image cannot be had, instead of failing
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Write `image.lock` into the context: a build that finds it takes the same container images
    #[arg(long)]
    pub(crate) write_lock: bool,
    /// What the image is for; several platforms make one image for all of them [default: this machine]
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    pub(crate) platform: Vec<Platform>,
    /// Whether it is a cluster, or something for a cluster that is there
    #[arg(long = "type", value_enum, value_name = "TYPE", default_value_t = ImageType::KubeInstaller)]
    pub(crate) kind: ImageType,
    /// `false` is the older way to say `--type app-installer`
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) base: bool,
    /// Note something in the image's configuration, over its Kubefile's `LABEL` (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = note)]
    pub(crate) label: Vec<(String, String)>,
    /// Note something in the image's manifest (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = note)]
    pub(crate) annotation: Vec<(String, String)>,
    /// How to compress layers
    #[arg(long, value_enum, default_value_t = CompressionName::Zstd)]
    pub(crate) compression: CompressionName,
    /// Folder that `COPY` takes from
    #[arg(default_value = ".")]
    pub(crate) context: PathBuf,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Arguments of `images`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sealer images\n  sealer images --output json")]
pub(crate) struct ImagesArgs {}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sealer inspect demo:v1\n  sealer inspect demo:v1 --output json")]
pub(crate) struct InspectArgs {
    /// The image
    pub(crate) image: Reference,
    /// Which of its platforms to show [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `sbom`.
#[derive(Debug, Args)]
#[command(after_help = "\
It is SPDX 2.3, as JSON: programs by path, digest and version, what Go says that they were built from, and container
images by name and digest. What is attached goes with the image where `push`, `pull`, `save` and `load` bring it.

Examples:
  sealer sbom demo:v1 > demo.spdx.json
  sealer sbom --attach registry.example:5000/demo:v1")]
pub(crate) struct SbomArgs {
    /// The image
    pub(crate) image: Reference,
    /// Hang it on the image, for each platform that is here, instead of printing it
    #[arg(long, conflicts_with = "platform")]
    pub(crate) attach: bool,
    /// Which of its platforms [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer verify --key release.pub registry.example:5000/demo:v1
  sealer verify --policy policy.json registry.example:5000/demo:v1
  sealer verify --offline demo:v1")]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["key", "policy", "offline"]))]
pub(crate) struct VerifyArgs {
    /// Check that one of these public keys has signed the image (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Vec<PathBuf>,
    /// Check that this policy lets the image be used
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Check that a run of the image needs no network: every container image is inside
    #[arg(long)]
    pub(crate) offline: bool,
    /// Leave out the container images that this file lists; `*` stands for anything (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub(crate) ignored_image_list: Vec<PathBuf>,
    /// Which of its platforms to check [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
    /// The image
    pub(crate) image: Reference,
}

/// Arguments of `tag`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer tag demo:v1 registry.example:5000/demo:v1")]
pub(crate) struct TagArgs {
    /// The image
    pub(crate) source: Reference,
    /// Its further names
    #[arg(required = true)]
    pub(crate) names: Vec<Reference>,
}

/// Arguments of `rmi`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer rmi demo:v1 demo:v2")]
pub(crate) struct RmiArgs {
    /// The images
    #[arg(required = true)]
    pub(crate) images: Vec<Reference>,
}

/// Arguments of `pull`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer pull registry.example:5000/demo:v1")]
pub(crate) struct PullArgs {
    /// The image
    pub(crate) image: Reference,
    /// Which of its platforms to fetch [default: this machine's]
    #[arg(long, value_name = "OS/ARCH", conflicts_with = "all_platforms")]
    pub(crate) platform: Option<Platform>,
    /// Fetch the images for all platforms
    #[arg(long)]
    pub(crate) all_platforms: bool,
    /// Fetch what refers to the image too, of one artifact type or all: signatures, inventories
    #[arg(long, value_name = "TYPE", num_args = 0..=1, require_equals = true)]
    pub(crate) referrers: Option<Option<String>>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Arguments of `push`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer push registry.example:5000/demo:v1")]
pub(crate) struct PushArgs {
    /// The image; its name says where it goes
    pub(crate) image: Reference,
    /// Send what refers to the image too: signatures, inventories
    #[arg(long)]
    pub(crate) referrers: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Arguments of `login`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer login registry.example:5000
  sealer login -u robot --password-stdin registry.example:5000 < token")]
pub(crate) struct LoginArgs {
    /// The registry's host, with its port
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) registry: String,
    /// User [default: asked for]
    #[arg(short, long)]
    pub(crate) username: Option<String>,
    /// Password (seen by all users of this machine while the command runs: `--password-stdin` is not)
    #[arg(
        short,
        long = "password",
        alias = "passwd",
        conflicts_with = "password_stdin",
        hide_env_values = true
    )]
    pub(crate) password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    #[command(flatten)]
    pub(crate) reach: RegistryArgs,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer logout registry.example:5000")]
pub(crate) struct LogoutArgs {
    /// The registry's host, with its port
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) registry: String,
}

/// Splits `KEY=VALUE`, whose key may be any text.
fn note(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) => Err("there is nothing before `=`".to_owned()),
        None => Err("there is no `=` in it".to_owned()),
    }
}

/// Splits `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("there is no `=` in it")?;
    let named = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if named {
        Ok((key.to_owned(), value.to_owned()))
    } else {
        Err(format!("`{key}` is no name: letters, digits and `_` are"))
    }
}
