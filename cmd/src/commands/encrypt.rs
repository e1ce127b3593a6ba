//! `sealer encrypt`: encrypts a value for a Clusterfile.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::EncryptArgs;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::{given, render, sealed, secret};

#[derive(Serialize)]
struct Encrypted {
    value: String,
}

pub(super) fn run(args: &EncryptArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let mut recipients = args.recipient.clone();
    for file in &args.recipients_file {
        recipients.extend(sealed::recipients(&given::text("-R", file)?));
    }
    let wrong = |message| {
        Failure::new(Kind::Usage, message)
            .hint("`sealer key encryption FILE` makes an identity, and says its public key")
    };
    let recipients = sealed::parse(&recipients).map_err(wrong)?;
    let value = match secret::ask("Value: ")? {
        Some(value) => value,
        None => secret::of_file("-", Path::new("-"))?,
    };
    let value = sealed::encrypt(&recipients, &value);
    render::data(settings, &value, &Encrypted { value: value.clone() })
}
