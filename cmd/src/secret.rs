//! Passwords: from a file, from standard input, from the person at the terminal.

use std::fs;
use std::io::{IsTerminal, Read, stdin};
use std::path::Path;

use sealer_stdx::fs::At;
use secrecy::SecretString;

use crate::failure::{Failure, Kind};

/// Takes a password from a text, which may end in a line break.
pub(crate) fn of_text(mut text: String) -> SecretString {
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    text.into()
}

/// Reads a password from a file; `-` is standard input.
pub(crate) fn of_file(file: &Path) -> Result<SecretString, Failure> {
    if file != Path::new("-") {
        return Ok(of_text(fs::read_to_string(file).at(file)?));
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

/// Makes up a password for throwaway hosts.
pub(crate) fn made_up() -> Result<SecretString, Failure> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| Failure::internal("cannot make up a password").because(error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}
