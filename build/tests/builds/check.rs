//! What a build refuses to pack as a plugin. Shared objects are compiled from
//! `testdata/plugins/check`; nothing of them is run.

use std::fs;
use std::path::Path;
use std::process::Command;

use sealer_image::Platform;

use crate::kit::Bench;

const KUBEFILE: &str = "FROM scratch\nCOPY list_nodes.so plugin\nCOPY list_nodes.yaml plugin\n";

/// The owner's page.
const YAML: &str = "apiVersion: sealer.aliyun.com/v1alpha1
kind: Plugin
metadata:
  name: list_nodes.so
spec:
  type: LIST_NODE
  action: PostInstall
";

/// Compiles a fixture into the context.
fn compile(bench: &Bench, source: &str, options: &[&str], name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dest = bench.context(name);
    fs::create_dir_all(dest.parent().unwrap()).unwrap();
    let kind: &[&str] = if source == "program.c" { &["-no-pie"] } else { &["-shared", "-fPIC"] };
    let status = Command::new("cc")
        .args(kind)
        .args(options)
        .arg("-I")
        .arg(root.join("plugin/abi/include"))
        .arg(root.join("testdata/plugins/check").join(source))
        .arg("-o")
        .arg(dest)
        .status()
        .unwrap();
    assert!(status.success());
}

/// A bench with a plugin of the owner's page.
fn bench() -> Bench {
    let bench = Bench::new();
    compile(&bench, "good.c", &[], "list_nodes.so");
    bench.write("list_nodes.yaml", YAML);
    bench
}

/// A message about the second line of [`KUBEFILE`].
fn at_so(message: &str) -> String {
    format!("  --> Kubefile:2:1\n   |\n 2 | COPY list_nodes.so plugin\n   | ^^^^ {message}\n")
}

#[test]
fn the_owners_page_is_packed() {
    let bench = bench();
    let built = bench.build(KUBEFILE);
    let names: Vec<String> =
        bench.tree(&built).iter().map(|line| line.split(['*', ':']).next().unwrap().to_owned()).collect();
    assert_eq!(names[0], "plugin/");
    assert!(names.iter().any(|name| name == "plugin/list_nodes.so"), "{names:?}");
    assert_eq!(bench.seen.warnings(), Vec::<String>::new());
}

#[test]
fn a_wrong_yaml_is_shown_with_its_line() {
    let phases = sealer_plugin::Phase::names();
    let rows = [
        (
            "PostInstall",
            "PostInstal",
            format!(
                "7:3\n   |\n 7 |   action: PostInstal\n   |   ^^^^^^^^^^^^^^^^^^ phase `PostInstal` does not exist\n\
                 hint: did you mean `PostInstall`? phases that take plugins: {phases}\n"
            ),
        ),
        (
            "type: LIST_NODE",
            "tpye: LIST_NODE",
            "6:3\n   |\n 6 |   tpye: LIST_NODE\n   |   ^^^^^^^^^^^^^^^ unknown field `tpye`, expected one of type, action, on, scope, data, order, onFailure, timeout\n\
             hint: did you mean `type`?\n"
                .to_owned(),
        ),
        (
            "type: LIST_NODE",
            "type: ''",
            "1:1\n   |\n 1 | apiVersion: sealer.aliyun.com/v1alpha1\n   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `type` is empty\n".to_owned(),
        ),
        (
            "action: PostInstall",
            "action: PostInstall\n  on: 10.0.0.3-10.0.0.1",
            "8:3\n   |\n 8 |   on: 10.0.0.3-10.0.0.1\n   |   ^^^^^^^^^^^^^^^^^^^^^ the range `10.0.0.3-10.0.0.1` ends before it begins, or is too long\n"
                .to_owned(),
        ),
        (
            "type: LIST_NODE",
            "type: NODES",
            "6:3\n   |\n 6 |   type: NODES\n   |   ^^^^^^^^^^^ no plugin has the type `NODES`\n\
             hint: types are CLUSTERCHECK, ETCD, HOSTNAME, LABEL, SHELL, TAINT, LIST_NODE; a file that provides another must be copied too\n"
                .to_owned(),
        ),
    ];
    for (good, wrong, expected) in rows {
        let bench = bench();
        bench.write("list_nodes.yaml", YAML.replace(good, wrong));
        assert_eq!(bench.refused(KUBEFILE), format!("  --> plugin/list_nodes.yaml:{expected}"), "{wrong}");
    }
}

