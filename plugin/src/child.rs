//! A shared object in a process of its own: a crash, hang, `exit()` or garbage is one failed call.
//!
//! The parent starts `sealer plugin-host FILE` with one end of a socket as its standard input. The
//! child moves that end away before it loads the file, so that nothing the plugin prints or reads
//! meets it. Over the socket go JSON lines: the request, the plugin's questions and their answers,
//! and at last how it ended.

mod answer;
mod ask;
mod cage;
mod dylib;
mod guard;
mod line;
mod message;
mod parent;
mod printed;
mod serve;

pub use ask::ask;
pub use parent::{Carrier, Loaded};
pub use serve::serve;

/// Hears one line that a plugin sent: returns the answer, where it asks for something of `host`.
///
/// For whoever feeds it lines that no plugin would send; a call does this by itself.
#[must_use]
pub fn hear(line: &[u8], host: &dyn crate::plugin::PluginHost) -> Option<serde_json::Value> {
    match message::FromChild::of_executable(line)? {
        message::FromChild::Ask(request) => Some(answer::answer(host, request)),
        _ => None,
    }
}
