//! What the author of a plugin uses: a trait, an export macro and the messages.

pub mod wire;
