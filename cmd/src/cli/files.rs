//! Arguments of the commands on files that people write.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads what is given, and nothing else: no registry, no host, and of secrets only where they would come from.

Examples:
  sealer lint
  sealer lint Kubefile plugin/list_nodes.yaml")]
pub(crate) struct LintArgs {
    /// Kubefiles, Clusterfiles and plugins' YAML [default: those in this folder and in its `plugin` folder]
    pub(crate) files: Vec<PathBuf>,
}

/// Arguments of `convert`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the original's first Clusterfiles (`v1alpha1`) and those of sealos, and prints what `sealer apply` takes.

Example:
  sealer convert old/Clusterfile > Clusterfile")]
pub(crate) struct ConvertArgs {
    /// The Clusterfile
    pub(crate) file: PathBuf,
}

/// Arguments of `encrypt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads a value from standard input, or asks for it, and prints what stands for it in a Clusterfile. It is decrypted in
memory, by an identity in SEALER_AGE_IDENTITY or in the file that SEALER_AGE_IDENTITY_FILE names.

Examples:
  sealer key encryption ops.age
  sealer encrypt -r age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p < password
  sealer encrypt -R ops.age < password")]
#[command(group = clap::ArgGroup::new("whom").required(true).multiple(true).args(["recipient", "recipients_file"]))]
pub(crate) struct EncryptArgs {
    /// Who can decrypt it: a public key of age (can be repeated)
    #[arg(short, long, value_name = "KEY")]
    pub(crate) recipient: Vec<String>,
    /// Whoever this file names: public keys, or a file of `sealer key encryption` or `age-keygen` (can be repeated)
    #[arg(short = 'R', long, value_name = "FILE")]
    pub(crate) recipients_file: Vec<PathBuf>,
}

/// What there is a JSON Schema of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// The documents of a Clusterfile.
    Clusterfile,
    /// The YAML of a plugin.
    Plugin,
}
