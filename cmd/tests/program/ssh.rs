//! Ways to hosts: through a bastion, by the user's own configuration, over connections that break.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::hosts::{PASSWORD, Room};

/// Cuts the way from this machine to hosts; other hosts reach them still.
pub(crate) fn hide(room: &Room, hosts: &[usize]) {
    let first = room.address(0);
    let here = format!("{}.1", first.rsplit_once('.').unwrap().0);
    for host in hosts {
        room.on(*host, &format!("ip route add blackhole {here}/32"));
        let address = format!("{}:22", room.address(*host)).parse().unwrap();
        assert!(TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_err());
    }
}

/// Runs a tool of OpenSSH.
fn keygen(dir: &Path, args: &[&str]) {
    let output = Command::new("ssh-keygen").args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_bastion_that_does_not_answer_is_named() {
    let room = Room::with(3);
    room.build_demo();
    let (bastion, master, node) = (room.address(0), room.address(1), room.address(2));
    let closed = format!("{bastion}:1");
    room.user.refused(
        &["run", "demo:v1", "-m", &master, "-n", &node, "-p", PASSWORD, "--jump", &closed],
        5,
        &format!(
            "error: 2 hosts failed\n  {master}: through {bastion}:1: port 1 refuses the connection\n  \
             {node}: through {bastion}:1: port 1 refuses the connection\n\
             hint: is sshd running there? `--port PORT` names another port\n"
        ),
    );
}

#[test]
fn the_users_own_configuration_says_how_hosts_are_reached() {
    let room = Room::with(3);
    room.build_demo();
    let home = room.user.path("home/.ssh");
    fs::create_dir_all(home.join("more")).unwrap();
    keygen(&home, &["-q", "-t", "ed25519", "-N", "pass phrase", "-f", "room"]);
    keygen(&home, &["-q", "-t", "ed25519", "-N", "", "-f", "authority"]);
    let public = fs::read_to_string(home.join("room.pub")).unwrap();
    for host in 0..3 {
        room.on(host, &format!("mkdir -p ~ops/.ssh && echo '{}' > ~ops/.ssh/authorized_keys && chown -R ops ~ops/.ssh && chmod 700 ~ops ~ops/.ssh && chmod 600 ~ops/.ssh/authorized_keys && echo 'ops ALL=(root) NOPASSWD: /bin/sh' > /etc/sudoers.d/ops", public.trim()));
    }
    hide(&room, &[1, 2]);
    fs::write(home.join("config"), "Include more/*\nHost *\n  IdentityFile ~/.ssh/room\n").unwrap();
    fs::write(
        home.join("more/room"),
        format!(
            "Host {} {}\n  User ops\n  ProxyJump {}\n",
            room.address(1),
            room.address(2),
            room.address(0)
        ),
    )
    .unwrap();
    let (master, node) = (room.address(1), room.address(2));
    let args = ["run", "demo:v1", "-m", &master, "-n", &node, "--pk-passwd", "pass phrase"];
    room.user.ok(&args);
    assert_eq!(room.on(2, "cat /marks/init"), "/var/lib/docker fast\n");
    // A certificate beside the key: the hosts know its authority only.
    let authority = fs::read_to_string(home.join("authority.pub")).unwrap();
    keygen(&home, &["-q", "-s", "authority", "-I", "me", "-n", "ops", "room.pub"]);
    for host in 0..3 {
        room.on(host, &format!("echo 'cert-authority {}' > ~ops/.ssh/authorized_keys", authority.trim()));
    }
    let again = room.user.ok(&args);
    assert_eq!(again, "cluster my-cluster runs demo:v1 on 2 hosts already: nothing to do\n");
}

#[test]
fn a_connection_that_breaks_within_a_command_is_made_again_and_the_command_is_not() {
    let room = Room::with(2);
    room.build_demo();
    let script = "mkdir -p /marks\nif [ ! -e /marks/broken ]; then touch /marks/broken\n\
                  for of in /proc/[0-9]*; do case $(cat $of/comm) in sshd*) [ $of = /proc/1 ] || kill -9 ${of#/proc/};; esac; done; fi\necho init >> /marks/init\n";
    room.user.write("demo/scripts/init.sh", script);
    room.user.ok(&["build", "-t", "demo:v1", "demo"]);
    room.run("demo:v1", &[]);
    assert_eq!(room.on_all("cat /marks/init"), ["init\n"; 2]);
    let journal = fs::read_to_string(room.user.path("root/clusters/my-cluster/journal.jsonl")).unwrap();
    let found = journal.lines().filter(|line| line.contains(r#""how":"found""#)).count();
    assert_eq!(found, 2);
}

#[test]
fn a_chain_that_is_none_is_refused() {
    let room = crate::kit::User::new();
    room.refused(
        &["run", "demo:v1", "-m", "10.0.0.1", "-p", "x", "--jump", "a b"],
        2,
        "error: --jump: `a b` is not `user@host:port`\n",
    );
}
