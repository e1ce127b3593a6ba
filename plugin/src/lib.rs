//! Plugins: phases, their YAML, the built-in ones, and loading a shared object in a child process.
//!
//! This crate knows neither images nor SSH: what a plugin does to hosts goes through [`PluginHost`].

mod builtin;
pub mod child;
pub mod phase;
pub mod plugin;
pub mod set;
pub mod shared_object;
pub mod spec;

pub use builtin::BUILT_IN;
pub use phase::Phase;
pub use plugin::{Error, HostError, Output, Plugin, PluginHost};
pub use sealer_plugin_sdk::wire::{Cluster, Host, Invocation};
pub use set::PluginSet;
pub use spec::{PluginSpec, Selector};
