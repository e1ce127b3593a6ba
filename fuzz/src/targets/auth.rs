//! Docker's `config.json`.

use std::fs;
use std::time::Duration;

use sealer_image::registry::auth::AuthFile;

/// Looks for credentials, and for those of others. Errors hold no value of the file.
pub(crate) fn run(bytes: &[u8]) {
    let folder = super::folder();
    let path = folder.path().join("config.json");
    fs::write(&path, bytes).expect("a file can be written");
    let file = AuthFile::new(path, Duration::from_secs(1));
    for (host, repository) in [("docker.io", "library/demo"), ("a:5000", "b/c"), ("[::1]:5000", "d")] {
        if let Err(error) = file.credentials(host, repository) {
            assert!(!error.to_string().contains("swordfish"), "{error}");
        }
    }
}
