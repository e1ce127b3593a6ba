//! Distribution from host to host: what moves, from whom, and what is left when something breaks.

use serde_json::Value;

use crate::hosts::Room;

/// What a distribution leaves besides the roots and the cache: agents, and folders of cut transfers.
const LEFT: &str = "ps -eo args | grep -v grep | grep -c '[.]agent-'; ls -A /var/lib/sealer/data/*/ | grep -v -e '^.rootfs-[^b]' -e '^.verified$' | tr '\\n' ' '";

/// What is left on so many hosts where all is well: the root, and on the master the cluster's state.
fn left(hosts: usize) -> Vec<&'static str> {
    let mut left = vec!["0\nrootfs "; hosts];
    left[0] = "0\nrootfs state.jsonl ";
    left
}

/// Bytes that no compression makes less.
pub(crate) fn noise(mut seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

fn image(room: &Room, big: &[u8]) {
    let user = &room.user;
    user.write("big/Kubefile", "FROM scratch\nCOPY bin registry etc ./\n");
    user.write("big/bin/big", big);
    for index in 0..40_u64 {
        user.write(&format!("big/bin/many/{index}"), noise(index + 1, 900));
    }
    user.write("big/bin/empty", "");
    user.write("big/etc/who.conf.tmpl", "who={{ .WHO }}\n");
    user.write("big/registry/blob", noise(77, 500_000));
    user.ok(&["build", "-t", "big:v1", "big"]);
}

fn bytes(report: &Value, name: &str) -> Vec<u64> {
    report["hosts"].as_array().unwrap().iter().map(|host| host[name].as_u64().unwrap()).collect()
}

#[test]
fn relayed_hosts_have_what_streamed_hosts_have_and_nothing_of_the_relaying_is_left() {
    let room = Room::with(4);
    image(&room, &noise(5, 4_000_000));
    room.run("big:v1", &["-e", "WHO=all", "--distributor", "ssh", "--cluster-name", "one"]);
    let report = room.run("big:v1", &["-e", "WHO=all", "--distributor", "relay", "--cluster-name", "two"]);
    let list = |cluster: &str| {
        format!(
            "cd /var/lib/sealer/data/{cluster}/rootfs/ && find . -printf '%y %m %P %l\\n' | sort && find . -type f | sort | xargs sha256sum"
        )
    };
    const OTHERS: &str = "0\n/var/lib/sealer/data/one/: rootfs  /var/lib/sealer/data/two/: rootfs ";
    assert_eq!(room.on_all(&list("two")), room.on_all(&list("one")));
    assert_eq!(
        room.on_all(LEFT),
        [
            "0\n/var/lib/sealer/data/one/: rootfs state.jsonl  /var/lib/sealer/data/two/: rootfs state.jsonl ",
            OTHERS,
            OTHERS,
            OTHERS
        ]
    );
    let (sent, relayed) = (bytes(&report, "sentBytes"), bytes(&report, "relayedBytes"));
    // The first is sent the image by this machine, and hands it on; the agent goes to one, and on from there.
    assert!(sent[0] > 4_500_000 && sent[1..].iter().all(|sent| *sent < 2_000_000), "{sent:?}");
    assert!(relayed[0] == 0 && relayed[1..].iter().all(|bytes| *bytes > 4_000_000), "{relayed:?}");
}

#[test]
fn a_changed_release_moves_what_changed_and_the_last_delete_takes_the_cache_along() {
    let room = Room::with(3);
    let mut big = noise(5, 6_000_000);
    image(&room, &big);
    room.run("big:v1", &["-e", "WHO=all", "--distributor", "relay"]);
    // In the middle, and longer than before: what stands behind it has moved.
    big.splice(3_000_000..3_000_010, noise(9, 100_000));
    image(&room, &big);
    let report = room.run("big:v1", &["-e", "WHO=all", "--distributor", "relay"]);
    let got: Vec<u64> = bytes(&report, "relayedBytes");
    assert!(got[1..].iter().all(|bytes| (100_000..700_000).contains(bytes)), "{report}");
    let digest = "sha256sum < /var/lib/sealer/data/my-cluster/rootfs/bin/big";
    let expected = room.user.write("expected", &big);
    let expected =
        std::process::Command::new("sha256sum").stdin(std::fs::File::open(expected).unwrap()).output();
    let expected = String::from_utf8(expected.unwrap().stdout).unwrap();
    assert_eq!(room.on_all(digest), [expected.as_str(); 3]);
    room.user.ok(&["delete", "-a", "--force", "-p", crate::hosts::PASSWORD]);
    assert_eq!(room.on_all("ls -A /var/lib/sealer"), [""; 3]);
}

/// Begins a relayed run that is slow enough to be disturbed, and disturbs it once a host's agent runs.
fn disturbed(room: &Room, host: usize, disturb: impl Fn(&mut std::process::Child)) -> std::process::Output {
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let more = ["-e", "WHO=all", "--distributor", "relay", "--bandwidth", "500K"];
    let args = [&["--output", "json", "run", "big:v1"], &flags[..], &more].concat();
    let (out, errors) = (std::fs::File::create(room.user.path("out")), std::process::Stdio::null());
    let mut child = room.user.command(&args).stdout(out.unwrap()).stderr(errors).spawn().unwrap();
    while room.on(host, "pgrep '^[.]agent-'").is_empty() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before an agent was seen");
    }
    disturb(&mut child);
    let status = child.wait().unwrap();
    std::process::Output { status, stdout: std::fs::read(room.user.path("out")).unwrap(), stderr: Vec::new() }
}

