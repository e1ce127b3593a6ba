//! The vocabulary of a run. The order of the enum is the order of a run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A stretch of a run, a join, an upgrade or a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Before any host is changed. Takes plugins.
    Originally,
    /// The root file system goes to every host.
    Distribute,
    /// After that, before `init.sh`. Takes plugins.
    PreHostInit,
    /// `init.sh` runs on every host.
    HostInit,
    /// After `init.sh`, before the control plane is made. Takes plugins.
    PreInit,
    /// Right before the control plane is made. Takes plugins.
    PreInstall,
    /// The first master becomes a control plane.
    Init,
    /// Before further hosts join. Takes plugins.
    PreJoin,
    /// Further masters and nodes join.
    Join,
    /// After they joined. Takes plugins.
    PostJoin,
    /// Before the image's own commands. Takes plugins.
    PreGuest,
    /// `CMD` on the first master.
    Guest,
    /// The last of a run. Takes plugins.
    PostInstall,
    /// Before an upgrade. Takes plugins.
    PreUpgrade,
    /// The upgrade.
    Upgrade,
    /// After an upgrade. Takes plugins.
    PostUpgrade,
    /// Before a host is cleaned. Takes plugins.
    PreClean,
    /// What a run made is removed.
    Clean,
    /// After that, before the root file system goes. Takes plugins.
    PostClean,
    /// The root file system and all other traces go.
    Remove,
}

impl Phase {
    /// The phases that take plugins, in the order of a run.
    pub const WITH_PLUGINS: [Self; 12] = [
        Self::Originally,
        Self::PreHostInit,
        Self::PreInit,
        Self::PreInstall,
        Self::PreJoin,
        Self::PostJoin,
        Self::PreGuest,
        Self::PostInstall,
        Self::PreUpgrade,
        Self::PostUpgrade,
        Self::PreClean,
        Self::PostClean,
    ];

    /// Whether the cluster's API server can be asked: from the first master's control plane until the
    /// hosts are cleaned.
    #[must_use]
    pub fn has_cluster(self) -> bool {
        self > Self::Init && self < Self::Clean
    }

    /// Returns the names of the phases that take plugins and have a cluster.
    pub(crate) fn names_with_cluster() -> Vec<String> {
        let phases = Self::WITH_PLUGINS.into_iter().filter(|phase| phase.has_cluster());
        phases.map(|phase| phase.to_string()).collect()
    }

    /// Returns the names of the phases that take plugins, for messages.
    #[must_use]
    pub fn names() -> String {
        Self::WITH_PLUGINS.map(|phase| phase.to_string()).join(", ")
    }
}

/// The phases of v0.9 and later (`pkg/cluster-runtime/hook.go`), and where their plugins ran: on the
/// first master, or on the hosts of `spec.scope`.
const ALIASES: [(&str, Phase, Place); 12] = [
    ("pre-init-host", Phase::PreHostInit, Place::Scope),
    ("post-init-host", Phase::PreInit, Place::Scope),
    ("pre-install", Phase::PreInstall, Place::FirstMaster),
    ("pre-scaleup", Phase::PreJoin, Place::FirstMaster),
    ("post-scaleup", Phase::PostJoin, Place::FirstMaster),
    ("post-install", Phase::PostInstall, Place::FirstMaster),
    ("upgrade-host", Phase::PreUpgrade, Place::Scope),
    ("upgrade", Phase::PostUpgrade, Place::FirstMaster),
    ("pre-uninstall", Phase::PreClean, Place::FirstMaster),
    ("pre-clean-host", Phase::PreClean, Place::Scope),
    ("post-clean-host", Phase::PostClean, Place::Scope),
    ("post-uninstall", Phase::PostClean, Place::FirstMaster),
];

/// Where the plugins of a phase run that the YAML says nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On every host.
    Everywhere,
    /// On the first master.
    FirstMaster,
    /// On the hosts whose role is in `spec.scope`, which must be there.
    Scope,
}

/// Reads a phase by its name, or by the one that v0.9 and later had for it.
///
/// # Errors
/// When it is neither.
pub fn parse(word: &str) -> Result<(Phase, Place), UnknownPhase> {
    match ALIASES.into_iter().find(|(alias, ..)| *alias == word) {
        Some((_, phase, place)) => Ok((phase, place)),
        None => word.parse().map(|phase| (phase, Place::Everywhere)),
    }
}

/// A word that is no phase, or none that takes plugins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("phase `{word}` does not exist")]
pub struct UnknownPhase {
    /// The word.
    pub word: String,
    /// The phase that it may have been meant for.
    pub nearest: Option<Phase>,
}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let same = |phase: &Self| phase.to_string() == word;
        Self::WITH_PLUGINS.into_iter().find(same).ok_or_else(|| {
            let distance = |phase: &Self| {
                strsim::damerau_levenshtein(&phase.to_string().to_lowercase(), &word.to_lowercase())
            };
            let nearest = Self::WITH_PLUGINS
                .into_iter()
                .min_by_key(|phase| (distance(phase), phase.to_string().len()))
                .filter(|phase| distance(phase) <= 3);
            UnknownPhase { word: word.to_owned(), nearest }
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
