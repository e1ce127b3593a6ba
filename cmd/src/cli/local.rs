//! Arguments of the commands on what is on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sealer_image::{Platform, Reference};

use super::RegistryArgs;

/// What `save` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// A tar of an OCI image layout.
    OciArchive,
    /// What `docker load` reads.
    DockerArchive,
    /// A folder, as skopeo's `dir:`.
    Dir,
}

/// Arguments of `save`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer save -o demo.tar demo:v1 demo:v2
  sealer save --format docker-archive --zstd -o demo.tar.zst demo:v1")]
pub(crate) struct SaveArgs {
    /// The file to write; with `--format dir`, the folder
    #[arg(short, long = "file", short_alias = 'f', value_name = "FILE")]
    pub(crate) o: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t = FormatName::OciArchive)]
    pub(crate) format: FormatName,
    /// Compress the file as a whole; of use where layers are unpacked, as in `docker-archive`
    #[arg(long)]
    pub(crate) zstd: bool,
    /// The images
    #[arg(required = true)]
    pub(crate) images: Vec<Reference>,
}

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer load -i demo.tar
  sealer load -i skopeo-dir/ -t demo:v1")]
pub(crate) struct LoadArgs {
    /// What `save`, `docker save`, `skopeo copy`, `podman save` or the original's `save` wrote
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Name of the image, where the file has none or another one
    #[arg(short, long, value_name = "NAME")]
    pub(crate) tag: Option<Reference>,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer history demo:v1")]
pub(crate) struct HistoryArgs {
    /// The image
    pub(crate) image: Reference,
    /// Which of its platforms to show [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer diff demo:v1 demo:v2")]
pub(crate) struct DiffArgs {
    /// The image before
    pub(crate) before: Reference,
    /// The image after
    pub(crate) after: Reference,
    /// Which of their platforms to compare [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `merge`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer merge -t stack:v1 kubernetes:v1.19.8 mysql:8.0 redis:7")]
pub(crate) struct MergeArgs {
    /// Name of the image that is made
    #[arg(short, long = "tag", visible_alias = "target-image", alias = "image-name", value_name = "NAME")]
    pub(crate) tag: Reference,
    /// The images, the lowest first
    #[arg(required = true, num_args = 2..)]
    pub(crate) images: Vec<Reference>,
    /// Which of their platforms to merge [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `mount`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ls $(sealer mount demo:v1)
  sealer mount demo:v1 /mnt")]
pub(crate) struct MountArgs {
    /// The image
    pub(crate) image: Reference,
    /// Where to mount it, read-only (needs root) [default: nowhere; its unpacked folder is printed]
    pub(crate) dir: Option<PathBuf>,
    /// Which of its platforms [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,
}

/// Arguments of `umount`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer umount /mnt")]
pub(crate) struct UmountArgs {
    /// Where an image is mounted
    #[arg(required = true)]
    pub(crate) dirs: Vec<PathBuf>,
}

/// Arguments of `prune`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer prune --dry-run
  sealer prune --cache")]
pub(crate) struct PruneArgs {
    /// Also remove what builds, runs and mounts would make again: cached steps and unpacked images
    #[arg(long)]
    pub(crate) cache: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `search`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer search registry.example:5000/kube
  sealer search registry.example:5000/kubernetes")]
pub(crate) struct SearchArgs {
    /// A registry, and what repositories' names hold: all tags of the one that is called so, else
    /// those of all whose name holds it
    #[arg(value_name = "REGISTRY/TEXT")]
    pub(crate) term: String,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// What is told of this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum SystemCommand {
    /// Show what takes how much space, and how much of it `prune` would free
    #[command(after_help = "Example:\n  sealer system df")]
    Df,
}

/// Commands on images for several platforms under one name.
#[derive(Debug, Subcommand)]
pub(crate) enum ManifestCommand {
    /// Put local images, each for another platform, under one name
    #[command(after_help = "Example:\n  sealer manifest create demo:v1 demo:v1-amd64 demo:v1-arm64")]
    Create {
        /// The name
        name: Reference,
        /// The images
        images: Vec<Reference>,
    },
    /// Add images; one for a platform that is there replaces that
    #[command(after_help = "Example:\n  sealer manifest add demo:v1 demo:v1-arm64")]
    Add {
        /// The name
        name: Reference,
        /// The images
        #[arg(required = true)]
        images: Vec<Reference>,
    },
    /// Take images away
    #[command(after_help = "Example:\n  sealer manifest remove demo:v1 linux/arm64")]
    Remove {
        /// The name
        name: Reference,
        /// Platforms or digests
        #[arg(required = true, value_name = "PLATFORM|DIGEST")]
        which: Vec<String>,
    },
    /// Show which images there are
    #[command(after_help = "Example:\n  sealer manifest inspect demo:v1")]
    Inspect {
        /// The name
        name: Reference,
    },
    /// Send all of them to a registry
    #[command(after_help = "Example:\n  sealer manifest push registry.example:5000/demo:v1")]
    Push {
        /// The name, which says where it goes
        name: Reference,
        #[command(flatten)]
        registry: RegistryArgs,
    },
    /// Take the name away; images that have no other are removed
    #[command(after_help = "Example:\n  sealer manifest delete demo:v1")]
    Delete {
        /// The name
        name: Reference,
    },
}
