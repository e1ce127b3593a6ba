//! Arguments of `plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::cluster::SshArgs;
use super::image::RegistryArgs;

/// The commands on plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Begin a plugin: a folder with all that it needs
    New(PluginNew),
    /// Hold a plugin against what sealer expects of one
    Check(PluginCheck),
    /// Run a plugin by hand
    Run(Box<PluginRun>),
    /// List the built-in plugins, or those of an image or cluster
    List(PluginList),
    /// Show what a plugin's file says of itself, without running it
    Inspect(PluginInspect),
    /// Ask sealer for something; for scripts that are plugins
    #[command(
        subcommand,
        after_help = "Example:\n  sealer plugin ask exec 10.0.0.1 'systemctl is-active kubelet'"
    )]
    Ask(PluginAsk),
}

/// Arguments of `plugin new`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealer plugin new hello --lang sh\n  sealer plugin new list-nodes --lang go --type LIST_NODE"
)]
pub(crate) struct PluginNew {
    /// Its name, which the folder has too
    pub(crate) name: String,
    /// What it is written in
    #[arg(long, value_enum)]
    pub(crate) lang: PluginLanguage,
    /// Its type, for `spec.type` [default: the name in capitals]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
}

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginLanguage {
    /// With the SDK.
    Rust,
    /// With the header alone.
    C,
    /// With the package that has the original's names.
    Go,
    /// A shell script.
    Sh,
}

/// Arguments of `plugin check`.
#[derive(Debug, Args)]
#[command(after_help = "\
The plugin is called for all that it can do, on hosts that are not there: nothing leaves this machine.
What it starts and writes here by itself it really does.

Example:
  sealer plugin check hello.so --data 'retention: 3'")]
pub(crate) struct PluginCheck {
    /// The shared object or executable
    pub(crate) file: PathBuf,
    /// What it is given as `data`
    #[arg(long, default_value = "")]
    pub(crate) data: String,
}

/// Arguments of `plugin run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer plugin run hello.so --phase PostInstall -m 10.0.0.1 --passwd-file secret
  sealer plugin run -f etcd_backup.yaml -c my-cluster --passwd-file secret")]
#[command(group = clap::ArgGroup::new("plugin").required(true).multiple(true).args(["file", "yaml"]))]
pub(crate) struct PluginRun {
    /// The shared object or executable
    pub(crate) file: Option<PathBuf>,
    /// Its YAML; without one it is called for all hosts and given `--data`
    #[arg(short = 'f', long = "yaml", value_name = "FILE")]
    pub(crate) yaml: Option<PathBuf>,
    /// The phase that it is told [default: the first of its YAML's, else PostInstall]
    #[arg(long)]
    pub(crate) phase: Option<String>,
    /// What it is given as `data` where there is no YAML
    #[arg(long, conflicts_with = "yaml")]
    pub(crate) data: Option<String>,
    /// Masters
    #[arg(short, long, value_name = "HOSTS", required_unless_present = "cluster")]
    pub(crate) masters: Option<String>,
    /// Nodes
    #[arg(short, long, value_name = "HOSTS", requires = "masters")]
    pub(crate) nodes: Option<String>,
    /// The cluster whose hosts and plugins they are
    #[arg(short, long, value_name = "NAME", conflicts_with = "masters")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Arguments of `plugin list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sealer plugin list\n  sealer plugin list demo:v1")]
pub(crate) struct PluginList {
    /// An image, or a cluster [default: the built-in plugins]
    pub(crate) subject: Option<String>,
}

/// Arguments of `plugin inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sealer plugin inspect list_nodes.so")]
pub(crate) struct PluginInspect {
    /// The shared object or executable
    pub(crate) file: PathBuf,
    /// Also ask the plugin to describe itself: that runs it
    #[arg(long)]
    pub(crate) describe: bool,
}

/// What a script can ask for.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PluginAsk {
    /// Run a command on a host; prints what it prints and ends with its status
    #[command(after_help = "Example:\n  sealer plugin ask exec 10.0.0.1 'systemctl is-active kubelet'")]
    Exec {
        /// The host's address
        host: String,
        /// The command, for a shell
        command: String,
    },
    /// Copy a file of this machine to a host
    #[command(after_help = "Example:\n  sealer plugin ask copy app.conf 10.0.0.1 /etc/app.conf --mode 600")]
    Copy {
        /// The file here
        source: PathBuf,
        /// The host's address
        host: String,
        /// The path there
        dest: String,
        /// Its permission bits there
        #[arg(long, default_value = "644", value_parser = octal)]
        mode: u32,
    },
    /// Print a file of a host
    #[command(after_help = "Example:\n  sealer plugin ask read 10.0.0.1 /etc/os-release")]
    Read {
        /// The host's address
        host: String,
        /// The path there
        path: String,
    },
    /// Send a request to the cluster; prints the body of the answer
    #[command(after_help = "Example:\n  sealer plugin ask kube GET /api/v1/nodes")]
    Kube {
        /// GET, PATCH, …
        method: String,
        /// The path with its query: /api/v1/nodes
        path: String,
        /// The body
        #[arg(long)]
        body: Option<String>,
        /// The body's type
        #[arg(long)]
        content_type: Option<String>,
    },
    /// Show a line to the operator
    #[command(after_help = "Example:\n  sealer plugin ask log 'three nodes are ready' --host 10.0.0.1")]
    Log {
        /// The line
        line: String,
        /// The host it is about
        #[arg(long)]
        host: Option<String>,
    },
    /// Tell how far the work has come
    #[command(after_help = "Example:\n  sealer plugin ask progress 3 10 nodes")]
    Progress {
        /// What is done
        done: u64,
        /// Of how much
        total: Option<u64>,
        /// Of what
        unit: Option<String>,
    },
    /// Succeed if the operator has asked for a stop
    #[command(after_help = "Example:\n  sealer plugin ask cancelled && exit 1")]
    Cancelled,
    /// Print the value that was kept for this cluster
    #[command(after_help = "Example:\n  sealer plugin ask state")]
    State,
    /// Keep a value for this cluster; without one, forget it
    #[command(after_help = "Example:\n  sealer plugin ask set-state 'last backup: monday'")]
    SetState {
        /// The value
        value: Option<String>,
    },
}

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|_| "permission bits are octal: 644".to_owned())
}
