//! Runs that are refused: message, exit code, and that nothing is changed.

use std::net::TcpListener;

use sealer_sandbox::UpOptions;

use crate::hosts::{PASSWORD, Room};
use crate::kit::{User, files};

/// A user with an image of one file.
fn with_image() -> User {
    let user = User::new();
    user.write("context/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("context/note.txt", "a note\n");
    user.ok(&["build", "-t", "demo:v1", "context"]);
    user
}

fn no_clusters(user: &User) {
    assert_eq!(files(&user.path("root/clusters")), Vec::<std::path::PathBuf>::new());
}

/// Applies a Clusterfile, which must be refused with this text.
fn clusterfile_refused(text: &str, stderr: &str) {
    let user = with_image();
    user.write("Clusterfile", text);
    user.refused(&["apply", "-f", "Clusterfile"], 3, stderr);
    no_clusters(&user);
}

const HEAD: &str =
    "apiVersion: sealer.cloud/v2\nkind: Cluster\nmetadata:\n  name: prod\nspec:\n  image: demo:v1\n";

#[test]
fn a_host_that_is_master_and_node_is_refused() {
    let user = with_image();
    user.refused(
        &["run", "demo:v1", "-m", "10.0.0.1-10.0.0.3", "-n", "10.0.0.2", "-p", "x"],
        2,
        "error: -n: `10.0.0.2` is given twice, as master and as node\n",
    );
    no_clusters(&user);
}

#[test]
fn a_range_that_runs_backwards_is_refused() {
    with_image().refused(
        &["run", "demo:v1", "-m", "10.0.0.3-10.0.0.1", "-p", "x"],
        2,
        "error: -m: the range `10.0.0.3-10.0.0.1` ends before it begins\n\
         hint: write addresses, ranges and `address:port`, with commas between: `10.0.0.1-10.0.0.3,10.0.0.9:2222`\n",
    );
}

#[test]
fn a_run_without_a_master_is_refused() {
    let answer = with_image().sealer(&["run", "demo:v1", "-n", "10.0.0.1"]);
    assert_eq!(answer.code, Some(2));
    let asked = "error: `sealer run` wants `--masters HOSTS`\n";
    assert!(answer.stderr.starts_with(asked), "{}", answer.stderr);
}

#[test]
fn a_missing_clusterfile_is_said_to_be_missing() {
    User::new().refused(
        &["apply", "-f", "Clusterfile"],
        3,
        "error: there is no Clusterfile at `Clusterfile`\nhint: `-f FILE` names another one\n",
    );
}

#[test]
fn an_unknown_field_is_named_with_what_was_meant() {
    clusterfile_refused(
        &format!("{HEAD}  host:\n    - ips: [10.0.0.1]\n      roles: [master]\n"),
        "error: Clusterfile:7: unknown field `host`, expected one of image, env, cmd_args, cmd, ssh, hosts\nhint: did you mean `hosts`?\n",
    );
}

#[test]
fn a_host_that_stands_twice_is_refused() {
    clusterfile_refused(
        &format!(
            "{HEAD}  hosts:\n    - ips: [10.0.0.1]\n      roles: [master]\n    - ips: [10.0.0.2, 10.0.0.1]\n      roles: [node]\n"
        ),
        "error: Clusterfile:10: `10.0.0.1` is given twice\nhint: each host is named once, with all its roles\n",
    );
}

#[test]
fn a_clusterfile_without_a_master_is_refused() {
    clusterfile_refused(
        &format!("{HEAD}  hosts:\n    - ips: [10.0.0.1]\n      roles: [node]\n"),
        "error: Clusterfile:1: no host has the role `master`\n\
         hint: give one `roles: [master]`: the first is where the image's commands run\n",
    );
}

#[test]
fn a_phase_that_does_not_exist_is_refused_with_those_that_do() {
    clusterfile_refused(
        &format!(
            "{HEAD}  hosts:\n    - ips: [10.0.0.1]\n      roles: [master]\n---\napiVersion: sealer.cloud/v1\nkind: Plugin\nmetadata:\n  name: odd\nspec:\n  type: SHELL\n  action: PostInit\n  data: 'true'\n"
        ),
        "error: Clusterfile:17: phase `PostInit` does not exist\n\
         hint: did you mean `PreInit`? phases that take plugins: Originally, PreHostInit, PreInit, PreInstall, PreJoin, PostJoin, PreGuest, PostInstall, PreUpgrade, PostUpgrade, PreClean, PostClean\n",
    );
}

#[test]
fn a_plugin_type_that_nobody_registers_is_refused_before_any_host_is_asked() {
    clusterfile_refused(
        &format!(
            "{HEAD}  hosts:\n    - ips: [10.0.0.1]\n      roles: [master]\n---\napiVersion: sealer.cloud/v1\nkind: Plugin\nmetadata:\n  name: odd\nspec:\n  type: LIST_NODE\n  action: PostInstall\n"
        ),
        "error: Clusterfile:11: no plugin has the type `LIST_NODE`\nhint: this image and sealer have CLUSTERCHECK, ETCD, HOSTNAME, LABEL, SHELL, TAINT\n",
    );
}

#[test]
fn all_mistakes_of_a_clusterfile_come_at_once() {
    clusterfile_refused(
        &format!(
            "{HEAD}  env: [novalue]\n  hosts:\n    - ips: [10.0.0.300]\n      roles: [master]\n    - ips: [10.0.0.1]\n"
        ),
        "error: 3 mistakes\n  \
         Clusterfile:7: `novalue` is not `NAME=value`\n  \
         Clusterfile:9: `10.0.0.300` is no address\n    \
         hint: write addresses, ranges and `address:port`, with commas between: `10.0.0.1-10.0.0.3,10.0.0.9:2222`\n  \
         Clusterfile:11: these hosts have no role\n    \
         hint: add `roles: [master]` or `roles: [node]`\n",
    );
}

#[test]
fn a_template_without_its_variable_is_refused_before_any_host_is_asked() {
    let user = User::new();
    user.write("context/Kubefile", "FROM scratch\nCOPY etc .\n");
    user.write("context/etc/app.conf.tmpl", "mode=fast\nzone={{ .ZONE }}\n");
    user.ok(&["build", "-t", "demo:v1", "context"]);
    user.refused(
        &["run", "demo:v1", "-m", "10.0.0.1", "-p", "x"],
        3,
        "error: etc/app.conf.tmpl:2: `ZONE` is not in the environment\n\
         hint: give it a value with `-e NAME=value`, or in the Clusterfile's `env`\n",
    );
    no_clusters(&user);
}

#[test]
fn one_wrong_password_of_three_stops_the_run_before_any_host_is_changed() {
    let room = Room::with(3);
    room.build_demo();
    room.on(1, "echo root:other | chpasswd");
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    room.user.refused(
        &[&["run", "demo:v1"], &flags[..]].concat(),
        5,
        &format!(
            "error: {}: `root` may not log in: the password is refused\n\
             hint: check the user (`-u USER`), the password (`--passwd-file FILE`) and the key (`--pk FILE`)\n",
            room.address(1)
        ),
    );
    assert_eq!(room.on_all("ls -A /var/lib/sealer /marks 2>/dev/null"), ["/var/lib/sealer:\n"; 3]);
    no_clusters(&room.user);
}

#[test]
fn every_host_that_cannot_be_reached_is_told_at_once() {
    let room = Room::with(3);
    room.build_demo();
    room.sandbox().kill(&room.address(1)).unwrap();
    room.sandbox().cut(&room.address(2)).unwrap();
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (dead, cut) = (room.address(1), room.address(2));
    room.user.refused(
        &[&["run", "demo:v1"], &flags[..]].concat(),
        5,
        &format!(
            "error: 2 hosts failed\n  {dead}: port 22 refuses the connection\n  {cut}: no answer from port 22\n\
             hint: is sshd running there? `--port PORT` names another port\n\
             hint: check the address, the network between, and firewalls\n"
        ),
    );
    assert_eq!(room.on(0, "ls -A /var/lib/sealer"), "");
}

#[test]
fn a_port_that_nobody_listens_on_is_said_to_refuse() {
    let user = with_image();
    // A port that was just given to us is free, and nobody else is given it so soon.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    user.refused(
        &["run", "demo:v1", "-m", &format!("127.0.0.1:{port}"), "-p", "x"],
        5,
        &format!(
            "error: 127.0.0.1: port {port} refuses the connection\n\
             hint: is sshd running there? `--port PORT` names another port\n"
        ),
    );
    no_clusters(&user);
}

