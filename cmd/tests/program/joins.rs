//! Hosts that join a cluster.

use crate::hosts::{PASSWORD, Room};

/// A room of three hosts, two of which are a cluster.
fn cluster_of_two() -> Room {
    let room = Room::with(3);
    room.build_tally();
    let (master, node) = (room.address(0), room.address(1));
    room.user.ok(&["run", "tally:v1", "-m", &master, "-n", &node, "-p", PASSWORD]);
    room
}

#[test]
fn a_host_joins_and_nothing_is_done_again_on_the_others() {
    let room = cluster_of_two();
    room.user.ok(&["join", "-n", &room.address(2), "-p", PASSWORD]);
    assert_eq!(room.on_all("cat /marks/init"), ["ran\n"; 3]);
    assert_eq!(room.on_all("cat /marks/cmd 2>/dev/null"), ["ran\n", "", ""]);
    let config = "cat /var/lib/sealer/data/my-cluster/rootfs/etc/app.conf";
    assert_eq!(room.on_all(config), ["mode=fast\n"; 3]);
    let deleted = room.user.result(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(deleted["hosts"].as_array().unwrap().len(), 3);
}

#[test]
fn a_host_of_the_cluster_cannot_join_it_again() {
    let room = cluster_of_two();
    let node = room.address(1);
    room.user.refused(
        &["join", "-n", &node, "-p", PASSWORD],
        2,
        &format!("error: -m or -n: `{node}` is a host of cluster `my-cluster` already\n"),
    );
}
