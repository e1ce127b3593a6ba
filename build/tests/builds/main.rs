//! Builds as `sealer build` does them: a context, a Kubefile, a real store.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cache;
mod charts;
mod check;
mod config;
mod copy;
mod docs;
mod golden;
mod images;
mod kit;
mod run;
