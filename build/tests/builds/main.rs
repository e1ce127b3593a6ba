//! Builds as `sealer build` does them: a context, a Kubefile, a real store.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod apps;
mod cache;
mod charts;
mod check;
mod closure;
mod config;
mod copy;
mod docs;
mod flags;
mod git;
mod golden;
mod heredoc;
mod images;
mod kit;
mod platforms;
mod remote;
mod run;
