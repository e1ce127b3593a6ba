//! Killed without warning at ten points: the store is whole, and the same command succeeds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use sealer_image::digest::sha256;
use sealer_testkit::{Registry, RegistryOptions};

use crate::hosts::{PASSWORD, Room};
use crate::kit::{User, files};

const POINTS: usize = 10;

/// Whether an event's number is the same each time: how often progress is told depends on the clock.
fn is_counted(line: &str) -> bool {
    !line.contains("\"advanced\"")
}

/// How many such events a command tells of. It is run to its end.
fn events(user: &User, args: &[&str]) -> usize {
    user.ok(&[&["--output", "json"], args].concat()).lines().filter(|line| is_counted(line)).count()
}

/// Starts a command and kills it when it has told its `event`-th such event.
fn kill_at(user: &User, args: &[&str], event: usize) {
    let mut child = user
        .command(&[&["--output", "json"], args].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.filter(|line| is_counted(line)).nth(event).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Checks that all that stands in the store is what its name says, and that all its names lead to something.
fn store_is_whole(user: &User) {
    for blob in files(&user.path("root/images/blobs")) {
        let name = blob.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(sha256(&fs::read(&blob).unwrap()).digest(), name);
    }
    for image in user.images() {
        user.ok(&["save", "-o", "whole.tar", &image]);
    }
}

/// Fills a folder with files that do not compress, the same for the same seed.
fn fill(dir: &Path, mut seed: u64, count: usize) {
    fs::create_dir_all(dir).unwrap();
    for index in 0..count {
        let mut bytes = Vec::with_capacity(512 * 1024);
        while bytes.len() < 512 * 1024 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.extend(seed.to_le_bytes());
        }
        fs::write(dir.join(format!("{index}")), bytes).unwrap();
    }
}

/// Kills `args` at each of ten points that are evenly spread over `total` events.
fn kill_everywhere(user: &User, args: &[&str], total: usize, clear: impl Fn()) {
    for point in 0..POINTS {
        clear();
        kill_at(user, args, point * (total - 1) / POINTS);
        store_is_whole(user);
        user.ok(args);
        store_is_whole(user);
    }
}

fn context(user: &User) {
    user.write(
        "context/Kubefile",
        "FROM scratch\nCOPY one .\nCOPY two .\nRUN cat one/0 two/1 > both\nCOPY note.txt .\n",
    );
    user.write("context/note.txt", "a note\n");
    fill(&user.path("context/one"), 7, 4);
    fill(&user.path("context/two"), 8, 4);
}

#[test]
fn a_build_can_be_killed_anywhere() {
    let user = User::new();
    context(&user);
    let build = ["build", "-t", "demo:v1", "--no-cache", "context"];
    let total = events(&user, &build);
    let digest = user.data(&["inspect", "demo:v1"])["digest"].clone();
    kill_everywhere(&user, &build, total, || {
        user.ok(&["rmi", "demo:v1"]);
    });
    assert_eq!(user.data(&["inspect", "demo:v1"])["digest"], digest);
}

#[test]
fn a_pull_can_be_killed_anywhere() {
    let registry = Registry::start(RegistryOptions::default());
    let name = format!("{}/demo:v1", registry.address());
    let user = User::new();
    context(&user);
    user.ok(&["build", "-t", &name, "context"]);
    user.ok(&["push", &name]);
    let digest = user.data(&["inspect", &name])["digest"].clone();
    user.ok(&["rmi", &name]);
    let pull = ["pull", &name];
    let total = events(&user, &pull);
    kill_everywhere(&user, &pull, total, || {
        user.ok(&["rmi", &name]);
    });
    assert_eq!(user.data(&["inspect", &name])["digest"], digest);
}

#[test]
fn a_run_can_be_killed_anywhere() {
    let room = Room::with(2);
    room.build_demo();
    fill(&room.user.path("demo/files"), 9, 4);
    room.user.write("demo/Kubefile.more", "FROM demo:v1\nCOPY files files\n");
    room.user.ok(&["build", "-t", "demo:v2", "-f", "demo/Kubefile.more", "demo"]);
    let flags = room.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let run = [&["run", "demo:v2"], &flags[..]].concat();
    let total = events(&room.user, &run);
    let files = room.files();
    kill_everywhere(&room.user, &run, total, || {
        room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
    });
    assert_eq!(room.files(), files);
    assert_eq!(room.on_all("cat /marks/init"), ["/var/lib/docker fast\n"; 2]);
}