#[test]
fn a_host_with_another_key_than_before_is_refused_until_it_is_forgotten() {
    let room = Room::with(1);
    room.build_demo();
    room.run("demo:v1", &[]);
    let known = room.user.path("root/clusters/my-cluster/known_hosts");
    let address = room.address(0);
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHgZ2Xb2Hn2sJm5kqkT5f7cVxk0cJ6y0m3x6c2f1bE1r";
    std::fs::write(&known, format!("[{address}]:22 {other}\n")).unwrap();
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = [&["run", "demo:v1"], &flags[..]].concat();
    room.user.refused(
        &run,
        5,
        &format!(
            "error: {address}: the host key has changed since this cluster was made\n\
             hint: if the machine was reinstalled, `sealer host forget {address}`; if it was not, somebody may stand between\n"
        ),
    );
    let forgot = room.user.ok(&["host", "forget", &address]);
    assert_eq!(forgot, format!("forgot the key of {address} in cluster my-cluster\n"));
    room.user.refused(
        &["host", "forget", &address],
        2,
        &format!(
            "error: cluster `my-cluster` has no key of `{address}`\nhint: hosts are named by their address\n"
        ),
    );
    room.user.ok(&run);
}

#[test]
fn a_host_without_space_is_refused_before_anything_is_sent() {
    let room = Room::of(&UpOptions { hosts: 1, masters: 1, password: PASSWORD, disk: Some(1 << 20) });
    room.user.write("context/Kubefile", "FROM scratch\nCOPY big .\n");
    room.user.write("context/big", vec![7; 4 << 20]);
    room.user.ok(&["build", "-t", "big:v1", "context"]);
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let answer = room.user.sealer(&[&["-q", "run", "big:v1"], &flags[..]].concat());
    assert_eq!(answer.code, Some(5));
    let begun = format!(
        "error: {}: no space: 4194304 bytes are needed at `/var/lib/sealer/data/my-cluster`, ",
        room.address(0)
    );
    assert!(answer.stderr.starts_with(&begun), "{}", answer.stderr);
    assert!(answer.stderr.ends_with(" are free\nhint: free some space there, then run it again\n"));
    assert_eq!(room.on(0, "ls -A /var/lib/sealer"), "");
    no_clusters(&room.user);
}
