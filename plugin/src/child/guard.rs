//! What a call may ask for: by its verb, and by what the plugin said that it needs.

use std::path::Path;

use sealer_plugin_sdk::wire::{KubeReply, KubeRequest, Need};

use crate::plugin::{HostError, Output, PluginHost, Verb};

/// A host that refuses what a call has no business with.
pub(super) struct Guard<'a> {
    /// Who does what is allowed; nobody where nothing is.
    pub(super) host: Option<&'a dyn PluginHost>,
    /// What the plugin is called for.
    pub(super) verb: Verb,
    /// What it said that it needs; everything where it said nothing.
    pub(super) needs: Option<&'a [Need]>,
}

impl Guard<'_> {
    fn refuse(subject: &str, reason: String) -> HostError {
        HostError { host: subject.to_owned(), reason }
    }

    /// Who does something that changes nothing.
    fn reading(&self, subject: &str, need: Option<Need>) -> Result<&dyn PluginHost, HostError> {
        if let (Some(need), Some(needs)) = (need, self.needs)
            && !needs.contains(&need)
        {
            let need = format!("{need:?}").to_lowercase();
            let reason = format!("the plugin's description has no `{need}` among its needs");
            return Err(Self::refuse(subject, reason));
        }
        self.host.ok_or_else(|| {
            Self::refuse(subject, format!("nothing can be asked for during `{}`", self.verb.name()))
        })
    }

    /// Who does something that may change the world.
    fn changing(&self, subject: &str, need: Option<Need>) -> Result<&dyn PluginHost, HostError> {
        let host = self.reading(subject, need)?;
        if self.verb == Verb::Plan {
            return Err(Self::refuse(subject, "nothing can be changed during `plan`".to_owned()));
        }
        Ok(host)
    }
}

const STATE: &str = "the plugin's state";
const CLUSTER: &str = "the cluster";

impl PluginHost for Guard<'_> {
    fn exec(&self, host: &str, command: &str) -> Result<Output, HostError> {
        self.changing(host, Some(Need::Exec))?.exec(host, command)
    }

    fn copy(&self, source: &Path, host: &str, dest: &str, mode: u32) -> Result<(), HostError> {
        self.changing(host, Some(Need::Copy))?.copy(source, host, dest, mode)
    }

    fn read(&self, host: &str, path: &str) -> Result<Vec<u8>, HostError> {
        self.reading(host, Some(Need::Read))?.read(host, path)
    }

    fn kube(&self, request: &KubeRequest) -> Result<KubeReply, HostError> {
        let reads = request.method.eq_ignore_ascii_case("GET");
        let host = if reads {
            self.reading(CLUSTER, Some(Need::Kube))?
        } else {
            self.changing(CLUSTER, Some(Need::Kube))?
        };
        host.kube(request)
    }

    fn log(&self, host: Option<&str>, line: &str) {
        if let Some(shown) = self.host {
            shown.log(host, line);
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, unit: Option<&str>) {
        if let Some(shown) = self.host {
            shown.progress(done, total, unit);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.host.is_some_and(PluginHost::is_cancelled)
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        self.reading(STATE, None)?.state()
    }

    fn set_state(&self, value: Option<&str>) -> Result<(), HostError> {
        self.changing(STATE, None)?.set_state(value)
    }
}
