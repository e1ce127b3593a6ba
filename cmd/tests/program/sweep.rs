//! A run on five hosts, killed at every boundary of its journal, and gone on with.

mod relay;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::hosts::{PASSWORD, Room};
use crate::kit::files;

const HOSTS: u16 = 5;

/// What each step leaves, a line each time it is done.
const KUBEFILE: &str = "\
FROM scratch
COPY scripts files ./
COPY mark.yaml plugin
CMD echo first >> /marks/cmd
CMD echo second >> /marks/cmd
";
const MARK: &str = "\
apiVersion: sealer.aliyun.com/v1alpha1
kind: Plugin
metadata:
  name: mark
spec:
  type: SHELL
  action: PostInstall
  data: echo plugin > /marks/plugin
";
/// The image's files, all of one size: what a plain stream sends whole or again.
const PIECES: u64 = 8;
const PIECE: u64 = 256 * 1024;
/// What stands around pieces in a stream, and in the image beside them.
const AROUND: u64 = 64 * 1024;

/// By so many bytes it is told what has arrived.
const BLOCK: usize = 512;
static PIECE_BYTES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| (0..PIECES).map(|piece| noise(piece + 1)).collect());

const MARKS: &str = "cat /marks/init /marks/cmd /marks/plugin 2>/dev/null";

/// A room with an image that tells how often it was run.
fn room() -> Room {
    let room = Room::with(HOSTS);
    let user = &room.user;
    user.write("sweep/Kubefile", KUBEFILE);
    user.write("sweep/mark.yaml", MARK);
    user.write("sweep/scripts/init.sh", "mkdir -p /marks\necho init >> /marks/init\n");
    user.write("sweep/scripts/clean.sh", "rm -rf /marks\n");
    for (piece, bytes) in PIECE_BYTES.iter().enumerate() {
        user.write(&format!("sweep/files/piece-{piece}"), bytes);
    }
    user.ok(&["build", "-t", "sweep:v1", "sweep"]);
    room
}

/// A piece that cannot be compressed, the same each time.
fn noise(mut seed: u64) -> Vec<u8> {
    let words = std::iter::repeat_with(|| {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    });
    words.take(usize::try_from(PIECE / 8).unwrap()).flatten().collect()
}

/// How many bytes of each piece that has begun to arrive on a host are there and right.
fn arrived(room: &Room, host: usize) -> Vec<u64> {
    let folder = room.user.path(&format!("sandbox/hosts/{}/data/data/my-cluster", room.hosts()[host].name));
    let pieces = files(&folder).into_iter().filter_map(|file| {
        let name = file.file_name()?.to_str()?.strip_prefix("piece-")?.parse().ok()?;
        Some(right(&fs::read(&file).ok()?, name))
    });
    pieces.collect()
}

/// How many bytes of a piece are what they should be. Agents give files their length at once, and fill them.
fn right(bytes: &[u8], piece: u64) -> u64 {
    let pairs = bytes.chunks(BLOCK).zip(PIECE_BYTES[usize::try_from(piece).unwrap()].chunks(BLOCK));
    let same = pairs.filter(|(there, wanted)| wanted.starts_with(there));
    same.map(|(there, _)| there.len() as u64).sum()
}

/// What is on the hosts after a run, whatever became of the program on the way: the roots, and what commands
/// left. What hosts keep for a later distribution is as the last one was.
fn end_state(room: &Room) -> (Vec<String>, Vec<String>) {
    let of_root = |list: String| {
        list.lines().filter(|line| !line.contains("  ./cache/")).map(|line| format!("{line}\n")).collect()
    };
    (room.files().into_iter().map(of_root).collect(), room.on_all(MARKS))
}

fn expected_marks() -> Vec<String> {
    let first = ["init\nfirst\nsecond\nplugin\n".to_owned()];
    first.into_iter().chain((1..HOSTS).map(|_| "init\nplugin\n".to_owned())).collect()
}

fn journal(room: &Room) -> PathBuf {
    room.user.path("root/clusters/my-cluster/journal.jsonl")
}

