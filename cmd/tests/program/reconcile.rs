//! A Clusterfile that changes: what is asked is made of what is there.

use serde_json::json;

use crate::hosts::{PASSWORD, Room};

const CONFIG: &str = "cat /var/lib/sealer/data/my-cluster/rootfs/etc/app.conf 2>/dev/null";

#[test]
fn hosts_come_and_go_and_settings_change_in_one_apply() {
    let room = Room::with(4);
    room.build_tally();
    room.clusterfile(&[0], &[1, 2], "");
    room.user.ok(&["apply"]);
    room.clusterfile(&[0], &[1, 3], "env: [MODE=slow]\n  ");
    let (going, first) = (room.address(2), room.address(0));
    room.user.refused(
        &["apply"],
        2,
        &format!(
            "error: will not take {going} out of cluster `my-cluster` unasked\n\
             hint: `--force` does it without asking\n"
        ),
    );
    assert_eq!(room.on_all("cat /marks/init 2>/dev/null"), ["ran\n", "ran\n", "ran\n", ""]);
    let plan = room.user.ok(&["plan", "-o", "plan.json"]);
    for step in ["clean/kubeadm", "clean/clean.sh", "remove/rootfs"] {
        assert!(plan.contains(&format!("  {step}  {going}\n")), "{plan}");
    }
    assert!(plan.contains(&format!("PreClean\n  leave/kubeconfig  {first}\n")), "{plan}");
    // A plan that was looked at needs no asking.
    room.user.ok(&["apply", "--plan", "plan.json"]);
    // Another environment makes another step of the scripts.
    assert_eq!(room.on_all("cat /marks/init 2>/dev/null"), ["ran\nran\n", "ran\nran\n", "", "ran\n"]);
    assert_eq!(room.on_all(CONFIG), ["mode=slow\n", "mode=slow\n", "", "mode=slow\n"]);
    assert_eq!(room.on(2, "ls -A /var/lib/sealer"), "");
    let digest = room.user.data(&["inspect", "tally:v1"])["digest"].as_str().unwrap().to_owned();
    let nothing = format!("cluster my-cluster, image tally:v1 ({digest})\nnothing to do\n");
    assert_eq!(room.user.ok(&["plan"]), nothing);
}

#[test]
fn a_run_that_broke_off_while_a_host_left_is_gone_on_with_and_deleted_whole() {
    let room = Room::with(3);
    room.build_tally();
    room.user.write("tally/scripts/clean.sh", "[ ! -e /marks/stop ] || exit 7\nrm -rf /marks\n");
    room.user.ok(&["build", "-t", "tally:v1", "tally"]);
    room.clusterfile(&[0], &[1, 2], "");
    room.user.ok(&["apply"]);
    room.on(2, "touch /marks/stop");
    room.clusterfile(&[0], &[1], "");
    let broken = room.user.sealer(&["-q", "apply", "--force"]);
    assert_eq!(broken.code, Some(5), "{}", broken.stderr);
    room.on(2, "rm /marks/stop");
    room.user.ok(&["resume", "-p", PASSWORD]);
    assert_eq!(room.on_all("ls -A /var/lib/sealer"), ["data\n", "data\n", ""]);
    // Once more, and then all is given up: also the host that was on its way out is cleaned.
    room.clusterfile(&[0], &[1, 2], "");
    room.user.ok(&["apply"]);
    room.on(2, "touch /marks/stop");
    room.clusterfile(&[0], &[1], "");
    assert_eq!(room.user.sealer(&["-q", "apply", "--force"]).code, Some(5));
    room.on(2, "rm /marks/stop");
    let deleted = room.user.result(&["delete", "-a", "--force", "-p", PASSWORD]);
    assert_eq!(deleted["hosts"].as_array().unwrap().len(), 3);
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 3]);
}

#[test]
fn another_image_replaces_the_one_that_is_there() {
    let room = Room::with(2);
    room.build_tally();
    room.clusterfile(&[0], &[1], "");
    room.user.ok(&["apply"]);
    room.user.write("tally/etc/more.conf", "more: 1\n");
    room.user.ok(&["build", "-t", "tally:v1", "tally"]);
    let report = room.user.result(&["apply"]);
    let hosts = report["hosts"].as_array().unwrap();
    assert!(hosts.iter().all(|host| host["sentBytes"].as_u64() < Some(1000)), "{report}");
    let more = "cat /var/lib/sealer/data/my-cluster/rootfs/etc/more.conf";
    assert_eq!(room.on_all(more), ["more: 1\n"; 2]);
    assert_eq!(room.user.result(&["apply"])["steps"], json!(0));
}

#[test]
fn a_cluster_cannot_lose_all_its_masters() {
    let room = Room::with(2);
    room.build_tally();
    room.clusterfile(&[0], &[], "");
    room.user.ok(&["apply"]);
    room.clusterfile(&[1], &[], "");
    room.user.refused(
        &["apply", "--force"],
        3,
        "error: hosts: no master of cluster `my-cluster` would stay, and with the last one it is gone\n\
         hint: keep one until the new masters are in, or `sealer delete` the cluster first\n",
    );
}

/// Answers as etcd's own tool does: who its members are, and which of them is well.
const ETCDCTL: &str = r#"#!/bin/sh
case "$*" in
    *"member list") printf '%s\n' 'a1, started, one, https://@ONE@:2380, https://@ONE@:2379, false' \
        'a2, started, two, https://@TWO@:2380, https://@TWO@:2379, false' ;;
    *https://@TWO@*"endpoint health") [ ! -e /marks/ill ] ;;
esac
"#;

#[test]
fn a_kubernetes_loses_no_master_without_whom_its_etcd_decides_nothing() {
    let room = Room::with(3);
    room.build_tally();
    room.clusterfile(&[0, 1], &[2], "");
    room.user.ok(&["apply"]);
    room.user.write("tally/Kubefile", "FROM scratch\nENV MODE=fast\nCOPY scripts etc bin ./\nCMD true\n");
    room.user.write("tally/bin/kubeadm", "true\n");
    room.user.write(
        "tally/etc/kubeadm.yml",
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n",
    );
    room.user.ok(&["build", "--allow-missing", "-t", "tally:v1", "tally"]);
    let (first, second) = (room.address(0), room.address(1));
    let tool = ETCDCTL.replace("@ONE@", &first).replace("@TWO@", &second);
    room.on(
        0,
        &format!(
            "mkdir -p /etc/kubernetes/manifests /usr/local/bin && touch /etc/kubernetes/manifests/etcd.yaml /marks/ill \
             && cat > /usr/local/bin/etcdctl <<'END'\n{tool}END\nchmod +x /usr/local/bin/etcdctl"
        ),
    );
    room.clusterfile(&[0], &[2], "");
    room.user.refused(
        &["apply", "--force"],
        5,
        &format!("error: {first}: 1 of 2 members of etcd are well and 2 are needed: none can be removed\n"),
    );
    room.on(0, "rm /marks/ill");
    let plan = room.user.ok(&["plan"]);
    for step in ["leave/kubeconfig", "clean/etcd"] {
        assert!(plan.contains(&format!("  {step}  {first}\n")), "{plan}");
    }
    assert!(plan.contains(&format!("  clean/kubeadm  {second}\n")), "{plan}");
}
