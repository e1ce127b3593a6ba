//! The agent's program: the one that this program was built with, put on a host for one run.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::HostFailure;
use crate::facts::Facts;
use crate::host::quote::quote;
use crate::host::{Host, must_with};

/// The program, compressed. It runs on machines of this program's architecture.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sealer-agent.gz"));

/// What the agent's program is for, in the words of an image's platform.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Says why a host cannot run the agent; none, if it can.
pub(crate) fn objection(facts: &Facts) -> Option<String> {
    if facts.architecture != architecture() {
        return Some(format!("the host is {}, the agent for {}", facts.architecture, architecture()));
    }
    facts.noexec.then(|| "the host runs no program from /var/lib/sealer (noexec)".to_owned())
}

/// How much is sent to start it, in bytes.
pub(super) fn size() -> u64 {
    PACKED.len() as u64
}

/// Puts the program into a folder of the host and returns the command that runs it. It removes itself
/// once it runs; what a killed run left is removed before.
pub(super) fn put(host: &dyn Host, dir: &str) -> Result<String, HostFailure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let (dir, path) = (quote(dir), quote(&format!("{dir}/.agent-{now}")));
    let command = format!(
        "mkdir -p {dir} && rm -f {dir}/.agent-* && gzip -dc > {path} && chmod 700 {path} || {{ rm -f {path}; exit 1; }}"
    );
    must_with(host, &command, &mut &*PACKED)?;
    Ok(format!("exec {path}"))
}
