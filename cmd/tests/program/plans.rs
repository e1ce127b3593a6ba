//! Plans that are looked at, kept, and done just so; runs that are in the way of others.

use std::fs;

use serde_json::json;

use crate::hosts::{PASSWORD, Room};

/// A cluster of two hosts as a Clusterfile.
fn clusterfile(room: &Room, mode: &str) {
    let text = format!(
        "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: my-cluster\nspec:\n  image: demo:v1\n  \
         env: [MODE={mode}]\n  ssh:\n    passwd: {PASSWORD}\n  hosts:\n  - ips: [{}]\n    roles: [master]\n  \
         - ips: [{}]\n    roles: [node]\n",
        room.address(0),
        room.address(1)
    );
    room.user.write("Clusterfile", text);
}

#[test]
fn a_plan_that_was_kept_is_done_just_so_and_afterwards_nothing_is_left_to_do() {
    let room = Room::with(2);
    room.build_demo();
    room.user.write("demo/scripts/init.sh", "mkdir -p /marks; true || systemctl restart kubelet\n");
    room.user.ok(&["build", "-t", "demo:v1", "demo"]);
    clusterfile(&room, "fast");
    let shown = room.user.ok(&["plan", "-o", "plan.json"]);
    assert!(shown.contains("    (touches kubelet; disruptive)\n"), "{shown}");
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 2]);
    let report = room.user.result(&["apply", "--plan", "plan.json"]);
    // Two trees, two scripts, a command, a plugin on the node; the kubeconfig is read twice.
    assert_eq!((&report["steps"], &report["stepsBefore"]), (&json!(8), &json!(0)));
    let digest = room.user.data(&["inspect", "demo:v1"])["digest"].as_str().unwrap().to_owned();
    let nothing = format!("cluster my-cluster, image demo:v1 ({digest})\nnothing to do\n");
    assert_eq!(room.user.ok(&["plan"]), nothing);
    let rootfs = "/var/lib/sealer/data/my-cluster/rootfs";
    room.on(1, &format!("echo drifted > {rootfs}/etc/app.conf"));
    let (master, node) = (room.address(0), room.address(1));
    assert_eq!(
        room.user.ok(&["plan"]),
        format!(
            "cluster my-cluster, image demo:v1 ({digest})\nDistribute\n  distribute/rootfs\n    {node}  1 files, 20 bytes\n\
             Init\n  init/kubeconfig  {master}\nGuest\n  guest/kubeconfig  {master}\n"
        )
    );
    let hosts = |files: u64, bytes: u64, in_place: bool| {
        let none = json!({ "files": 0, "bytes": 0 });
        let differs = json!({ "files": files, "bytes": bytes });
        json!([
            { "address": master, "roles": ["master"], "inPlace": true, "differs": none, "steps": [] },
            { "address": node, "roles": ["node"], "inPlace": in_place, "differs": differs, "steps": [] },
        ])
    };
    let status = ["status", "-p", PASSWORD];
    assert_eq!(room.user.result(&status)["hosts"], hosts(1, 20, false));
    let answer = room.user.sealer(&["-q", "status", "--drift", "-p", PASSWORD]);
    assert!(answer.stdout.contains("  node    1 files differ (20 B)\n"), "{}", answer.stdout);
    assert_eq!(
        (answer.code, answer.stderr.as_str()),
        (
            Some(1),
            "error: 1 of 2 hosts are not as they were asked for\nhint: `sealer run` or `sealer apply` mends what differs\n"
        )
    );
    room.user.ok(&["apply"]);
    assert_eq!(room.user.ok(&["plan"]), nothing);
    assert_eq!(room.user.result(&status)["hosts"], hosts(0, 0, true));
}

#[test]
fn a_plan_is_refused_with_the_difference_when_the_world_has_changed() {
    let room = Room::with(2);
    room.build_demo();
    clusterfile(&room, "fast");
    room.user.ok(&["plan", "-o", "plan.json"]);
    clusterfile(&room, "slow");
    room.user.refused(
        &["apply", "--plan", "plan.json"],
        1,
        "error: what is to be done to cluster `my-cluster` is not what was planned any more\n  \
         the environment, arguments, configs or plugins are others\n\
         hint: `sealer plan` makes a new plan; look at it before you apply it\n",
    );
    clusterfile(&room, "fast");
    room.user.ok(&["apply", "--plan", "plan.json"]);
    room.user.refused(
        &["apply", "--plan", "Clusterfile"],
        3,
        "error: `Clusterfile` holds no plan\n  caused by: expected value at line 1 column 1\n\
         hint: `sealer plan -o FILE` writes one\n",
    );
    let answer = room.user.sealer(&["-q", "apply", "--plan", "plan.json"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    assert!(answer.stderr.contains("\n  - HostInit\n"), "{}", answer.stderr);
    assert!(answer.stderr.contains("\n  + nothing to do\n"), "{}", answer.stderr);
}

#[test]
fn another_run_is_refused_while_one_is_unfinished_and_there_are_three_ways_on() {
    let room = Room::with(2);
    room.build_demo();
    room.user.write("demo/scripts/init.sh", "mkdir -p /marks; [ -e /marks/go ]\n");
    room.user.ok(&["build", "-t", "demo:v1", "demo"]);
    room.user.ok(&["tag", "demo:v1", "demo:v2"]);
    room.user.write("demo/etc/plain.yaml", "other: 1\n");
    room.user.ok(&["build", "-t", "demo:v2", "demo"]);
    let flags = room.flags();
    let run = |image: &str, more: &str| {
        let flags = flags.iter().map(String::as_str);
        let more = Some(more).filter(|more| !more.is_empty());
        let args: Vec<&str> = ["-q", "run", image].into_iter().chain(flags).chain(more).collect();
        room.user.sealer(&args)
    };
    assert_eq!(run("demo:v1", "").code, Some(5));
    let journal = fs::read_to_string(room.user.path("root/clusters/my-cluster/journal.jsonl")).unwrap();
    let begun: serde_json::Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    let answer = run("demo:v2", "");
    assert_eq!(
        (answer.code, answer.stderr),
        (
            Some(1),
            format!(
                "error: the run of `demo:v1` on cluster `my-cluster` that began at {} is not finished, and this is another: \
                 the image is `demo:v2`, not `demo:v1`\n\
                 hint: `sealer resume -c my-cluster` goes on with the one that is not finished\n\
                 hint: `--abandon` gives it up and does this one: what is done on the hosts stays as it is\n\
                 hint: `sealer delete -c my-cluster` takes back what it did\n",
                begun["at"].as_str().unwrap()
            )
        )
    );
    room.on_all("touch /marks/go");
    room.user.ok(&["resume", "-p", PASSWORD]);
    room.user.refused(
        &["resume", "-p", PASSWORD],
        1,
        "error: no run of cluster `my-cluster` is unfinished\nhint: `sealer run` or `sealer apply` begins one\n",
    );
    room.on_all("rm /marks/go");
    assert_eq!(run("demo:v2", "").code, Some(5));
    room.on_all("touch /marks/go");
    assert_eq!(run("demo:v1", "--abandon").code, Some(0));
}
