//! Ten hosts, an image that goes from one to the other, and something that breaks midway: what the others
//! have in the end, who is named, and that nothing of ours is left anywhere.

mod wire;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sealer_sandbox::UpOptions;

use crate::hosts::{PASSWORD, Room};
use crate::relay::noise;

const HOSTS: u16 = 10;
/// Bytes of the file that is under way when something breaks.
const BIG: usize = 9_000_000;
/// What each machine sends in a second: the whole takes some seconds.
const RATE: &str = "3M";
const ROOT: &str = "/var/lib/sealer/data/my-cluster/rootfs";

/// What a host has of the image: kinds, modes, owners, targets and contents.
const STATE: &str = "cd /var/lib/sealer/data/my-cluster/rootfs/ && find . -printf '%y %m %U %G %P %l\\n' | sort && find . -type f | sort | xargs sha256sum";
/// What is ours and has no place after a run: agents, their ports, and what is no root, record or cache.
const LEFT: &str = "ls -l /proc/[0-9]*/exe 2>/dev/null | grep -c '[.]agent-'; ss -ltnH | grep -vc ':22 '; \
     cd /var/lib/sealer && find . -mindepth 1 -maxdepth 3 ! -path './data/my-cluster/.rootfs-[0-9]*' ! -name .steps ! -name .made \
     ! -path ./cache ! -path './cache/[fm]*s' ! -path './cache/*/[0-9a-f]*' | sort";
const NOTHING_LEFT: &str =
    "0\n0\n./data\n./data/my-cluster\n./data/my-cluster/.verified\n./data/my-cluster/rootfs\n";
/// What a master has besides: the cluster's state.
const KEPT: &str = "./data/my-cluster/state.jsonl\n";

fn build(room: &Room) {
    let user = &room.user;
    user.write("big/Kubefile", "FROM scratch\nCOPY bin registry etc ./\nCMD true\n");
    user.write("big/bin/big", noise(5, BIG));
    for index in 0..40_u64 {
        user.write(&format!("big/bin/many/{index}"), noise(index + 1, 900));
    }
    user.write("big/etc/who.conf.tmpl", "who={{ .WHO }}\n");
    user.write("big/registry/blob", noise(77, 500_000));
    user.ok(&["build", "-t", "big:v1", "big"]);
}

/// What the master and a node have after a run that nobody disturbed.
fn undisturbed() -> &'static [String; 2] {
    static STATES: OnceLock<[String; 2]> = OnceLock::new();
    STATES.get_or_init(|| {
        let room = Room::with(2);
        build(&room);
        room.run("big:v1", &["-e", "WHO=all", "--distributor", "ssh"]);
        [room.on(0, STATE), room.on(1, STATE)]
    })
}

/// Ten hosts, and a run on them.
struct Trial {
    room: Room,
}

/// How a run ended.
struct Ended {
    code: Option<i32>,
    /// All that it said.
    said: String,
}

impl Trial {
    fn new() -> Self {
        Self::with(None)
    }

    /// With file systems of so many bytes.
    fn with(disk: Option<u64>) -> Self {
        let room = Room::of(&UpOptions { hosts: HOSTS, masters: 1, password: PASSWORD, disk });
        build(&room);
        // A host that is gone is given up after some seconds.
        room.user.write("home/.ssh/config", "Host *\n  ServerAliveInterval 3\n  ServerAliveCountMax 2\n");
        Self { room }
    }

    fn command(&self, more: &[&str]) -> Command {
        let flags = self.room.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let args = [&["--output", "json", "run", "big:v1"], &flags[..], &["-e", "WHO=all"], more].concat();
        let mut command = self.room.user.command(&args);
        let out = File::create(self.room.user.path("out")).unwrap();
        command.stderr(Stdio::from(out.try_clone().unwrap())).stdout(out);
        command
    }

    /// Begins a run and returns when the host has a part of the big file.
    fn midway(&self, host: usize) -> Child {
        self.midway_at(host, RATE)
    }

    fn midway_at(&self, host: usize, rate: &str) -> Child {
        self.midway_with(host, rate, 1000)
    }

    /// The same, when the host has so many blocks of 512 bytes of it.
    fn midway_with(&self, host: usize, rate: &str, blocks: u64) -> Child {
        let mut child = self.command(&["--distributor", "relay", "--bandwidth", rate]).spawn().unwrap();
        let part = "stat -c %b /var/lib/sealer/data/my-cluster/.partial/bin/big 2>/dev/null";
        while self.room.on(host, part).trim().parse::<u64>().unwrap_or_default() < blocks {
            assert_eq!(child.try_wait().unwrap(), None, "{}", self.said());
        }
        child
    }

