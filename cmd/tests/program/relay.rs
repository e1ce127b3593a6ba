//! Distribution from host to host: what moves, from whom, and what is left when something breaks.

use serde_json::Value;

use crate::hosts::Room;

/// What a distribution leaves besides the roots and the cache: agents, and folders of cut transfers.
const LEFT: &str = "ps -eo args | grep -v grep | grep -c '[.]agent-'; ls -A /var/lib/sealer/data/*/ | grep -v '^.rootfs-[^b]' | tr '\\n' ' '";

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
    assert_eq!(room.on_all(&list("two")), room.on_all(&list("one")));
    assert_eq!(
        room.on_all(LEFT),
        ["0\n/var/lib/sealer/data/one/: rootfs  /var/lib/sealer/data/two/: rootfs "; 4]
    );
    let (sent, relayed) = (bytes(&report, "sentBytes"), bytes(&report, "relayedBytes"));
    // The first is sent the image by this machine, and hands it on; the others are sent the agent.
    assert!(sent[0] > 4_500_000 && sent[1..].iter().all(|sent| *sent < 1_600_000), "{sent:?}");
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
