//! How hosts are reached: `~/.ssh/config`, hosts on the way, and lists of hosts.

use std::path::Path;

use sealer_runtime::cluster::{Jump, hosts};
use sealer_runtime::host::config::{SshConfig, expand, matches};

/// Reads a `~/.ssh/config` which may include itself, and asks it about hosts.
pub(crate) fn ssh_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let config = SshConfig::parse(text, &|pattern| {
        assert!(!expand(pattern, Some(Path::new("/home/ops"))).starts_with("~"));
        vec![text.to_owned()]
    });
    for host in ["10.0.0.1", "gate", "a.b.example", ""] {
        let _ = config.of(host);
        assert!(matches("*", host));
    }
}

/// Reads lists of hosts, and chains of hosts on the way; what is read is written as what is read as the same.
pub(crate) fn addresses(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(hosts) = hosts::parse("-m", text) {
        assert!(!hosts.is_empty());
    }
    if let Ok(chain) = Jump::chain(text) {
        let written: Vec<String> = chain.iter().map(ToString::to_string).collect();
        assert_eq!(Jump::chain(&written.join(",")).as_ref(), Ok(&chain));
    }
}
