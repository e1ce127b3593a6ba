//! `HOSTNAME`: gives hosts the names that `data` says, a line `IP name` each.

use sealer_plugin_sdk::wire::Invocation;

use super::{exec_on, quote};
use crate::plugin::{Error, Plugin, PluginHost};

pub(super) struct Hostname;

impl Plugin for Hostname {
    fn kind(&self) -> &'static str {
        "HOSTNAME"
    }

    fn run(&self, invocation: &Invocation, host: &dyn PluginHost) -> Result<(), Error> {
        let names = names(invocation).map_err(|message| Error::Returned { message })?;
        let commands: Vec<(String, String)> = names
            .into_iter()
            .filter(|(address, _)| invocation.hosts.contains(address))
            .map(|(address, name)| {
                let name = quote(&name);
                (address, format!("hostname {name} && rm -f /etc/hostname && echo {name} > /etc/hostname"))
            })
            .collect();
        exec_on(host, &commands, "hostname")
    }
}

/// Reads all lines before the first host is renamed.
fn names(invocation: &Invocation) -> Result<Vec<(String, String)>, String> {
    let mut names = Vec::new();
    for (index, line) in invocation.data.lines().enumerate() {
        let number = index + 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (address, name) = match words[..] {
            [] => continue,
            [comment, ..] if comment.starts_with('#') => continue,
            [address, name] => (address, name),
            _ => return Err(format!("line {number} of data is `{}`, not `IP hostname`", line.trim())),
        };
        if !invocation.cluster.hosts.iter().any(|host| host.address == address) {
            return Err(format!("line {number} of data: `{address}` is no host of the cluster"));
        }
        if !is_hostname(name) {
            return Err(format!("line {number} of data: `{name}` is no host name (RFC 1123)"));
        }
        names.push((address.to_owned(), name.to_owned()));
    }
    Ok(names)
}

fn is_hostname(name: &str) -> bool {
    let is_label = |label: &str| {
        let inner =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !label.is_empty() && label.len() <= 63 && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
