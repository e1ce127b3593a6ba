//! Names of images.

use sealer_image::Reference;

/// Reads a name. What it is completed to is the same name, and so is its short form.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(reference) = text.parse::<Reference>() else { return };
    assert_eq!(reference.to_string().parse::<Reference>().as_ref().ok(), Some(&reference));
    assert_eq!(reference.familiar().parse::<Reference>().as_ref().ok(), Some(&reference));
}
