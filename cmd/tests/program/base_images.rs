//! Base images as the original's were: their scripts get the calls of its generations, to the word.
//!
//! The scripts record how they are called. kubeadm does too, and starts what stands in for the API server.

use crate::hosts::{PASSWORD, Room};
use crate::plugins::built;

/// Writes down the folder, the words, and what of the environment the newer generation is told.
const RECORD: &str = r#"#!/bin/bash
told=${ContainerRuntime:+ ($ContainerRuntime $RegistryDomain $RegistryPort $RegistryURL $HostIP)}
echo "$PWD: $(tr '\0' ' ' < /proc/$$/cmdline | sed 's/ $//')$told" >> /calls
"#;

/// Where the scripts copy programs to the host.
const COPY: &str = "cp \"$(dirname \"$0\")\"/../bin/* /usr/bin/\n";

const KUBEADM: &str = r#"#!/bin/bash
[ "$1" = reset ] || echo "kubeadm $1" >> /calls
case $1 in
    init)
        rm -f /etc/kubernetes/admin.conf
        address=$(sed -n 's/^ *advertiseAddress: //p' "$3")
        # shellcheck disable=SC2086
        setsid nodes-api "$address:6443" /etc/kubernetes/admin.conf $NODES > /run/api.log 2>&1 < /dev/null &
        echo $! > /run/api.pid
        for _ in {1..100}; do [ ! -f /etc/kubernetes/admin.conf ] || exit 0; sleep 0.1; done
        cat /run/api.log >&2
        exit 1
        ;;
    reset)
        if [ -f /run/api.pid ]; then kill "$(cat /run/api.pid)"; rm -f /run/api.pid; fi
        rm -rf /etc/kubernetes
        ;;
esac
"#;

const ROOT: &str = "/var/lib/sealer/data/my-cluster/rootfs";

/// Builds an image with these scripts, runs it on a master and a node, deletes it, and returns the
/// calls on each.
fn calls(scripts: &[(&str, &str)]) -> [String; 2] {
    let room = Room::with(2);
    let user = &room.user;
    for (name, more) in scripts {
        user.write(&format!("base/scripts/{name}"), format!("{RECORD}{more}"));
    }
    let names = room.on_all("hostname").concat().replace('\n', " ");
    user.script("base/bin/kubeadm", &KUBEADM.replace("$NODES", &names));
    std::fs::copy(built("nodes-api"), user.path("base/bin/nodes-api")).unwrap();
    user.write("base/registry/docker/registry/v2/blob", "one\n");
    user.write(
        "base/etc/kubeadm.yml",
        "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.19.8\n",
    );
    user.write("base/app.sh", RECORD);
    user.write(
        "base/Kubefile",
        "FROM scratch\nCOPY scripts bin registry etc app.sh ./\nCMD bash app.sh one two\n",
    );
    // Nobody starts a container here: those that kubeadm would are left out.
    user.ok(&["build", "--allow-missing", "-t", "kubernetes:v1.19.8", "base"]);
    room.run("kubernetes:v1.19.8", &[]);
    let registries = room.on_all(&format!("ls {ROOT}/registry 2>/dev/null"));
    assert_eq!(registries, ["docker\n", ""]);
    user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    let calls = room.on_all("cat /calls");
    let [master, node] =
        [0, 1].map(|index| calls[index].replace(ROOT, "R").replace(&room.address(index), "HOST"));
    [master, node]
}

#[test]
fn scripts_of_0_7_and_0_8_are_called_as_these_versions_did() {
    let [master, node] = calls(&[
        ("init.sh", COPY),
        ("init-registry.sh", ""),
        ("init-kube.sh", ""),
        ("docker.sh", ""),
        ("clean.sh", ""),
    ]);
    assert_eq!(
        master,
        "R/scripts: bash init.sh /var/lib/docker sea.hub 5000\n\
         R/scripts: sh init-registry.sh 5000 R/registry sea.hub\n\
         kubeadm init\n\
         kubeadm token\n\
         R: bash app.sh one two\n\
         R/scripts: /bin/bash R/scripts/clean.sh\n"
    );
    assert_eq!(
        node,
        "R/scripts: bash init.sh /var/lib/docker sea.hub 5000\n\
         kubeadm join\n\
         R/scripts: /bin/bash R/scripts/clean.sh\n"
    );
}

#[test]
fn scripts_of_0_9_are_called_one_by_one_with_what_they_are_told_exported() {
    let [master, node] = calls(&[
        ("containerd.sh", ""),
        ("init-registry.sh", ""),
        ("init-kube.sh", COPY),
        ("uninstall-containerd.sh", ""),
    ]);
    let told = "(containerd sea.hub 5000 sea.hub:5000 HOST)";
    assert_eq!(
        master,
        format!(
            "/root: bash R/scripts/containerd.sh {told}\n\
             R/scripts: bash init-registry.sh 5000 R/registry sea.hub {told}\n\
             R/scripts: bash init-kube.sh {told}\n\
             kubeadm init\n\
             kubeadm token\n\
             R: bash app.sh one two\n\
             R/scripts: bash R/scripts/uninstall-containerd.sh\n"
        )
    );
    assert_eq!(
        node,
        format!(
            "/root: bash R/scripts/containerd.sh {told}\n\
             R/scripts: bash init-kube.sh {told}\n\
             kubeadm join\n\
             R/scripts: bash R/scripts/uninstall-containerd.sh\n"
        )
    );
}