    fn said(&self) -> String {
        fs::read_to_string(self.room.user.path("out")).unwrap()
    }

    fn end(&self, mut child: Child) -> Ended {
        Ended { code: child.wait().unwrap().code(), said: self.said() }
    }

    /// Runs it once more, to its end, and returns what was sent: from here and from host to host.
    fn again(&self) -> (u64, u64) {
        let report = self.room.run("big:v1", &["-e", "WHO=all", "--distributor", "relay"]);
        let sum = |name: &str| {
            let hosts = report["hosts"].as_array().unwrap().iter();
            hosts.map(|host| host[name].as_u64().unwrap()).sum()
        };
        (sum("sentBytes"), sum("relayedBytes"))
    }

    /// Checks hosts: each is as if nothing had been, and nothing of ours is left on it.
    fn whole(&self, hosts: impl Iterator<Item = usize>) {
        let [master, node] = undisturbed();
        for host in hosts {
            let (expected, kept) = if host == 0 { (master, KEPT) } else { (node, "") };
            let left = self.room.on(host, LEFT);
            assert_eq!(left, format!("{NOTHING_LEFT}{kept}"), "host {host}\n{}", self.said());
            assert_eq!(&self.room.on(host, STATE), expected, "host {host}\n{}", self.said());
        }
    }

    fn all_whole(&self) {
        self.whole(0..usize::from(HOSTS));
    }
}

impl Ended {
    fn must_say(&self, what: &str) {
        assert!(self.said.contains(what), "`{what}` is not in:\n{}", self.said);
    }
}

#[test]
fn an_agent_that_is_killed() {
    let trial = Trial::new();
    let child = trial.midway(4);
    trial.room.on(4, "pkill -KILL '^[.]agent-'");
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.must_say(&format!("{} is sent a plain stream: the agent ended with 137", trial.room.address(4)));
    trial.all_whole();
}

#[test]
fn an_sshd_that_is_killed() {
    let trial = Trial::new();
    let child = trial.midway(5);
    // All but the one that listens, which is the first process of the host.
    trial.room.on(5, "for process in $(pgrep sshd); do [ $process = 1 ] || kill -KILL $process; done");
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.must_say(&format!("{}: the connection broke off", trial.room.address(5)));
    trial.all_whole();
}

#[test]
fn a_network_that_is_cut() {
    let trial = Trial::new();
    let child = trial.midway(6);
    trial.room.sandbox().cut(&trial.room.address(6)).unwrap();
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(5), "{}", ended.said);
    ended.must_say(&format!("{}: no answer from port 22", trial.room.address(6)));
    // The command after the distribution was begun nowhere, so there is no record of one.
    trial.room.sandbox().mend(&trial.room.address(6)).unwrap();
    trial.again();
    trial.all_whole();
}

#[test]
fn an_operator_that_is_killed_and_goes_on_where_it_was() {
    let trial = Trial::new();
    let mut child = trial.midway_with(7, RATE, 10_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let (_, relayed) = trial.again();
    // Hosts up to that one had half of it and more; what is passed on has the agent in it, too.
    assert!(relayed < BIG as u64 * u64::from(HOSTS - 1) * 9 / 10, "{relayed}");
    trial.all_whole();
}

#[test]
fn pieces_that_are_changed_on_the_wire() {
    let trial = Trial::new();
    let wire = wire::Wire::to(&trial.room, 4);
    let child = trial.command(&["--distributor", "relay", "--bandwidth", RATE]).spawn().unwrap();
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let found = format!("is asked no more, found by {}", trial.room.address(4));
    ended.must_say(&found);
    drop(wire);
    trial.all_whole();
}

#[test]
fn pieces_that_are_changed_on_a_relays_disk() {
    let trial = Trial::new();
    let child = trial.midway(3);
    trial.room.on(
        3,
        "dd if=/dev/zero of=/var/lib/sealer/data/my-cluster/.partial/bin/big bs=64k count=4 conv=notrunc",
    );
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    ended.must_say(&format!(
        "{} is sent a plain stream: `bin/big` changed on its disk after it was checked",
        trial.room.address(3)
    ));
    trial.all_whole();
}

#[test]
fn a_disk_that_is_full() {
    let trial = Trial::with(Some(64 << 20));
    let child = trial.midway(5);
    trial.room.on(5, "dd if=/dev/zero of=/var/lib/sealer/filler bs=64k");
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(5), "{}", ended.said);
    ended.must_say(&format!("{}: no space", trial.room.address(5)));
    let others = (0..usize::from(HOSTS)).filter(|host| *host != 5);
    let states: Vec<String> = others.map(|host| trial.room.on(host, STATE)).collect();
    assert!(states[1..].iter().all(|state| *state == undisturbed()[1]), "others have all of it");
    trial.room.on(5, "rm /var/lib/sealer/filler");
    trial.again();
    trial.all_whole();
}

