//! Values that stand encrypted in a file, in age's format: `age:` and base64 in one line.

use age::x25519::{Identity, Recipient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// How such a value begins.
const BEGIN: &str = "age:";

/// Makes an identity. Returns the text of its file, as `age-keygen` writes it, and its public key.
pub(crate) fn identity() -> (SecretString, String) {
    let identity = Identity::generate();
    let public = identity.to_public().to_string();
    let text = format!("# public key: {public}\n{}\n", identity.to_string().expose_secret());
    (text.into(), public)
}

/// Returns the public keys that a file names: a list of them, or an identity with its own.
pub(crate) fn recipients(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start_matches("# public key:").trim());
    lines.filter(|line| line.starts_with("age1")).map(str::to_owned).collect()
}

/// Reads public keys.
///
/// # Errors
/// Which is none, as a phrase.
pub(crate) fn parse(keys: &[String]) -> Result<Vec<Recipient>, String> {
    if keys.is_empty() {
        return Err("no public key is given".to_owned());
    }
    let read =
        |key: &String| key.parse().map_err(|reason| format!("`{key}` is no public key of age: {reason}"));
    keys.iter().map(read).collect()
}

/// Encrypts a value; `recipients` are not empty.
pub(crate) fn encrypt(recipients: &[Recipient], value: &SecretString) -> String {
    let keys = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(keys).expect("there is a recipient");
    let mut sealed = Vec::new();
    let written = encryptor.wrap_output(&mut sealed).and_then(|mut writer| {
        std::io::Write::write_all(&mut writer, value.expose_secret().as_bytes())?;
        writer.finish()
    });
    written.expect("memory takes all that is written");
    format!("{BEGIN}{}", STANDARD.encode(sealed))
}

/// Decrypts a value by the identities in a text: those of a file of `age-keygen`, or one alone.
///
/// # Errors
/// Why it cannot be had, as a phrase without the value.
pub(crate) fn decrypt(value: &str, identities: &SecretString) -> Result<SecretString, String> {
    let sealed = value.strip_prefix(BEGIN).unwrap_or(value);
    let sealed =
        STANDARD.decode(sealed).map_err(|_| "the encrypted value is damaged: it is no base64".to_owned())?;
    let lines = identities.expose_secret().lines().filter(|line| line.starts_with("AGE-SECRET-KEY-"));
    let identities: Vec<Identity> = lines.filter_map(|line| line.trim().parse().ok()).collect();
    if identities.is_empty() {
        return Err("the identity of age holds no key".to_owned());
    }
    let decrypted = age::Decryptor::new_buffered(sealed.as_slice()).and_then(|decryptor| {
        let mut reader =
            decryptor.decrypt(identities.iter().map(|identity| identity as &dyn age::Identity))?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text)?;
        Ok(text)
    });
    decrypted.map(Into::into).map_err(|error| format!("the encrypted value cannot be decrypted: {error}"))
}
