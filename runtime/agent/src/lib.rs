//! What runs on a host for the length of a distribution: it finds what the host has, gets what it
//! lacks from other hosts and the operator, passes it on, verifies every piece, and switches.
//!
//! The same crate holds what the operator's end says to it ([`wire`], [`manifest`]).

mod agent;
pub mod bits;
mod cache;
mod disk;
mod error;
mod fetch;
pub mod manifest;
mod pace;
mod pool;
mod program;
mod serve;
mod socket;
pub mod tls;
pub mod wire;

pub use agent::run;
pub use error::{Error, Result};
pub use pace::Pace;
pub use program::WORD;
