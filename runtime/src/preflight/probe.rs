//! What a host tells of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::host::quote::quote;

/// What is read from a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Probe {
    pub(super) values: BTreeMap<String, String>,
    /// The programs that a run cannot do without and that are not there.
    pub(super) lacks: Vec<String>,
    /// The TCP ports that somebody listens on.
    pub(super) ports: BTreeSet<u16>,
    /// What there is of Kubernetes already.
    pub(super) kubernetes: Vec<String>,
    /// The container runtimes that are there.
    pub(super) runtimes: Vec<String>,
    pub(super) clock: Clock,
}

/// A host's clock, as seen from here.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Clock {
    /// How far it is before ours, in seconds.
    pub(super) ahead: f64,
    /// How wrong that may be, in seconds.
    pub(super) within: f64,
}

impl Clock {
    /// `sent` and `got` are when a host was asked and had answered.
    pub(super) fn read(sent: SystemTime, got: SystemTime, answer: &str) -> Self {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (sent, got) = (seconds(sent), seconds(got));
        let Ok(there) = answer.trim().parse::<f64>() else { return Self::default() };
        Self { ahead: there - f64::midpoint(sent, got), within: (got - sent).abs() / 2.0 }
    }
}

/// How often the disk is told to keep a block, to see how long that takes.
const SYNCS: u32 = 20;

const SCRIPT: &str = r#"
say() { printf '%s=%s\n' "$1" "$2"; }
say hostname "$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname)"
say machine "$(uname -m)"
say kernel "$(uname -r)"
say machine_id "$(cat /etc/machine-id 2>/dev/null)"
( . /etc/os-release 2>/dev/null; say os "$ID $VERSION_ID" )
say cpus "$(nproc 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
say memory "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
say swap "$(awk 'NR > 1 { print $1 }' /proc/swaps | tr '\n' ' ')"
dir=$1; while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
say free "$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')"
say size "$(df -Pk "$dir" | awk 'NR == 2 { print $2 }')"
file=$(mktemp /var/lib/.sealer-check.XXXXXX 2>/dev/null) && {
    begun=$(date +%s%N)
    dd if=/dev/zero of="$file" bs=4k count=$syncs oflag=dsync 2>/dev/null && say sync "$(( ($(date +%s%N) - begun) / syncs ))"
    rm -f "$file"
}
say addresses "$(ip -o addr show 2>/dev/null | awk '{ sub("/.*", "", $4); print $4 }' | tr '\n' ' ')"
say cgroup "$(stat -fc %T /sys/fs/cgroup 2>/dev/null)"
[ "$(cat /sys/fs/selinux/enforce 2>/dev/null)" = 1 ] && say selinux enforcing
for unit in firewalld ufw; do systemctl is-active --quiet $unit 2>/dev/null && say firewall $unit; done
for module in overlay br_netfilter; do
    [ -d /sys/module/$module ] || grep -qs "/$module.ko" "/lib/modules/$(uname -r)/modules.builtin" || say module $module
done
for tool in tar gzip find xargs sha256sum bash flock awk; do command -v $tool >/dev/null 2>&1 || say lacks $tool; done
(ss -Hltn 2>/dev/null || netstat -ltn 2>/dev/null | tail -n +3) | awk '{ n = split($4, part, ":"); print "port=" part[n] }' | sort -u
if [ -e "$1/kubeadm/begun" ] || [ -d "$1/rootfs" ]; then say ours yes; fi
for file in kubelet.conf admin.conf manifests/kube-apiserver.yaml manifests/etcd.yaml; do
    [ -e "/etc/kubernetes/$file" ] && say kubernetes "/etc/kubernetes/$file"
done
[ -n "$(ls /var/lib/etcd 2>/dev/null)" ] && say kubernetes /var/lib/etcd
for runtime in docker containerd crio k3s rke2; do
    systemctl is-active --quiet $runtime 2>/dev/null && say runtime "$runtime (running)"
done
for runtime in dockerd containerd crio; do command -v $runtime >/dev/null 2>&1 && say runtime "$(command -v $runtime)"; done
true
"#;

/// A command that prints what is read. `dir` is the cluster's folder on the host.
pub(super) fn script(dir: &str) -> String {
    format!("set -- {}\nsyncs={SYNCS}\n{SCRIPT}", quote(dir))
}

impl Probe {
    pub(super) fn parse(text: &str, clock: Clock) -> Self {
        let mut probe = Self { clock, ..Self::default() };
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim().to_owned();
            match name {
                "lacks" => probe.lacks.push(value),
                "port" => probe.ports.extend(value.parse::<u16>()),
                "kubernetes" => probe.kubernetes.push(value),
                "runtime" => probe.runtimes.push(value),
                "module" => {
                    let modules = probe.values.entry(name.to_owned()).or_default();
                    *modules = format!("{modules} {value}").trim().to_owned();
                }
                _ => {
                    probe.values.insert(name.to_owned(), value);
                }
            }
        }
        probe
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }
}
