//! Private keys in files: whether a passphrase opens them.

use std::fs::read_to_string;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How OpenSSH's own form begins, before the name of its cipher (PROTOCOL.key).
const OPENSSH: &[u8] = b"openssh-key-v1\0";

/// Tells whether a file holds a private key that a passphrase opens.
pub(crate) fn is_encrypted(file: &Path) -> bool {
    read_to_string(file).is_ok_and(|text| is_encrypted_text(&text))
}

fn is_encrypted_text(text: &str) -> bool {
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return true;
    }
    let body: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let Ok(bytes) = STANDARD.decode(body) else { return false };
    let Some(rest) = bytes.strip_prefix(OPENSSH) else { return false };
    // A text is its length in four bytes, then itself.
    rest.len() >= 8 && rest[..8] != *b"\0\0\0\x04none"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssls_and_opensshs_forms_are_known() {
        let openssh = |cipher: &str| {
            let length = u32::try_from(cipher.len()).unwrap().to_be_bytes();
            let bytes = [OPENSSH, &length, cipher.as_bytes(), b"\0\0\0\x04none and the rest"].concat();
            let text = STANDARD.encode(bytes);
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n")
        };
        let cases = [
            (openssh("aes256-ctr"), true),
            (openssh("none"), false),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n".to_owned(), true),
            ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\n".to_owned(), true),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n".to_owned(), false),
            ("no key".to_owned(), false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_encrypted_text(&text), expected, "{text}");
        }
    }
}