const ROOT: &str = "cd /var/lib/sealer/data/my-cluster/rootfs/ && find . -type f | sort | xargs sha256sum";

#[test]
fn a_host_whose_agent_is_killed_is_named_and_ends_like_the_others() {
    let room = Room::with(4);
    image(&room, &noise(5, 4_000_000));
    let output = disturbed(&room, 2, |_| {
        room.on(2, "pkill -KILL '^[.]agent-'");
    });
    let events = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{events}");
    assert!(
        events.contains(&format!("{} is sent a plain stream: the agent ended with 137", room.address(2))),
        "{events}"
    );
    let roots = room.on_all(ROOT);
    assert_eq!((&roots[2], &roots[3]), (&roots[1], &roots[1]));
    assert_eq!(room.on_all(LEFT), left(4));
}

#[test]
fn an_operator_that_is_killed_leaves_no_agent_and_the_next_run_ends_the_work() {
    let room = Room::with(3);
    image(&room, &noise(5, 4_000_000));
    disturbed(&room, 2, |child| child.kill().unwrap());
    // sshd has closed the agents' input by now, or does so any moment.
    for host in 0..3 {
        while !room.on(host, "pgrep '^[.]agent-'").is_empty() {}
    }
    room.run("big:v1", &["-e", "WHO=all", "--distributor", "relay"]);
    let roots = room.on_all(ROOT);
    assert_eq!(&roots[1], &roots[2]);
    assert_eq!(roots[1].lines().count(), 44);
    assert_eq!(room.on_all(LEFT), left(3));
}

#[test]
fn what_a_killed_run_left_is_gone_after_a_run_that_lacks_nothing() {
    let room = Room::with(3);
    image(&room, &noise(5, 4_000_000));
    room.user.ok(&["tag", "big:v1", "big:before"]);
    room.run("big:before", &["-e", "WHO=all", "--distributor", "relay"]);
    let roots = room.on_all(ROOT);
    image(&room, &noise(6, 16_000_000));
    disturbed(&room, 2, |child| child.kill().unwrap());
    for host in 0..3 {
        while !room.on(host, "pgrep '^[.]agent-'").is_empty() {}
    }
    // No host has come as far as the switch.
    assert_eq!(room.on_all(ROOT), roots);
    assert_eq!(room.on(0, "cd /var/lib/sealer/data/my-cluster && ls -d .partial"), ".partial\n");
    let report = room.run("big:before", &["-e", "WHO=all", "--distributor", "relay", "--abandon"]);
    assert_eq!((bytes(&report, "sentBytes"), bytes(&report, "relayedBytes")), (vec![0; 3], vec![0; 3]));
    assert_eq!(room.on_all(LEFT), left(3));
    assert_eq!(room.on_all("ss -ltnH | grep -vc ':22 '"), ["0\n"; 3]);
    assert_eq!(room.on_all(ROOT), roots);
}
