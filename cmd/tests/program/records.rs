//! What hosts record of a root that was verified, and when it is not believed.

use crate::hosts::Room;

/// Has each host tell when something of it is hashed.
const WATCH: &str = "for tool in openssl sha256sum; do real=$(command -v $tool); printf '#!/bin/sh\\necho \"$PWD $*\" >> /tmp/hashed\\nexec %s \"$@\"\\n' $real > /usr/local/bin/$tool; chmod 755 /usr/local/bin/$tool; done";
/// The calls that hash files of the root.
const HASHED: &str = "grep -c 'rootfs.* ./etc/plain.yaml' /tmp/hashed 2>/dev/null; rm -f /tmp/hashed";
const RUN: [&str; 2] = ["--cluster-name", "demo"];
const PLAIN: &str = "/var/lib/sealer/data/demo/rootfs/etc/plain.yaml";

fn sent(room: &Room, more: &[&str]) -> (u64, u64) {
    let report = room.run("demo:v1", &[&RUN, more].concat());
    let bytes = report["hosts"].as_array().unwrap().iter().map(|host| host["sentBytes"].as_u64().unwrap());
    (report["steps"].as_u64().unwrap(), bytes.sum())
}

#[test]
fn an_unchanged_root_is_not_hashed_again_unless_that_is_asked_for() {
    let room = Room::with(2);
    room.build_demo();
    sent(&room, &[]);
    room.on_all(WATCH);
    assert_eq!(sent(&room, &[]), (0, 0));
    assert_eq!(room.on_all(HASHED), ["", ""]);
    // What a command adds takes nothing from what the image brought.
    room.on_all("date > /var/lib/sealer/data/demo/rootfs/etc/more");
    assert_eq!(sent(&room, &[]), (0, 0));
    assert_eq!(room.on_all(HASHED), ["", ""]);
    assert_eq!(sent(&room, &["--verify"]), (0, 0));
    assert_eq!(room.on_all(HASHED), ["1\n", "1\n"]);
}

#[test]
fn a_file_that_was_changed_behind_its_time_and_size_is_found_and_mended() {
    let room = Room::with(2);
    room.build_demo();
    sent(&room, &[]);
    let change = format!(
        "touch -r {PLAIN} /tmp/time && printf 'keep: 2\\nchange: 2\\n' > {PLAIN} && touch -r /tmp/time {PLAIN}"
    );
    room.on(1, &change);
    assert!(sent(&room, &[]).1 > 0);
    assert_eq!(room.on_all(&format!("cat {PLAIN}")), ["keep: 1\nchange: 1\n"; 2]);
    // Touched, and found to be as it was by its digest, it is recorded anew.
    room.on_all(&format!("touch {PLAIN}"));
    room.on_all(WATCH);
    assert_eq!(sent(&room, &[]), (0, 0));
    assert_eq!(room.on_all(HASHED), ["1\n", "1\n"]);
    assert_eq!(sent(&room, &[]), (0, 0));
    assert_eq!(room.on_all(HASHED), ["", ""]);
}
