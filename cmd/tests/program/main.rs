//! The real program, against real files, registries and hosts: what it prints and its exit code.
#![allow(clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]

mod archives;
mod bad_clusters;
mod bad_images;
mod bad_kubefiles;
mod builtins;
mod clusters;
mod etcd;
mod faults;
mod full;
mod guide;
mod hostile;
mod hosts;
mod images;
mod inputs;
mod interop;
mod joins;
mod killed;
mod kit;
mod languages;
mod local;
mod manual;
mod mistyped;
mod phases;
mod plans;
mod plugins;
mod races;
mod records;
mod registries;
mod relay;
mod sandbox;
mod ssh;
mod sweep;
mod traces;
mod trust;
mod verbs;
