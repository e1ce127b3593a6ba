//! Two operators, on machines of their own, want one cluster.

use std::fs;
use std::process::{Child, Output, Stdio};

use crate::hosts::{PASSWORD, Room};
use crate::kit::User;

const RACES: usize = 50;

/// Says so where two of it run at once.
const SCRIPT: &str = "mkdir -p /marks\nmkdir /marks/inside || echo two >> /marks/both\nsleep 0.05\necho one >> /marks/runs\nrmdir /marks/inside\n";

fn build(user: &User) {
    user.write("race/Kubefile", "FROM scratch\nCOPY scripts .\n");
    user.write("race/scripts/init.sh", SCRIPT);
    user.write("race/scripts/clean.sh", "rm -rf /marks\n");
    user.ok(&["build", "-t", "race:v1", "race"]);
}

fn start(user: &User, host: &str) -> Child {
    let args = ["-q", "run", "race:v1", "--again", "-m", host, "-p", PASSWORD];
    user.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn of_two_operators_who_race_fifty_times_there_is_never_more_than_one_inside() {
    let room = Room::with(1);
    let (one, other) = (&room.user, &User::new());
    build(one);
    build(other);
    let host = room.address(0);
    let mut won = 0;
    for _ in 0..RACES {
        let racers = [start(one, &host), start(other, &host)];
        let ended: Vec<Output> = racers.into_iter().map(|racer| racer.wait_with_output().unwrap()).collect();
        won += ended.iter().filter(|output| output.status.success()).count();
        for loser in ended.iter().filter(|output| !output.status.success()) {
            let message = String::from_utf8_lossy(&loser.stderr);
            let known = ["is being worked on by ", "since its hosts were looked at\n"];
            assert!(known.iter().any(|known| message.contains(known)), "{message}");
            assert_eq!(loser.status.code(), Some(1));
        }
        assert!(ended.iter().any(|output| output.status.success()));
    }
    assert_eq!(room.on(0, "cat /marks/both 2>/dev/null"), "");
    assert_eq!(room.on(0, "wc -l < /marks/runs").trim(), won.to_string());
    println!("{RACES} races, {won} runs, never two at once");
}

#[test]
fn a_lease_says_who_has_it_and_goes_with_its_holder() {
    let room = Room::with(1);
    let (one, other) = (&room.user, &User::new());
    let script = "mkdir -p /marks; echo $$ > /marks/pid; while [ ! -e /marks/go ]; do sleep 0.05; done\n";
    for user in [one, other] {
        build(user);
        user.write("race/scripts/init.sh", script);
        user.ok(&["build", "-t", "race:v1", "race"]);
    }
    let host = room.address(0);
    let mut holder = start(one, &host);
    while room.on(0, "cat /marks/pid 2>/dev/null").is_empty() {}
    let loser = start(other, &host).wait_with_output().unwrap();
    let told = room.on(0, "cat /run/sealer/my-cluster.holder");
    let (since, who) = told.trim().split_once(' ').unwrap();
    assert_eq!(
        String::from_utf8_lossy(&loser.stderr),
        format!(
            "warning: cluster `my-cluster` is being worked on by {who} since {since}, says {host}; \
             waiting 25 seconds for it to end\n\
             error: cluster `my-cluster` is being worked on by {who} since {since}, says {host}\n\
             hint: wait for it to end; a holder that is gone is passed over after 20 seconds\n"
        )
    );
    assert!(who.ends_with(&format!(", process {}", holder.id())), "{who}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    room.on(0, "touch /marks/go");
    let taken = start(other, &host).wait_with_output().unwrap();
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    // What the first operator had begun is fenced off.
    let fence: u64 = room.on(0, "cat /run/sealer/my-cluster.fence").trim().parse().unwrap();
    let token: u64 = room.on(0, "cat /run/sealer/my-cluster.token").trim().parse().unwrap();
    assert_eq!(fence, token);
    assert!(fs::metadata(other.path("root/clusters/my-cluster")).is_ok());
}
