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
