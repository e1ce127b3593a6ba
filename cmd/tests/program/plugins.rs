//! Plugins of others, from their Kubefile to their effect on hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::hosts::Room;
use crate::kit::User;

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A program or shared object that these tests put into images: `cargo test --workspace` builds it.
pub(crate) fn built(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_sealer")).with_file_name(file);
    assert!(path.exists(), "{file} is not built: cargo test --workspace builds it");
    path
}

fn take(user: &User, from: &Path, to: &str) {
    let to = user.path(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// Takes the base image of the demo and builds it as `kubernetes:v1.19.8`.
pub(crate) fn build_base(user: &User) {
    let base = workspace().join("testdata/demo/base");
    for file in ["Kubefile", "scripts/init.sh", "scripts/clean.sh", "scripts/start-api.sh"] {
        take(user, &base.join(file), &format!("kubernetes/{file}"));
    }
    take(user, &built("nodes-api"), "kubernetes/bin/nodes-api");
    user.ok(&["build", "-t", "kubernetes:v1.19.8", "kubernetes"]);
}

#[test]
fn the_plugin_of_the_owners_page_lists_the_nodes_after_the_install() {
    let room = Room::with(3);
    let user = &room.user;
    build_base(user);
    let example = workspace().join("plugin/examples/list_nodes");
    for file in ["Kubefile", "list_nodes.yaml"] {
        take(user, &example.join(file), &format!("list_nodes/{file}"));
    }
    take(user, &built("deps/liblist_nodes.so"), "list_nodes/list_nodes.so");
    let kubefile = "FROM kubernetes:v1.19.8\nCOPY list_nodes.so plugin\nCOPY list_nodes.yaml plugin\n";
    assert_eq!(fs::read_to_string(user.path("list_nodes/Kubefile")).unwrap(), kubefile);
    let build = user
        .command(&["build", "-m", "lite", "-t", "kubernetes-post-install:v1.19.8", "."])
        .current_dir(user.path("list_nodes"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let flags = room.flags();
    let run: Vec<&str> = ["run", "kubernetes-post-install:v1.19.8"]
        .into_iter()
        .chain(flags.iter().map(String::as_str))
        .collect();
    let answer = user.sealer(&run);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let nodes: Vec<String> = (0..3).map(|index| room.address(index)).collect();
    let told: Vec<&str> =
        answer.stderr.lines().filter_map(|line| line.strip_prefix("[list_nodes.so] ")).collect();
    assert_eq!(told, nodes);
    let rootfs = "/var/lib/sealer/data/my-cluster/rootfs";
    assert_eq!(
        room.on_all(&format!("cat {rootfs}/nodes.txt")),
        [format!("{}\n", nodes.join("\n")).as_str(); 3]
    );
    user.ok(&["delete", "-a", "--force", "-p", crate::hosts::PASSWORD]);
    assert_eq!(
        room.on_all("ls -A /var/lib/sealer /etc/kubernetes /run/nodes-api.pid 2>/dev/null"),
        ["/var/lib/sealer:\n"; 3]
    );
}

#[test]
fn a_plugin_in_c_asks_every_host() {
    let room = Room::with(2);
    let user = &room.user;
    let example = workspace().join("plugin/examples/host_report");
    user.write("host_report/Kubefile", "FROM scratch\nCOPY host_report.so host_report.yaml plugin\n");
    take(user, &example.join("host_report.yaml"), "host_report/host_report.yaml");
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I"])
        .arg(workspace().join("plugin/abi/include"))
        .arg("-o")
        .arg(user.path("host_report/host_report.so"))
        .arg(example.join("host_report.c"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    user.ok(&["build", "-t", "host-report:v1", "host_report"]);
    let flags = room.flags();
    let run: Vec<&str> =
        ["run", "host-report:v1"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let answer = user.sealer(&run);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let told: Vec<&str> =
        answer.stderr.lines().filter_map(|line| line.strip_prefix("[host_report] ")).collect();
    let machine = room.on(0, "echo $(uname -r), $(nproc) processors");
    let machine = machine.trim();
    assert_eq!(told, [0, 1].map(|index| format!("{}: {machine}", room.address(index))));
}

#[test]
fn a_plugin_that_crashes_is_named_and_the_run_can_go_on_without_it() {
    let room = Room::with(1);
    let user = &room.user;
    let output = Command::new("cc")
        .args(["-std=gnu99", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I"])
        .arg(workspace().join("plugin/abi/include"))
        .arg("-o")
        .arg(user.path("hostile.so"))
        .arg(workspace().join("testdata/plugins/hostile.c"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    take(user, &user.path("hostile.so"), "context/hostile.so");
    user.write("context/Kubefile", "FROM scratch\nCOPY hostile.so crash.yaml plugin\n");
    user.write(
        "context/crash.yaml",
        "apiVersion: sealer.cloud/v1\nkind: Plugin\nmetadata:\n  name: crash\nspec:\n  type: HOSTILE\n  action: PostInstall\n  data: segfault\n",
    );
    user.ok(&["build", "-t", "crash:v1", "context"]);
    let flags = room.flags();
    let run: Vec<&str> = ["run", "crash:v1"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    user.refused(
        &run,
        6,
        "error: step `PostInstall/crash`: plugin `crash` crashed (signal 11)\n    about to misbehave\n\
         hint: the plugin is described in plugin/crash.yaml; sealer itself and its other steps are unharmed\n\
         hint: the same command goes on from here: what is done stays done\n",
    );
}
