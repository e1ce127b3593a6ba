//! How nodes reach several masters: a balancer of our own on each node, and both names of masters' services
//! lead to it.

use std::fmt::Write as _;

use super::{API_PORT, API_SERVER, FileOut};
use crate::error::HostFailure;
use crate::host::quote::quote;
use crate::host::{Host, must, must_with};

/// The program, compressed. It runs on machines of this program's architecture.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sealer-balancer.gz"));
/// Where the program is put.
const PROGRAM: &str = "/usr/local/bin/sealer-balancer";
/// What it is told, and whom it trusts.
const DIR: &str = "/etc/sealer-balancer";
const UNIT: &str = "/etc/systemd/system/sealer-balancer.service";
/// Where nodes find it.
pub(crate) const LISTENS: &str = "127.0.0.1";

/// What the balancer of a node is told: the API servers of `masters`, and the registries there that have a
/// domain and a port.
pub(crate) fn config(masters: &[String], registry: Option<(&str, u16)>) -> String {
    let mut text = String::from("# Written by sealer.\n");
    let mut line = |port: u16, name: &str, path: &str, authority: &str| {
        let servers: String = masters.iter().map(|master| format!(" {}", at(master, port))).collect();
        let _ = writeln!(text, "{LISTENS}:{port} {name} {path} {authority}{servers}");
    };
    line(API_PORT, API_SERVER, "/readyz", &authority());
    if let Some((domain, port)) = registry {
        line(port, domain, "/v2/", &format!("/etc/docker/certs.d/{domain}:{port}/{domain}.crt"));
    }
    text
}

fn at(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn authority() -> String {
    format!("{DIR}/ca.crt")
}

/// The unit, and what it reads.
pub(crate) fn files(config: &str, certificate: &str) -> [FileOut; 3] {
    let unit = format!(
        "[Unit]\nDescription=The way to the cluster's masters\nAfter=network.target\nBefore=kubelet.service\n\n\
         [Service]\nExecStart={PROGRAM} {DIR}/config\nRestart=always\nRestartSec=1\nLimitNOFILE=65536\n\n\
         [Install]\nWantedBy=multi-user.target\n"
    );
    [
        FileOut::new(authority(), 0o644, certificate),
        FileOut::new(format!("{DIR}/config"), 0o644, config),
        FileOut::new(UNIT, 0o644, unit),
    ]
}

/// Puts the program where it is not, or is another one.
pub(crate) fn put_program(host: &dyn Host, digest: &str) -> Result<(), HostFailure> {
    let mark = format!("{DIR}/program");
    let probe = format!("[ -x {PROGRAM} ] && cat {mark} 2>/dev/null; true");
    if must(host, &probe)? == digest.as_bytes() {
        return Ok(());
    }
    let command = format!(
        "mkdir -p {DIR} && gzip -dc > {PROGRAM}.new && chmod 755 {PROGRAM}.new && mv {PROGRAM}.new {PROGRAM} \
         && printf %s {} > {mark} && if systemctl --quiet is-active sealer-balancer; then systemctl restart sealer-balancer; fi",
        quote(digest)
    );
    must_with(host, &command, &mut &*PACKED).map(|_| ())
}

/// The program's digest.
pub(crate) fn digest() -> String {
    sealer_image::digest::sha256(PACKED).to_string()
}

/// Starts it, unless it runs: it takes up what has changed by itself.
pub(crate) const START: &str = "systemctl daemon-reload && systemctl --quiet enable --now sealer-balancer";

/// Takes it away again.
pub(crate) fn remove() -> String {
    format!(
        "if [ -e {UNIT} ]; then systemctl --quiet disable --now sealer-balancer; rm -rf {UNIT} {DIR} {PROGRAM}; systemctl daemon-reload; fi"
    )
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn a_balancer_is_told_of_all_masters_for_both_services() {
        let masters = ["10.0.0.1", "fd00::2"].map(str::to_owned);
        assert_eq!(
            config(&masters, Some(("sea.hub", 5000))),
            "# Written by sealer.\n\
             127.0.0.1:6443 apiserver.cluster.local /readyz /etc/sealer-balancer/ca.crt 10.0.0.1:6443 [fd00::2]:6443\n\
             127.0.0.1:5000 sea.hub /v2/ /etc/docker/certs.d/sea.hub:5000/sea.hub.crt 10.0.0.1:5000 [fd00::2]:5000\n"
        );
    }
}
