//! What parent and child say to each other, one JSON object a line.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plugin::Verb;

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToChild {
    /// The plugin's work, with an `Invocation`. One of these five is the first line.
    Run(Value),
    /// What the plugin is.
    Describe(Value),
    /// Whether its data is right, with an `Invocation`.
    Validate(Value),
    /// What it would do, with an `Invocation`.
    Plan(Value),
    /// That it takes back what it did, with an `Invocation`.
    Undo(Value),
    /// The answer to a [`FromChild::Ask`].
    Reply(Value),
}

impl ToChild {
    pub(super) fn new(verb: Verb, request: Value) -> Self {
        match verb {
            Verb::Run => Self::Run(request),
            Verb::Describe => Self::Describe(request),
            Verb::Validate => Self::Validate(request),
            Verb::Plan => Self::Plan(request),
            Verb::Undo => Self::Undo(request),
        }
    }

    /// Returns what is asked for; nothing for a reply.
    pub(super) fn call(&self) -> Option<(Verb, &Value)> {
        match self {
            Self::Run(request) => Some((Verb::Run, request)),
            Self::Describe(request) => Some((Verb::Describe, request)),
            Self::Validate(request) => Some((Verb::Validate, request)),
            Self::Plan(request) => Some((Verb::Plan, request)),
            Self::Undo(request) => Some((Verb::Undo, request)),
            Self::Reply(_) => None,
        }
    }
}

/// From the child. The first four are what an executable may say too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromChild {
    /// The plugin asks for something, and waits.
    Ask(Value),
    /// It was done, and this is the answer of `describe` or `plan`.
    Answer(Value),
    /// It was done.
    Done,
    /// The plugin says that it could not be done.
    Failed(String),
    /// The plugin panicked, and its SDK caught that.
    Panicked(String),
    /// The plugin answered with something that is not the JSON which its verb wants.
    NoJson(String),
    /// The shared object could not be loaded, or the executable not be started.
    NotLoaded(String),
    /// The process that ran the plugin is over: its wait status.
    Ended(i32),
    /// The plugin has more than so many processes.
    Crowded(usize),
}

impl FromChild {
    /// Reads a line that an executable printed. What is no message, or none that it may send, is output.
    pub(super) fn of_executable(line: &[u8]) -> Option<Self> {
        if !line.starts_with(b"{") {
            return None;
        }
        let message = serde_json::from_slice(line).ok()?;
        match message {
            Self::Ask(_) | Self::Answer(_) | Self::Done | Self::Failed(_) => Some(message),
            _ => None,
        }
    }
}
