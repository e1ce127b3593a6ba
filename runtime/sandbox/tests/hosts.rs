//! Throwaway hosts, made for real. Wants root.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sealer_sandbox::{Error, Guard, Host, Role, Sandbox, State, UpOptions, paste};

fn up(dir: &Path, hosts: u16) -> Guard {
    Guard::up(dir, &UpOptions { hosts, masters: 1, password: "a secret", disk: None }).unwrap()
}

fn answers(address: Ipv4Addr) -> bool {
    let address = SocketAddr::from((address, 22));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) else {
        return false;
    };
    let mut banner = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-"
}

fn exec(guard: &Guard, host: &Host, command: &str) -> String {
    let output = guard.sandbox().exec(&host.name, &["sh", "-c", command]).unwrap();
    assert_eq!(output.status, 0, "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The processes that have something of a folder mounted.
fn processes_in(dir: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let mounts = |process: &Path| fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
    let inside = processes.filter(|process| mounts(process).contains(dir.to_str().unwrap()));
    inside.map(|process| process.display().to_string()).collect()
}

#[test]
fn hosts_are_machines_of_their_own_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let machine = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let guard = up(dir.path(), 3);
    let hosts = guard.hosts.clone();
    assert_eq!(
        hosts.iter().map(|host| host.role).collect::<Vec<_>>(),
        [Role::Master, Role::Node, Role::Node]
    );
    assert!(hosts.iter().all(|host| host.state == State::Up && answers(host.address)));
    let third = hosts[0].address.octets()[2];
    assert_eq!(paste(&hosts), format!("-m 10.77.{third}.2 -n 10.77.{third}.3-10.77.{third}.4"));
    for host in &hosts {
        assert_eq!(exec(&guard, host, "hostname; cat /etc/hostname"), format!("{0}\n{0}", host.name));
        assert_eq!(exec(&guard, host, "ls -A /root /var/lib/sealer | grep -v :"), "");
        exec(&guard, host, "echo here > /etc/made-in-a-sandbox; echo x > /var/lib/sealer/x");
    }
    let ids: Vec<String> = hosts.iter().map(|host| exec(&guard, host, "cat /etc/machine-id")).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    assert!(!Path::new("/etc/made-in-a-sandbox").exists());
    assert_eq!(fs::read_to_string("/etc/hostname").unwrap_or_default(), machine);
    drop(guard);
    assert_eq!(processes_in(dir.path()), Vec::<String>::new());
    assert!(!Path::new(&format!("/sys/class/net/slr{third}")).exists());
    assert!(!Path::new(&format!("/run/netns/slr{third}-2")).exists());
    let left: Vec<_> = fs::read_dir(dir.path().join("hosts")).unwrap().collect();
    assert_eq!(left.len(), 0, "{left:?}");
}

#[test]
fn root_and_ops_log_in_with_the_password_and_with_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let guard = up(dir.path(), 1);
    let host = &guard.hosts[0];
    let log_in = |user: &str, password: &str| {
        let options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
        let mut ssh = Command::new("sshpass");
        ssh.env("SSHPASS", password)
            .args(["-e", "ssh"])
            .args(options.iter().flat_map(|option| ["-o", option]));
        let answer =
            ssh.arg(format!("{user}@{}", host.address)).arg("id -un; hostname; pwd").output().unwrap();
        (answer.status.success(), String::from_utf8(answer.stdout).unwrap())
    };
    assert_eq!(log_in("root", "a secret"), (true, format!("root\n{}\n/root\n", host.name)));
    assert_eq!(log_in("ops", "a secret"), (true, format!("ops\n{}\n/home/ops\n", host.name)));
    assert_eq!(log_in("root", "a guess"), (false, String::new()));
}

#[test]
fn a_host_is_cut_off_mended_and_killed() {
    let dir = tempfile::tempdir().unwrap();
    let guard = up(dir.path(), 2);
    let (one, other) = (&guard.hosts[0], &guard.hosts[1]);
    let state = |index: usize| guard.sandbox().list().unwrap()[index].state;
    guard.sandbox().cut(&one.name).unwrap();
    assert!(!answers(one.address) && answers(other.address));
    assert_eq!(state(0), State::Cut);
    guard.sandbox().mend(&one.address.to_string()).unwrap();
    assert!(answers(one.address));
    guard.sandbox().kill(&one.name).unwrap();
    assert!(!answers(one.address) && answers(other.address));
    assert_eq!([state(0), state(1)], [State::Dead, State::Up]);
    let dead = guard.sandbox().exec(&one.name, &["true"]).unwrap_err();
    assert_eq!(dead.to_string(), format!("host `{}` is dead", one.name));
}

#[test]
fn a_sandbox_stands_on_any_file_system_and_its_hosts_do_not_see_it() {
    let dirs = ["/dev/shm", "/var/tmp"].map(|parent| tempfile::tempdir_in(parent).unwrap());
    for dir in &dirs {
        let guard = up(dir.path(), 1);
        assert_eq!(exec(&guard, &guard.hosts[0], &format!("ls -A {}", dir.path().display())), "");
    }
}

#[test]
fn two_sandboxes_stand_side_by_side_and_one_grows() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (up(first.path(), 1), up(second.path(), 1));
    assert_ne!(one.hosts[0].address, other.hosts[0].address);
    let more =
        one.sandbox().up(&UpOptions { hosts: 1, masters: 0, password: "x", disk: Some(1 << 20) }).unwrap();
    let size = one.sandbox().exec(&more[0].name, &["df", "--output=size", "-B1", "/var/lib/sealer"]).unwrap();
    assert!(String::from_utf8(size.stdout).unwrap().ends_with("1048576\n"));
    let unknown = one.sandbox().down(&["nobody"]).unwrap_err();
    assert!(matches!(unknown, Error::Unknown { host } if host == "nobody"));
    one.sandbox().down(&[&more[0].name]).unwrap();
    assert_eq!(Sandbox::open(first.path()).unwrap().list().unwrap(), one.hosts);
}
