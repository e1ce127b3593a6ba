//! Where Rust meets the C ABI: nothing unwinds out of here, and no pointer outlives its call.
#![allow(unsafe_code, reason = "the C ABI hands over pointers")]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sealer_plugin_abi as abi;

use crate::host::Host;
use crate::wire::Planned;
use crate::{Error, Plugin};

/// The exported struct; it holds function pointers only, so every thread may see it.
#[repr(transparent)]
#[derive(Debug)]
pub struct Export(pub abi::Plugin);

// SAFETY: the struct is immutable and its function pointers may be called from any thread.
unsafe impl Sync for Export {}

/// Returns a type's name as the array that `PluginType` is, ending in NUL.
///
/// # Panics
/// At compile time, when `N` is not the name's length and one.
#[must_use]
pub const fn type_name<const N: usize>(name: &str) -> [u8; N] {
    assert!(name.len() + 1 == N, "the array holds the name and a NUL");
    let bytes = name.as_bytes();
    let mut array = [0; N];
    let mut index = 0;
    while index < bytes.len() {
        array[index] = bytes[index];
        index += 1;
    }
    array
}

/// One of a plugin's verbs: what the C ABI's request becomes, and what is answered.
pub trait Verb {
    /// Does it. What is returned is written to the sink.
    ///
    /// # Errors
    /// What the plugin says, or a request that cannot be read.
    fn call<P: Plugin>(request: &[u8], host: &Host<'_>) -> Result<Vec<u8>, Error>;
}

/// The verb `run`.
#[derive(Debug)]
pub struct Run;
/// The verb `describe`.
#[derive(Debug)]
pub struct Describe;
/// The verb `validate`.
#[derive(Debug)]
pub struct Validate;
/// The verb `plan`.
#[derive(Debug)]
pub struct Plan;
/// The verb `undo`.
#[derive(Debug)]
pub struct Undo;

impl Verb for Run {
    fn call<P: Plugin>(request: &[u8], host: &Host<'_>) -> Result<Vec<u8>, Error> {
        P::default().run(&serde_json::from_slice(request)?, host).map(|()| Vec::new())
    }
}

impl Verb for Describe {
    fn call<P: Plugin>(_: &[u8], _: &Host<'_>) -> Result<Vec<u8>, Error> {
        Ok(serde_json::to_vec(&P::default().describe())?)
    }
}

impl Verb for Validate {
    fn call<P: Plugin>(request: &[u8], _: &Host<'_>) -> Result<Vec<u8>, Error> {
        P::default().validate(&serde_json::from_slice(request)?).map(|()| Vec::new())
    }
}

impl Verb for Plan {
    fn call<P: Plugin>(request: &[u8], host: &Host<'_>) -> Result<Vec<u8>, Error> {
        let steps = P::default().plan(&serde_json::from_slice(request)?, host)?;
        Ok(serde_json::to_vec(&Planned { steps })?)
    }
}

impl Verb for Undo {
    fn call<P: Plugin>(request: &[u8], host: &Host<'_>) -> Result<Vec<u8>, Error> {
        P::default().undo(&serde_json::from_slice(request)?, host).map(|()| Vec::new())
    }
}

/// A verb of a plugin, as the C ABI has it.
///
/// # Safety
/// As the ABI says: `request` points to `request_size` bytes, `host` to a struct of at least its
/// own `size`, and both stay for the length of the call.
pub unsafe extern "C" fn verb<P: Plugin, V: Verb>(
    request: *const u8,
    request_size: usize,
    host: *const abi::Host,
    write: abi::Write,
    sink: *mut c_void,
) -> i32 {
    // SAFETY: the caller vouches for the request and the host.
    let (request, host) = unsafe { (bytes(request, request_size), Host::new(&*host)) };
    let (status, answer) = match catch_unwind(AssertUnwindSafe(|| V::call::<P>(request, &host))) {
        Ok(Ok(answer)) => (abi::OK, answer),
        Ok(Err(error)) => (abi::FAILED, error.to_string().into_bytes()),
        Err(panic) => (abi::PANICKED, panic_message(panic.as_ref()).into_bytes()),
    };
    // SAFETY: the caller's callback copies the bytes before it returns.
    unsafe { write(sink, answer.as_ptr(), answer.len()) };
    status
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
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

/// Asks the host, and returns what it writes back.
pub(crate) fn call(host: &abi::Host, request: &[u8]) -> Option<Vec<u8>> {
    let mut reply: Vec<u8> = Vec::new();
    let sink = (&raw mut reply).cast::<c_void>();
    // SAFETY: the host's callback and context are valid for the call that `host` was given for, and
    // `collect` sees the vector behind `sink` only while this function waits.
    let status = unsafe { (host.call)(host.context, request.as_ptr(), request.len(), collect, sink) };
    (status == abi::OK).then_some(reply)
}

/// # Safety
/// `sink` is the `Vec<u8>` of [`call`], `data` points to `size` bytes.
unsafe extern "C" fn collect(sink: *mut c_void, data: *const u8, size: usize) {
    // SAFETY: as above.
    unsafe { (*sink.cast::<Vec<u8>>()).extend_from_slice(bytes(data, size)) };
}
