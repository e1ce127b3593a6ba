//! Policies and keys.

use std::path::Path;

use sealer_image::signature::{Policy, PrivateKey, PublicKey};

/// Reads a policy and a key of either kind. A public key is written as it was read.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Policy::parse(Path::new("policy.json"), text);
    // Without a passphrase: one that costs what the file says would be guessed at here.
    let _ = PrivateKey::from_pem(text, None);
    if let Ok(key) = PublicKey::from_pem(text) {
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
    }
}
