//! The commands on what is on this machine: what they print, and what they change.

use std::fs;

use sealer_testkit::{Registry, RegistryOptions};
use serde_json::{Value, json};

use crate::kit::User;

/// Builds `NAME` of these files and what the Kubefile says beyond copying them to `etc`.
fn build(user: &User, name: &str, files: &[(&str, &str)], more: &str) -> Value {
    let context = format!("context-{}", name.replace([':', '/'], "-"));
    for (file, text) in files {
        user.write(&format!("{context}/etc/{file}"), text);
    }
    user.write(&format!("{context}/Kubefile"), format!("FROM scratch\nCOPY etc .\n{more}"));
    user.result(&["build", "-t", name, &context])
}

#[test]
fn history_tells_which_instruction_made_which_layer() {
    let user = User::new();
    build(&user, "demo:v1", &[("a", "a\n")], "RUN echo made > made\nCMD bash go.sh\n");
    let history = user.data(&["history", "demo:v1"]);
    let made: Vec<&str> =
        history.as_array().unwrap().iter().map(|step| step["createdBy"].as_str().unwrap()).collect();
    assert_eq!(made, ["COPY etc .", "RUN echo made > made"]);
    let layers = user.data(&["inspect", "demo:v1"])["layers"].clone();
    assert_eq!(history[1]["layer"], layers[1]["digest"]);
    let text = user.ok(&["history", "demo:v1"]);
    assert_eq!(
        text.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["LAYER", "SIZE", "MADE", "BY"]
    );
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn diff_tells_what_was_added_changed_and_removed() {
    let user = User::new();
    build(&user, "demo:v1", &[("same", "1\n"), ("changed", "1\n"), ("gone", "1\n")], "");
    user.write("next/added", "new\n");
    user.write("next/Kubefile", "FROM demo:v1\nCOPY added etc\nRUN echo 22 > etc/changed && rm etc/gone\n");
    user.ok(&["build", "-t", "demo:v2", "next"]);
    assert_eq!(user.ok(&["diff", "demo:v1", "demo:v2"]), "A /etc/added\nC /etc/changed\nD /etc/gone\n");
    assert_eq!(
        user.data(&["diff", "demo:v1", "demo:v2"])[1],
        json!({ "change": "changed", "path": "etc/changed", "sizeBefore": 2, "sizeAfter": 3 })
    );
    assert_eq!(user.ok(&["diff", "demo:v1", "demo:v1"]), "");
}

#[test]
fn merge_makes_one_image_of_several() {
    let user = User::new();
    build(&user, "one:v1", &[("one", "1\n")], "LABEL team=a\nCMD first\n");
    build(&user, "two:v1", &[("two", "2\n")], "LABEL team=b\nCMD first\nCMD second\n");
    user.ok(&["merge", "-t", "both:v1", "one:v1", "two:v1", "one:v1"]);
    let both = user.data(&["inspect", "both:v1"]);
    assert_eq!(both["cmds"], json!(["first", "second"]));
    assert_eq!(both["layers"].as_array().unwrap().len(), 2);
    user.ok(&["save", "--format", "dir", "-o", "saved", "both:v1"]);
    let dir = user
        .ok(&["--quiet", "mount", "both:v1"])
        .trim()
        .replace('~', user.path("").to_str().unwrap().trim_end_matches('/'));
    let read = |name: &str| fs::read_to_string(format!("{dir}/etc/{name}")).unwrap();
    assert_eq!((read("one"), read("two")), ("1\n".to_owned(), "2\n".to_owned()));
}

#[test]
fn images_for_different_platforms_are_not_merged_but_stand_under_one_name() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    for (name, platform) in [("demo:amd64", "linux/amd64"), ("demo:arm64", "linux/arm64")] {
        user.write(&format!("{platform}/etc/platform"), platform);
        user.write(&format!("{platform}/Kubefile"), "FROM scratch\nCOPY etc .\n");
        user.ok(&["build", "--platform", platform, "-t", name, platform]);
    }
    user.refused(
        &["merge", "-t", "both:v1", "demo:amd64", "demo:arm64"],
        1,
        "error: cannot merge images into `both:v1`\n  caused by: one image is for linux/amd64, another for \
         linux/arm64\nhint: `sealer manifest create` puts images for several platforms under one name\n",
    );
    let name = format!("{}/demo:v1", registry.address());
    user.ok(&["manifest", "create", &name, "demo:amd64"]);
    user.ok(&["manifest", "add", &name, "demo:arm64"]);
    let listed = user.data(&["manifest", "inspect", &name]);
    let platforms: Vec<&str> =
        listed.as_array().unwrap().iter().map(|entry| entry["platform"].as_str().unwrap()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    user.ok(&["manifest", "push", &name]);
    let other = User::new();
    for platform in platforms {
        other.ok(&["pull", "--platform", platform, &name]);
        assert_eq!(
            other.data(&["inspect", "--platform", platform, &name])["platform"]["architecture"],
            platform["linux/".len()..]
        );
    }
    user.ok(&["manifest", "remove", &name, "linux/arm64"]);
    assert_eq!(user.data(&["manifest", "inspect", &name]).as_array().unwrap().len(), 1);
    user.refused(
        &["manifest", "remove", &name, "linux/arm64"],
        1,
        &format!("error: `{name}` holds no `linux/arm64`\nhint: `sealer manifest inspect {name}` lists what it holds\n"),
    );
    user.ok(&["manifest", "delete", &name]);
    assert_eq!(user.images(), ["demo:amd64", "demo:arm64"]);
}

#[test]
fn prune_frees_what_no_image_needs_and_says_so_before() {
    let user = User::new();
    build(&user, "demo:v1", &[("a", "first\n")], "");
    build(&user, "demo:v1", &[("a", "second\n")], "");
    user.ok(&["mount", "demo:v1"]);
    let before = user.data(&["system", "df"]);
    assert_eq!((&before[0]["what"], &before[0]["count"]), (&json!("images"), &json!(1)));
    let would = user.result(&["prune", "--dry-run"]);
    assert_eq!(would["contentBytes"], before[0]["reclaimableBytes"]);
    assert_ne!(would["contentBytes"], 0);
    assert_eq!(user.data(&["system", "df"]), before);
    let freed = user.result(&["prune"]);
    assert_eq!(freed["contentBytes"], would["contentBytes"]);
    assert_eq!(user.ok(&["prune"]), "freed 0 B\n");
    assert_eq!(user.result(&["prune", "--cache"])["unpackedBytes"], before[2]["sizeBytes"]);
    let after = user.data(&["system", "df"]);
    assert_eq!(
        (&after[0]["count"], &after[2]["sizeBytes"], &after[3]["sizeBytes"]),
        (&json!(1), &json!(0), &json!(0))
    );
    user.ok(&["mount", "demo:v1"]);
}

#[test]
fn search_lists_repositories_and_tags() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    build(&user, "demo:v1", &[("a", "a\n")], "");
    let host = registry.address();
    for name in ["kube/one:v1", "kube/one:v2", "other:v1"] {
        let name = format!("{host}/{name}");
        user.ok(&["tag", "demo:v1", &name]);
        user.ok(&["push", &name]);
    }
    let one = json!([{ "repository": "kube/one", "tags": ["v1", "v2"] }]);
    assert_eq!(user.data(&["search", &format!("{host}/kube/one")]), one);
    assert_eq!(user.data(&["search", &format!("{host}/kub")]), one);
    assert_eq!(user.data(&["search", &host]).as_array().unwrap().len(), 2);
    user.refused(
        &["search", "kube"],
        2,
        "error: `kube` names no registry\nhint: write its address before the text: `sealer search registry.example:5000/kube`\n",
    );
}

#[test]
fn an_image_is_mounted_where_it_can_only_be_read() {
    let user = User::new();
    build(&user, "demo:v1", &[("a", "a\n")], "");
    fs::create_dir(user.path("mnt")).unwrap();
    user.ok(&["mount", "demo:v1", "mnt"]);
    let read = fs::read_to_string(user.path("mnt/etc/a"));
    let written = fs::write(user.path("mnt/etc/a"), "b\n").map_err(|error| error.kind());
    user.ok(&["umount", "mnt"]);
    assert_eq!(read.unwrap(), "a\n");
    assert_eq!(written, Err(std::io::ErrorKind::ReadOnlyFilesystem));
    assert!(!user.path("mnt/etc").exists());
    user.refused(
        &["umount", "mnt"],
        1,
        "error: cannot unmount `mnt`\n  caused by: Invalid argument (os error 22)\nhint: nothing is mounted there: `findmnt` lists what is\n",
    );
}
