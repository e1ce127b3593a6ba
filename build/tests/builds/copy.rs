//! `COPY`, row by row of the table in docs/reference/kubefile.md.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use crate::kit::Bench;

const PLUGIN: &str =
    "kind: Plugin\nmetadata: {name: label}\nspec: {type: SHELL, action: PostInstall, data: uname}\n";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.touch(&["a.yaml", "b.yaml", "helm", "with blank.txt", "{a,b}.yaml"]);
    bench.touch(&["apollo/Chart.yaml", "apollo/templates/x.yaml", "etc/c.conf"]);
    bench.write("label.yaml", PLUGIN);
    bench
}

/// The files that an image of these lines holds, without what stands in them.
fn files(bench: &Bench, lines: &str) -> Vec<String> {
    let tree = bench.tree(&bench.build(&format!("FROM scratch\n{lines}\n")));
    let name = |line: &String| line.split(": ").next().unwrap().to_owned();
    tree.iter().map(name).filter(|name| !name.ends_with('/')).collect()
}

fn check(table: &[(&str, &[&str])]) {
    for (lines, expected) in table {
        assert_eq!(files(&bench(), lines), *expected, "{lines}");
    }
}

#[test]
fn a_destination_is_a_folder_in_which_sources_keep_their_names() {
    check(&[
        ("COPY a.yaml .", &["a.yaml"]),
        ("COPY a.yaml /", &["a.yaml"]),
        ("COPY a.yaml etc", &["etc/a.yaml"]),
        ("COPY a.yaml /etc/", &["etc/a.yaml"]),
        ("COPY a.yaml ./etc/../manifests", &["manifests/a.yaml"]),
        ("COPY ./etc/../a.yaml etc", &["etc/a.yaml"]),
        ("COPY /a.yaml etc", &["etc/a.yaml"]),
        ("COPY helm bin/helm", &["bin/helm/helm"]),
        ("COPY apollo .", &["apollo/Chart.yaml", "apollo/templates/x.yaml"]),
        ("COPY apollo charts", &["charts/apollo/Chart.yaml", "charts/apollo/templates/x.yaml"]),
        ("COPY apollo/ charts", &["charts/apollo/Chart.yaml", "charts/apollo/templates/x.yaml"]),
        ("COPY apollo/templates charts", &["charts/templates/x.yaml"]),
        ("COPY label.yaml plugin", &["plugin/label.yaml"]),
        ("COPY etc/c.conf etc/a.yaml", &["etc/a.yaml"]),
    ]);
}

#[test]
fn a_folders_content_is_taken_by_a_dot_or_a_star() {
    check(&[
        ("COPY apollo/. charts", &["charts/Chart.yaml", "charts/templates/x.yaml"]),
        ("COPY apollo/. .", &["Chart.yaml", "templates/x.yaml"]),
        ("COPY apollo/* charts", &["charts/Chart.yaml", "charts/templates/x.yaml"]),
    ]);
    let bench = Bench::new();
    bench.touch(&["a", "b/c"]);
    assert_eq!(files(&bench, "COPY . ."), ["Kubefile", "a", "b/c"]);
    assert_eq!(files(&bench, "COPY . sub"), ["sub/Kubefile", "sub/a", "sub/b/c"]);
}

#[test]
fn one_file_to_a_name_with_a_dot_is_renamed() {
    check(&[
        ("COPY a.yaml etc/z.yaml", &["etc/z.yaml"]),
        ("COPY helm bin/helm.v3", &["bin/helm.v3"]),
        ("COPY helm etc/conf.d/", &["etc/conf.d/helm"]),
        (
            "COPY apollo charts/apollo.v1",
            &["charts/apollo.v1/apollo/Chart.yaml", "charts/apollo.v1/apollo/templates/x.yaml"],
        ),
        ("COPY a.yaml b.yaml etc/conf.d", &["etc/conf.d/a.yaml", "etc/conf.d/b.yaml"]),
        ("COPY a.yaml etc/conf.d/\nCOPY b.yaml etc/conf.d", &["etc/conf.d/a.yaml", "etc/conf.d/b.yaml"]),
    ]);
}

