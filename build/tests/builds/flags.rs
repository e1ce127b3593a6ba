//! What the original lost in silence: flags, odd names, bits, ignore files of one Kubefile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sealer_build::Built;
use sealer_image::layer::unpack;
use sealer_stdx::task::Task;

use crate::kit::Bench;

fn unpacked(bench: &Bench, built: &Built) -> PathBuf {
    let root = bench.path("unpacked");
    unpack(&Task::unobserved(), &bench.store, &bench.image(built), &root).unwrap();
    root
}

fn mode(root: &std::path::Path, name: &str) -> u32 {
    fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn chmod_gives_all_that_is_copied_one_mode() {
    let bench = Bench::new();
    bench.touch(&["d/a", "d/e/b", "c"]);
    let kubefile = "FROM scratch\nARG m=0750\nCOPY --chmod=$m d .\nCOPY --chmod=4755 c bin\n";
    let root = unpacked(&bench, &bench.build(kubefile));
    let modes = ["d", "d/a", "d/e", "d/e/b", "bin/c", "bin"].map(|name| mode(&root, name));
    assert_eq!(modes, [0o750, 0o750, 0o750, 0o750, 0o4755, 0o755]);
}

#[test]
fn setuid_setgid_sticky_bits_and_attributes_are_kept() {
    let bench = Bench::new();
    bench.touch(&["d/su", "d/sg/x"]);
    let set = |name: &str, mode: u32| {
        fs::set_permissions(bench.context(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("d/su", 0o4755);
    set("d/sg", 0o2775);
    set("d", 0o1777);
    xattr::set(bench.context("d/su"), "user.note", b"kept").unwrap();
    let root = unpacked(&bench, &bench.build("FROM scratch\nCOPY d .\n"));
    assert_eq!(["d/su", "d/sg", "d"].map(|name| mode(&root, name)), [0o4755, 0o2775, 0o1777]);
    assert_eq!(xattr::get(root.join("d/su"), "user.note").unwrap().unwrap(), b"kept");
}

#[test]
fn parents_keep_the_folders_that_sources_stand_in() {
    let bench = Bench::new();
    bench.touch(&["x/a.txt", "x/y/b.txt", "z/c.txt"]);
    let built = bench.build("FROM scratch\nCOPY --parents x/a.txt z x/y/*.txt etc\n");
    let files: Vec<String> = bench.tree(&built).into_iter().filter(|line| !line.ends_with('/')).collect();
    assert_eq!(files, ["etc/x/a.txt", "etc/x/y/b.txt", "etc/z/c.txt"]);
}

#[test]
fn flags_that_change_nothing_are_taken_and_others_refused_by_name() {
    let bench = Bench::new();
    bench.touch(&["a"]);
    let built = bench.build("FROM scratch\nCOPY --link --chown=root:0 [\"a\", \"with blank\"]\n");
    assert_eq!(bench.tree(&built), ["with blank/", "with blank/a"]);
    assert_eq!(
        bench.refused("FROM scratch\nCOPY --chown=app a .\nCOPY --exclude=b a .\nCOPY --chmod=u+x a .\n"),
        "  --> Kubefile:2:6
   |
 2 | COPY --chown=app a .
   |      ^^^^^^^^^^^ `COPY` cannot give files to `app`
hint: all files of a cluster image belong to root on the hosts; `RUN` or a script there can change that
  --> Kubefile:3:6
   |
 3 | COPY --exclude=b a .
   |      ^^^^^^^^^^^ `COPY` does not take `--exclude`
"
    );
    assert_eq!(
        bench.refused("FROM scratch\nCOPY --chmod=u+x a .\n"),
        "  --> Kubefile:2:6
   |
 2 | COPY --chmod=u+x a .
   |      ^^^^^^^^^^^ `u+x` is no mode
hint: a mode is three or four octal digits: `--chmod=0644`
"
    );
}

#[test]
fn names_with_blanks_brackets_and_stars_are_names() {
    let bench = Bench::new();
    bench.touch(&["a.txt", "sp ace.txt", "[x].txt", "st*r.txt", "d/deep.txt", "-dash.txt"]);
    let built = bench.build("FROM scratch\nCOPY *.txt all\nCOPY **/deep.txt .\n");
    assert_eq!(
        bench.tree(&built),
        ["all/", "all/-dash.txt", "all/[x].txt", "all/a.txt", "all/sp ace.txt", "all/st*r.txt", "deep.txt"]
    );
}

#[test]
fn a_variable_can_be_all_of_a_source() {
    let bench = Bench::new();
    bench.touch(&["a.txt", "b-amd64", "b-arm64"]);
    let mut one = bench;
    one.options.platform = "linux/arm64".parse().unwrap();
    let built = one.build("FROM scratch\nARG what=a.txt\nCOPY $what etc\nCOPY b-${ARCH} bin\n");
    assert_eq!(one.tree(&built), ["bin/", "bin/b-arm64", "etc/", "etc/a.txt"]);
}

#[test]
fn an_ignore_file_of_the_kubefile_comes_before_those_of_the_context() {
    let bench = Bench::new();
    bench.touch(&["a", "b", "c", "d"]);
    let kubefile = "FROM scratch\nCOPY [a-d] .\n";
    bench.write(".dockerignore", "a\n");
    assert_eq!(bench.tree(&bench.build(kubefile)), ["b", "c", "d"]);
    bench.write(".containerignore", "b\n");
    assert_eq!(bench.tree(&bench.build(kubefile)), ["a", "c", "d"]);
    bench.write(".sealerignore", "c\n");
    assert_eq!(bench.tree(&bench.build(kubefile)), ["a", "b", "d"]);
    bench.write("Kubefile.dockerignore", "d\n");
    assert_eq!(bench.tree(&bench.build(kubefile)), ["a", "b", "c"]);
}
