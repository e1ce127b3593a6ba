//! What parent and child say to each other, one JSON object a line.

use sealer_plugin_sdk::wire::{HostRequest, Invocation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToChild {
    /// What is to be done: the first line.
    Run(Box<Invocation>),
    /// The answer to a [`FromChild::Ask`].
    Reply(Value),
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromChild {
    /// The plugin asks for something, and waits.
    Ask(HostRequest),
    /// It was done.
    Done,
    /// The plugin says that it could not be done.
    Failed(String),
    /// The plugin panicked, and its SDK caught that.
    Panicked(String),
    /// The shared object could not be loaded.
    NotLoaded(String),
}
