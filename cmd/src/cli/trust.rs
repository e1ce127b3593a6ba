//! Arguments of the commands on keys and signatures.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sealer_image::Reference;

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
The signature is kept beside the image, and goes with it where `push` and `save` send it. cosign, podman and skopeo
verify it too.

Examples:
  sealer sign --key release.key registry.example:5000/demo:v1
  sealer push registry.example:5000/demo:v1")]
pub(crate) struct SignArgs {
    /// The private key: of `sealer key signing`, `cosign generate-key-pair` or `openssl genpkey`
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// The image, by the name that it will be used under
    pub(crate) image: Reference,
}

/// What opens a private key.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// Read the key's passphrase from this file, `-` for standard input [default: SEALER_KEY_PASSWD, else asked for]
    #[arg(long, value_name = "FILE")]
    pub(crate) key_passwd_file: Option<PathBuf>,
    /// The passphrase, from the environment alone
    #[arg(long, env = "SEALER_KEY_PASSWD", hide = true, hide_env_values = true)]
    pub(crate) key_passwd: Option<String>,
}

/// Which images may be used.
#[derive(Debug, Clone, Args)]
pub(crate) struct PolicyArgs {
    /// Refuse images that this policy refuses [default: /etc/sealer/policy.json, where it exists]
    #[arg(long, value_name = "FILE", env = "SEALER_POLICY", hide_env_values = true, help_heading = "Trust")]
    pub(crate) policy: Option<PathBuf>,
}

/// The keys that can be made.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a pair of keys that sign and verify images: NAME.key, sealed by a passphrase, and NAME.pub
    #[command(after_help = "Example:\n  sealer key signing release")]
    Signing {
        /// What both files are called, without their ending
        name: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Make an identity of age, which decrypts what `sealer encrypt` has encrypted for it
    #[command(after_help = "Example:\n  sealer key encryption ops.age")]
    Encryption {
        /// The file
        file: PathBuf,
    },
}
