//! Plugins that change nodes by lines of `data`, each with addresses and what becomes of the nodes there.

use std::marker::PhantomData;

use sealer_plugin_sdk::wire::{Description, Invocation, Need};
use serde_json::Value;

use super::data::{Wish, by_host, wishes};
use super::nodes;
use crate::phase::Phase;
use crate::plugin::{Error, Plugin, PluginHost, Verb};

/// What becomes of a node, as a word of `data` says it.
pub(super) trait Change: Clone + Send + Sync {
    /// The plugin's type.
    const KIND: &'static str;
    /// What the plugin does, in a line.
    const SUMMARY: &'static str;
    /// The form of a line of `data`.
    const FORM: &'static str;
    /// What was done to a node: `labelled`.
    const DONE: &'static str;

    /// Reads a word of `data`.
    fn read(word: &str) -> Result<Self, String>;
    /// Says the changes of one node in words that `read` takes.
    fn shown(changes: &[Self]) -> String;
    /// Returns what has to be merged into a node (RFC 7396), if anything.
    fn patch(node: &Value, changes: &[Self]) -> Option<Value>;
}

/// The plugin that makes changes of this kind.
pub(super) struct OnNodes<C>(PhantomData<C>);

impl<C> OnNodes<C> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C: Change> Plugin for OnNodes<C> {
    fn kind(&self) -> &'static str {
        C::KIND
    }

    fn offers(&self, verb: Verb) -> bool {
        verb != Verb::Undo
    }

    fn describe(&self) -> Result<Description, Error> {
        Ok(Description {
            summary: Some(C::SUMMARY.to_owned()),
            phases: Phase::names_with_cluster(),
            needs: Some(vec![Need::Kube]),
            idempotent: Some(true),
            ..Description::default()
        })
    }

    fn validate(&self, invocation: &Invocation) -> Result<(), Error> {
        read::<C>(invocation).map(|_| ())
    }

    fn plan(&self, invocation: &Invocation, _: &dyn PluginHost) -> Result<Vec<String>, Error> {
        let wanted = by_host(invocation, &read(invocation)?);
        Ok(wanted.iter().map(|(host, changes)| format!("{host}: {}", C::shown(changes))).collect())
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let wanted = by_host(invocation, &read(invocation)?);
        let known = nodes::list(host, "/api/v1/nodes")?;
        for (address, changes) in wanted {
            let changed = nodes::change(host, &known, &address, |node| C::patch(node, &changes))?;
            let already = if changed { "" } else { " already" };
            host.log(Some(&address), &format!("{}{already}: {}", C::DONE, C::shown(&changes)));
        }
        Ok(())
    }
}

fn read<C: Change>(invocation: &Invocation) -> Result<Vec<Wish<C>>, Error> {
    wishes(invocation, C::FORM, C::read)
}
