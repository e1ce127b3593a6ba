//! What reads bytes that strangers wrote, each as a function that a fuzzer can feed.
//!
//! A target panics where something is wrong: the code panics, or what it made breaks a promise.
//! `cargo xtask fuzz` feeds them; `cargo test -p sealer-fuzz` feeds them what was kept in
//! `testdata/fuzz/TARGET/`. docs/guide/fuzzing.md says how to add one.

mod targets;

use targets::{
    auth, chart, clusterfile, ignore, kubefile, layer, lists, manifest, plugin, reach, reference, run, trust,
    word,
};

/// A function that bytes are fed to.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `testdata/fuzz`.
    pub name: &'static str,
    /// Reads the bytes; panics where something is wrong.
    pub run: fn(&[u8]),
}

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    Target { name: "addresses", run: reach::addresses },
    Target { name: "auth", run: auth::run },
    Target { name: "chart", run: chart::run },
    Target { name: "clusterfile", run: clusterfile::run },
    Target { name: "convert", run: clusterfile::anew },
    Target { name: "event", run: plugin::lines },
    Target { name: "ignore", run: ignore::run },
    Target { name: "journal", run: run::journal },
    Target { name: "kubefile", run: kubefile::run },
    Target { name: "layer", run: layer::run },
    Target { name: "lists", run: lists::run },
    Target { name: "manifest", run: manifest::run },
    Target { name: "plan", run: run::plan },
    Target { name: "plugin", run: plugin::yaml },
    Target { name: "policy", run: trust::run },
    Target { name: "reference", run: reference::run },
    Target { name: "ssh_config", run: reach::ssh_config },
    Target { name: "word", run: word::run },
];

/// Returns the target of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
