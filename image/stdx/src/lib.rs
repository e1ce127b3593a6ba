//! What the standard library lacks: tasks and events, bounded fan-out, turns, files.
//!
//! No word of the domain stands here: nothing of images, hosts, clusters or plugins.

pub mod fanout;
pub mod fs;
pub mod task;
pub mod turns;
