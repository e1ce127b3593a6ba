//! The same input gives the same image, and what has not changed is not done again.

use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::kit::Bench;

const KUBEFILE: &str =
    "FROM scratch\nCOPY a etc\nCOPY b etc\nRUN cat etc/a etc/b > etc/both\nCOPY c etc\nCMD echo\n";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("a", "A");
    bench.write("b", "B");
    bench.write("c", "C");
    bench
}

#[test]
fn a_second_build_does_nothing_and_gives_the_same_image() {
    let bench = bench();
    let first = bench.build(KUBEFILE);
    let second = bench.build(KUBEFILE);
    assert_eq!((first.cached, first.layers), (0, 4));
    assert_eq!((second.cached, second.layers), (4, 4));
    assert_eq!(second.descriptor, first.descriptor);
    assert_eq!(bench.tree(&second), ["etc/", "etc/a: A", "etc/b: B", "etc/both: AB", "etc/c: C"]);
}

#[test]
fn another_machine_builds_the_same_image() {
    assert_eq!(bench().build(KUBEFILE).descriptor, bench().build(KUBEFILE).descriptor);
}

#[test]
fn a_build_without_the_cache_gives_the_same_image_again() {
    let mut bench = bench();
    let first = bench.build(KUBEFILE);
    bench.options.no_cache = true;
    let second = bench.build(KUBEFILE);
    assert_eq!((second.cached, second.descriptor), (0, first.descriptor));
}

#[test]
fn a_changed_file_changes_its_layer_and_the_commands_after_it() {
    let bench = bench();
    let first = bench.build(KUBEFILE);
    bench.write("b", "X");
    let second = bench.build(KUBEFILE);
    assert_eq!(bench.tree(&second), ["etc/", "etc/a: A", "etc/b: X", "etc/both: AX", "etc/c: C"]);
    let layers = |built| bench.image(built).manifest.layers().clone();
    let same: Vec<bool> =
        layers(&first).iter().zip(layers(&second)).map(|(one, other)| *one == other).collect();
    assert_eq!(same, [true, false, false, true]);
    // What a command made depends on all before it; what was copied, on its files alone.
    assert_eq!(second.cached, 2);
}

#[test]
fn a_changed_mode_or_name_is_a_change() {
    let bench = bench();
    let kubefile = "FROM scratch\nCOPY . .\n";
    let first = bench.build(kubefile);
    fs::set_permissions(bench.context("a"), fs::Permissions::from_mode(0o755)).unwrap();
    let second = bench.build(kubefile);
    fs::rename(bench.context("a"), bench.context("z")).unwrap();
    let third = bench.build(kubefile);
    assert_eq!([first.cached, second.cached, third.cached], [0, 0, 0]);
    let file = |tree: Vec<String>, at: usize| tree[at].clone();
    assert_eq!(file(bench.tree(&second), 1), "a*: A");
    assert_eq!(file(bench.tree(&third), 3), "z*: A");
}

#[test]
fn a_change_within_the_clocks_tick_is_a_change() {
    let bench = bench();
    let kubefile = "FROM scratch\nCOPY a .\n";
    for round in 0..50 {
        // As long as before, at the same place, as soon as can be.
        bench.write("a", format!("{round:02}"));
        let built = bench.build(kubefile);
        assert_eq!(bench.tree(&built), [format!("a: {round:02}")]);
    }
}

#[test]
fn a_lost_layer_is_made_again() {
    let bench = bench();
    let first = bench.build(KUBEFILE);
    let layer = bench.image(&first).manifest.layers()[1].clone();
    fs::remove_file(bench.store.blob_path(layer.digest())).unwrap();
    let second = bench.build(KUBEFILE);
    assert_eq!((second.cached, second.descriptor), (3, first.descriptor));
}

#[test]
fn a_damaged_cache_entry_is_no_entry() {
    let bench = bench();
    let first = bench.build(KUBEFILE);
    for entry in fs::read_dir(bench.path("work/cache")).unwrap() {
        fs::write(entry.unwrap().path(), "{").unwrap();
    }
    let second = bench.build(KUBEFILE);
    assert_eq!((second.cached, second.descriptor), (0, first.descriptor));
}

#[test]
fn a_build_that_changes_nothing_opens_no_file() {
    let bench = bench();
    bench.write("charts/x/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n");
    bench.write("manifests/x.yaml", "kind: ConfigMap\n");
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    for name in ["a", "b", "c", "charts/x/Chart.yaml", "manifests/x.yaml"] {
        inotify::add_watch(&watch, bench.context(name), WatchFlags::OPEN | WatchFlags::ACCESS).unwrap();
    }
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut space);
    let mut opened = || {
        let mut files = BTreeSet::new();
        while let Ok(event) = events.next() {
            files.insert(event.wd());
        }
        files.len()
    };
    let kubefile = format!("{KUBEFILE}COPY charts .\nCOPY manifests .\n");
    let first = bench.build(&kubefile);
    assert_eq!((first.cached, opened()), (0, 5));
    let second = bench.build(&kubefile);
    assert_eq!((second.cached, opened()), (6, 0));
    assert_eq!(second.descriptor, first.descriptor);
}

#[test]
fn of_a_touched_file_only_its_layer_is_made_again_and_is_the_same() {
    let bench = bench();
    let first = bench.build(KUBEFILE);
    let file = fs::File::options().append(true).open(bench.context("b")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let second = bench.build(KUBEFILE);
    // The command after it stands on the same layers as before.
    assert_eq!((second.cached, &second.descriptor), (3, &first.descriptor));
    assert_eq!(bench.build(KUBEFILE).cached, 4);
}

#[test]
fn builds_at_once_share_the_cache_and_give_the_same_image() {
    let bench = bench();
    bench.write("Kubefile", KUBEFILE);
    let platform = std::slice::from_ref(&bench.options.platform);
    let built: Vec<_> = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..4).map(|_| scope.spawn(|| bench.build_for(platform).unwrap())).collect();
        builds.into_iter().map(|build| build.join().unwrap().descriptor).collect()
    });
    let after = bench.build(KUBEFILE);
    assert_eq!(after.cached, 4);
    assert_eq!(built, vec![after.descriptor; 4]);
}
