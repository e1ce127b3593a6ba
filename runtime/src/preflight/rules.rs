//! What hosts' own words forbid. Pure.

use std::collections::BTreeMap;

use super::probe::Probe;
use super::{Finding, Severity, finding};
use crate::cluster::HostSpec;

type Hosts<'a> = [(&'a HostSpec, &'a Probe)];

const GIB: u64 = 1 << 30;
/// What kubeadm asks of a master's memory, in bytes (1,700 MB).
const MASTER_MEMORY: u64 = 1_700_000_000;
/// etcd's documentation wants a write kept within this, in nanoseconds.
const SYNC: u64 = 10_000_000;
/// Clocks that differ by more make certificates of the future, in seconds; half of it is worth a word.
const SKEW: f64 = 2.0;

/// Ports that Kubernetes and its registry listen on.
const MASTER_PORTS: [u16; 6] = [2379, 2380, 6443, 10250, 10257, 10259];
const NODE_PORTS: [u16; 1] = [10250];
const REGISTRY_PORT: u16 = 5000;

/// Finds what is wrong on hosts, and between what they say.
pub(super) fn find(hosts: &Hosts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, (host, probe)) in hosts.iter().enumerate() {
        let is_first = at == 0;
        for found in [
            system(host, probe),
            size(host, probe),
            disk(host, probe),
            settings(host, probe),
            taken(host, probe, is_first),
        ] {
            findings.extend(found);
        }
    }
    findings.extend(clocks(hosts));
    findings.extend(same(hosts));
    findings
}

/// Returns the command that mends what has this id, where there is one.
pub(super) fn fix(id: &str) -> Option<&'static str> {
    match id {
        "swap" => Some(
            r"swapoff -a && if grep -qE '^[^#].*[[:space:]]swap[[:space:]]' /etc/fstab 2>/dev/null; then cp -p /etc/fstab /etc/fstab.before-sealer && sed -Ei 's/^([^#].*[[:space:]]swap[[:space:]].*)$/#\1/' /etc/fstab; fi",
        ),
        "module" => Some("modprobe -a overlay br_netfilter"),
        _ => None,
    }
}

fn system(host: &HostSpec, probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |id, severity, evidence: String, remedy| {
        findings.push(finding(id, host.name(), severity, (evidence, remedy)));
    };
    if !probe.lacks.is_empty() {
        let evidence = format!("the host lacks {}", probe.lacks.join(", "));
        say("tools", Severity::Error, evidence, "install them from the system's own packages");
    }
    let machine = probe.text("machine");
    if !["x86_64", "aarch64"].contains(&machine) {
        let evidence = format!("the processor is `{machine}`");
        say("arch", Severity::Error, evidence, "use hosts of amd64 or arm64, as images are made for");
    }
    let (id, _) = probe.text("os").split_once(' ').unwrap_or((probe.text("os"), ""));
    let known = [
        "debian",
        "ubuntu",
        "centos",
        "rhel",
        "rocky",
        "almalinux",
        "openEuler",
        "kylin",
        "uos",
        "anolis",
        "alinux",
        "fedora",
        "opensuse-leap",
        "sles",
    ];
    if !known.contains(&id) {
        let evidence = format!("the system is `{}`", probe.text("os"));
        say(
            "os",
            Severity::Warning,
            evidence,
            "try the image on one such host first: nobody has, that we know",
        );
    }
    if version(probe.text("kernel")) < (3, 10) {
        let evidence = format!("the kernel is {}", probe.text("kernel"));
        say(
            "kernel",
            Severity::Error,
            evidence,
            "containers need Linux 3.10, and are better off with 4.19 or later",
        );
    } else if version(probe.text("kernel")) < (4, 19) {
        let evidence = format!("the kernel is {}", probe.text("kernel"));
        say(
            "kernel",
            Severity::Warning,
            evidence,
            "4.19 or later has fewer faults in memory cgroups and IPVS",
        );
    }
    let name = probe.text("hostname");
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if name.is_empty() || name == "localhost" || name.starts_with("localhost.") || !is_plain {
        let evidence = format!("the host calls itself `{name}`");
        say(
            "hostname",
            Severity::Error,
            evidence,
            "`hostnamectl set-hostname NAME`: letters, digits, `-` and `.`",
        );
    }
    findings
}

/// The first two numbers of a version.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|part: char| !part.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn size(host: &HostSpec, probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_master = host.has_role("master");
    let cpus = probe.number("cpus").unwrap_or_default();
    if is_master && cpus < 2 {
        let what = (format!("there are {cpus} processors"), "kubeadm asks for two on a master");
        findings.push(finding("cpu", host.name(), Severity::Error, what));
    }
    let memory = probe.number("memory").unwrap_or_default() * 1024;
    let wanted = if is_master { MASTER_MEMORY } else { GIB };
    if memory < wanted {
        let evidence = format!("there are {} MB of memory", memory / 1_000_000);
        let remedy =
            if is_master { "kubeadm asks for 1,700 MB on a master" } else { "a node wants 1 GB at least" };
        findings.push(finding("memory", host.name(), Severity::Error, (evidence, remedy)));
    }
    findings
}

