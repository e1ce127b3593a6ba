//! Arguments of `sandbox`.

use clap::{Args, Subcommand};

/// The commands on throwaway hosts.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Make hosts, each with a network, a root and an sshd of its own
    Up(SandboxUp),
    /// List the hosts
    #[command(after_help = "Example:\n  sealer sandbox ls")]
    Ls,
    /// Run a command on a host, without SSH
    #[command(after_help = "Example:\n  sealer sandbox exec sandbox-0-2 -- uname -a")]
    Exec {
        /// The host's name or address
        host: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Cut a host off the network
    #[command(after_help = "Example:\n  sealer sandbox cut 10.77.0.3")]
    Cut(SandboxHosts),
    /// Put a cut host on the network again
    #[command(after_help = "Example:\n  sealer sandbox mend 10.77.0.3")]
    Mend(SandboxHosts),
    /// Kill all processes of a host at once
    #[command(after_help = "Example:\n  sealer sandbox kill sandbox-0-3")]
    Kill(SandboxHosts),
    /// Remove hosts and all that is in them
    #[command(after_help = "Examples:\n  sealer sandbox down\n  sealer sandbox down sandbox-0-3 10.77.0.4")]
    Down {
        /// The hosts' names or addresses [default: all]
        hosts: Vec<String>,
    },
}

/// Arguments of `sandbox up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealer sandbox up 3
  sealer sandbox up 20 --masters 3 --password secret")]
pub(crate) struct SandboxUp {
    /// How many hosts
    pub(crate) count: u16,
    /// How many of them are printed as masters
    #[arg(long, value_name = "M", default_value_t = 1)]
    pub(crate) masters: u16,
    /// Password of root on the hosts [default: made up and printed]
    #[arg(long, hide_env_values = true)]
    pub(crate) password: Option<String>,
}

/// The hosts of a `sandbox` command.
#[derive(Debug, Args)]
pub(crate) struct SandboxHosts {
    /// The hosts' names or addresses
    #[arg(required = true)]
    pub(crate) hosts: Vec<String>,
}
