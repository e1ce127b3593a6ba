//! Arguments of the commands on clusters.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sealer_image::Reference;

use super::image::{RegistryArgs, key_value};
use super::trust::PolicyArgs;

/// How to log in to hosts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reaching hosts")]
pub(crate) struct SshArgs {
    /// User on the hosts; others than root need sudo there [default: root]
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    /// Password (seen by all users of this machine while the command runs: `--passwd-file` is not)
    #[arg(short, long, env = "SEALER_PASSWD", hide_env_values = true, conflicts_with = "passwd_file")]
    pub(crate) passwd: Option<String>,
    /// Read the password from this file, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) passwd_file: Option<PathBuf>,
    /// SSH port [default: 22]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Private key [default: ~/.ssh/id_ed25519 or ~/.ssh/id_rsa, where they exist]
    #[arg(long, value_name = "FILE")]
    pub(crate) pk: Option<PathBuf>,
    /// Passphrase of the private key
    #[arg(long, value_name = "PASSPHRASE", env = "SEALER_PK_PASSWD", hide_env_values = true)]
    pub(crate) pk_passwd: Option<String>,
    /// Hosts on the way, the nearest first: `user@host:port,...` (as `ProxyJump` in ~/.ssh/config)
    #[arg(short = 'J', long, value_name = "HOSTS")]
    pub(crate) jump: Option<String>,
    /// Reach the host that is this machine without SSH, by sudo where needed; nobody is asked for a password
    #[arg(long)]
    pub(crate) local: bool,
    /// Refuse hosts whose key is not known already, here or in the cluster's own list
    #[arg(long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,
}

/// How to reach hosts and registries.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReachArgs {
    /// How many hosts to work on at once
    #[arg(long, value_name = "N", default_value = "50")]
    pub(crate) parallel: NonZeroUsize,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Which cluster of those that are there.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterArg {
    /// Name of the cluster [default: the only one there is]
    #[arg(short = 'c', long = "cluster", value_name = "NAME", alias = "cluster-name")]
    pub(crate) name: Option<String>,
}

/// Which Clusterfile.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterfileArg {
    /// The Clusterfile
    #[arg(
        short = 'f',
        long = "clusterfile",
        alias = "Clusterfile",
        value_name = "FILE",
        default_value = "Clusterfile"
    )]
    pub(crate) file: PathBuf,
}

/// What all commands that bring hosts to a state have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunFlags {
    /// Environment of templates and scripts; `;` separates the items of a list (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) env: Vec<(String, String)>,
    /// Give an `ARG` of the image another value for its `CMD` (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) cmd_args: Vec<(String, String)>,
    /// Print what would be done on each host, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do every step again, also those that are done
    #[arg(long, conflicts_with = "abandon")]
    pub(crate) again: bool,
    /// Give up a run that was not finished, if this is another
    #[arg(long)]
    pub(crate) abandon: bool,
    #[command(flatten)]
    pub(crate) distribution: DistributionArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// How the image gets to hosts, and how much may go wrong.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DistributionArgs {
    /// How hosts get the image
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub(crate) distributor: DistributorArg,
    /// The most that this machine, and each host, sends in a second, in bytes: 12M
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) bandwidth: Option<u64>,
    /// Hash every file on the hosts, instead of believing what they recorded when it was verified last
    #[arg(long)]
    pub(crate) verify: bool,
    /// How many nodes may fail: the run goes on without them, and exits with 5 (a master that fails ends it)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_failures: usize,
}

/// How hosts get the image.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DistributorArg {
    /// Whichever moves less
    Auto,
    /// From this machine to each host, over SSH
    Ssh,
    /// From host to host, by an agent that is gone afterwards
    Relay,
}

