//! What a run tells when it has come to its end.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Prepared;
use crate::execute::Sent;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// The image.
    pub image: String,
    /// Its hosts.
    pub hosts: Vec<HostReport>,
    /// How many steps were done, each host of one counted.
    pub steps: usize,
    /// How many steps were done before.
    pub steps_before: usize,
}

/// What a run did on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// Its address.
    pub address: String,
    /// The bytes that this machine sent it of the image's root, compressed.
    pub sent_bytes: u64,
    /// The bytes that other hosts sent it.
    pub relayed_bytes: u64,
}

impl Prepared<'_> {
    pub(super) fn report(&self, sent: &BTreeMap<String, Sent>) -> Report {
        let hosts = self.spec.hosts.iter().map(crate::HostSpec::name).map(|address| HostReport {
            sent_bytes: sent.get(&address).map_or(0, |sent| sent.sent),
            relayed_bytes: sent.get(&address).map_or(0, |sent| sent.relayed),
            address,
        });
        Report {
            cluster: self.spec.name.clone(),
            image: self.spec.image.familiar(),
            hosts: hosts.collect(),
            steps: self.plan.count(),
            steps_before: self.done.count(),
        }
    }
}