fn disk(host: &HostSpec, probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    let free = probe.number("free").unwrap_or_default() * 1024;
    let severity = match free {
        free if free < 5 * GIB => Some(Severity::Error),
        free if free < 20 * GIB => Some(Severity::Warning),
        _ => None,
    };
    if let Some(severity) = severity {
        let tenths = free * 10 / GIB;
        let evidence = format!("{}.{} GiB are free at /var/lib/sealer", tenths / 10, tenths % 10);
        let remedy = "images and logs want 20 GiB: free some, or mount a larger disk there";
        findings.push(finding("disk", host.name(), severity, (evidence, remedy)));
    }
    if let Some(sync) = probe.number("sync").filter(|sync| host.has_role("master") && *sync > SYNC) {
        let evidence = format!("the disk of /var/lib takes {} ms to keep a block", sync / 1_000_000);
        let remedy = "etcd wants 10 ms: give masters an SSD, or nothing else on that disk";
        findings.push(finding("fsync", host.name(), Severity::Warning, (evidence, remedy)));
    }
    findings
}

fn settings(host: &HostSpec, probe: &Probe) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut mendable = |id, severity, evidence: String, remedy| {
        let found = finding(id, host.name(), severity, (evidence, remedy));
        findings.push(Finding { fixable: true, ..found });
    };
    if !probe.text("swap").is_empty() {
        let evidence = format!("swap is on: {}", probe.text("swap"));
        let remedy = "`swapoff -a`, and take it out of /etc/fstab: the kubelet does not begin otherwise";
        mendable("swap", Severity::Error, evidence, remedy);
    }
    if !probe.text("module").is_empty() {
        let evidence = format!("not loaded: {}", probe.text("module"));
        let remedy = "`modprobe overlay br_netfilter`: containers and their network need them";
        mendable("module", Severity::Warning, evidence, remedy);
    }
    if !probe.text("firewall").is_empty() {
        let evidence = format!("{} is active", probe.text("firewall"));
        let remedy = "open the cluster's ports between its hosts, or stop it";
        findings.push(finding("firewall", host.name(), Severity::Warning, (evidence, remedy)));
    }
    if !probe.text("selinux").is_empty() {
        let evidence = "SELinux is enforcing".to_owned();
        let remedy = "install container-selinux, or set it to permissive";
        findings.push(finding("selinux", host.name(), Severity::Warning, (evidence, remedy)));
    }
    findings
}

/// What is in the way. A host that is this cluster's already is no stranger's.
fn taken(host: &HostSpec, probe: &Probe, is_first: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !probe.text("ours").is_empty() {
        return findings;
    }
    let own: &[u16] = if host.has_role("master") { &MASTER_PORTS } else { &NODE_PORTS };
    let wanted = own.iter().copied().chain(is_first.then_some(REGISTRY_PORT));
    let in_use: Vec<String> =
        wanted.filter(|port| probe.ports.contains(port)).map(|port| port.to_string()).collect();
    if !in_use.is_empty() {
        let evidence = format!("somebody listens on {}", in_use.join(", "));
        let remedy = "`ss -ltnp` tells who: stop it, or use another host";
        findings.push(finding("port", host.name(), Severity::Error, (evidence, remedy)));
    }
    if !probe.kubernetes.is_empty() {
        let evidence = format!("there is {}", probe.kubernetes.join(", "));
        let remedy = "the host belongs to another cluster, or did: `kubeadm reset` there, if it may go";
        findings.push(finding("kubernetes", host.name(), Severity::Error, (evidence, remedy)));
    }
    if !probe.runtimes.is_empty() {
        let evidence = format!("there is {}", probe.runtimes.join(", "));
        let remedy = "the image brings its own container runtime: remove this one, unless it is the same";
        findings.push(finding("runtime", host.name(), Severity::Warning, (evidence, remedy)));
    }
    findings
}

/// Compares each clock with the one in the middle.
fn clocks(hosts: &Hosts<'_>) -> Vec<Finding> {
    let mut all: Vec<f64> = hosts.iter().map(|(_, probe)| probe.clock.ahead).collect();
    all.sort_by(f64::total_cmp);
    let Some(middle) = all.get(all.len().saturating_sub(1) / 2) else { return Vec::new() };
    let skewed = hosts.iter().filter_map(|(host, probe)| {
        let off = probe.clock.ahead - middle;
        let surely = off.abs() - probe.clock.within;
        let severity = match surely {
            surely if surely > SKEW => Severity::Error,
            surely if surely > SKEW / 2.0 => Severity::Warning,
            _ => return None,
        };
        let way = if off > 0.0 { "ahead of" } else { "behind" };
        let evidence = format!("the clock is {:.1} seconds {way} the others", off.abs());
        let remedy = "let chrony or systemd-timesyncd keep all hosts' clocks by one source";
        Some(finding("clock", host.name(), severity, (evidence, remedy)))
    });
    skewed.collect()
}

