//! `ETCD` with a real etcd on two masters: a snapshot, a change, and the snapshot restored.
//!
//! What stands in is the kubelet: a loop that runs etcd as long as its static pod's manifest is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sealer_sandbox::UpOptions;

use crate::hosts::{PASSWORD, Room};

/// Makes certificates as kubeadm does, in their place.
const PKI: &str = r#"
set -e
mkdir -p /etc/kubernetes/pki/etcd /etc/kubernetes/manifests /var/lib/etcd
cd /etc/kubernetes/pki/etcd
new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $new -keyout ca.key -out ca.crt -subj /CN=etcd-ca -days 10 2> /dev/null
openssl req $new -keyout server.key -out server.csr -subj /CN=etcd 2> /dev/null
echo subjectAltName=IP:127.0.0.1 > san
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 10 -extfile san -out server.crt 2> /dev/null
cp server.crt healthcheck-client.crt
cp server.key healthcheck-client.key
"#;

/// Runs etcd with the arguments of its manifest while that is there.
const KUBELET: &str = r#"#!/bin/bash
manifest=/etc/kubernetes/manifests/etcd.yaml
pid=
while :; do
    if [ -f $manifest ]; then
        if [ -z "$pid" ] || ! kill -0 $pid 2> /dev/null; then
            etcd $(sed -n 's/^ *- \(--.*\)/\1/p' $manifest) >> /root/etcd.log 2>&1 &
            pid=$!
        fi
    elif [ -n "$pid" ]; then
        kill $pid
        wait $pid
        pid=
    fi
    sleep 0.1
done
"#;

const CTL: &str = "ETCDCTL_API=3 etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt \
                   --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key";

fn manifest(index: usize, address: &str, all: &str) -> String {
    let pki = "/etc/kubernetes/pki/etcd";
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\nspec:\n  containers:\n  - command:\n    - etcd\n    \
         - --name=m{index}\n    - --data-dir=/var/lib/etcd\n    - --initial-cluster={all}\n    \
         - --initial-advertise-peer-urls=http://{address}:2380\n    - --listen-peer-urls=http://{address}:2380\n    \
         - --advertise-client-urls=https://{address}:2379\n    - --listen-client-urls=https://127.0.0.1:2379\n    \
         - --cert-file={pki}/server.crt\n    - --key-file={pki}/server.key\n    - --trusted-ca-file={pki}/ca.crt\n    \
         - --client-cert-auth=true\n"
    )
}

/// Two masters with etcd.
fn cluster() -> Room {
    let room = Room::of(&UpOptions { hosts: 2, masters: 2, password: PASSWORD, disk: None });
    let addresses = [0, 1].map(|index| room.address(index));
    let all = format!("m0=http://{}:2380,m1=http://{}:2380", addresses[0], addresses[1]);
    for (index, address) in addresses.iter().enumerate() {
        let manifest = manifest(index, address, &all);
        room.on(index, PKI);
        room.on(index, &format!("cat > /etc/kubernetes/manifests/etcd.yaml <<'END'\n{manifest}END"));
        room.on(index, &format!("cat > /root/kubelet <<'END'\n{KUBELET}END"));
        room.on(index, "setsid bash /root/kubelet > /dev/null 2>&1 < /dev/null &");
    }
    let health = format!(
        "for i in $(seq 300); do {CTL} endpoint health > /dev/null 2>&1 && echo up && exit; sleep 0.2; done"
    );
    for index in [0, 1] {
        assert_eq!(room.on(index, &health), "up\n", "{}", room.on(index, "tail -n 20 /root/etcd.log"));
    }
    room
}

fn document(data: &str) -> String {
    format!("kind: Plugin\nmetadata:\n  name: backup\nspec:\n  type: ETCD\n  action: PostInstall\n{data}")
}

#[test]
fn a_snapshot_of_etcd_is_kept_here_and_restored_on_all_masters() {
    let room = cluster();
    let user = &room.user;
    let masters = format!("{},{}", room.address(0), room.address(1));
    let file = user.path("etcd.db");
    let run = |data: &str| {
        user.write("etcd.yaml", document(data));
        user.ok(&["plugin", "run", "-f", "etcd.yaml", "-m", &masters, "-p", PASSWORD])
    };
    room.on(0, &format!("{CTL} put key before"));
    // The original's way to say it.
    run(&format!("  on: {}\n", file.display()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(room.on_all("ls /var/lib/etcd"), ["member\n"; 2]);
    room.on(0, &format!("{CTL} put key after; {CTL} put other after"));
    assert_eq!(room.on(1, &format!("{CTL} get key")), "key\nafter\n");
    run(&format!("  data: restore {}\n", file.display()));
    let get = format!("{CTL} get --prefix ''");
    assert_eq!(room.on_all(&get), ["key\nbefore\n"; 2]);
    assert_eq!(
        room.on_all("ls /var/lib/etcd /etc/kubernetes"),
        ["/etc/kubernetes:\nmanifests\npki\n\n/var/lib/etcd:\nmember\nmember.before-restore\n"; 2]
    );
    room.on(1, &format!("{CTL} put key again"));
    assert_eq!(room.on(0, &format!("{CTL} get key")), "key\nagain\n");
}

#[test]
fn what_cannot_be_kept_or_restored_is_refused_before_anything_is_changed() {
    let room = Room::with(1);
    let (user, master) = (&room.user, room.address(0));
    for (data, message) in [
        ("keep", "`keep` is neither `snapshot FILE` nor `restore FILE`, with the file's path from the root"),
        ("restore /nowhere/etcd.db", "there is no file `/nowhere/etcd.db` to restore"),
        ("snapshot /nowhere/etcd.db", "the folder of `/nowhere/etcd.db` is not there"),
    ] {
        user.write("etcd.yaml", document(&format!("  data: {data}\n")));
        user.refused(
            &["plugin", "run", "-f", "etcd.yaml", "-m", &master, "-p", PASSWORD],
            3,
            &format!("error: etcd.yaml:1: `data` of plugin `backup`: {message}\n"),
        );
    }
}
