//! `sealer key`: makes keys.

use std::path::Path;
use std::process::ExitCode;

use sealer_image::signature::PrivateKey;
use sealer_stdx::fs::write_atomic;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::cli::{KeyCommand, PassphraseArgs};
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::{render, sealed};

#[derive(Serialize)]
struct Made {
    private: String,
    public: String,
}

pub(super) fn run(command: &KeyCommand, settings: &Settings) -> Result<ExitCode, Failure> {
    match command {
        KeyCommand::Encryption { file } => encryption(file, settings),
        KeyCommand::Signing { name, passphrase } => signing(name, passphrase, settings),
    }
}

#[derive(Serialize)]
struct MadeIdentity {
    file: String,
    public: String,
}

fn encryption(file: &Path, settings: &Settings) -> Result<ExitCode, Failure> {
    fresh(file)?;
    let (text, public) = sealed::identity();
    write_atomic(file, text.expose_secret().as_bytes(), 0o600)?;
    let file = file.display().to_string();
    let text = format!("made {file}, which decrypts; its public key is {public}");
    render::result(settings, &text, &MadeIdentity { file, public })
}

/// Refuses to write over a key.
fn fresh(file: &Path) -> Result<(), Failure> {
    if !file.exists() {
        return Ok(());
    }
    let message = format!("`{}` is there already", file.display());
    Err(Failure::new(Kind::Usage, message).hint("a key that is lost cannot be made again: name another"))
}

fn signing(name: &Path, passphrase: &PassphraseArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let [private, public] = ["key", "pub"].map(|ending| {
        let mut path = name.as_os_str().to_owned();
        path.push(format!(".{ending}"));
        std::path::PathBuf::from(path)
    });
    for file in [&private, &public] {
        fresh(file)?;
    }
    let passphrase = passphrase.get("Passphrase for the new key: ")?.ok_or_else(|| {
        Failure::new(Kind::Usage, "a passphrase for the new key is wanted")
            .hint("`--key-passwd-file FILE` says it, or SEALER_KEY_PASSWD")
    })?;
    let key = PrivateKey::generate();
    write_atomic(&private, key.to_pem(&passphrase).as_bytes(), 0o600)?;
    write_atomic(&public, key.public_key().to_pem().as_bytes(), 0o644)?;
    let (private, public) = (private.display().to_string(), public.display().to_string());
    let text = format!("made {private}, which signs, and {public}, which verifies");
    render::result(settings, &text, &Made { private, public })
}
