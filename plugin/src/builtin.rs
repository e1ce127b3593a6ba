//! The plugins that sealer brings along.

mod cluster_check;
mod data;
mod etcd;
mod hostname;
mod label;
mod nodes;
mod on_nodes;
mod shell;
mod taint;

pub use etcd::TOOLS as ETCD_TOOLS;

use std::thread;

use on_nodes::OnNodes;

use crate::plugin::{Error, HostError, Output, Plugin, PluginHost};

/// The types of the built-in plugins.
pub const BUILT_IN: [&str; 6] = ["CLUSTERCHECK", "ETCD", "HOSTNAME", "LABEL", "SHELL", "TAINT"];

/// So many hosts are worked on at once.
const AT_ONCE: usize = 32;

/// Returns all of them.
pub(crate) fn all() -> Vec<Box<dyn Plugin>> {
    vec![
        Box::new(cluster_check::ClusterCheck),
        Box::new(etcd::Etcd),
        Box::new(hostname::Hostname),
        Box::new(OnNodes::<label::Labels>::new()),
        Box::new(shell::Shell),
        Box::new(OnNodes::<taint::Taint>::new()),
    ]
}

/// Runs a command on hosts, side by side, passes on what they print, and fails where one does.
fn exec_on(host: &dyn PluginHost, commands: &[(String, String)], shown: &str) -> Result<(), Error> {
    for group in commands.chunks(AT_ONCE) {
        let outputs: Vec<Result<Output, HostError>> = thread::scope(|scope| {
            let running: Vec<_> = group
                .iter()
                .map(|(address, command)| scope.spawn(move || host.exec(address, command)))
                .collect();
            running.into_iter().map(|thread| thread.join().expect("exec does not panic")).collect()
        });
        let mut failed = None;
        for ((address, _), output) in group.iter().zip(outputs) {
            let output = output?;
            log(host, address, &output);
            if output.status != 0 && failed.is_none() {
                failed = Some(Error::Command { host: address.clone(), command: shown.to_owned(), output });
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

fn log(host: &dyn PluginHost, address: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        for line in String::from_utf8_lossy(bytes).lines() {
            host.log(Some(address), line);
        }
    }
}

/// Quotes a word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod tests;
