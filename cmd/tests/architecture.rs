//! The invariants of docs/ARCHITECTURE.md, as tests.
#![allow(clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may depend on, of ours. Development dependencies may add `sealer-testkit` and
/// `sealer-sandbox`, which know no type of ours.
const EDGES: &[(&str, &[&str])] = &[
    ("sealer-stdx", &[]),
    ("sealer-image", &["sealer-stdx"]),
    ("sealer-plugin-abi", &[]),
    ("sealer-plugin-sdk", &["sealer-plugin-abi"]),
    ("sealer-plugin", &["sealer-plugin-abi", "sealer-plugin-sdk"]),
    ("sealer-build", &["sealer-image", "sealer-plugin", "sealer-stdx"]),
    ("sealer-agent", &[]),
    ("sealer-balancer", &[]),
    ("sealer-runtime", &["sealer-agent", "sealer-image", "sealer-plugin", "sealer-stdx"]),
    ("sealer-sandbox", &[]),
    ("sealer-testkit", &[]),
    (
        "sealer",
        &["sealer-build", "sealer-image", "sealer-plugin", "sealer-runtime", "sealer-sandbox", "sealer-stdx"],
    ),
    ("sealer-fuzz", &["sealer-build", "sealer-image", "sealer-plugin", "sealer-runtime", "sealer-stdx"]),
    ("list_nodes", &["sealer-plugin-sdk"]),
    ("xtask", &[]),
];

/// Where `unsafe` may stand: the C structs, the export macro, the loading of a shared object, the
/// splitting of its process, and the descriptor that a script hands down.
const UNSAFE: &[&str] = &[
    "plugin/abi/src/",
    "plugin/sdk/src/",
    "plugin/src/child/ask.rs",
    "plugin/src/child/cage.rs",
    "plugin/src/child/dylib.rs",
];

/// Where processes may be started.
const COMMANDS: &[&str] = &[
    "build/src/git.rs",
    "build/src/run.rs",
    "build/src/run/",
    "cmd/src/secret.rs",
    "image/src/registry/helper.rs",
    "plugin/src/child/",
    "runtime/src/host/local.rs",
    "runtime/sandbox/src/",
    "testdata/kit/src/",
    "xtask/src/",
];

/// Where lines may be printed and the environment read, besides programs for developers.
const PRINTS: &[&str] = &[
    "cmd/src/render",
    "cmd/src/failure.rs",
    "cmd/src/commands/",
    "runtime/agent/src/main.rs",
    "runtime/balancer/src/main.rs",
];
const ENVIRONMENT: &[&str] =
    &["cmd/src/settings.rs", "runtime/agent/src/main.rs", "runtime/balancer/src/main.rs"];

const DEVELOPERS: &[&str] = &["fuzz/", "testdata/kit/", "xtask/", "plugin/examples/"];

const MOST_LINES: usize = 450;

#[test]
fn crates_know_only_what_the_picture_shows() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(name, known)| (*name, known.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for package in metadata()["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        let Some(known) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} is not in the picture"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let helper = dependency["kind"] == "dev" && ["sealer-testkit", "sealer-sandbox"].contains(&other);
            if allowed.contains_key(other) && !known.contains(other) && !helper {
                wrong.push(format!("{name} -> {other}"));
            }
        }
        seen.insert(name);
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(seen.len(), EDGES.len());
}

#[test]
fn unsafe_code_stands_where_foreign_code_is_met() {
    assert_eq!(
        using(&["unsafe {", "unsafe fn", "unsafe extern", "unsafe impl", "unsafe("], UNSAFE),
        Vec::<String>::new()
    );
}

#[test]
fn processes_are_started_in_few_places() {
    assert_eq!(using(&["Command::new", "process::Command"], COMMANDS), Vec::<String>::new());
}

#[test]
fn libraries_print_nothing_and_never_exit() {
    let printing = ["println!(", "print!(", "eprintln!(", "eprint!(", "io::stdout()", "io::stderr()"];
    assert_eq!(using(&printing, &[PRINTS, DEVELOPERS].concat()), Vec::<String>::new());
    assert_eq!(using(&["process::exit", "process::abort"], DEVELOPERS), Vec::<String>::new());
}

#[test]
fn one_file_reads_the_environment() {
    let reading =
        ["env::var", "env::home_dir", "env::current_dir", "env::current_exe", "env::temp_dir", "env::args"];
    assert_eq!(using(&reading, &[ENVIRONMENT, DEVELOPERS].concat()), Vec::<String>::new());
}

#[test]
fn every_file_says_what_it_is_for_and_is_of_one_purpose() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let code = without_tests(&text);
        if !text.trim_start_matches("#![no_std]\n").starts_with("//!") {
            wrong.push(format!("{path} does not begin with `//!`"));
        }
        if code.lines().count() > MOST_LINES {
            wrong.push(format!("{path} has {} lines; {MOST_LINES} is the limit", code.lines().count()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_file_names_a_place_of_the_machine_it_was_written_on() {
    let place = format!("/{}/", "work");
    let naming: Vec<String> =
        tracked().into_iter().filter(|(_, text)| text.contains(&place)).map(|(path, _)| path).collect();
    assert_eq!(naming, Vec::<String>::new());
}

/// Returns the lines outside `allowed` folders and files that hold one of `words`.
fn using(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if allowed.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        for (index, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    found
}

/// The Rust sources of the crates, without tests, by path from the workspace's root.
fn sources() -> Vec<(String, String)> {
    let is_source =
        |path: &str| path.ends_with(".rs") && path.contains("/src/") && !path.ends_with("tests.rs");
    tracked().into_iter().filter(|(path, _)| is_source(path) && !path.contains("/tests/")).collect()
}

/// Every text file below the workspace's root that is not built or hidden.
fn tracked() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != ".git" && name != ".lab" && !path.is_symlink() {
                    folders.push(path);
                }
            } else if name != ".git"
                && let Ok(text) = fs::read_to_string(&path)
            {
                files.push((path.strip_prefix(root()).unwrap().display().to_string(), text));
            }
        }
    }
    files.sort();
    files
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
