//! Plugins: phases, their YAML, the built-in ones, and loading a shared object in a child process.
//!
//! This crate knows neither images nor SSH: what a plugin does to hosts goes through [`PluginHost`].

mod builtin;
pub mod child;
pub mod conformance;
pub mod executable;
pub mod phase;
pub mod plugin;
pub mod schema;
pub mod set;
pub mod shared_object;
pub mod spec;
pub mod template;
pub mod yaml;

pub use builtin::{BUILT_IN, ETCD_TOOLS};
pub use phase::Phase;
pub use plugin::{Error, HostError, Output, Plugin, PluginHost, Verb};
pub use sealer_plugin_sdk::wire;
pub use sealer_plugin_sdk::wire::{
    Cluster, Description, Host, Invocation, KubeReply, KubeRequest, MOST_STATE, Need, Scope,
};
pub use set::PluginSet;
pub use spec::{PluginSpec, Selector};
