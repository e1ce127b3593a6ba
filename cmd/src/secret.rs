//! Passwords: from a file, from standard input, from the person at the terminal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use sealer_stdx::fs::At;
use secrecy::{ExposeSecret, SecretString};

use crate::failure::{Failure, Kind};
use crate::{given, sealed, settings};

/// Takes a password from a text, which may end in a line break.
pub(crate) fn of_text(mut text: String) -> SecretString {
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    text.into()
}

/// Reads a password from a file that an argument names; `-` is standard input.
pub(crate) fn of_file(argument: &str, file: &Path) -> Result<SecretString, Failure> {
    if file != Path::new("-") {
        return Ok(of_text(given::text(argument, file)?));
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text).map_err(|error| {
        Failure::new(Kind::Failed, "cannot read the password from standard input").because(error)
    })?;
    Ok(of_text(text))
}

/// Asks the person at the terminal; nobody is there when standard input is none.
pub(crate) fn ask(question: &str) -> Result<Option<SecretString>, Failure> {
    if !stdin().is_terminal() {
        return Ok(None);
    }
    let answer = rpassword::prompt_password(question)
        .map_err(|error| Failure::new(Kind::Failed, "cannot ask for the password").because(error))?;
    Ok(Some(answer.into()))
}

/// Asks the person at the terminal for what opens a key, once; an empty answer is none.
pub(crate) fn passphrase(key: &Path) -> Option<SecretString> {
    static ASKED: Mutex<BTreeMap<PathBuf, Option<SecretString>>> = Mutex::new(BTreeMap::new());
    let mut asked = ASKED.lock().expect("no holder panics");
    let answer = asked.entry(key.to_owned()).or_insert_with(|| {
        let answer = ask(&format!("Passphrase of the key {}: ", key.display())).ok().flatten();
        answer.filter(|answer| !answer.expose_secret().is_empty())
    });
    answer.clone()
}

/// The identity of age that the environment says, or the file that it names.
fn identity() -> Result<SecretString, String> {
    if let Some(identity) = settings::variable("SEALER_AGE_IDENTITY") {
        return Ok(identity.into());
    }
    let file = settings::variable("SEALER_AGE_IDENTITY_FILE")
        .ok_or("an encrypted value needs an identity of age: SEALER_AGE_IDENTITY_FILE names its file")?;
    fs::read_to_string(&file).at(&file).map(SecretString::from).map_err(|error| error.to_string())
}

/// Makes up a password for throwaway hosts.
pub(crate) fn made_up() -> Result<SecretString, Failure> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| Failure::internal("cannot make up a password").because(error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

/// Gets the secret that a Clusterfile refers to.
///
/// # Errors
/// Why it cannot be had, as a phrase without the secret.
pub(crate) fn referred(reference: &str) -> Result<SecretString, String> {
    match reference.split_once(':') {
        Some(("env", name)) => settings::variable(name)
            .map(of_text)
            .ok_or_else(|| format!("there is no environment variable `{name}`")),
        Some(("file", file)) => {
            fs::read_to_string(file).at(file).map(of_text).map_err(|error| error.to_string())
        }
        Some(("age", _)) => sealed::decrypt(reference, &identity()?),
        Some(("cmd", command)) => {
            let output = Command::new("/bin/sh")
                .args(["-c", command])
                .stdin(Stdio::null())
                .stderr(Stdio::inherit())
                .output()
                .map_err(|error| format!("`{command}` cannot be run: {error}"))?;
            match output.status.success() {
                true => Ok(of_text(String::from_utf8_lossy(&output.stdout).into_owned())),
                false => Err(format!("`{command}` failed ({})", output.status)),
            }
        }
        _ => Err(format!("`{reference}` refers to nothing")),
    }
}
