//! How far hosts are from what was asked for.

use serde::Serialize;

use super::Prepared;
use crate::plan::{Action, Amount};

/// How far a host is from what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStatus {
    /// Its address.
    pub address: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether the image's root on it is what the image and the Clusterfile say.
    pub in_place: bool,
    /// The files that are missing or others there.
    pub differs: Amount,
    /// The steps that are not done.
    pub steps: Vec<String>,
}

impl HostStatus {
    /// Tells whether there is nothing to do on it.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.in_place && self.steps.is_empty()
    }
}

impl Prepared<'_> {
    /// Returns how far each host is from what was asked for.
    #[must_use]
    pub fn status(&self) -> Vec<HostStatus> {
        let of_host = |host: &crate::HostSpec| {
            let name = host.name();
            let mut status = HostStatus {
                roles: host.roles.clone(),
                address: name.clone(),
                differs: Amount::default(),
                in_place: true,
                steps: Vec::new(),
            };
            for step in self.plan.steps().filter(|step| !step.only_reads() && step.hosts.contains(&name)) {
                match &step.action {
                    Action::Distribute { sends, .. } => {
                        status.differs = sends.get(&name).copied().unwrap_or_default();
                        status.in_place = false;
                    }
                    _ => status.steps.push(step.id.clone()),
                }
            }
            status
        };
        self.spec.hosts.iter().map(of_host).collect()
    }
}
