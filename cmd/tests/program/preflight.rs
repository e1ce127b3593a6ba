//! `check --pre` on hosts that have something wrong with them.

use serde_json::Value;

use crate::hosts::{PASSWORD, Room};

/// The checks whose outcome is the machine's that runs the tests, not the room's.
const OF_THE_MACHINE: [&str; 11] =
    ["os", "kernel", "arch", "cpu", "memory", "disk", "fsync", "swap", "module", "runtime", "selinux"];

/// The findings of a check, `host id severity`, with the exit code.
fn check(room: &Room, hosts: &[&str]) -> (Vec<String>, Option<i32>) {
    let args = [&["--output", "json", "check", "--pre", "-p", PASSWORD], hosts].concat();
    let answer = room.user.sealer(&args);
    let last = answer.stdout.lines().next_back().unwrap();
    let result = serde_json::from_str::<Value>(last).unwrap()["result"].clone();
    let findings = result["findings"].as_array().unwrap_or_else(|| panic!("{}", answer.stderr)).iter();
    let of_room = findings.filter(|found| !OF_THE_MACHINE.contains(&found["id"].as_str().unwrap()));
    let line = |found: &Value| {
        assert!(
            !found["evidence"].as_str().unwrap().is_empty() && !found["remedy"].as_str().unwrap().is_empty()
        );
        format!("{} {} {}", found["host"], found["id"], found["severity"]).replace('"', "")
    };
    (of_room.map(line).collect(), answer.code)
}

#[test]
fn what_is_wrong_with_hosts_and_between_them_is_told_at_once() {
    let room = Room::with(4);
    for host in 0..4 {
        room.on(host, &format!("hostname host{host}; echo {host} > /etc/machine-id"));
    }
    let [one, two, three, four] = [0, 1, 2, 3].map(|host| room.address(host));
    let hosts = ["-m", &one, "-n", &format!("{two},{three},{four}")];
    assert_eq!(check(&room, &hosts).0, Vec::<String>::new());

    room.on(0, "/usr/sbin/sshd -p 6443");
    room.on(1, "hostname host0; mkdir -p /etc/kubernetes && touch /etc/kubernetes/kubelet.conf");
    // Packets as large as the others send do not get in here; and one of them is not reached.
    let small = "for link in /sys/class/net/*; do link=${link##*/}; [ $link = lo ] || ip link set $link mtu 1400; done";
    room.on(2, &format!("{small}; ip route add blackhole {four}/32"));
    let expected = [
        format!("{one} mtu error"),
        format!("{one} port error"),
        format!("{two} kubernetes error"),
        format!("{two} mtu error"),
        format!("{two} same-hostname error"),
        format!("{three} reach error"),
        format!("{four} reach error"),
    ];
    assert_eq!(check(&room, &hosts), (expected.into(), Some(5)));
}

#[test]
fn a_host_that_cannot_be_reached_is_a_finding_among_others() {
    let room = Room::with(2);
    let (one, two) = (room.address(0), format!("{}:1", room.address(1)));
    let (found, code) = check(&room, &["-m", &one, "-n", &two]);
    assert!(found.contains(&format!("{} ssh error", room.address(1))), "{found:?}");
    assert_eq!(code, Some(5));
}
