//! From a Kubefile and a context to a cluster image.
//!
//! Kubefile → AST → [`BuildPlan`] → one layer an instruction → image. This crate never names a host.

mod archive;
mod base;
mod cache;
mod chart;
mod check;
pub mod context;
pub mod error;
mod exec;
mod git;
pub mod ignore;
pub mod images;
pub mod kubefile;
pub mod plan;
mod remote;
mod run;
pub mod sbom;
mod steps;
mod yaml;

pub use chart::{render_chart, render_files};
pub use error::{Error, Result};
pub use exec::{BuildRequest, Built, Mode, build, build_index};
pub use kubefile::KubefileError;
pub use plan::BuildPlan;
