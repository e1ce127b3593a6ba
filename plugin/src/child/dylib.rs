//! Loading a shared object and calling it: with the ABI and the SDK, the only `unsafe` there is.
#![allow(unsafe_code, reason = "foreign code is loaded here, in a process that may be lost")]

use std::ffi::c_void;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use sealer_plugin_abi as abi;

use crate::plugin::Verb;

/// Answers what the plugin asks: JSON in, JSON out; nothing when the parent is gone.
pub(super) type Ask<'a> = dyn FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'a;

/// A loaded plugin. It is never unloaded: some languages' runtimes do not survive that.
pub(super) struct Dylib {
    /// The functions, in the order of [`Verb::ALL`].
    verbs: [Option<abi::Verb>; 5],
}

impl Dylib {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        // SAFETY: whatever the object's constructors do is done to this process alone.
        let library =
            unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| error.to_string())?;
        let library = std::mem::ManuallyDrop::new(library);
        // SAFETY: the symbol is the struct of the ABI, whose size is read before any other field.
        let plugin = unsafe { library.get::<*const abi::Plugin>(b"Plugin\0") }
            .map_err(|_| "it exports no `Plugin`".to_owned())?;
        let plugin: *const abi::Plugin = *plugin;
        // SAFETY: `size` and `version` come first in every version of the struct.
        let (size, version) = unsafe { ((*plugin).size as usize, (*plugin).version) };
        if version != abi::VERSION {
            return Err(format!(
                "it has version {version} of the plugin ABI; this sealer knows version {}",
                abi::VERSION
            ));
        }
        if size < offset_of!(abi::Plugin, describe) {
            return Err(format!("its `Plugin` says that it has {size} bytes: too few for `run`"));
        }
        // SAFETY: `run` lies within `size`, and each of the others where the field after it begins
        // no later than that.
        let verbs = unsafe {
            let field = |end: usize, verb: *const Option<abi::Verb>| if size >= end { *verb } else { None };
            [
                (*plugin).run,
                field(offset_of!(abi::Plugin, validate), &raw const (*plugin).describe),
                field(offset_of!(abi::Plugin, plan), &raw const (*plugin).validate),
                field(offset_of!(abi::Plugin, undo), &raw const (*plugin).plan),
                field(size_of::<abi::Plugin>(), &raw const (*plugin).undo),
            ]
        };
        verbs[0].ok_or("its `Plugin` has no `run`")?;
        Ok(Self { verbs })
    }

    /// Calls a verb, and returns its status and what it wrote; nothing where there is no such verb.
    pub(super) fn call(&self, verb: Verb, request: &[u8], ask: &mut Ask<'_>) -> Option<(i32, Vec<u8>)> {
        let at = Verb::ALL.iter().position(|known| *known == verb)?;
        let function = self.verbs[at]?;
        let context = Context { ask: Mutex::new(ask) };
        let host = abi::Host {
            size: u32::try_from(size_of::<abi::Host>()).expect("a small struct"),
            version: abi::VERSION,
            context: (&raw const context).cast_mut().cast(),
            call: answer,
        };
        let mut written: Vec<u8> = Vec::new();
        let sink = (&raw mut written).cast::<c_void>();
        // SAFETY: everything that is handed over lives until the call returns.
        let status = unsafe { function(request.as_ptr(), request.len(), &raw const host, collect, sink) };
        Some((status, written))
    }
}

struct Context<'a, 'b> {
    ask: Mutex<&'a mut Ask<'b>>,
}

/// # Safety
/// `context` is the [`Context`] of a call under way, `request` points to `size` bytes.
unsafe extern "C" fn answer(
    context: *mut c_void,
    request: *const u8,
    size: usize,
    write: abi::Write,
    sink: *mut c_void,
) -> i32 {
    let asked = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the plugin gives back the context that it was given, within its call.
        let (context, request) = unsafe { (&*context.cast::<Context<'_, '_>>(), bytes(request, size)) };
        let mut ask = context.ask.lock().ok()?;
        ask(request)
    }));
    let Ok(Some(reply)) = asked else { return abi::FAILED };
    // SAFETY: the plugin's callback copies the bytes before it returns.
    unsafe { write(sink, reply.as_ptr(), reply.len()) };
    abi::OK
}

/// # Safety
/// `sink` is the vector of [`Dylib::call`], `data` points to `size` bytes.
unsafe extern "C" fn collect(sink: *mut c_void, data: *const u8, size: usize) {
    // SAFETY: as above.
    unsafe { (*sink.cast::<Vec<u8>>()).extend_from_slice(bytes(data, size)) };
}

/// # Safety
/// `data` points to `size` bytes, or `size` is 0.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for it.
    unsafe { std::slice::from_raw_parts(data, size) }
}