/// The whole lines of the journal.
fn lines(room: &Room) -> Vec<Value> {
    let text = fs::read_to_string(journal(room)).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn start(room: &Room, more: &[&str]) -> Child {
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let args = [&["run", "sweep:v1"], &flags[..], more].concat();
    room.user.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until `is_there` holds, or the program has ended.
fn patiently(program: &mut Child, is_there: impl Fn() -> bool) {
    while program.try_wait().unwrap().is_none() && !is_there() {
        thread::sleep(Duration::from_micros(200));
    }
}

/// Kills the program with SIGKILL as soon as `is_there` holds, if it does before the program's end.
fn kill_when(mut program: Child, is_there: impl Fn() -> bool) {
    patiently(&mut program, is_there);
    let _ = program.kill();
    program.wait().unwrap();
}

/// What a resumed run did.
struct Resumed {
    /// Where the program was killed: the journal's last line.
    at: String,
    before: u64,
    after: u64,
    /// The most bytes that a host had received and was sent again.
    again: u64,
}

/// How the image gets to hosts.
#[derive(Clone, Copy)]
struct Way {
    flag: &'static [&'static str],
    /// What the first host is sent besides the image: the agent, in bytes.
    agent: u64,
}

const PLAIN: Way = Way { flag: &[], agent: 0 };

/// Goes on with the run, checks the end state and that nothing is left to do, and takes all away again.
fn go_on(room: &Room, way: Way, expected: &(Vec<String>, Vec<String>)) -> Resumed {
    let killed = lines(room);
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let at = killed.last().map_or("nothing".to_owned(), |line| match word(line, "line").as_str() {
        "step" => word(line, "step"),
        other => other.to_owned(),
    });
    let pieces: Vec<Vec<u64>> = (0..usize::from(HOSTS)).map(|host| arrived(room, host)).collect();
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = [&["run", "sweep:v1"], &flags[..], way.flag].concat();
    let is_open = !killed.is_empty() && at != "end";
    let report = match is_open {
        true => room.user.result(&[&["resume", "-p", PASSWORD], way.flag].concat()),
        false => room.user.result(&run),
    };
    assert_eq!(
        end_state(room),
        *expected,
        "killed after {at}: {report}\n{}",
        fs::read_to_string(journal(room)).unwrap()
    );
    let had: Vec<u64> = pieces.iter().map(|pieces| pieces.iter().sum()).collect();
    let moved = moved(room, &report, (way.agent, &had));
    // A host whose distribution is in the journal is sent nothing again.
    for line in killed.iter().filter(|line| line["step"] == "distribute/rootfs") {
        let host = (0..usize::from(HOSTS)).find(|host| line["host"] == *room.address(*host)).unwrap();
        assert_eq!(moved[host], 0, "killed after {at}: {report}");
    }
    // What a host had received, it is not sent again, but for the piece that was under way.
    let again = (0..usize::from(HOSTS)).map(|host| {
        let again = (had[host] + moved[host]).saturating_sub(PIECES * PIECE);
        let cut = pieces[host].iter().filter(|right| **right < PIECE).count();
        assert!(cut <= 1 || way.agent > 0, "{} has {:?}", room.address(host), pieces[host]);
        assert!(again <= PIECE + AROUND, "killed after {at}: {host} had {:?}: {report}", pieces[host]);
        again
    });
    let again = again.max().unwrap_or_default();
    let answer = room.user.sealer(&[&["--quiet"], &run[..]].concat());
    assert_eq!(
        answer.stdout,
        format!("cluster my-cluster runs sweep:v1 on {HOSTS} hosts already: nothing to do\n")
    );
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    let number = |name: &str| report[name].as_u64().unwrap();
    Resumed { at, before: number("stepsBefore"), after: number("steps"), again }
}

/// What each host was sent, from here and from other hosts, but for the agent: that goes to one of them from
/// here, and so shows as the most bytes that any was sent beyond what it lacked.
fn moved(room: &Room, report: &Value, (agent, had): (u64, &[u64])) -> Vec<u64> {
    let hosts = report["hosts"].as_array().unwrap();
    let bytes = |host: usize, name: &str| {
        let found = hosts.iter().find(|found| found["address"] == *room.address(host)).unwrap();
        found[name].as_u64().unwrap()
    };
    let all = |host: usize| bytes(host, "sentBytes") + bytes(host, "relayedBytes");
    let got_agent = (0..usize::from(HOSTS))
        .filter(|host| bytes(*host, "sentBytes") + AROUND >= agent)
        .max_by_key(|host| had[*host] + all(*host));
    // The agent's size is known but for what is around it.
    let moved = (0..usize::from(HOSTS))
        .map(|host| if Some(host) == got_agent { all(host).saturating_sub(agent) } else { all(host) });
    moved.collect()
}

#[test]
fn a_run_killed_at_every_line_of_its_journal_ends_as_if_it_had_not_been() {
    let room = room();
    room.run("sweep:v1", &[]);
    let expected = end_state(&room);
    assert_eq!(expected.1, expected_marks());
    let total = lines(&room).len();
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    println!(
        "| killed after line | which is | steps before | steps of the resumed run | most bytes that a host was sent again |\n|---|---|---|---|---|"
    );
    for boundary in 0..=total {
        kill_when(start(&room, &[]), || lines(&room).len() >= boundary);
        let Resumed { at, before, after, again } = go_on(&room, PLAIN, &expected);
        println!("| {boundary} | {at} | {before} | {after} | {again} |");
    }
    // While the image is on its way.
    for piece in 1..PIECES {
        let has_come = |host| u64::try_from(arrived(&room, host).len()).unwrap() >= piece;
        kill_when(start(&room, &[]), || (0..usize::from(HOSTS)).any(has_come));
        let Resumed { at, before, after, again } = go_on(&room, PLAIN, &expected);
        println!("| piece {piece} of {PIECES} | {at} | {before} | {after} | {again} |");
    }
}

#[test]
fn a_command_that_ended_on_a_host_is_not_run_again_though_the_journal_does_not_know() {
    let room = room();
    room.run("sweep:v1", &[]);
    let expected = end_state(&room);
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    let marks: Vec<PathBuf> = room
        .hosts()
        .iter()
        .map(|host| room.user.path(&format!("sandbox/hosts/{}/upper/marks", host.name)))
        .collect();
    // Five times `init.sh`, then two commands: the moment each has left its mark.
    for effect in 1..=usize::from(HOSTS) + 2 {
        kill_when(start(&room, &[]), || {
            let count = |name: &str| -> usize {
                let texts =
                    marks.iter().map(|marks| fs::read_to_string(marks.join(name)).unwrap_or_default());
                texts.map(|text| text.lines().count()).sum()
            };
            count("init") + count("cmd") >= effect
        });
        go_on(&room, PLAIN, &expected);
    }
}

/// How many rooms share the boundaries of the second sweep: each waits for a host to be gone.
const SHARES: usize = 4;

/// A host that does not answer is given up after two seconds, not after 45.
fn gone_after_two_seconds(room: &Room) {
    room.user.write("home/.ssh/config", "ConnectTimeout 2\nServerAliveInterval 1\nServerAliveCountMax 2\n");
}

/// Cuts a host off the network at every `SHARES`-th line of the journal, mends it when the run has
/// ended, and goes on.
fn cut_sweep(share: usize) {
    let room = room();
    gone_after_two_seconds(&room);
    assert!(start(&room, &[]).wait().unwrap().success());
    let expected = end_state(&room);
    let total = lines(&room).len();
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    for boundary in (share..total).step_by(SHARES) {
        let mut program = start(&room, &[]);
        patiently(&mut program, || lines(&room).len() >= boundary);
        let host = room.address(boundary % usize::from(HOSTS));
        room.sandbox().cut(&host).unwrap();
        let code = program.wait().unwrap().code();
        room.sandbox().mend(&host).unwrap();
        let Resumed { at, before, after, again } = go_on(&room, PLAIN, &expected);
        let host = boundary % usize::from(HOSTS) + 1;
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        println!("| {boundary} | {host} | {at} | {code} | {before} | {after} | {again} |");
    }
}

#[test]
fn a_run_whose_host_is_cut_off_at_any_line_of_its_journal_ends_as_if_it_had_not_been() {
    println!(
        "| cut after line | host | last line of the run | its exit code | steps before | steps of the resumed run | most bytes that a host was sent again |"
    );
    thread::scope(|scope| {
        for share in 0..SHARES {
            scope.spawn(move || cut_sweep(share));
        }
    });
}