#[test]
fn nodes_that_fail_are_set_aside_up_to_a_number_and_a_master_never() {
    let room = Room::with(4);
    room.user.write("few/Kubefile", "FROM scratch\nCOPY scripts .\nCMD touch /done\n");
    room.user.write("few/scripts/init.sh", "test ! -e /fail && touch /init\n");
    room.user.ok(&["build", "-t", "few:v1", "few"]);
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = |most: &str| {
        room.user.sealer(&[&["--quiet", "run", "few:v1"], &flags[..], &["--max-failures", most]].concat())
    };
    for host in [1, 3] {
        room.on(host, "touch /fail");
    }
    let answer = run("1");
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    assert!(answer.stderr.contains("step `host-init/init.sh` failed on 2 of 4 hosts"), "{}", answer.stderr);
    assert_eq!(room.on_all("ls /init /done 2>/dev/null"), ["/init\n", "", "/init\n", ""]);
    let answer = run("2");
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    let listed = format!(
        "error: 2 of 4 hosts failed and were set aside; the others have all of it\n  {}: `cd {ROOT}/scripts",
        room.address(1)
    );
    assert!(answer.stderr.contains(&listed), "{}", answer.stderr);
    assert_eq!(room.on_all("ls /init /done 2>/dev/null"), ["/done\n/init\n", "", "/init\n", ""]);
    room.on_all("rm -f /fail");
    room.user.ok(&["resume", "-p", PASSWORD]);
    assert_eq!(room.on_all("ls /init 2>/dev/null"), ["/init\n"; 4]);
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    room.on(0, "touch /fail");
    let answer = run("3");
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    assert!(answer.stderr.contains("step `host-init/init.sh` failed on 1 of 4 hosts"), "{}", answer.stderr);
}

#[test]
fn a_host_with_a_wrong_key() {
    let trial = Trial::new();
    trial.room.run("big:v1", &["-e", "WHO=all", "--distributor", "relay"]);
    let known = trial.room.user.path("root/clusters/my-cluster/known_hosts");
    let text = fs::read_to_string(&known).unwrap();
    let name = |host: usize| format!("[{}]:22 ", trial.room.address(host));
    let line = |host: usize| text.lines().find(|line| line.starts_with(&name(host))).unwrap();
    let wrong = line(5).replace(&trial.room.address(5), &trial.room.address(4));
    fs::write(&known, text.replace(line(4), &wrong)).unwrap();
    trial.room.on_all(&format!("touch {ROOT}/bin/big"));
    let ended = trial.end(trial.command(&[]).spawn().unwrap());
    assert_eq!(ended.code, Some(5), "{}", ended.said);
    ended.must_say(&format!(
        "{}: the host key has changed since this cluster was made",
        trial.room.address(4)
    ));
    trial.room.user.ok(&["host", "forget", &trial.room.address(4)]);
    trial.again();
    trial.all_whole();
}

#[test]
fn a_stranger_that_comes_to_a_relay() {
    let trial = Trial::new();
    let child = trial.midway_at(3, "1500K");
    let port = trial.room.on(3, "ss -ltnH | grep -v ':22 ' | sed 's,.*:\\([0-9]*\\) .*:.*,\\1,'");
    let address = format!("{}:{}", trial.room.address(3), port.trim());
    let says = |what: &[u8]| {
        let mut socket = TcpStream::connect(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let _ = socket.write_all(what);
        let mut got = Vec::new();
        let _ = socket.read_to_end(&mut got);
        got
    };
    // Who does not know the word gets no program; a piece without TLS is no handshake; its answer is an alert.
    assert_eq!(says(&[&b"P"[..], &[b'0'; 64]].concat()), b"");
    assert!(says(&[&[5, 0, 0, 0, 3, 0, 0, 0, 0, 9][..], &[0; 4096]].concat()).len() < 16);
    // With TLS, who has no certificate of the run is told so and nothing else.
    let tls = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &address])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(tls.stdout, b"");
    assert!(String::from_utf8_lossy(&tls.stderr).contains("alert certificate required"), "{tls:?}");
    let ended = trial.end(child);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    trial.all_whole();
}
