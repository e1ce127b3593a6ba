//! One call of a plugin each, by the real child process.

use std::fs;
use std::time::{Duration, Instant};

use sealer_plugin::Plugin;

use crate::fixture::{Listener, call, compile, loaded};

/// Runs the hostile plugin with this `data`; returns what was logged and how it failed.
fn run(data: &str, timeout: Duration) -> (Vec<String>, Result<(), String>) {
    let dir = tempfile::tempdir().unwrap();
    let file = compile(dir.path(), "hostile.so", &[]);
    let listener = Listener::default();
    let plugin = loaded(&file, timeout);
    let result = plugin.run(&call(data), &listener).map_err(|error| error.to_string());
    assert_eq!(running(file.to_str().unwrap()), Vec::<String>::new());
    (listener.lines.into_inner().unwrap(), result)
}

/// The processes whose arguments name a file.
fn running(file: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        // A process may end while we look.
        let Ok(arguments) = fs::read_to_string(entry.unwrap().path().join("cmdline")) else { continue };
        if arguments.contains(file) {
            found.push(arguments.replace('\0', " "));
        }
    }
    found
}

fn failed(data: &str, message: &str) {
    let (lines, result) = run(data, Duration::from_secs(60));
    assert_eq!(result, Err(message.to_owned()));
    assert_eq!(lines, ["about to misbehave"]);
}

#[test]
fn an_error_is_what_the_plugin_says() {
    failed("refuse", "returned an error: there is nothing to do here");
}

#[test]
fn a_status_without_words_is_an_error_too() {
    failed("odd status", "returned an error: status 77, without a message");
}

#[test]
fn a_panic_is_called_one() {
    failed("panic", "panicked: index out of bounds");
}

#[test]
fn a_crash_is_told_by_its_signal() {
    failed("segfault", "crashed (signal 11)");
    failed("abort", "crashed (signal 6)");
}

#[test]
fn an_exit_is_no_answer() {
    failed("exit", "ended with status 3 without an answer");
    failed("exit well", "ended with status 0 without an answer");
}

#[test]
fn what_is_no_message_is_shown() {
    failed("garbage", "answered with something that is no message: this is no message");
}

#[test]
fn a_plugin_that_does_not_end_is_killed_in_time() {
    let begun = Instant::now();
    let (_, result) = run("hang", Duration::from_secs(1));
    assert_eq!(result, Err("did not end within 1 seconds and was killed".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_a_plugin_started_ends_with_it() {
    for way in ["leave a child behind", "orphan"] {
        let (_, result) = run(way, Duration::from_secs(60));
        assert_eq!(result, Ok(()), "{way}");
    }
}

#[test]
fn a_flood_of_output_is_cut_and_harms_nobody() {
    for way in ["flood", "gigabyte"] {
        let (lines, result) = run(way, Duration::from_secs(600));
        assert_eq!(result, Ok(()), "{way}");
        assert_eq!(lines.last().unwrap(), "… what the plugin prints from here on is not shown");
        assert!(lines.iter().map(String::len).sum::<usize>() <= 4 << 20);
    }
}

#[test]
fn questions_that_make_no_sense_are_answered_with_an_error() {
    let (lines, result) = run("nonsense", Duration::from_secs(60));
    assert_eq!(result, Ok(()));
    assert_eq!(
        lines,
        [
            "about to misbehave",
            r#"answer: {"error":"the request is not understood: expected ident at line 1 column 2"}"#,
            r#"answer: {"error":"the request is not understood: unknown variant `reboot`, expected one of `exec`, `copy`, `read`, `kube`, `log`, `progress`, `cancelled`, `get_state`, `set_state`"}"#,
            r#"answer: {"error":"10.9.9.9: is no host of the cluster"}"#,
        ]
    );
}

#[test]
fn a_fork_bomb_is_ended_with_all_its_processes() {
    failed("fork bomb", "ran more than 1024 processes at once and was killed");
}

#[test]
fn a_plugin_without_descriptors_has_no_answer() {
    failed("close everything", "ended with status 1 without an answer");
}

#[test]
fn memory_ends_before_the_machines_does() {
    failed("leak", "crashed (signal 6)");
}

#[test]
fn what_is_printed_is_no_message() {
    let (lines, result) = run("forge", Duration::from_secs(60));
    assert_eq!(result, Err("returned an error: it was not done".to_owned()));
    assert_eq!(
        lines,
        ["about to misbehave", r#"{"done":null}"#, r#"{"ask":{"op":"set_state","value":"forged"}}"#]
    );
}

#[test]
fn json_of_any_depth_overflows_no_stack() {
    let (lines, result) = run("deep question", Duration::from_secs(60));
    assert_eq!(result, Ok(()));
    assert_eq!(
        lines[1..],
        [
            r#"answer: {"error":"the request is not understood: recursion limit exceeded at line 1 column 128"}"#
        ]
    );
    let (_, result) = run("deep error", Duration::from_secs(60));
    assert_eq!(result, Err(format!("returned an error: {}{}", "[".repeat(200_000), "]".repeat(199_999))));
    let dir = tempfile::tempdir().unwrap();
    let file = compile(dir.path(), "deep.so", &["-DDEEP"]);
    let mut set = sealer_plugin::PluginSet::built_in();
    let kind = set.add_file(&file, &crate::fixture::loader(Duration::from_secs(60))).unwrap();
    let error = set.find(&kind).unwrap().describe().unwrap_err().to_string();
    assert!(error.starts_with("answered with something that is no message: [[[["), "{}", &error[..80]);
}
