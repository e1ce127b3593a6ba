//! `sealer sign`: signs a local image.

use std::process::ExitCode;

use sealer_image::signature::{self, KeyError, PrivateKey};
use serde::Serialize;

use crate::cli::{PassphraseArgs, SignArgs};
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::{given, render, secret};

#[derive(Serialize)]
struct Signed {
    image: String,
    digests: Vec<String>,
}

pub(super) fn run(args: &SignArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let store = settings.store()?;
    store.resolve(&args.image)?;
    let key = key(args)?;
    let digests = signature::sign(&store, &args.image, &key)?;
    let (image, digests) =
        (args.image.familiar(), digests.iter().map(ToString::to_string).collect::<Vec<_>>());
    let text = format!("signed {image}: {}", digests.join(", "));
    render::result(settings, &text, &Signed { image, digests })
}

fn key(args: &SignArgs) -> Result<PrivateKey, Failure> {
    let text = given::text("--key", &args.key)?;
    let wrong = |error: KeyError| {
        let failure = Failure::new(Kind::Usage, format!("--key: `{}`: {error}", args.key.display()));
        match error {
            KeyError::Passphrase | KeyError::Sealed => failure.hint("`--key-passwd-file FILE` says it"),
            KeyError::Other { .. } | KeyError::Malformed => {
                failure.hint("`sealer key signing NAME` makes one")
            }
        }
    };
    match PrivateKey::from_pem(&text, None) {
        Err(KeyError::Sealed) => {
            let passphrase = args.passphrase.get(&format!("Passphrase of {}: ", args.key.display()))?;
            PrivateKey::from_pem(&text, passphrase.as_ref()).map_err(wrong)
        }
        read => read.map_err(wrong),
    }
}

impl PassphraseArgs {
    /// Returns the passphrase that was given, else asks for it.
    pub(super) fn get(&self, question: &str) -> Result<Option<secrecy::SecretString>, Failure> {
        match (&self.key_passwd_file, &self.key_passwd) {
            (Some(file), _) => Ok(Some(secret::of_file("--key-passwd-file", file)?)),
            (None, Some(passphrase)) => Ok(Some(passphrase.clone().into())),
            (None, None) => secret::ask(question),
        }
    }
}
