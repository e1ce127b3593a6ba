//! Whether hosts are fit for a cluster, before one is made: everything that is not, on all of them at once.

mod mesh;
mod probe;
mod rules;

use std::path::PathBuf;
use std::time::SystemTime;

use sealer_stdx::fanout::fanout;
use sealer_stdx::task::Task;
use serde::Serialize;

use crate::cluster::ClusterSpec;
use crate::error::{HostError, HostFailure, Result};
use crate::host::{Host, Keys, connect, exec};
use probe::Probe;

/// How much is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A cluster can be made, but somebody should know.
    Warning,
    /// No cluster can be made, or it would not last.
    Error,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked: `swap`, `mtu`, and others (docs/reference/check.md).
    pub id: &'static str,
    /// The host's address.
    pub host: String,
    /// How much is wrong.
    pub severity: Severity,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
    /// Whether `--fix` can do it.
    pub fixable: bool,
    /// Whether it was done.
    pub fixed: bool,
}

/// What was checked, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The hosts.
    pub hosts: Vec<String>,
    /// What is wrong, by host, the worst first.
    pub findings: Vec<Finding>,
}

/// A check as it is wanted.
#[derive(Debug, Clone)]
pub struct PreflightRequest {
    /// The cluster that is to be made.
    pub spec: ClusterSpec,
    /// Whether what can be mended without harm is.
    pub fix: bool,
    /// How many hosts are asked at once.
    pub parallel: usize,
    /// A list of host keys, outside of which none is taken.
    pub known_hosts: Option<PathBuf>,
    /// Where the keys of hosts are known from, if there is such a list; none is written.
    pub pinned: PathBuf,
}

/// Checks all hosts. Writes nothing to them but a file that is gone again, by which the disk is timed, unless
/// what is wrong is to be mended.
///
/// # Errors
/// When the work is interrupted. A host that cannot be reached is a finding.
pub fn preflight(task: &Task, request: &PreflightRequest) -> Result<Checked> {
    let spec = &request.spec;
    let keys = Keys::new(request.pinned.clone(), request.known_hosts.clone(), false, request.parallel);
    let looked = task.child("connect", format!("{} hosts", spec.hosts.len()), None)?;
    let reached = fanout(request.parallel, spec.hosts.iter().collect(), |host: &crate::HostSpec| {
        let connected = connect(host, &keys)?;
        let probe = look(&*connected, spec).map_err(|failure| failure.on(&host.name()))?;
        Ok::<_, HostError>((connected, probe))
    });
    looked.finish();
    let (mut hosts, mut findings) = (Vec::new(), Vec::new());
    for (host, result) in spec.hosts.iter().zip(reached) {
        match result {
            Ok((connected, probe)) => hosts.push((host, connected, probe)),
            Err(error) => findings.push(unreached(error)),
        }
    }
    let probes: Vec<_> = hosts.iter().map(|(host, _, probe)| (*host, probe)).collect();
    findings.extend(rules::find(&probes));
    let looked = task.child("check", "the network between hosts", None)?;
    let connected: Vec<_> = hosts.iter().map(|(host, connected, _)| (*host, &**connected)).collect();
    findings.extend(mesh::find(&connected, request.parallel));
    looked.finish();
    if request.fix {
        mend(task, &connected, &mut findings)?;
    }
    findings.sort_by(|one, other| {
        (&one.host, other.severity, one.id).cmp(&(&other.host, one.severity, other.id))
    });
    Ok(Checked { hosts: spec.hosts.iter().map(crate::HostSpec::name).collect(), findings })
}

fn look(host: &dyn Host, spec: &ClusterSpec) -> std::result::Result<Probe, HostFailure> {
    // One command that does nothing, so that the next one's time is that of its way alone.
    exec(host, "true")?;
    let sent = SystemTime::now();
    let output = exec(host, "date +%s.%N")?;
    let clock = probe::Clock::read(sent, SystemTime::now(), &String::from_utf8_lossy(&output.stdout));
    let output = exec(host, &probe::script(&spec.data_dir()))?;
    Ok(Probe::parse(&String::from_utf8_lossy(&output.stdout), clock))
}

fn unreached(error: HostError) -> Finding {
    let (id, remedy) = match &error.failure {
        HostFailure::Sudo { .. } => ("sudo", "let the user run /bin/sh by sudo there, or log in as root"),
        HostFailure::Login { .. } => ("ssh", "check the user, the password and the key"),
        HostFailure::KeyChanged { .. } | HostFailure::KeyUnknown { .. } => {
            ("ssh", "check the host's key on the machine itself")
        }
        _ => ("ssh", "check the address, that sshd runs there, the network between, and firewalls"),
    };
    finding(id, error.host, Severity::Error, (error.failure.to_string(), remedy))
}

/// What is wrong, that a person has to mend.
fn finding(
    id: &'static str,
    host: impl Into<String>,
    severity: Severity,
    (evidence, remedy): (String, &str),
) -> Finding {
    let (host, remedy) = (host.into(), remedy.to_owned());
    Finding { id, host, severity, evidence, remedy, fixable: false, fixed: false }
}

/// Mends what can be mended.
fn mend(task: &Task, hosts: &[(&crate::HostSpec, &dyn Host)], findings: &mut [Finding]) -> Result<()> {
    for finding in findings.iter_mut().filter(|finding| finding.fixable) {
        let task = task.child("fix", format!("{} on {}", finding.id, finding.host), None)?;
        let host = hosts.iter().find(|(host, _)| host.name() == finding.host);
        let Some(((_, host), command)) = host.zip(rules::fix(finding.id)) else { continue };
        match exec(*host, command) {
            Ok(output) if output.status == 0 => finding.fixed = true,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                task.warn(format!("{}: {} could not be mended: {}", finding.host, finding.id, said.trim()));
            }
            Err(failure) => task.warn(format!("{}: {failure}", finding.host)),
        }
        task.finish();
    }
    Ok(())
}
