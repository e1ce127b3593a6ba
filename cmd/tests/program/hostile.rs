//! Plugins that misbehave, within runs: each ends in its error, and harms no other host or step.

use std::fs;
use std::process::Command;

use crate::hosts::{PASSWORD, Room};
use crate::plugins::workspace;

/// What the plugin is told to do, and what is said of it.
const WAYS: [(&str, &str); 12] = [
    ("segfault", "crashed (signal 11)"),
    ("abort", "crashed (signal 6)"),
    ("panic", "panicked: index out of bounds"),
    ("refuse", "returned an error: there is nothing to do here"),
    ("odd status", "returned an error: status 77, without a message"),
    ("exit", "ended with status 3 without an answer"),
    ("exit well", "ended with status 0 without an answer"),
    ("hang", "did not end within 2 seconds and was killed"),
    ("fork bomb", "ran more than 1024 processes at once and was killed"),
    ("close everything", "ended with status 1 without an answer"),
    ("leak", "crashed (signal 6)"),
    ("garbage", "answered with something that is no message: this is no message"),
];

/// Those after whose error stands what the plugin printed last.
const WITH_OUTPUT: [&str; 8] =
    ["segfault", "abort", "exit", "exit well", "hang", "fork bomb", "close everything", "leak"];

fn compile(room: &Room, flags: &[&str], to: &str) {
    let to = room.user.path(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let output = Command::new("cc")
        .args(["-std=gnu99", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I"])
        .arg(workspace().join("plugin/abi/include"))
        .args(flags)
        .arg("-o")
        .arg(to)
        .arg(workspace().join("testdata/plugins/hostile.c"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn document(name: &str, kind: &str, phase: &str, rest: &str) -> String {
    format!("---\nkind: Plugin\nmetadata:\n  name: {name}\nspec:\n  type: {kind}\n  action: {phase}\n{rest}")
}

fn named(way: &str) -> String {
    way.replace(' ', "-")
}

/// The processes whose arguments name a plugin of this test.
fn left(room: &Room) -> Vec<String> {
    let own = room.user.path("").display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        // A process may end while we look.
        let Ok(arguments) = fs::read_to_string(entry.unwrap().path().join("cmdline")) else { continue };
        if arguments.contains("plugin-host") && arguments.contains(&own) {
            found.push(arguments.replace('\0', " "));
        }
    }
    found
}

fn build(room: &Room, documents: &str) {
    room.user.write("hostile/Kubefile", "FROM scratch\nCOPY hostile.so hostile.yaml plugin\n");
    room.user.write("hostile/hostile.yaml", documents);
    room.user.ok(&["build", "-t", "hostile:v1", "hostile"]);
}

#[test]
fn a_run_goes_on_past_every_hostile_plugin_that_it_may_go_on_past() {
    let room = Room::with(2);
    compile(&room, &[], "hostile/hostile.so");
    let mut documents = document("before", "SHELL", "PreInit", "  data: touch /root/before\n");
    for (order, (way, _)) in WAYS.iter().enumerate() {
        let rest = format!("  order: {order}\n  onFailure: continue\n  timeout: 2s\n  data: {way}\n");
        // Only the one that hangs is in a hurry.
        let rest = if *way == "hang" { rest } else { rest.replace("  timeout: 2s\n", "") };
        documents.push_str(&document(&named(way), "HOSTILE", "PreGuest", &rest));
    }
    documents.push_str(&document("after", "SHELL", "PostInstall", "  data: touch /root/after\n"));
    build(&room, &documents);
    let flags = room.flags();
    let run: Vec<&str> =
        ["--quiet", "run", "hostile:v1"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    let answer = room.user.sealer(&run);
    let warnings = WAYS.map(|(way, said)| {
        let name = named(way);
        format!(
            "warning: step `PreGuest/{name}`: plugin `{name}` {said}; the run goes on, as its `onFailure` says\n"
        )
    });
    assert_eq!((answer.code, answer.stderr), (Some(0), warnings.concat()));
    assert_eq!(left(&room), Vec::<String>::new());
    assert_eq!(room.on_all("ls /root/before /root/after"), ["/root/after\n/root/before\n"; 2]);
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
}

#[test]
fn every_hostile_plugin_ends_in_its_error_and_exit_code() {
    let room = Room::with(1);
    compile(&room, &[], "hostile.so");
    let (master, file) = (room.address(0), room.user.path("hostile.so").display().to_string());
    for (way, said) in WAYS {
        let name = named(way);
        let yaml = document(&name, "HOSTILE", "PostInstall", &format!("  timeout: 2s\n  data: {way}\n"));
        // A machine under load must not make the others late.
        let yaml = if way == "hang" { yaml } else { yaml.replace("timeout: 2s", "timeout: 10m") };
        room.user.write("hostile.yaml", &yaml);
        let shown = if WITH_OUTPUT.contains(&way) { "    about to misbehave\n" } else { "" };
        room.user.refused(
            &["plugin", "run", &file, "-f", "hostile.yaml", "-m", &master, "-p", PASSWORD],
            6,
            &format!(
                "error: step `PostInstall/{name}`: plugin `{name}` {said}\n{shown}\
                 hint: the plugin is described in hostile.yaml; sealer itself and its other steps are unharmed\n\
                 hint: the same command goes on from here: what is done stays done\n"
            ),
        );
        assert_eq!(left(&room), Vec::<String>::new());
    }
}

#[test]
fn a_crash_for_one_host_names_it_and_harms_no_other() {
    let room = Room::with(3);
    compile(&room, &["-DEACH"], "hostile/hostile.so");
    let victim = room.address(1);
    build(&room, &document("each", "HOSTILE", "PostInstall", &format!("  data: {victim}\n")));
    let flags = room.flags();
    let run: Vec<&str> = ["run", "hostile:v1"].into_iter().chain(flags.iter().map(String::as_str)).collect();
    room.user.refused(
        &run,
        6,
        &format!(
            "error: step `PostInstall/each`: plugin `each` on {victim} crashed (signal 6)\n\
             hint: the plugin is described in plugin/hostile.yaml; sealer itself and its other steps are unharmed\n\
             hint: the same command goes on from here: what is done stays done\n"
        ),
    );
    assert_eq!(left(&room), Vec::<String>::new());
    assert_eq!(room.on_all("ls /root/each 2>/dev/null"), ["/root/each\n", "", "/root/each\n"]);
    room.user.ok(&["delete", "-a", "--force", "-p", PASSWORD]);
}
