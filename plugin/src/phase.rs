//! The vocabulary of a run. The order of the enum is the order of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stretch of a run, a join, an upgrade or a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Before any host is changed. Takes plugins.
    Originally,
    /// The root file system goes to every host.
    Distribute,
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

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
