//! What is read from each host before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cluster::shared;
use crate::error::HostFailure;
use crate::host::quote::quote;
use crate::host::{Host, must};

/// What is known of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// What it calls itself.
    pub hostname: String,
    /// Its processor, in Go's words.
    pub architecture: String,
    /// Its distribution: `debian 12`.
    pub os: String,
    /// Its kernel's release.
    pub kernel: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// The free space where the image's root goes, in bytes.
    pub free: u64,
    /// Whether it is a node of a cluster that this one's run did not make.
    pub in_other_cluster: bool,
    /// The token of who had the cluster's lease last; 0 where nobody had.
    pub token: u64,
    /// The first line of the cluster's state that it keeps, if it does.
    pub state: String,
    /// Whether no program can be run from there.
    pub noexec: bool,
    /// The programs that are there, of those that are asked for.
    pub tools: BTreeSet<String>,
}

/// What a run cannot do without.
const NEEDED: [&str; 7] = ["tar", "gzip", "find", "xargs", "sha256sum", "bash", "flock"];

const SCRIPT: &str = r#"
dir=$1
while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
echo "hostname=$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname)"
echo "machine=$(uname -m)"
echo "kernel=$(uname -r)"
echo "machine_id=$(cat /etc/machine-id 2>/dev/null)"
( . /etc/os-release 2>/dev/null; echo "os=$ID $VERSION_ID" )
echo "free=$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')"
if [ -e /etc/kubernetes/kubelet.conf ] && [ ! -e "$1/kubeadm/begun" ]; then echo "other=1"; fi
findmnt -nro OPTIONS -T "$dir" 2>/dev/null | grep -qw noexec && echo "noexec=yes"
for tool in tar gzip zstd find xargs sha256sum openssl bash flock; do
    command -v $tool >/dev/null 2>&1 && echo "tool=$tool"
done
true
"#;

/// Reads the facts of a host. `dir` is the cluster's folder there.
pub(crate) fn gather(host: &dyn Host, dir: &str) -> Result<Facts, HostFailure> {
    let last = crate::lease::LAST;
    let state = shared::header("\"$1\"");
    let command = format!(
        "set -- {}\necho \"token=$({last})\"\nprintf 'state=%s\\n' \"$({state})\"\n{SCRIPT}",
        quote(dir)
    );
    let facts = parse(&String::from_utf8_lossy(&must(host, &command)?));
    let missing: Vec<&str> = NEEDED.into_iter().filter(|tool| !facts.tools.contains(*tool)).collect();
    if missing.is_empty() {
        return Ok(facts);
    }
    Err(HostFailure::Unfit(format!("the host lacks {}", missing.join(", "))))
}

fn parse(text: &str) -> Facts {
    let mut values: BTreeMap<&str, &str> = BTreeMap::new();
    let mut tools = BTreeSet::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if name == "tool" {
            tools.insert(value.to_owned());
        } else {
            values.insert(name, value.trim());
        }
    }
    let value = |name: &str| values.get(name).copied().unwrap_or_default().to_owned();
    let architecture = match value("machine").as_str() {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        other => other.to_owned(),
    };
    Facts {
        hostname: value("hostname"),
        architecture,
        os: value("os"),
        kernel: value("kernel"),
        machine_id: value("machine_id"),
        token: value("token").parse().unwrap_or_default(),
        state: value("state"),
        noexec: !value("noexec").is_empty(),
        free: value("free").parse::<u64>().unwrap_or_default() * 1024,
        in_other_cluster: values.contains_key("other"),
        tools,
    }
}
