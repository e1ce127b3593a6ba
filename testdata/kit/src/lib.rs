//! What the tests of every crate share: a real registry, faults on its wire. Knows no type of ours.
//!
//! [`Registry`] is Debian's `docker-registry` on a free loopback port, for as long as the value
//! lives. [`Proxy`] stands before it, counts what passes, and breaks what it is told to break.
//! Everything here panics when it cannot do what it is asked: a test has nothing better to do.

mod certificate;
mod fault;
mod git;
mod http;
mod nodes;
mod proxy;
mod referrers;
mod registry;
mod tokens;

pub use fault::{Action, Fault, Seen};
pub use git::GitServer;
pub use nodes::serve_nodes;
pub use proxy::Proxy;
pub use referrers::ReferrersApi;
pub use registry::{Registry, RegistryOptions};