/// Reads bytes a second: `800K`, `12M`, `1G`.
fn rate(text: &str) -> Result<u64, String> {
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let unit = units.into_iter().find(|(name, _)| text.ends_with(*name));
    let (digits, unit) = unit.map_or((text, 1), |(_, unit)| (&text[..text.len() - 1], unit));
    let rate = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    rate.filter(|rate| *rate > 0).ok_or_else(|| "bytes a second are `800K`, `12M` or `1G`".to_owned())
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Hosts are addresses, ranges and `address:port`, separated by commas.

Examples:
  sealer run demo:v1 -m 10.0.0.1 -n 10.0.0.4-10.0.0.9,10.0.1.1:2222 --passwd-file secret
  sealer run demo:v1 -m 10.0.0.1-10.0.0.3 --dry-run")]
pub(crate) struct RunArgs {
    /// The image; fetched if it is not here
    pub(crate) image: Reference,
    /// Masters; the first is where the image's commands run
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) masters: String,
    /// Nodes
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) nodes: Option<String>,
    /// Name of the cluster
    #[arg(long, value_name = "NAME", default_value = "my-cluster")]
    pub(crate) cluster_name: String,
    /// Do not ask before hosts are taken out of the cluster that are not given any more
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) flags: RunFlags,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer apply -f Clusterfile
  sealer plan -f Clusterfile -o plan.json && sealer apply -f Clusterfile --plan plan.json")]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) clusterfile: ClusterfileArg,
    /// Do what this plan of `sealer plan` says and nothing else; refuse if that is no longer the plan
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "abandon"])]
    pub(crate) plan: Option<PathBuf>,
    /// Do not ask before hosts are taken out of the cluster that are not given any more
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) flags: RunFlags,
}

/// Arguments of `delete`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer delete -a --passwd-file secret
  sealer delete -c demo -n 10.0.0.4-10.0.0.6")]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["all", "masters", "nodes", "cluster", "file"]))]
pub(crate) struct DeleteArgs {
    /// The whole cluster
    #[arg(short, long, conflicts_with_all = ["masters", "nodes"])]
    pub(crate) all: bool,
    /// Only these masters; one has to stay
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) masters: Option<String>,
    /// Only these nodes
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) nodes: Option<String>,
    /// Name of the cluster [default: the only one there is]
    #[arg(short, long, value_name = "NAME", alias = "cluster-name")]
    pub(crate) cluster: Option<String>,
    /// The cluster that this Clusterfile names
    #[arg(
        short = 'f',
        long = "clusterfile",
        alias = "Clusterfile",
        value_name = "FILE",
        conflicts_with = "cluster"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask, and go on past hosts that can not be reached
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
}

/// Arguments of `join`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer join -n 10.0.0.7-10.0.0.9 --passwd-file secret
  sealer join -c demo -m 10.0.0.2,10.0.0.3 --dry-run")]
#[command(group = clap::ArgGroup::new("who").required(true).multiple(true).args(["masters", "nodes"]))]
pub(crate) struct JoinArgs {
    /// Further masters
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) masters: Option<String>,
    /// Further nodes
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) nodes: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArg,
    #[command(flatten)]
    pub(crate) flags: RunFlags,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
#[command(after_help = "\
Goes on with the plan that was kept, from the step it stopped at. So does the command that began it.

Examples:
  sealer resume --passwd-file secret
  sealer resume -c demo")]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArg,
    #[command(flatten)]
    pub(crate) distribution: DistributionArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at all hosts at once, and between them: system, size, disk, clock, ports, names, what is there already.
Exits with 5 if anything would keep a cluster from being made.

Examples:
  sealer check --pre -f Clusterfile
  sealer check --pre -m 10.0.0.1-10.0.0.3 -n 10.0.0.4 --passwd-file secret --fix")]
pub(crate) struct CheckArgs {
    /// Check whether hosts are fit for a cluster that is not there yet
    #[arg(long, required = true)]
    pub(crate) pre: bool,
    /// The Clusterfile that names the hosts
    #[arg(
        short = 'f',
        long = "clusterfile",
        alias = "Clusterfile",
        value_name = "FILE",
        conflicts_with_all = ["masters", "nodes"],
        required_unless_present = "masters"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Masters
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) masters: Option<String>,
    /// Nodes
    #[arg(short, long, value_name = "HOSTS", requires = "masters")]
    pub(crate) nodes: Option<String>,
    /// Mend what can be mended without harm: swap, kernel modules
    #[arg(long)]
    pub(crate) fix: bool,
    /// How many hosts to ask at once
    #[arg(long, value_name = "N", default_value = "50")]
    pub(crate) parallel: NonZeroUsize,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
}

