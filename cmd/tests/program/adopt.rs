//! A cluster whose operator's machine, or first master, is lost.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use sealer_sandbox::UpOptions;
use serde_json::{Value, json};

use crate::hosts::{PASSWORD, Room};
use crate::kit::User;

const STATE: &str = "/var/lib/sealer/data/my-cluster/state.jsonl";

fn room(hosts: u16, masters: u16) -> Room {
    let room = Room::of(&UpOptions { hosts, masters, password: PASSWORD, disk: None });
    room.build_tally();
    room
}

/// The first lines of the states that hosts keep, without the time.
fn headers(room: &Room, hosts: &[usize]) -> Vec<Value> {
    let read = |host: &usize| {
        let mut header: Value = serde_json::from_str(&room.on(*host, &format!("head -n 1 {STATE}"))).unwrap();
        header["at"] = Value::Null;
        header
    };
    hosts.iter().map(read).collect()
}

/// Another machine, with the image and nothing else.
fn other_machine(room: &Room) -> User {
    let other = User::new();
    let archive = other.path("tally.tar").display().to_string();
    room.user.ok(&["save", "-o", &archive, "tally:v1"]);
    other.ok(&["load", "-i", &archive]);
    other
}

#[test]
fn a_cluster_that_lost_its_first_master_and_its_operators_machine_is_brought_back_to_health() {
    let room = room(5, 3);
    room.clusterfile(&[0, 1, 2], &[3], "");
    room.user.ok(&["apply"]);
    let kept = headers(&room, &[0, 1, 2]);
    assert_eq!(kept[0], kept[1]);
    assert_eq!(kept[0], kept[2]);
    assert_eq!(room.on(1, &format!("stat -c '%a %U' {STATE}")), "600 root\n");
    let archive = room.user.path("tally.tar").display().to_string();
    room.user.ok(&["save", "-o", &archive, "tally:v1"]);
    fs::remove_dir_all(room.user.path("root")).unwrap();
    room.sandbox().down(&[room.address(0)]).unwrap();

    let adopted = room.user.result(&["adopt", "-m", &room.address(1), "-p", PASSWORD]);
    let hosts: Vec<String> = (0..4).map(|host| room.address(host)).collect();
    assert_eq!((&adopted["hosts"], &adopted["unfinished"]), (&json!(hosts), &json!(false)));
    room.user.ok(&["load", "-i", &archive]);
    room.clusterfile(&[1, 2, 4], &[3], "");
    let plan = room.user.ok(&["plan"]);
    let lost = format!("not reached, and left as they are: {}\n", room.address(0));
    assert!(plan.contains(&lost), "{plan}");
    room.user.ok(&["apply", "--force"]);

    // What was done is done once; what the cluster had done on the master that is gone is not done again.
    let left = [1, 2, 3, 4].map(|host| room.on(host, "cat /marks/init; cat /marks/cmd 2>/dev/null"));
    assert_eq!(left, ["ran\n"; 4]);
    room.user.ok(&["status", "--drift", "-p", PASSWORD]);
    let nothing = "cluster my-cluster runs tally:v1 on 4 hosts already: nothing to do\n";
    assert_eq!(room.user.ok(&["-q", "apply"]), nothing);
    let kept = headers(&room, &[1, 2, 4]);
    assert_eq!(kept[0], kept[1]);
    assert_eq!(kept[0], kept[2]);
    let deleted = room.user.result(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(deleted["unreachable"], json!([]));
    let all = [1, 2, 3, 4].map(|host| room.on(host, "ls -A /var/lib/sealer /marks 2>/dev/null"));
    assert_eq!(all, ["/var/lib/sealer:\n"; 4]);
}

#[test]
fn another_machine_goes_on_from_what_the_masters_know() {
    let room = room(2, 1);
    room.clusterfile(&[0], &[1], "");
    room.user.ok(&["apply"]);
    let other = other_machine(&room);
    fs::copy(room.user.path("Clusterfile"), other.path("Clusterfile")).unwrap();
    assert_eq!(
        other.ok(&["-q", "apply"]),
        "cluster my-cluster runs tally:v1 on 2 hosts already: nothing to do\n"
    );
    // What the other machine takes out, this one knows of.
    other.ok(&["delete", "-n", &room.address(1), "--force", "-p", PASSWORD]);
    room.clusterfile(&[0], &[], "");
    assert_eq!(
        room.user.ok(&["-q", "apply"]),
        "cluster my-cluster runs tally:v1 on 1 hosts already: nothing to do\n"
    );
    assert_eq!(room.on_all("cat /marks/init 2>/dev/null"), ["ran\n", ""]);
}

#[test]
fn a_run_whose_machine_was_lost_is_finished_from_another_one() {
    let room = room(3, 1);
    // The command waits until it is let go.
    room.user.write(
        "tally/scripts/init.sh",
        "mkdir -p /marks; while [ ! -e /marks/go ]; do sleep 0.05; done; echo ran >> /marks/init\n",
    );
    room.user.ok(&["build", "-t", "tally:v1", "tally"]);
    room.clusterfile(&[0], &[1, 2], "");
    let other = other_machine(&room);
    let mut run = room.user.command(&["apply"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while room.on_all("ls -d /marks 2>/dev/null") != ["/marks\n"; 3] {
        thread::sleep(Duration::from_millis(20));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    fs::remove_dir_all(room.user.path("root/clusters")).unwrap();
    let adopted = other.result(&["adopt", "-m", &room.address(0), "-p", PASSWORD]);
    assert_eq!(adopted["unfinished"], json!(true));
    room.on_all("touch /marks/go");
    let report = other.result(&["resume", "-p", PASSWORD]);
    let sent: Vec<_> = report["hosts"].as_array().unwrap().iter().map(|host| &host["sentBytes"]).collect();
    assert_eq!(sent, [&json!(0); 3]);
    assert_eq!(room.on_all("cat /marks/init"), ["ran\n"; 3]);
    assert_eq!(room.on_all("cat /marks/cmd 2>/dev/null"), ["ran\n", "", ""]);
}

#[test]
fn a_host_that_is_master_of_nothing_gives_nothing_to_adopt() {
    let room = Room::with(1);
    let host = room.address(0);
    room.user.refused(
        &["adopt", "-m", &host, "-p", PASSWORD],
        1,
        &format!(
            "error: {host} is master of no cluster\n\
             hint: masters keep their cluster's state since it was last run, and until it is deleted\n"
        ),
    );
}
