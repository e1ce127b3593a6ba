//! A disk that is full: what is said, and what is left.

use std::fs;
use std::process::Command;

use sealer_testkit::{Registry, RegistryOptions};

use crate::kit::User;
use crate::relay::noise;

/// Runs a script in which `small/` is a file system of 4 MiB, and returns what it printed.
fn on_a_small_disk(user: &User, script: &str) -> String {
    fs::create_dir(user.path("small")).unwrap();
    let sealer = env!("CARGO_BIN_EXE_sealer");
    let script = format!(
        "mount -t tmpfs -o size=4m none small\nsealer() {{ {sealer} --quiet --root small \"$@\"; }}\n{script}"
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(user.path(""))
        .env("HOME", user.path("home"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8(text).unwrap().replace(user.path("").to_str().unwrap(), "~/")
}

#[test]
fn a_pull_that_has_no_room_is_refused_before_it_begins_and_says_how_much_is_missing() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    user.write("context/noise", noise(1, 8 << 20));
    user.write("context/Kubefile", "FROM scratch\nCOPY noise .\n");
    let name = format!("{}/demo:v1", registry.address());
    user.ok(&["build", "-t", &name, "context"]);
    user.ok(&["push", &name]);
    let script = format!(
        "exec 2>&1; sealer pull {name}; echo code $?; sealer images; ls small/images/ingest\n\
         mount -o remount,size=32m small; sealer pull {name} > log && echo pulled"
    );
    let said = on_a_small_disk(&user, &script);
    let (missing, rest) = said.split_once(" MiB are missing\n").unwrap_or_else(|| panic!("{said}"));
    let told = format!(
        "error: cannot pull `{name}`\n  caused by: small/images: the file system has not enough space: 4."
    );
    assert!(missing.starts_with(&told) && missing.len() == told.len() + 1, "{said}");
    assert_eq!(
        rest,
        "hint: `sealer prune` frees what no image needs, `--root DIR` puts sealer's folder elsewhere; what was \
         verified is kept\ncode 1\nIMAGE  DIGEST  PLATFORM  SIZE\npulled\n"
    );
}

/// Sizes of a disk, in KiB, from hardly any to more than is needed.
const SIZES: &str = "160 400 1000 2000 3000 4000 5000 7000 9000 24000";

#[test]
fn a_disk_that_is_full_at_any_point_leaves_the_store_whole_and_what_is_missing_is_told() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    user.write("context/noise", noise(1, 3 << 20));
    user.write("context/note", "a note\n");
    user.write("context/Kubefile", "FROM scratch\nCOPY noise .\n");
    user.write("context/small", "FROM scratch\nCOPY note .\n");
    let name = format!("{}/demo:v1", registry.address());
    user.ok(&["build", "-t", &name, "context"]);
    user.ok(&["push", &name]);
    user.ok(&["save", "-o", "demo.tar", &name]);
    user.ok(&["build", "-f", "context/small", "-t", "seed:v1", "context"]);
    user.ok(&["save", "-o", "seed.tar", "seed:v1"]);
    let verbs = [
        ("build", "sealer build -t demo:v1 context".to_owned()),
        ("pull", format!("sealer pull {name}")),
        ("load", "sealer load -i demo.tar".to_owned()),
        ("mount", "sealer load -i demo.tar && sealer mount $NAME".to_owned()),
        ("save", "sealer load -i demo.tar && sealer save -o small/out.tar $NAME".to_owned()),
        ("zstd", "sealer load -i demo.tar && sealer save --zstd -o small/out.tar $NAME".to_owned()),
    ];
    let tries: String = verbs.iter().map(|(verb, line)| format!("attempt {verb} '{line}'\n")).collect();
    let said = on_a_small_disk(
        &user,
        &format!(
            "exec 2>&1; NAME={name}\n\
             attempt() {{\n\
             umount small; mount -t tmpfs -o size=${{size}}k none small\n\
             sealer load -i seed.tar > /dev/null || {{ echo \"$size $1: no seed\"; return; }}\n\
             eval \"$2\" > log 2>&1; code=$?\n\
             told=-; if [ $code != 0 ]; then told=$(grep -cE ' (B|KiB|MiB) are missing$' log); fi\n\
             whole=no; sealer diff seed:v1 seed:v1 && [ -z \"$(ls small/images/ingest | grep new-)\" ] && whole=yes\n\
             if [ -e small/out.tar ] && [ $code != 0 ]; then whole=half; fi\n\
             echo \"$size $1: $code $told $whole\"\n\
             [ $code = 0 ] || [ $told = 1 ] || cat log\n\
             }}\n\
             for size in {SIZES}; do {tries} done"
        ),
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), SIZES.split(' ').count() * verbs.len(), "{said}");
    let bad = lines.iter().filter(|line| !line.ends_with(": 0 - yes") && !line.ends_with(": 1 1 yes"));
    assert_eq!(bad.count(), 0, "{said}");
    for (verb, _) in &verbs {
        assert!(lines.contains(&format!("400 {verb}: 1 1 yes").as_str()), "{said}");
        assert!(lines.contains(&format!("24000 {verb}: 0 - yes").as_str()), "{said}");
    }
}

#[test]
fn a_build_that_fills_the_disk_leaves_the_store_whole() {
    let user = User::new();
    user.write("context/noise", noise(1, 8 << 20));
    user.write("context/note", "a note\n");
    user.write("context/Kubefile", "FROM scratch\nCOPY noise .\n");
    user.write("context/small", "FROM scratch\nCOPY note .\n");
    let said = on_a_small_disk(
        &user,
        "exec 2>&1; sealer build -f context/small -t small:v1 context > log\n\
         sealer build -t demo:v1 context > log 2>&1; echo code $?; grep -c ' MiB are missing$' log\n\
         sealer images | wc -l; ls small/images/ingest\n\
         sealer mount small:v1 > dir; cat $(cat dir)/note\n\
         mount -o remount,size=32m small; sealer build -t demo:v1 context > log && echo built",
    );
    assert_eq!(said, "code 1\n1\n2\na note\nbuilt\n");
}
