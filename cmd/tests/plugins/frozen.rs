//! The frozen ABI: what was built for it when it was frozen loads, and hears and is told the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sealer_plugin::{Cluster, Host, Invocation, Plugin, PluginSet, Verb};
use serde_json::Value;

use crate::fixture::{Answering, loader, root};

fn folder() -> PathBuf {
    root().join("testdata/plugins/abi-v1")
}

/// Compiles the fixture with the header that was frozen with it.
fn compile(dir: &Path, flags: &[&str]) -> PathBuf {
    let file = dir.join("everything.so");
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .args(flags)
        .arg("-o")
        .arg(&file)
        .arg(folder().join("everything.c"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

fn load(file: &Path) -> (PluginSet, String) {
    let mut set = PluginSet::built_in();
    let kind = set.add_file(file, &loader(Duration::from_secs(60))).unwrap();
    (set, kind)
}

fn call() -> Invocation {
    let host = Host {
        address: "10.0.0.1".to_owned(),
        hostname: "m0".to_owned(),
        roles: vec!["master".to_owned()],
        env: [("MODE".to_owned(), "fast".to_owned())].into(),
    };
    Invocation {
        name: "everything".to_owned(),
        kind: "EVERYTHING_V1".to_owned(),
        phase: "PostInstall".to_owned(),
        data: "some: data\n".to_owned(),
        hosts: vec!["10.0.0.1".to_owned()],
        cluster: Cluster {
            name: "my-cluster".to_owned(),
            image: "kubernetes:v1.19.8".to_owned(),
            hosts: vec![host],
            rootfs: "/var/lib/sealer/data/my-cluster/rootfs".to_owned(),
            env: [("MODE".to_owned(), "fast".to_owned())].into(),
            kubeconfig: Some("/var/lib/sealer/clusters/my-cluster/admin.conf".to_owned()),
        },
        sealer_version: "0.1.0".to_owned(),
        timeout_seconds: None,
    }
}

/// Has every verb of the plugin called; returns what crossed the border, and what sealer made of it.
fn transcript(plugin: &dyn Plugin) -> Vec<String> {
    let host = Answering::default();
    let told = |result: Result<String, sealer_plugin::Error>| match result {
        Ok(text) => format!("# {text}"),
        Err(error) => format!("# it {error}"),
    };
    let mut lines = Vec::new();
    for verb in Verb::ALL {
        let end = match verb {
            Verb::Describe => plugin.describe().map(|said| serde_json::to_string(&said).unwrap()),
            Verb::Validate => plugin.validate(&call()).map(|()| String::new()),
            Verb::Plan => plugin.plan(&call(), &host).map(|steps| steps.join(", ")),
            Verb::Run => plugin.run(&call(), &host).map(|()| "done".to_owned()),
            Verb::Undo => plugin.undo(&call(), &host).map(|()| String::new()),
        };
        // What it prints and what it has logged come by two ways, each in its order.
        let heard = std::mem::take(&mut *host.lines.lock().unwrap());
        let (printed, logged): (Vec<String>, Vec<String>) =
            heard.into_iter().partition(|line| line.starts_with(['=', '<', '>']));
        lines.extend(printed);
        lines.extend(logged.into_iter().map(|line| format!("* {line}")));
        lines.push(told(end));
    }
    lines
}

/// Tells whether all of the one is in the other, which may have more fields.
fn is_within(recorded: &Value, now: &Value) -> bool {
    match (recorded, now) {
        (Value::Object(recorded), Value::Object(now)) => {
            recorded.iter().all(|(key, value)| now.get(key).is_some_and(|other| is_within(value, other)))
        }
        (Value::Array(recorded), Value::Array(now)) => {
            recorded.len() == now.len() && recorded.iter().zip(now).all(|(one, other)| is_within(one, other))
        }
        (recorded, now) => recorded == now,
    }
}

/// What came from sealer may have gained fields; all else is as it was.
fn assert_replayed(recorded: &str, now: &[String]) {
    let recorded: Vec<&str> = recorded.lines().collect();
    assert_eq!(now.len(), recorded.len(), "{}", now.join("\n"));
    for (was, is) in recorded.into_iter().zip(now) {
        let json = |line: &str| line.strip_prefix("< ").and_then(|text| serde_json::from_str(text).ok());
        let same = match (json(was), json(is)) {
            (Some(was), Some(is)) => is_within(&was, &is),
            _ => was == is,
        };
        assert!(same, "was: {was}\nis:  {is}");
    }
}

#[test]
fn a_plugin_of_the_frozen_abi_hears_what_it_heard_when_that_was_frozen() {
    let dir = tempfile::tempdir().unwrap();
    let (set, kind) = load(&compile(dir.path(), &[]));
    assert_eq!(kind, "EVERYTHING_V1");
    let recorded = fs::read_to_string(folder().join("transcript")).unwrap();
    assert_replayed(&recorded, &transcript(set.find(&kind).unwrap()));
}

#[test]
fn a_struct_with_functions_of_tomorrow_is_read_as_far_as_it_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let (set, kind) = load(&compile(dir.path(), &["-DAPPENDED", "-DSIZE=sizeof(struct sealer_plugin)+24"]));
    let recorded = fs::read_to_string(folder().join("transcript")).unwrap();
    assert_replayed(&recorded, &transcript(set.find(&kind).unwrap()));
}

#[test]
fn a_struct_that_ends_early_has_the_verbs_that_lie_within() {
    let dir = tempfile::tempdir().unwrap();
    let verbs = |size: &str| -> Vec<Verb> {
        let (set, kind) = load(&compile(dir.path(), &[size]));
        let plugin = set.find(&kind).unwrap();
        plugin.run(&call(), &Answering::default()).unwrap();
        Verb::ALL.into_iter().filter(|verb| plugin.offers(*verb)).collect()
    };
    assert_eq!(verbs("-DSIZE=16"), [Verb::Run]);
    assert_eq!(verbs("-DSIZE=32"), [Verb::Run, Verb::Describe, Verb::Validate]);
}

#[test]
fn the_header_lays_out_the_structs_as_they_were_frozen() {
    let current = root().join("plugin/abi/include");
    for include in [&current, &folder()] {
        for standard in ["-std=c11", "-std=gnu17"] {
            let output = Command::new("cc")
                .args([standard, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
                .arg(include)
                .arg(folder().join("layout.c"))
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let header = fs::read_to_string(current.join("sealer_plugin.h")).unwrap();
    let of_go = fs::read_to_string(root().join("plugin/sdk/go/plugin/sealer_plugin.h")).unwrap();
    assert_eq!(header, of_go);
    // Comments may get better; what the compiler sees stays.
    assert_eq!(
        declarations(&header),
        declarations(&fs::read_to_string(folder().join("sealer_plugin.h")).unwrap())
    );
}

/// A header without comments and blanks.
fn declarations(header: &str) -> String {
    let parts = header.split("/*").enumerate().map(|(index, part)| match index {
        0 => part,
        _ => part.split_once("*/").unwrap().1,
    });
    parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
