//! The network between every two hosts: whether they reach each other, with packets as large as they send.

use sealer_stdx::fanout::fanout;

use super::{Finding, Severity, finding};
use crate::cluster::HostSpec;
use crate::host::quote::quote;
use crate::host::{Host, is_local};

/// Asks every host for all others, some of them at once.
const SCRIPT: &str = r#"
ask() {
    address=$1; port=$2
    if [ "$port" != - ] && ! timeout 4 bash -c ": </dev/tcp/$address/$port" 2>/dev/null; then echo "unreached $address $port"; return; fi
    command -v ping >/dev/null 2>&1 || return
    device=$(ip -o route get "$address" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    mtu=$(cat "/sys/class/net/$device/mtu" 2>/dev/null) || return
    ping -n -c 1 -W 2 "$address" >/dev/null 2>&1 || return
    case $address in *:*) head=48 ;; *) head=28 ;; esac
    ping -n -c 2 -W 2 -M do -s $((mtu - head)) "$address" >/dev/null 2>&1 || echo "mtu $address $mtu"
}
command -v ping >/dev/null 2>&1 || echo noping
count=0
while read -r address port; do
    ask "$address" "$port" &
    count=$((count + 1)); [ $((count % 16)) = 0 ] && wait
done
wait
"#;

/// Finds pairs of hosts that do not reach each other.
pub(super) fn find(hosts: &[(&HostSpec, &dyn Host)], parallel: usize) -> Vec<Finding> {
    let all: Vec<&(&HostSpec, &dyn Host)> = hosts.iter().collect();
    let found = fanout(parallel, all, |(own, host): &(&HostSpec, &dyn Host)| {
        let others = hosts.iter().filter(|(other, _)| other.address != own.address);
        let line = |other: &HostSpec| match is_local(other) {
            // Nobody reaches it by SSH.
            true => format!("{} -\n", other.name()),
            false => format!("{} {}\n", other.name(), other.ssh.port),
        };
        let list: String = others.map(|(other, _)| line(other)).collect();
        let command = format!("bash -c {}", quote(SCRIPT));
        let said = host.run(&command, &mut list.as_bytes(), &mut |_, _| {});
        let said = said
            .map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
        said.lines().filter_map(|line| understand(&own.name(), line)).collect::<Vec<_>>()
    });
    found.into_iter().flatten().collect()
}

fn understand(host: &str, line: &str) -> Option<Finding> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["unreached", other, port] => {
            let evidence = format!("it does not reach port {port} of {other}");
            let remedy =
                "check routes and firewalls between the two: all hosts of a cluster talk to each other";
            Some(finding("reach", host, Severity::Error, (evidence, remedy)))
        }
        ["mtu", other, mtu] => {
            let evidence =
                format!("packets of {mtu} bytes do not get to {other}, which its interface would send");
            let remedy = "set the interfaces' MTU to what the network between carries";
            Some(finding("mtu", host, Severity::Error, (evidence, remedy)))
        }
        ["noping"] => {
            let evidence = "`ping` is not there: how large packets may be was not tried".to_owned();
            Some(finding(
                "mtu",
                host,
                Severity::Warning,
                (evidence, "install iputils-ping, if you want to know"),
            ))
        }
        _ => None,
    }
}