/// Arguments of `adopt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every master keeps its cluster's state, but for secrets. This machine takes it over from one of them, and
goes on as the machine that made the cluster would. Hosts are only read. The image comes by `sealer pull`
or `sealer load`, where it is not here.

Examples:
  sealer adopt -m 10.0.0.2 --passwd-file secret
  sealer adopt -c demo -m 10.0.0.2 && sealer status -c demo")]
pub(crate) struct AdoptArgs {
    /// Masters of the cluster that answer: one is enough
    #[arg(short, long, value_name = "HOSTS")]
    pub(crate) masters: String,
    /// Name of the cluster [default: the only one that they are masters of]
    #[arg(short = 'c', long = "cluster", value_name = "NAME", alias = "cluster-name")]
    pub(crate) cluster: Option<String>,
    /// How many hosts to ask at once
    #[arg(long, value_name = "N", default_value = "50")]
    pub(crate) parallel: NonZeroUsize,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the image and every host, and changes nothing.

Examples:
  sealer plan -f Clusterfile
  sealer plan -f Clusterfile -o plan.json && sealer apply -f Clusterfile --plan plan.json")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) clusterfile: ClusterfileArg,
    /// Keep the plan in this file, for `sealer apply --plan`
    #[arg(short, long = "out", value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: RunFlags,
}

/// What can be done with a cluster's hosts.
#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Forget the key of a host that was reinstalled; the next one it shows is taken and kept
    #[command(after_help = "Example:\n  sealer host forget 10.0.0.4")]
    Forget {
        /// Its address, or the name of a host on the way
        host: String,
        #[command(flatten)]
        cluster: ClusterArg,
    },
}

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads every host, and changes nothing.

Examples:
  sealer status
  sealer status -c demo --drift || sealer resume -c demo")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArg,
    /// Hash every file on the hosts, and exit with 1 if any is not what the image and the Clusterfile say
    #[arg(long)]
    pub(crate) drift: bool,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

/// Arguments of `cert`.
#[derive(Debug, Args)]
#[command(after_help = "\
All that the cluster's authorities sign is made anew: the certificates of API servers, etcd and their
clients, and the kubeconfigs of administrator, controllers and scheduler. One master after the other
starts again; the authorities stay.

Examples:
  sealer cert
  sealer cert --alt-names api.example.com,203.0.113.7")]
pub(crate) struct CertArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArg,
    /// Further names and addresses of the API server; they are kept
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) alt_names: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

/// Arguments of `upgrade`.
#[derive(Debug, Args)]
#[command(after_help = "\
Masters are upgraded one after the other, then nodes: each is emptied of its pods, upgraded, and has to
be ready with the new version before the next. One that is not is put back as it was, and the upgrade
ends there; the same command goes on. A snapshot of etcd is kept on the first master before.

Examples:
  sealer upgrade kubernetes:v1.20.3
  sealer upgrade kubernetes:v1.21.0 --max-unavailable 3 --dry-run")]
pub(crate) struct UpgradeArgs {
    /// The image, of the same minor version or the next
    pub(crate) image: String,
    #[command(flatten)]
    pub(crate) flags: UpgradeFlags,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
Within a minor version; done as an upgrade is.

Example:
  sealer rollback")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) flags: UpgradeFlags,
}

/// What `upgrade` and `rollback` take.
#[derive(Debug, Args)]
pub(crate) struct UpgradeFlags {
    #[command(flatten)]
    pub(crate) cluster: ClusterArg,
    /// How many nodes may be without pods at once
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) max_unavailable: NonZeroUsize,
    /// Print what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}