#[test]
fn a_yaml_that_is_none_is_refused_and_another_kind_is_passed_over() {
    let bench = Bench::new();
    bench.write("a.yaml", "kind: Plugin\nspec: [\n");
    let refused = bench.refused("FROM scratch\nCOPY a.yaml plugins\n");
    assert!(refused.starts_with("  --> plugins/a.yaml:"), "{refused}");
    bench.write("a.yaml", "kind: Cluster\n");
    bench.build("FROM scratch\nCOPY a.yaml plugins\n");
    // What lies deeper is no plugin for a run either.
    bench.write("a.yaml", "kind: Plugin\nspec: [\n");
    bench.build("FROM scratch\nCOPY a.yaml plugin/data\nCOPY a.yaml manifests\n");
}

#[test]
fn a_shared_object_that_is_no_plugin_is_refused() {
    let abi = "hint: docs/reference/plugin-abi.md says what one exports\n";
    let rows = [
        ("no_type.c", format!("is no plugin: it exports no `PluginType`\n{abi}")),
        ("no_plugin.c", format!("is no plugin: it exports no `Plugin`\n{abi}")),
        ("library.c", format!("is no plugin: it exports no `PluginType`\n{abi}")),
        ("pointer_type.c", format!("is no plugin: its `PluginType` is no array of characters\n{abi}")),
        ("program.c", "is no shared object\n".to_owned()),
        (
            "later_abi.c",
            "has version 99 of the plugin ABI; this sealer knows version 1\n\
             hint: use the sealer that the plugin was made for, or a later one\n"
                .to_owned(),
        ),
        (
            "go_plugin.c",
            format!(
                "is a plugin of Go's `-buildmode=plugin`, which only the program it was built with can load\nhint: {}\n",
                sealer_plugin::shared_object::GO_REMEDY
            ),
        ),
    ];
    for (source, expected) in rows {
        let bench = bench();
        compile(&bench, source, &[], "list_nodes.so");
        let kubefile = "FROM scratch\nCOPY list_nodes.so plugin\n";
        let (message, hint) = expected.split_once('\n').unwrap();
        let expected = format!("{}{hint}", at_so(&format!("`plugin/list_nodes.so` {message}")));
        assert_eq!(bench.refused(kubefile), expected, "{source}");
    }
}

#[test]
fn a_stripped_plugin_is_a_plugin() {
    let bench = bench();
    compile(&bench, "good.c", &["-s", "-O2"], "list_nodes.so");
    bench.build(KUBEFILE);
}

#[test]
fn a_cut_plugin_is_refused() {
    let bench = bench();
    let whole = fs::read(bench.context("list_nodes.so")).unwrap();
    let message = |bytes: &[u8]| {
        bench.write("list_nodes.so", bytes);
        bench.refused("FROM scratch\nCOPY list_nodes.so plugin\n")
    };
    let size = whole.len();
    let expected = |reason: &str| at_so(&format!("`plugin/list_nodes.so` {reason}"));
    let cut = format!("is truncated: it should have at least {size} bytes and has {}", size - 100);
    assert_eq!(message(&whole[..size - 100]), expected(&cut));
    assert_eq!(message(&whole[..40]), expected("is truncated"));
    assert_eq!(message(b""), expected("is no ELF file"));
    assert_eq!(message(b"#!/bin/sh\n"), expected("is no ELF file"));
}

#[test]
fn damaged_plugins_never_bring_the_build_down() {
    let bench = bench();
    let whole = fs::read(bench.context("list_nodes.so")).unwrap();
    // Every number of the file, one after the other, set to its most and to nothing.
    for (at, filler) in (16..whole.len() - 8).step_by(4).flat_map(|at| [(at, 0xff), (at, 0)]) {
        let mut damaged = whole.clone();
        damaged[at..at + 8].fill(filler);
        let _ = sealer_plugin::shared_object::inspect(&damaged);
    }
    let mut damaged = whole;
    damaged[0x28..0x30].fill(0xff);
    bench.write("list_nodes.so", damaged);
    let refused = bench.refused(KUBEFILE);
    assert!(refused.contains("`plugin/list_nodes.so` is truncated"), "{refused}");
}

#[test]
fn a_plugin_for_another_machine_is_refused() {
    let mut bench = bench();
    let kubefile = "FROM scratch\nCOPY list_nodes.so plugin\n";
    let hint = "hint: build the plugin for the image's platform, or the image with `--platform`\n";
    let here = Platform::host().architecture;
    bench.options.platform = "linux/riscv64".parse().unwrap();
    let message = format!("`plugin/list_nodes.so` is built for {here}, the image for linux/riscv64");
    assert_eq!(bench.refused(kubefile), format!("{}{hint}", at_so(&message)));
    bench.options.platform = Platform::host();
    let mut other = fs::read(bench.context("list_nodes.so")).unwrap();
    other[18..20].copy_from_slice(&243_u16.to_le_bytes());
    bench.write("list_nodes.so", other);
    let message = format!("`plugin/list_nodes.so` is built for riscv64, the image for {}", Platform::host());
    assert_eq!(bench.refused(kubefile), format!("{}{hint}", at_so(&message)));
}