/// What must be each host's own.
fn same(hosts: &Hosts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut doubles = |id, what: &str, of: &dyn Fn(&Probe) -> String, remedy| {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (host, probe) in hosts {
            let value = of(probe);
            match seen.get(&value).filter(|_| !value.is_empty()) {
                Some(other) => {
                    let evidence = format!("{what} is `{value}`, as that of {other}");
                    findings.push(finding(id, host.name(), Severity::Error, (evidence, remedy)));
                }
                None => {
                    seen.insert(value, host.name());
                }
            }
        }
    };
    doubles(
        "same-hostname",
        "its name",
        &|probe| probe.text("hostname").to_lowercase(),
        "`hostnamectl set-hostname NAME` gives each host a name of its own",
    );
    doubles(
        "same-machine-id",
        "its machine id",
        &|probe| probe.text("machine_id").to_owned(),
        "`rm /etc/machine-id && systemd-machine-id-setup`, then reboot: the host is a copy of another",
    );
    for (host, probe) in hosts {
        let mut addresses = probe.text("addresses").split(' ').filter(|address| !address.is_empty());
        let has_none = probe.text("addresses").is_empty();
        if !has_none && !addresses.any(|address| address == host.name()) {
            let evidence = format!("none of its interfaces has {}", host.name());
            let remedy = "name hosts by addresses of their own: Kubernetes does not go through a translation";
            findings.push(finding("address", host.name(), Severity::Warning, (evidence, remedy)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::probe::Clock;
    use super::*;
    use crate::cluster::SshSpec;

    const FIT: &str = "hostname=a\nmachine=x86_64\nkernel=6.1.0-13-amd64\nmachine_id=1\nos=debian 12\ncpus=4\n\
                       memory=8000000\nswap=\nfree=50000000\nsync=2000000\naddresses=127.0.0.1 10.0.0.1\nport=22\n";

    fn host(end: u8, role: &str) -> HostSpec {
        HostSpec {
            address: [10, 0, 0, end].into(),
            roles: vec![role.to_owned()],
            env: BTreeMap::new(),
            ssh: SshSpec::default(),
        }
    }

    fn ids(hosts: &[(HostSpec, Probe)]) -> Vec<String> {
        let hosts: Vec<_> = hosts.iter().map(|(host, probe)| (host, probe)).collect();
        find(&hosts).iter().map(|found| format!("{} {} {:?}", found.host, found.id, found.severity)).collect()
    }

    #[test]
    fn a_fit_host_has_no_findings() {
        assert_eq!(ids(&[(host(1, "master"), Probe::parse(FIT, Clock::default()))]), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_own_id() {
        let bad = "hostname=Local_host\nmachine=riscv64\nkernel=2.6.32\nmachine_id=1\nos=beos 5\ncpus=1\nmemory=500000\n\
                   swap=/dev/sda2\nfree=1000000\nsync=30000000\naddresses=192.168.0.1\nport=6443\nport=5000\nlacks=tar\n\
                   module=overlay\nfirewall=ufw\nselinux=enforcing\nkubernetes=/etc/kubernetes/admin.conf\nruntime=/usr/bin/dockerd\n";
        let found = ids(&[(host(1, "master"), Probe::parse(bad, Clock::default()))]);
        let expected = [
            "tools Error",
            "arch Error",
            "os Warning",
            "kernel Error",
            "hostname Error",
            "cpu Error",
            "memory Error",
            "disk Error",
            "fsync Warning",
            "swap Error",
            "module Warning",
            "firewall Warning",
            "selinux Warning",
            "port Error",
            "kubernetes Error",
            "runtime Warning",
            "address Warning",
        ];
        assert_eq!(found, expected.map(|line| format!("10.0.0.1 {line}")));
    }

    #[test]
    fn copies_of_a_host_and_clocks_that_differ_are_found() {
        let (one, other) = (FIT.to_owned(), FIT.replace("10.0.0.1", "10.0.0.2"));
        let hosts = [
            (host(1, "master"), Probe::parse(&one, Clock::default())),
            (host(2, "node"), Probe::parse(&other, Clock { ahead: 4.0, within: 0.1 })),
        ];
        assert_eq!(
            ids(&hosts),
            ["10.0.0.2 clock Error", "10.0.0.2 same-hostname Error", "10.0.0.2 same-machine-id Error"]
        );
    }

    #[test]
    fn what_this_cluster_has_itself_is_in_nobodys_way() {
        let ours = format!("{FIT}ours=yes\nport=6443\nkubernetes=/etc/kubernetes/admin.conf\n");
        assert_eq!(ids(&[(host(1, "master"), Probe::parse(&ours, Clock::default()))]), Vec::<String>::new());
    }
}
