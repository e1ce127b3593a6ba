//! What was typed: the program's arguments. Doc comments here are the help.

mod cluster;
mod files;
mod image;
mod local;
mod plugin;
mod sandbox;
mod trust;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use cluster::{
    AdoptArgs, ApplyArgs, CertArgs, CheckArgs, ClusterfileArg, DeleteArgs, DistributionArgs, DistributorArg,
    HostCommand, JoinArgs, PlanArgs, ResumeArgs, RollbackArgs, RunArgs, RunFlags, SshArgs, StatusArgs,
    UpgradeArgs, UpgradeFlags,
};
pub(crate) use files::{ConvertArgs, EncryptArgs, LintArgs, SchemaName};
pub(crate) use image::{
    BuildArgs, CompressionName, ImageType, ImagesArgs, InspectArgs, LoginArgs, LogoutArgs, Mode, PullArgs,
    PushArgs, RegistryArgs, RmiArgs, SbomArgs, TagArgs, VerifyArgs,
};
pub(crate) use local::{
    DiffArgs, FormatName, HistoryArgs, LoadArgs, ManifestCommand, MergeArgs, MountArgs, PruneArgs, SaveArgs,
    SearchArgs, SystemCommand, UmountArgs,
};
pub(crate) use plugin::{
    PluginAsk, PluginCheck, PluginCommand, PluginInspect, PluginLanguage, PluginList, PluginNew, PluginRun,
};
pub(crate) use sandbox::{SandboxCommand, SandboxUp};
pub(crate) use trust::{KeyCommand, PassphraseArgs, PolicyArgs, SignArgs};

/// Build a whole Kubernetes cluster into one image, ship it, and run it anywhere
#[derive(Debug, Parser)]
#[command(
    name = "sealer",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "\
Examples:
  sealer build -t demo:v1 .
  sealer run demo:v1 -m 10.0.0.1-10.0.0.3 -n 10.0.0.4 --passwd-file secret"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// Folder of images and clusters [default: /var/lib/sealer for root, else the XDG data folder]
    #[arg(long, value_name = "DIR", env = "SEALER_ROOT", global = true, hide_env_values = true)]
    pub(crate) root: Option<PathBuf>,
    /// How to print: text for people, or JSON (data as one document; progress as one event a line)
    #[arg(long, value_enum, default_value_t = Output::Text, global = true)]
    pub(crate) output: Output,
    /// Print results and warnings only, no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build a cluster image from a Kubefile
    Build(BuildArgs),
    /// List the local images
    Images(ImagesArgs),
    /// Show what a local image is made of
    Inspect(InspectArgs),
    /// Sign a local image
    Sign(SignArgs),
    /// Show what a local image is made of for tools that look for known faults: an SPDX document
    Sbom(SbomArgs),
    /// Check who signed a local image, or that it holds all that it needs
    Verify(VerifyArgs),
    /// Give a local image another name
    Tag(TagArgs),
    /// Remove local images
    Rmi(RmiArgs),
    /// Show which instruction made which layer of a local image
    History(HistoryArgs),
    /// Compare what two local images hold
    Diff(DiffArgs),
    /// Make one image of several
    Merge(MergeArgs),
    /// Put images for several platforms under one name
    #[command(
        subcommand,
        after_help = "Example:\n  sealer manifest create demo:v1 demo:v1-amd64 demo:v1-arm64"
    )]
    Manifest(ManifestCommand),
    /// Unpack a local image and say where, or mount it read-only
    Mount(MountArgs),
    /// Take away what `mount` mounted
    Umount(UmountArgs),
    /// Remove what no image needs
    Prune(PruneArgs),
    /// Show what sealer keeps on this machine
    #[command(subcommand, after_help = "Example:\n  sealer system df")]
    System(SystemCommand),
    /// Write local images into one file
    Save(SaveArgs),
    /// Take images in from a file
    Load(LoadArgs),
    /// Fetch an image from a registry
    Pull(PullArgs),
    /// Send a local image to a registry
    Push(PushArgs),
    /// List images of a registry
    Search(SearchArgs),
    /// Check and keep credentials for a registry
    Login(LoginArgs),
    /// Forget the credentials for a registry
    Logout(LogoutArgs),
    /// Check a Kubefile, a Clusterfile or a plugin's YAML, and change nothing
    Lint(LintArgs),
    /// Write an old Clusterfile, or one of sealos, anew
    Convert(ConvertArgs),
    /// Encrypt a password for a Clusterfile
    Encrypt(EncryptArgs),
    /// Check whether hosts are fit for a cluster
    Check(CheckArgs),
    /// Run a cluster image on hosts
    Run(RunArgs),
    /// Run what a Clusterfile says
    Apply(ApplyArgs),
    /// Show what `apply` would do, and keep it for later
    Plan(PlanArgs),
    /// Add hosts to a cluster
    #[command(visible_alias = "scale-up")]
    Join(JoinArgs),
    /// Go on with a run that was not finished
    Resume(ResumeArgs),
    /// Pick up a cluster that another machine made, from one of its masters
    Adopt(AdoptArgs),
    /// Remove a cluster, or some of its hosts
    Delete(DeleteArgs),
    /// Bring a cluster to another version of Kubernetes
    Upgrade(UpgradeArgs),
    /// Go back to the image that a cluster ran before its upgrade
    Rollback(RollbackArgs),
    /// Renew a cluster's certificates
    Cert(CertArgs),
    /// Compare a cluster's hosts with what was asked for
    Status(StatusArgs),
    /// Make keys
    #[command(subcommand, after_help = "Example:\n  sealer key signing release")]
    Key(KeyCommand),
    /// Look after the keys of a cluster's hosts
    #[command(subcommand, after_help = "Example:\n  sealer host forget 10.0.0.4")]
    Host(HostCommand),
    /// Begin, check, run and look at plugins
    #[command(subcommand, after_help = "Example:\n  sealer plugin new hello --lang sh")]
    Plugin(PluginCommand),
    /// Make throwaway hosts on this machine to try images on
    #[command(subcommand, after_help = "Example:\n  sealer sandbox up 3")]
    Sandbox(SandboxCommand),
    /// Print completions for a shell or a JSON Schema, or write manual pages
    #[command(
        subcommand,
        after_help = "Example:\n  sealer docs completion bash > /etc/bash_completion.d/sealer"
    )]
    Docs(DocsCommand),
    /// Load one plugin and serve its calls (started by sealer itself)
    #[command(hide = true)]
    PluginHost {
        /// The shared object or executable
        file: PathBuf,
        /// What an executable is called for
        verb: Option<String>,
    },
}

/// What is made of the arguments' own description.
#[derive(Debug, Subcommand)]
pub(crate) enum DocsCommand {
    /// Print completions for a shell
    #[command(after_help = "Example:\n  sealer docs completion bash > /etc/bash_completion.d/sealer")]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a JSON Schema, for editors and other programs
    #[command(after_help = "Example:\n  sealer docs schema clusterfile > clusterfile.schema.json")]
    Schema {
        /// Of what
        of: SchemaName,
    },
    /// Write a manual page for each command
    #[command(after_help = "Example:\n  sealer docs man /usr/local/share/man/man1")]
    Man {
        /// The folder they go to
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests;
