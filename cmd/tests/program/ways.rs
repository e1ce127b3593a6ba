//! Ways to become root on hosts: whichever it is, the same is done.

use std::fs;
use std::thread;

use serde_json::json;

use crate::hosts::{PASSWORD, Room};
use crate::ssh::hide;
use crate::traces::disk;

/// The hosts of the cluster; the first host of the room is a bastion, or nothing.
const CLUSTER: [usize; 3] = [1, 2, 3];
const STATE: &str = "cd / && find marks var/lib/sealer ! -name state.jsonl ! -name '.*' -printf '%p %m %u %y %l\n' \
    | sed 's,rootfs-[0-9]*-[0-9]*,rootfs-N,g' | sort; cat /marks/*";

/// How hosts are reached.
struct Way {
    name: &'static str,
    /// What is made of the hosts before.
    prepare: fn(&Room),
    /// Flags besides the password.
    flags: fn(&Room) -> Vec<String>,
}

static WAYS: [Way; 3] = [
    Way { name: "root", prepare: |_| {}, flags: |_| Vec::new() },
    Way {
        name: "a sudo password behind a bastion",
        prepare: |room| hide(room, &CLUSTER),
        flags: through_bastion,
    },
    Way {
        name: "a sudo that wants a terminal and allows a shell alone, behind a bastion",
        prepare: |room| {
            hide(room, &CLUSTER);
            for host in CLUSTER {
                let sudoers = "Defaults requiretty\nops ALL=(root) /bin/sh\n";
                room.on(
                    host,
                    &format!("printf '{sudoers}' > /etc/sudoers.d/ops && sed -i 's/^%sudo/#&/' /etc/sudoers"),
                );
            }
        },
        flags: through_bastion,
    },
];

fn through_bastion(room: &Room) -> Vec<String> {
    ["-u", "ops", "--jump", &format!("ops@{}", room.address(0))].map(str::to_owned).into()
}

/// A cluster from its first run to its end. Returns what was on the hosts on the way.
fn end_to_end(way: &Way) -> Vec<Vec<String>> {
    let room = Room::with(4);
    room.build_demo();
    (way.prepare)(&room);
    let before = CLUSTER.map(|host| disk(&room, host));
    let flags = (way.flags)(&room);
    let login: Vec<&str> = ["-p", PASSWORD].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let (master, node, later) = (room.address(1), room.address(2), room.address(3));
    let run = [&["run", "demo:v1", "-m", &master, "-n", &node], &login[..]].concat();
    let with = |args: &[&'static str]| -> Vec<String> {
        args.iter().chain(&login).map(|word| (*word).to_owned()).collect()
    };
    let ok = |args: &[String]| room.user.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let state = || CLUSTER.map(|host| room.on(host, STATE)).to_vec();
    let mut seen = Vec::new();

    assert_eq!(room.user.result(&run)["steps"], json!(8), "{}", way.name);
    seen.push(state());
    let nothing = "cluster my-cluster runs demo:v1 on 2 hosts already: nothing to do\n";
    assert_eq!(room.user.ok(&[&["-q"], &run[..]].concat()), nothing, "{}", way.name);
    room.on(2, "echo drifted > /var/lib/sealer/data/my-cluster/rootfs/etc/plain.yaml");
    let drifted = with(&["status", "--drift"]);
    let drifted: Vec<&str> = drifted.iter().map(String::as_str).collect();
    assert_eq!(room.user.sealer(&drifted).code, Some(1), "{}", way.name);
    room.user.ok(&run);
    ok(&with(&["status", "--drift"]));
    seen.push(state());
    room.user.ok(&[&["join", "-n", &later], &login[..]].concat());
    seen.push(state());
    // A command that fails on one host is gone on with there.
    room.user.write(
        "demo/scripts/init.sh",
        "[ ! -e /stop ] || exit 9\nmkdir -p /marks; echo again > /marks/init\n",
    );
    room.user.ok(&["build", "-t", "demo:v1", "demo"]);
    room.on(2, "touch /stop");
    let nodes = format!("{node},{later}");
    let all = [&["run", "demo:v1", "-m", &master, "-n", &nodes], &login[..]].concat();
    assert_eq!(room.user.sealer(&all).code, Some(5), "{}", way.name);
    room.on(2, "rm /stop");
    ok(&with(&["resume"]));
    seen.push(state());
    // The way is kept with the cluster; the password is not.
    fs::remove_dir_all(room.user.path("root/clusters")).unwrap();
    room.user.ok(&[&["adopt", "-m", &master], &login[..]].concat());
    room.user.ok(&["delete", "-n", &later, "--force", "-p", PASSWORD]);
    seen.push(state());
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    let after = CLUSTER.map(|host| disk(&room, host));
    let names = |disks: &[std::collections::BTreeMap<String, Vec<u8>>; 3]| {
        disks.each_ref().map(|disk| disk.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(names(&after), names(&before), "{}", way.name);
    assert!(after == before, "{}", way.name);
    seen
}

#[test]
fn a_cluster_lives_and_ends_the_same_whoever_we_are_on_its_hosts() {
    let seen = thread::scope(|scope| {
        let threads = WAYS.each_ref().map(|way| scope.spawn(move || end_to_end(way)));
        threads.map(|thread| thread.join().unwrap())
    });
    for (way, other) in WAYS.iter().zip(&seen) {
        assert_eq!(*other, seen[0], "{}", way.name);
    }
}

#[test]
fn a_bastions_key_is_pinned_with_the_others() {
    let room = Room::with(3);
    room.build_demo();
    hide(&room, &[1, 2]);
    let (bastion, master, node) = (room.address(0), room.address(1), room.address(2));
    let jump = format!("ops@{bastion}");
    room.user
        .ok(&["run", "demo:v1", "-m", &master, "-n", &node, "-p", PASSWORD, "-u", "ops", "--jump", &jump]);
    let kept = fs::read_to_string(room.user.path("root/clusters/my-cluster/known_hosts")).unwrap();
    let mut pinned: Vec<&str> = kept.lines().filter_map(|line| line.split(' ').next()).collect();
    pinned.sort_unstable();
    assert_eq!(pinned, [&bastion, &master, &node].map(|host| format!("[{host}]:22")));
}
