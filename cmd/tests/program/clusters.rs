//! Clusters on real hosts over real SSH: run, run again, apply, delete.

use std::fs;

use sealer_sandbox::UpOptions;
use serde_json::json;

use crate::hosts::{PASSWORD, Room};
use crate::kit::files;

const CONFIG: &str = "cat /var/lib/sealer/data/my-cluster/rootfs/etc/app.conf";

#[test]
fn a_run_brings_the_image_to_every_host_and_does_its_steps() {
    let room = Room::with(3);
    room.build_demo();
    let report = room.run("demo:v1", &["-e", "ZONE=a", "--cmd-args", "GREETING=ahoy"]);
    assert_eq!((&report["cluster"], &report["image"]), (&json!("my-cluster"), &json!("demo:v1")));
    assert_eq!(room.on_all(CONFIG), ["mode=fast\nzone=a\n"; 3]);
    assert_eq!(room.on_all("cat /marks/init"), ["/var/lib/docker fast\n"; 3]);
    assert_eq!(room.on_all("cat /marks/plugin 2>/dev/null"), ["", "a\n", "a\n"]);
    assert_eq!(room.on_all("cat /marks/cmd 2>/dev/null"), ["ahoy\n", "", ""]);
    let registry = room.on_all("ls /var/lib/sealer/data/my-cluster/rootfs/registry 2>/dev/null");
    assert_eq!(registry, ["blob\n", "", ""]);
}

#[test]
fn a_second_run_moves_nothing_and_a_changed_file_moves_alone() {
    let room = Room::with(2);
    room.build_demo();
    room.run("demo:v1", &[]);
    let before = room.files();
    let report = room.run("demo:v1", &[]);
    let sent: Vec<_> =
        report["hosts"].as_array().unwrap().iter().map(|host| host["sentBytes"].clone()).collect();
    assert_eq!(sent, [json!(0), json!(0)]);
    assert_eq!(room.files(), before);
    room.user.write("demo/etc/plain.yaml", "other: 1\n");
    room.user.ok(&["build", "-t", "demo:v1", "demo"]);
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let plan = room.user.result(&[&["run", "demo:v1", "--dry-run"], &flags[..]].concat());
    let amount = json!({ "files": 1, "bytes": 9 });
    assert_eq!(
        plan["phases"][0]["steps"][0]["action"]["distribute"]["sends"],
        json!({ (room.address(0)): amount, (room.address(1)): amount })
    );
}

#[test]
fn a_dry_run_shows_every_step_and_changes_nothing() {
    let room = Room::with(2);
    room.build_demo();
    let (master, node) = (room.address(0), room.address(1));
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let plan = room.user.ok(&[&["run", "demo:v1", "--dry-run"], &flags[..]].concat());
    let digest = room.user.data(&["inspect", "demo:v1"])["digest"].as_str().unwrap().to_owned();
    let rootfs = "/var/lib/sealer/data/my-cluster/rootfs";
    assert_eq!(
        plan,
        format!(
            "cluster my-cluster, image demo:v1 ({digest})
Distribute
  distribute/rootfs
    {master}  7 files, 322 bytes
    {node}  6 files, 296 bytes
HostInit
  host-init/init.sh  {master}, {node}
    cd {rootfs}/scripts && bash init.sh /var/lib/docker sea.hub 5000
Init
  init/kubeconfig  {master}
Guest
  guest/cmd-1  {master}
    cd {rootfs} && echo ${{GREETING}} > /marks/cmd
    (not undone by a delete)
  guest/kubeconfig  {master}
PostInstall
  PostInstall/mark  {node}  (SHELL of plugin/mark.yaml)
    (not undone by a delete)
"
        )
    );
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 2]);
    assert_eq!(files(&room.user.path("root/clusters")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_user_who_may_use_sudo_can_run_and_delete() {
    let room = Room::with(2);
    room.build_demo();
    room.run("demo:v1", &["-u", "ops"]);
    assert_eq!(room.on_all("stat -c %U /marks/init"), ["root\n"; 2]);
    room.user.ok(&["delete", "-a", "--force", "-u", "ops", "-p", PASSWORD]);
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 2]);
}

