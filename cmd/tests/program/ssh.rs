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
fn the_passphrase_of_an_encrypted_key_is_asked_for_once_and_not_shown() {
    let room = Room::with(2);
    room.build_demo();
    let home = room.user.path("home/.ssh");
    fs::create_dir_all(&home).unwrap();
    keygen(&home, &["-q", "-t", "ed25519", "-N", "open sesame", "-f", "id_ed25519"]);
    let public = fs::read_to_string(home.join("id_ed25519.pub")).unwrap();
    for host in 0..2 {
        let setup = "mkdir -p ~/.ssh && echo 'KEY' > ~/.ssh/authorized_keys && chmod -R go= ~ ~/.ssh";
        room.on(host, &setup.replace("KEY", public.trim()));
    }
    let (master, node) = (room.address(0), room.address(1));
    let run = ["--quiet", "run", "demo:v1", "-m", &master, "-n", &node];
    let question = format!("Passphrase of the key {}: ", home.join("id_ed25519").display());
    let (code, shown) = room.user.at_terminal(&run, (&question, "open sesame"));
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!((shown.matches("Passphrase").count(), shown.contains("sesame")), (1, false), "{shown}");
    assert_eq!(room.on_all("cat /marks/init"), ["/var/lib/docker fast\n"; 2]);
    let kept = fs::read_to_string(room.user.path("root/clusters/my-cluster/Clusterfile")).unwrap();
    assert!(!kept.contains("sesame"), "{kept}");

    // Nobody is there to be asked.
    room.user.refused(
        &["status", "-c", "my-cluster"],
        5,
        &format!(
            "error: 2 hosts failed\n  {master}: `root` may not log in: the key `~/home/.ssh/id_ed25519` is encrypted, and there is no passphrase for it\n  \
             {node}: `root` may not log in: the key `~/home/.ssh/id_ed25519` is encrypted, and there is no passphrase for it\n\
             hint: check the user (`-u USER`), the password (`--passwd-file FILE`) and the key (`--pk FILE`)\n"
        ),
    );
    room.user.ok(&["delete", "-a", "--force", "--pk-passwd", "open sesame"]);
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
