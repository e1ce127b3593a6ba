#![no_std]
//! The C ABI between sealer and a plugin: version 1, frozen, without dependencies.
//!
//! `include/sealer_plugin.h` says the same in C, with what each part means; the tests hold the two
//! together. A plugin exports `PluginType` (a character array ending in NUL) and `Plugin`
//! ([`Plugin`]). Memory never changes owner: bytes go out as pointer and size, and come back
//! through a [`Write`] callback that copies them. Nothing unwinds across the border.

use core::ffi::c_void;

/// The version of the structs here.
pub const VERSION: u32 = 1;

/// The verb did what it was asked.
pub const OK: i32 = 0;
/// The verb failed; the message was written to its sink.
pub const FAILED: i32 = 1;
/// The verb panicked, and that was caught; the message was written to its sink.
pub const PANICKED: i32 = 2;

/// Takes bytes: copies `size` bytes from `data`. May be called several times; the pieces add up.
pub type Write = unsafe extern "C" fn(sink: *mut c_void, data: *const u8, size: usize);

/// One of a plugin's functions. `request` is a JSON document; what it answers goes to `write`.
pub type Verb = unsafe extern "C" fn(
    request: *const u8,
    request_size: usize,
    host: *const Host,
    write: Write,
    sink: *mut c_void,
) -> i32;

/// What the plugin may ask of sealer, for the length of one call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// `sizeof` this struct as sealer knows it: what lies beyond is not there.
    pub size: u32,
    /// [`VERSION`].
    pub version: u32,
    /// Goes back as `call`'s first argument.
    pub context: *mut c_void,
    /// Asks for something: `request` is a JSON document, and so is what is written back. Returns 0
    /// unless sealer is gone. May be called from any thread.
    pub call: unsafe extern "C" fn(
        context: *mut c_void,
        request: *const u8,
        request_size: usize,
        write: Write,
        sink: *mut c_void,
    ) -> i32,
}

/// The exported symbol `Plugin`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    /// `sizeof` this struct as the plugin knows it: what lies beyond is not there.
    pub size: u32,
    /// [`VERSION`].
    pub version: u32,
    /// Does the work. Required.
    pub run: Option<Verb>,
    /// Says what the plugin is.
    pub describe: Option<Verb>,
    /// Checks its data, and touches nothing.
    pub validate: Option<Verb>,
    /// Says what `run` would do.
    pub plan: Option<Verb>,
    /// Takes back what `run` did.
    pub undo: Option<Verb>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::{offset_of, size_of};

    #[test]
    fn the_layout_is_frozen() {
        let pointer = size_of::<*const u8>();
        assert_eq!([offset_of!(Host, size), offset_of!(Host, version)], [0, 4]);
        assert_eq!([offset_of!(Host, context), offset_of!(Host, call)], [8, 8 + pointer]);
        assert_eq!(size_of::<Host>(), 8 + 2 * pointer);
        assert_eq!([offset_of!(Plugin, size), offset_of!(Plugin, version)], [0, 4]);
        let verbs = [
            offset_of!(Plugin, run),
            offset_of!(Plugin, describe),
            offset_of!(Plugin, validate),
            offset_of!(Plugin, plan),
            offset_of!(Plugin, undo),
        ];
        assert_eq!(verbs, [0, 1, 2, 3, 4].map(|index| 8 + index * pointer));
        assert_eq!(size_of::<Plugin>(), 8 + 5 * pointer);
    }
}
