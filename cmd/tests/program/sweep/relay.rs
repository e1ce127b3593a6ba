//! The same from host to host: killed, and cut off, at the journal's first lines and in what a relay does
//! before there is one.

use std::fs;
use std::thread;

use super::{
    HOSTS, PIECE, PIECES, Resumed, Room, Way, arrived, end_state, expected_marks, go_on, kill_when, lines,
    moved, patiently, room, start,
};

const FLAG: &[&str] = &["--distributor", "relay"];
/// Slow enough that a moment can be met.
const SLOWLY: &[&str] = &["--distributor", "relay", "--bandwidth", "4M"];

const ALL: u64 = PIECES * PIECE;

/// A moment of a relayed run.
#[derive(Clone, Copy)]
enum Moment {
    /// The journal has so many lines.
    Line(usize),
    /// The agent's program is on its way to so many hosts, or there.
    Program(usize),
    /// So many hosts have laid the root out.
    LaidOut(usize),
    /// So many hosts have so many bytes of the image.
    Has(usize, u64),
    /// So many hosts have switched to the new root.
    Switched(usize),
}

impl Moment {
    fn has_come(self, room: &Room) -> bool {
        match self {
            Self::Line(line) => lines(room).len() >= line,
            Self::Program(count) => {
                count
                    <= hosts(room, |names| {
                        names.iter().any(|name| {
                            [".agent-", ".partial", "rootfs"].iter().any(|part| name.starts_with(part))
                        })
                    })
            }
            Self::LaidOut(count) => {
                count <= hosts(room, |names| names.iter().any(|name| name == ".partial" || name == "rootfs"))
            }
            Self::Has(count, bytes) => {
                let has = |host: &usize| arrived(room, *host).iter().sum::<u64>() >= bytes;
                count <= (0..usize::from(HOSTS)).filter(has).count()
            }
            Self::Switched(count) => count <= hosts(room, |names| names.iter().any(|name| name == "rootfs")),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Line(line) => format!("line {line}"),
            Self::Program(count) => format!("the agent is sent to {count}"),
            Self::LaidOut(count) => format!("{count} laid out"),
            Self::Has(count, bytes) => format!("{count} have {} %", bytes * 100 / ALL),
            Self::Switched(count) => format!("{count} switched"),
        }
    }
}

/// On how many hosts the cluster's folder has names such as these.
fn hosts(room: &Room, are_these: impl Fn(&[String]) -> bool) -> usize {
    let names = |host: &sealer_sandbox::Host| -> Vec<String> {
        let folder = room.user.path(&format!("sandbox/hosts/{}/data/data/my-cluster", host.name));
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    room.hosts().iter().filter(|host| are_these(&names(host))).count()
}

/// What an undisturbed run leaves, and how much of it is the agent.
fn undisturbed(room: &Room) -> (Way, (Vec<String>, Vec<String>)) {
    let report = room.run("sweep:v1", FLAG);
    let most = moved(room, &report, (0, &[0; HOSTS as usize])).into_iter().max().unwrap();
    let expected = end_state(room);
    assert_eq!(expected.1, expected_marks());
    room.user.ok(&["delete", "-a", "--force", "-p", super::PASSWORD]);
    (Way { flag: FLAG, agent: most - ALL }, expected)
}

/// Waits until no agent works on a host any more: sshd closes its input when this end is gone.
fn agents_have_ended(room: &Room) {
    for host in 0..usize::from(HOSTS) {
        while !room.on(host, "pgrep '^[.]agent-'").is_empty() {}
    }
}

#[test]
fn a_relayed_run_killed_in_any_of_its_phases_ends_as_if_it_had_not_been() {
    let moments = [
        Moment::Program(1),
        Moment::Program(5),
        Moment::LaidOut(5),
        Moment::Has(1, 1),
        Moment::Has(1, ALL / 2),
        Moment::Has(5, ALL / 4),
        Moment::Has(1, ALL),
        Moment::Switched(1),
        Moment::Line(2),
        Moment::Line(4),
        Moment::Line(6),
        Moment::Line(7),
    ];
    println!(
        "| killed when | last line | steps before | steps of the resumed run | most bytes that a host was sent again |\n|---|---|---|---|---|"
    );
    shared(&moments, |room, way, expected, moment, _| {
        kill_when(start(room, SLOWLY), || moment.has_come(room));
        agents_have_ended(room);
        let Resumed { at, before, after, again } = go_on(room, way, expected);
        println!("| {} | {at} | {before} | {after} | {again} |", moment.text());
    });
}

#[test]
fn a_relayed_run_whose_host_is_cut_off_in_any_of_its_phases_ends_as_if_it_had_not_been() {
    let moments = [
        Moment::Program(1),
        Moment::LaidOut(3),
        Moment::Has(1, ALL / 4),
        Moment::Has(5, ALL / 4),
        Moment::Has(1, ALL),
        Moment::Line(2),
        Moment::Line(4),
        Moment::Line(7),
    ];
    println!(
        "| cut when | host | last line of the run | its exit code | steps before | steps of the resumed run | most bytes that a host was sent again |\n|---|---|---|---|---|---|---|"
    );
    shared(&moments, |room, way, expected, moment, at| {
        super::gone_after_two_seconds(room);
        let mut program = start(room, SLOWLY);
        patiently(&mut program, || moment.has_come(room));
        let host = at % usize::from(HOSTS);
        room.sandbox().cut(&room.address(host)).unwrap();
        let code = program.wait().unwrap().code();
        room.sandbox().mend(&room.address(host)).unwrap();
        let Resumed { at, before, after, again } = go_on(room, way, expected);
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        println!("| {} | {} | {at} | {code} | {before} | {after} | {again} |", moment.text(), host + 1);
    });
}

/// How many rooms share the moments.
const SHARES: usize = 2;

/// Calls `f` for each moment with its number, in rooms whose undisturbed end is known.
fn shared(moments: &[Moment], f: impl Fn(&Room, Way, &(Vec<String>, Vec<String>), Moment, usize) + Sync) {
    thread::scope(|scope| {
        for share in 0..SHARES {
            let f = &f;
            scope.spawn(move || {
                let room = room();
                let (way, expected) = undisturbed(&room);
                for (at, moment) in moments.iter().enumerate().skip(share).step_by(SHARES) {
                    f(&room, way, &expected, *moment, at);
                }
            });
        }
    });
}