#[test]
fn two_plugins_of_one_type_are_refused_by_name() {
    let mut bench = bench();
    compile(&bench, "good.c", &[], "again.so");
    let hint = "hint: leave one of them out\n";
    assert_eq!(
        bench.refused("FROM scratch\nCOPY *.so plugin\n"),
        format!(
            "  --> Kubefile:2:1\n   |\n 2 | COPY *.so plugin\n   | ^^^^ `plugin/list_nodes.so` and `plugin/again.so` both have the type `LIST_NODE`\n{hint}"
        )
    );
    bench.options.tag = "base:v1";
    bench.build(KUBEFILE);
    bench.options.tag = "demo:v1";
    assert_eq!(
        bench.refused("FROM base:v1\nCOPY again.so plugin\n"),
        format!(
            "  --> Kubefile:2:1\n   |\n 2 | COPY again.so plugin\n   | ^^^^ `plugin/again.so` and `plugin/list_nodes.so` both have the type `LIST_NODE`\n{hint}"
        )
    );
    // In its place, or after it is gone, it is the only one.
    bench.build("FROM base:v1\nCOPY again.so plugin/list_nodes.so\n");
    bench.build("FROM base:v1\nRUN rm plugin/list_nodes.so\nCOPY again.so plugin\n");
}

#[test]
fn a_type_that_is_built_in_is_taken() {
    let bench = bench();
    compile(&bench, "good.c", &["-DTYPE=\"SHELL\""], "list_nodes.so");
    assert_eq!(
        bench.refused("FROM scratch\nCOPY list_nodes.so plugin\n"),
        format!(
            "{}hint: give the plugin a type of its own\n",
            at_so("`plugin/list_nodes.so` has the type `SHELL`, which is built in")
        )
    );
}

#[test]
fn a_yaml_and_a_plugin_find_each_other_in_the_base() {
    let mut bench = bench();
    bench.options.tag = "base:v1";
    bench.build("FROM scratch\nCOPY list_nodes.so plugins\n");
    let warning = "`plugins/list_nodes.so` runs only where a Clusterfile has a plugin of type `LIST_NODE`: the image names it in no YAML";
    assert_eq!(bench.seen.warnings(), [warning]);
    bench.options.tag = "demo:v1";
    bench.build("FROM base:v1\nCOPY list_nodes.yaml plugin\n");
    assert_eq!(bench.seen.warnings(), [warning]);
    assert_eq!(
        bench.refused("FROM base:v1\nCOPY list_nodes.yaml plugin\nRUN rm plugins/list_nodes.so\n"),
        "  --> plugin/list_nodes.yaml:6:3\n   |\n 6 |   type: LIST_NODE\n   |   ^^^^^^^^^^^^^^^ no plugin has the type `LIST_NODE`\n\
         hint: types are CLUSTERCHECK, ETCD, HOSTNAME, LABEL, SHELL, TAINT; a file that provides another must be copied too\n"
    );
}

#[test]
fn what_a_command_makes_is_checked_each_time() {
    let bench = bench();
    bench.write("bad.yaml", YAML.replace("PostInstall", "Never"));
    let kubefile = "FROM scratch\nCOPY bad.yaml .\nRUN mkdir plugin && mv bad.yaml plugin/\n";
    let refused = bench.refused(kubefile);
    assert!(refused.starts_with("  --> plugin/bad.yaml:7:3\n"), "{refused}");
    // The command's layer is remembered now. What is wrong with it is not forgotten.
    assert_eq!(bench.refused(kubefile), refused);
    // Removed again, it does no harm.
    let mended = format!("{kubefile}RUN rm -r plugin\n");
    assert_eq!(bench.build(&mended).cached, 2);
    assert_eq!(bench.build(&mended).cached, 3);
}

#[test]
fn all_that_is_wrong_with_plugins_comes_at_once() {
    let bench = bench();
    compile(&bench, "library.c", &[], "library.so");
    bench.write("bad.yaml", YAML.replace("PostInstall", "Never|Ever"));
    let refused = bench.refused("FROM scratch\nCOPY library.so bad.yaml list_nodes.yaml plugin\n");
    let places: Vec<&str> = refused.lines().filter(|line| line.starts_with("  -->")).collect();
    assert_eq!(
        places,
        [
            "  --> plugin/bad.yaml:7:3",
            "  --> plugin/bad.yaml:7:3",
            "  --> Kubefile:2:1",
            "  --> plugin/list_nodes.yaml:6:3"
        ]
    );
}
