//! What a `.so` says of itself, read from the file without running it.

/// What a shared object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedObject {
    /// The processor it is for, in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// What it exports.
    pub nature: Nature,
}

/// What a shared object exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nature {
    /// A plugin by our ABI.
    Plugin {
        /// The string `PluginType`.
        kind: String,
        /// The `version` that the struct `Plugin` begins with, after its size.
        abi: u32,
    },
    /// A plugin of Go's `-buildmode=plugin`, which only the program it was built with can load.
    GoPlugin,
    /// Neither.
    Other {
        /// What is missing: `it exports no `PluginType``.
        reason: String,
    },
}

/// A file that is no shared object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InspectError {
    /// Why, as the rest of a sentence that begins with the file: `is truncated: …`.
    pub reason: String,
}

/// Reads what a shared object's bytes say.
///
/// # Errors
/// When they are no ELF shared object, or end too early.
pub fn inspect(bytes: &[u8]) -> Result<SharedObject, InspectError> {
    let _ = bytes;
    unimplemented!("shared_object::inspect")
}