#[test]
fn a_delete_leaves_nothing_here_or_there() {
    let room = Room::with(2);
    room.build_demo();
    room.run("demo:v1", &[]);
    let deleted = room.user.result(&["delete", "--all", "--force", "-p", PASSWORD]);
    assert_eq!(
        deleted,
        json!({ "cluster": "my-cluster", "hosts": [room.address(0), room.address(1)], "unreachable": [], "left": [] })
    );
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 2]);
    assert_eq!(files(&room.user.path("root/clusters")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_node_can_go_alone_and_the_last_master_cannot() {
    let room = Room::with(3);
    room.build_demo();
    room.run("demo:v1", &[]);
    let master = room.address(0);
    room.user.refused(
        &["delete", "-m", &master, "--force", "-p", PASSWORD],
        2,
        "error: -m or -n: no master would be left\nhint: `-a` removes the whole cluster\n",
    );
    room.user.ok(&["delete", "-n", &room.address(2), "--force", "-p", PASSWORD]);
    assert_eq!(room.on_all("ls -A /var/lib/sealer"), ["data\n", "data\n", ""]);
    let left = room.user.result(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(left["hosts"], json!([master, room.address(1)]));
}

#[test]
fn a_run_that_failed_half_way_goes_on_or_is_deleted() {
    let room = Room::with(2);
    room.build_demo();
    room.on(1, "mkdir /marks && touch /marks/stop");
    let script =
        "if [ -e /marks/stop ]; then echo told to stop; exit 9; fi; mkdir -p /marks; touch /marks/init\n";
    room.user.write("demo/scripts/init.sh", script);
    room.user.ok(&["build", "-t", "demo:v1", "demo"]);
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = [&["run", "demo:v1"], &flags[..]].concat();
    let rootfs = "/var/lib/sealer/data/my-cluster/rootfs";
    room.user.refused(
        &run,
        5,
        &format!(
            "error: step `host-init/init.sh` failed on 1 of 2 hosts\n  \
             {}: `cd {rootfs}/scripts && bash init.sh /var/lib/docker sea.hub 5000` exited with 9\n    \
             told to stop\n\
             hint: the same command goes on from here: what is done stays done\n",
            room.address(1)
        ),
    );
    room.on(1, "rm /marks/stop");
    let report = room.run("demo:v1", &[]);
    let sent: Vec<_> =
        report["hosts"].as_array().unwrap().iter().map(|host| host["sentBytes"].clone()).collect();
    assert_eq!(sent, [json!(0), json!(0)]);
    room.on(1, "touch /marks/stop");
    assert_eq!(room.user.sealer(&[&run[..], &["--again"]].concat()).code, Some(5));
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 2]);
}

#[test]
fn a_clusterfile_says_it_all() {
    let room = Room::of(&UpOptions { hosts: 3, masters: 1, password: PASSWORD, disk: None });
    room.build_demo();
    let (master, one, other) = (room.address(0), room.address(1), room.address(2));
    let clusterfile = format!(
        "apiVersion: sealer.cloud/v2
kind: Cluster
metadata:
  name: prod
spec:
  image: demo:v1
  env:
    - MODE=slow
  ssh:
    passwd: {PASSWORD}
  hosts:
    - ips: [{master}]
      roles: [master]
    - ips: [{one}]
      roles: [node]
      env:
        - ZONE=b
    - ips: ['{other}']
      roles: [node]
      ssh:
        user: ops
---
apiVersion: sealer.cloud/v1
kind: Config
metadata:
  name: plain
spec:
  path: etc/plain.yaml
  strategy: merge
  data: |
    change: 2
---
apiVersion: sealer.cloud/v1
kind: Config
metadata:
  name: new
spec:
  path: etc/new.txt
  data: |
    mode {{{{ .MODE }}}}
---
apiVersion: sealer.cloud/v1
kind: Plugin
metadata:
  name: here
spec:
  type: SHELL
  action: PreInstall
  on: {one}
  data: touch /marks/here
"
    );
    room.user.write("Clusterfile", clusterfile);
    room.user.ok(&["apply", "-f", "Clusterfile"]);
    let of = |file: &str| room.on_all(&format!("cat /var/lib/sealer/data/prod/rootfs/etc/{file}"));
    assert_eq!(of("app.conf"), ["mode=slow\nzone=none\n", "mode=slow\nzone=b\n", "mode=slow\nzone=none\n"]);
    assert_eq!(of("plain.yaml"), ["keep: 1\nchange: 2\n"; 3]);
    assert_eq!(of("new.txt"), ["mode slow\n"; 3]);
    assert_eq!(room.on_all("ls /marks/here 2>/dev/null"), ["", "/marks/here\n", ""]);
    room.user.ok(&["delete", "-f", "Clusterfile", "--force", "-p", PASSWORD]);
    assert_eq!(room.on_all("ls -A /var/lib/sealer"), [""; 3]);
}

#[test]
fn the_password_is_kept_nowhere_and_printed_nowhere() {
    let room = Room::with(2);
    room.build_demo();
    room.user.write("secret", format!("{PASSWORD}\n"));
    let paste = sealer_sandbox::paste(room.hosts());
    let hosts: Vec<&str> = paste.split(' ').collect();
    let args = [&["run", "demo:v1", "--passwd-file", "secret", "--output", "json"], &hosts[..]].concat();
    let answer = room.user.sealer(&args);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let telling: Vec<_> = files(&room.user.path("root"))
        .into_iter()
        .filter(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).contains(PASSWORD))
        .collect();
    assert_eq!(telling, Vec::<std::path::PathBuf>::new());
    assert!(!(answer.stdout + &answer.stderr).contains(PASSWORD));
}

#[test]
fn a_run_is_logged_with_its_cluster_whatever_was_shown() {
    let room = Room::with(1);
    room.build_demo();
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let answer = room.user.sealer(&[&["--quiet", "run", "demo:v1"], &flags[..]].concat());
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let logs = files(&room.user.path("root/clusters/my-cluster/logs"));
    assert_eq!(logs.len(), 1);
    let text = fs::read_to_string(&logs[0]).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = lines.iter().filter(|line| line["event"] == "started" && line["kind"] == "step");
    let steps: Vec<&str> = steps.map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        ["distribute/rootfs", "host-init/init.sh", "init/kubeconfig", "guest/cmd-1", "guest/kubeconfig"]
    );
    assert!(lines.iter().all(|line| line["at"].as_str().is_some_and(|at| at.ends_with('Z'))));
}