#[test]
fn a_folder_of_the_base_is_no_name_for_a_file() {
    let mut bench = bench();
    bench.options.tag = "base:v1";
    bench.build("FROM scratch\nCOPY a.yaml etc/conf.d/\nRUN ln -s /etc machine\n");
    bench.options.tag = "demo:v1";
    let places = |lines: &str| {
        let tree = bench.tree(&bench.build(&format!("FROM base:v1\n{lines}\n")));
        tree.iter()
            .filter(|line| line.ends_with("b.yaml") || line.ends_with("init.d"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(places("COPY b.yaml etc/conf.d"), ["etc/conf.d/b.yaml"]);
    // A link of the image never asks what stands on this machine.
    assert!(fs::metadata("/etc/init.d").unwrap().is_dir());
    assert_eq!(places("COPY b.yaml machine/init.d"), ["machine/init.d"]);
}

#[test]
fn several_sources_and_wildcards_go_into_the_folder() {
    check(&[
        ("COPY a.yaml b.yaml helm etc", &["etc/a.yaml", "etc/b.yaml", "etc/helm"]),
        ("COPY [\"a.yaml\", \"with blank.txt\", \"etc\"]", &["etc/a.yaml", "etc/with blank.txt"]),
        ("COPY \"with blank.txt\" with\\ blank.txt etc", &["etc/with blank.txt"]),
        ("COPY [ab].yaml etc", &["etc/a.yaml", "etc/b.yaml"]),
        ("COPY ?.yaml etc", &["etc/a.yaml", "etc/b.yaml"]),
        ("COPY [^a].yaml etc", &["etc/b.yaml"]),
        ("COPY apollo/*.yaml apollo/*/*.yaml etc", &["etc/Chart.yaml", "etc/x.yaml"]),
        ("COPY apollo/**/*.yaml etc", &["etc/Chart.yaml", "etc/x.yaml"]),
        // Braces are letters, as in Go's patterns.
        ("COPY {a,?}.yaml etc", &["etc/{a,b}.yaml"]),
        ("COPY {a,b}.yaml etc", &["etc/{a,b}.yaml"]),
        // One file by a wildcard is one file.
        ("COPY hel* bin/helm.v3", &["bin/helm.v3"]),
    ]);
}

#[test]
fn dockers_rules_come_with_dockers_syntax() {
    let check = |table: &[(&str, &[&str])]| {
        for (line, expected) in table {
            let bench = bench();
            bench.touch(&["Kubefile"]);
            let kubefile = format!("# syntax=docker/dockerfile:1\nFROM scratch\n{line}\n");
            let tree = bench.tree(&bench.build(&kubefile));
            let names: Vec<&str> = tree
                .iter()
                .map(|line| line.split(": ").next().unwrap())
                .filter(|name| !name.ends_with('/'))
                .collect();
            assert_eq!(names, *expected, "{line}");
        }
    };
    check(&[
        ("COPY helm bin/helm", &["bin/helm"]),
        ("COPY helm bin/", &["bin/helm"]),
        ("COPY helm .", &["helm"]),
        ("COPY apollo charts", &["charts/Chart.yaml", "charts/templates/x.yaml"]),
        ("COPY apollo .", &["Chart.yaml", "templates/x.yaml"]),
        ("COPY apollo helm charts/", &["charts/Chart.yaml", "charts/helm", "charts/templates/x.yaml"]),
        (
            "COPY apollo charts/apollo\nCOPY helm charts",
            &["charts/apollo/Chart.yaml", "charts/apollo/templates/x.yaml", "charts/helm"],
        ),
    ]);
    assert_eq!(
        bench().refused("# syntax=docker/dockerfile:1\nFROM scratch\nCOPY a.yaml b.yaml etc\n"),
        "  --> Kubefile:3:20\n   |\n 3 | COPY a.yaml b.yaml etc\n   |                    ^^^ must be a folder, for there are several sources\nhint: write `etc/`\n"
    );
}

#[test]
fn modes_links_and_empty_folders_are_kept() {
    let bench = Bench::new();
    bench.write("d/run", "1");
    bench.write("d/log/.keep", "");
    fs::remove_file(bench.context("d/log/.keep")).unwrap();
    fs::set_permissions(bench.context("d/run"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(bench.context("d/log"), fs::Permissions::from_mode(0o1777)).unwrap();
    symlink("run", bench.context("d/walk")).unwrap();
    symlink("/etc/passwd", bench.context("d/out")).unwrap();
    fs::hard_link(bench.context("d/run"), bench.context("d/again")).unwrap();
    let built = bench.build("FROM scratch\nCOPY d .\nCOPY d/walk etc\n");
    assert_eq!(
        bench.tree(&built),
        [
            "d/",
            "d/again*: 1",
            "d/log/",
            "d/out -> /etc/passwd",
            "d/run*: 1",
            "d/walk -> run",
            "etc/",
            "etc/walk -> run"
        ]
    );
    let root = bench.path("unpacked");
    sealer_image::layer::unpack(
        &sealer_stdx::task::Task::unobserved(),
        &bench.store,
        &bench.image(&built),
        &root,
    )
    .unwrap();
    let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("d/run"), mode("d/log"), mode("etc")], [0o750, 0o1777, 0o755]);
    let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(root.join(name)).unwrap());
    assert_eq!(inode("d/run"), inode("d/again"));
}

#[test]
fn a_missing_source_suggests_its_neighbour() {
    assert_eq!(
        bench().refused("FROM scratch\nCOPY apolo/Chart.yaml aplolo charts\nCOPY apollo/Cart.yaml .\n"),
        "  --> Kubefile:2:6\n   |\n 2 | COPY apolo/Chart.yaml aplolo charts\n   |      ^^^^^^^^^^^^^^^^ not in the build context `~/context`\n\
         hint: did you mean `apollo/Chart.yaml`?\n\
         \x20 --> Kubefile:2:23\n   |\n 2 | COPY apolo/Chart.yaml aplolo charts\n   |                       ^^^^^^ not in the build context `~/context`\n\
         hint: did you mean `apollo`?\n\
         \x20 --> Kubefile:3:6\n   |\n 3 | COPY apollo/Cart.yaml .\n   |      ^^^^^^^^^^^^^^^^ not in the build context `~/context`\n\
         hint: did you mean `apollo/Chart.yaml`?\n"
    );
}

#[test]
fn nothing_outside_the_context_is_taken() {
    let bench = bench();
    fs::create_dir(bench.path("outside")).unwrap();
    fs::write(bench.path("outside/secret"), "secret").unwrap();
    symlink(bench.path("outside"), bench.context("door")).unwrap();
    symlink("../outside/secret", bench.context("key")).unwrap();
    symlink("apollo", bench.context("inside")).unwrap();
    symlink("loop", bench.context("loop")).unwrap();
    let refused = |source: &str, message: &str| {
        let caret = "^".repeat(source.chars().count());
        assert_eq!(
            bench.refused(&format!("FROM scratch\nCOPY {source} .\n")),
            format!("  --> Kubefile:2:6\n   |\n 2 | COPY {source} .\n   |      {caret} {message}\n")
        );
    };
    let outside = "outside the build context `~/context`";
    let own = "hint: a build takes only what its context holds";
    refused("../outside/secret", &format!("{outside}\n{own}"));
    refused("apollo/../../outside/secret", &format!("{outside}\n{own}"));
    let link = |target: &str, place: &str| {
        format!("a link to `{target}`, {outside}\nhint: put the file itself at `{place}`")
    };
    refused("door/secret", &link("~/outside/secret", "door/secret"));
    refused("door", &link("~/outside", "door"));
    refused("key", &link("~/outside/secret", "key"));
    refused("door/*", "not in the build context `~/context`");
    assert_eq!(files(&bench, "COPY inside ."), ["inside -> apollo"]);
    assert_eq!(files(&bench, "COPY inside/Chart.yaml ."), ["Chart.yaml"]);
    assert_eq!(files(&bench, "COPY loop ."), ["loop -> loop"]);
}

#[test]
fn a_socket_is_no_file_for_an_image() {
    let bench = Bench::new();
    bench.touch(&["d/a"]);
    let _listener = UnixListener::bind(bench.context("d/socket")).unwrap();
    assert_eq!(
        bench.refused("FROM scratch\nCOPY d .\n"),
        "~/context/d/socket: is a device, socket or pipe: an image holds files, folders and links\n"
    );
}

#[test]
fn an_ignore_file_leaves_out_by_dockers_rules() {
    let rows: &[(&str, &str, &[&str])] = &[
        (
            "*.yaml",
            "COPY . .",
            &["apollo/Chart.yaml", "apollo/templates/x.yaml", "etc/c.conf", "helm", "with blank.txt"],
        ),
        ("**/*.yaml", "COPY . .", &["etc/c.conf", "helm", "with blank.txt"]),
        ("apollo", "COPY a* .", &["a.yaml"]),
        ("apollo\n!apollo/templates", "COPY apollo .", &["apollo/templates/x.yaml"]),
        ("*\n!helm", "COPY . .", &["helm"]),
        ("/etc/\n# helm\n", "COPY etc/../helm apollo/Chart.yaml .", &["Chart.yaml", "helm"]),
        ("**\n!**/x.yaml", "COPY . .", &["apollo/templates/x.yaml"]),
    ];
    for (rules, line, expected) in rows {
        let bench = bench();
        bench.write(".sealerignore", format!("Kubefile\n.sealerignore\n{{a,b}}.yaml\n{rules}\n"));
        assert_eq!(files(&bench, line), *expected, "{rules}");
    }
}

#[test]
fn what_an_ignore_file_leaves_out_cannot_be_named() {
    let bench = bench();
    bench.write(".dockerignore", "helm\n");
    bench.write(".sealerignore", "# secrets\n*.yaml\napollo/*\n");
    assert_eq!(
        bench.refused("FROM scratch\nCOPY a.yaml .\nCOPY helm apollo/templates .\n"),
        "  --> Kubefile:2:6\n   |\n 2 | COPY a.yaml .\n   |      ^^^^^^ not in the build context `~/context`\n\
         hint: `.sealerignore` line 2 (`*.yaml`) leaves it out\n\
         \x20 --> Kubefile:3:11\n   |\n 3 | COPY helm apollo/templates .\n   |           ^^^^^^^^^^^^^^^^ not in the build context `~/context`\n\
         hint: `.sealerignore` line 3 (`apollo/*`) leaves it out\n"
    );
    fs::remove_file(bench.context(".sealerignore")).unwrap();
    assert_eq!(
        bench.refused("FROM scratch\nCOPY helm .\n"),
        "  --> Kubefile:2:6\n   |\n 2 | COPY helm .\n   |      ^^^^ not in the build context `~/context`\n\
         hint: `.dockerignore` line 1 (`helm`) leaves it out\n"
    );
    bench.write(".sealerignore", "a\n[b\n");
    assert_eq!(
        bench.refused("FROM scratch\nCOPY helm .\n"),
        "  --> .sealerignore:2:1\n   |\n 2 | [b\n   | ^^ `[b` is no pattern\n"
    );
}
