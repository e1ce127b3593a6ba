//! A shared object in a process of its own: a crash, hang, `exit()` or garbage is one failed call.
//!
//! The parent starts `sealer plugin-host FILE` with one end of a socket as its standard input. The
//! child moves that end away before it loads the file, so that nothing the plugin prints or reads
//! meets it. Over the socket go JSON lines: the request, the plugin's questions and their answers,
//! and at last how it ended.

mod dylib;
mod line;
mod message;
mod parent;
mod serve;

pub use parent::Loaded;
pub use serve::serve;
