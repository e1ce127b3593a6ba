//! Manifests, as far as they name images, and `image.lock`.

use sealer_build::images::{Lock, named};

/// Reads the text as a manifest and as a lock. A lock that was read is written as itself.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = named("manifests/x.yaml", text);
    if let Ok(lock) = Lock::parse(text) {
        assert_eq!(Lock::parse(&lock.to_text()), Ok(lock));
    }
}
