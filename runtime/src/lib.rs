//! From a Clusterfile, an image and facts to a run plan, and its execution over hosts.
//!
//! Observe, plan, act: [`prepare`] reads the image and every host and makes the plan; nothing is
//! written to a host before [`Prepared::execute`]. This crate knows no Kubefile, flag or terminal.

mod adopt;
pub mod by_hand;
mod certificates;
mod check;
pub mod cluster;
mod delete;
mod distribute;
pub mod error;
mod execute;
pub mod facts;
pub mod host;
mod kube;
mod kubernetes;
mod lease;
pub mod plan;
pub mod preflight;
mod render;
mod run;
mod upgrade;

pub use adopt::{AdoptRequest, Adopted, adopt};
pub use certificates::{RenewRequest, renew_certificates};
pub use cluster::{ClusterSpec, HostSpec, SshSpec};
pub use delete::{DeleteRequest, Deleted, Which, delete};
pub use distribute::{Distributor, Trust};
pub use error::{Error, HostError, HostFailure, Result};
pub use execute::{Left, check_journal};
pub use plan::{PlanFile, RunPlan};
pub use run::{
    Course, HostReport, HostStatus, Prepared, Report, RunOptions, World, forget_host_key, joined, kept,
    prepare,
};
pub use upgrade::{UpgradeRequest, Upgraded, prepare_upgrade, previous_image};
