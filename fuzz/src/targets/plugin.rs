//! Plugins: their YAML, and the lines that they send.

use std::path::Path;

use sealer_plugin::child::hear;
use sealer_plugin::spec::parse;
use sealer_plugin::wire::{KubeReply, KubeRequest};
use sealer_plugin::{HostError, Output, PluginHost};

/// Reads a plugin's YAML. Every mistake has a line of the file.
pub(crate) fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // What ends a line in YAML (1.1 has the last three besides), as the parser counts them.
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    match parse("plugin.yaml", text) {
        Ok(specs) => assert!(specs.iter().all(|spec| !spec.phases.is_empty() && spec.line <= lines)),
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)), "{errors:?}");
        }
    }
}

/// Hears what a plugin says, line by line. A question has an answer, which is an object.
pub(crate) fn lines(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(answer) = hear(line, &Nobody) {
            assert!(answer.is_object(), "{answer}");
        }
    }
}

/// Hosts that are not there.
struct Nobody;

fn not_there(host: &str) -> HostError {
    HostError { host: host.to_owned(), reason: "is not there".to_owned() }
}

impl PluginHost for Nobody {
    fn exec(&self, host: &str, _: &str) -> Result<Output, HostError> {
        Err(not_there(host))
    }

    fn copy(&self, _: &Path, host: &str, _: &str, _: u32) -> Result<(), HostError> {
        Err(not_there(host))
    }

    fn read(&self, host: &str, _: &str) -> Result<Vec<u8>, HostError> {
        Err(not_there(host))
    }

    fn kube(&self, _: &KubeRequest) -> Result<KubeReply, HostError> {
        Err(not_there("the cluster"))
    }

    fn log(&self, _: Option<&str>, _: &str) {}

    fn progress(&self, _: u64, _: Option<u64>, _: Option<&str>) {}

    fn is_cancelled(&self) -> bool {
        false
    }

    fn state(&self) -> Result<Option<String>, HostError> {
        Ok(None)
    }

    fn set_state(&self, _: Option<&str>) -> Result<(), HostError> {
        Ok(())
    }
}
