//! `RUN`, on this machine and without a trace on it. Needs root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sealer_build::Error;

use crate::kit::{Bench, list};

fn output(bench: &Bench, line: &str) -> Vec<String> {
    bench.build(&format!("FROM scratch\n{line}\n"));
    bench.seen.output()
}

#[test]
fn a_command_works_in_the_images_root() {
    let bench = Bench::new();
    bench.write("bin/greet", "#!/bin/sh\necho \"$1\" > greeting\n");
    fs::set_permissions(bench.context("bin/greet"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("etc/old", "old");
    bench.write("etc/gone", "gone");
    bench.write("logs/a", "a");
    let built = bench.build(
        "FROM scratch\nCOPY bin .\nCOPY etc .\nCOPY logs .\n\
         RUN greet hello && \\\n    echo new > etc/old && rm etc/gone && mkdir -m 700 var && ln -s etc/old link\n\
         RUN rm -r logs && mkdir logs && echo b > logs/b && ln greeting again\n",
    );
    assert_eq!(
        bench.tree(&built),
        [
            "again: hello",
            "bin/",
            "bin/greet*: #!/bin/sh\necho \"$1\" > greeting",
            "etc/",
            "etc/old: new",
            "greeting: hello",
            "link -> etc/old",
            "logs/",
            "logs/b: b",
            "var/",
        ]
    );
    assert_eq!(built.layers, 5);
}

#[test]
fn a_command_sees_arguments_variables_and_a_plain_environment() {
    let bench = Bench::new();
    let lines = "ARG version=v1\nENV NAME=\"some name\"\nRUN env | sort; pwd; umask; cat";
    assert_eq!(
        output(&bench, lines),
        [
            "HOME=/root",
            "LANG=C.UTF-8",
            "NAME=some name",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/sealer-rootfs/bin",
            "PWD=/run/sealer-rootfs",
            "SOURCE_DATE_EPOCH=0",
            "version=v1",
            "/run/sealer-rootfs",
            "0022",
        ]
    );
}

#[test]
fn a_command_leaves_no_trace_on_this_machine() {
    let bench = Bench::new();
    let name = bench.path("").file_name().unwrap().to_string_lossy().into_owned();
    let places: Vec<String> =
        ["/etc", "/var/lib", "/var/tmp", "/tmp", "/root", "/run", "/dev/shm", "/usr/bin", "/srv"]
            .iter()
            .map(|folder| format!("{folder}/trace-of-{name}"))
            .collect();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let built = bench.build(&format!(
        "FROM scratch\nRUN for place in {}; do echo trace > $place && test -s $place; done; echo done > result\n\
         RUN ! touch /proc/sys/kernel/hostname-of && ! sh -c 'echo 1 > /proc/sys/vm/swappiness'\n\
         RUN hostname trace && ! ip link add trace-link type dummy\n\
         RUN rm -rf /usr/share/doc && test ! -e /usr/share/doc\n\
         RUN ! touch /sys/trace\n\
         RUN test ! -e /dev/mem && test ! -e /dev/vda && test -c /dev/null\n\
         RUN sleep 1000 & echo started\n",
        places.join(" ")
    ));
    assert_eq!(bench.tree(&built), ["result: done"]);
    let left: Vec<&String> = places.iter().filter(|place| Path::new(place).exists()).collect();
    assert_eq!(left, Vec::<&String>::new());
    assert!(Path::new("/usr/share/doc").exists());
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), hostname);
    assert!(!before.contains(&name) && !fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&name));
    assert_eq!(list(&bench.path("work/scratch")), Vec::<String>::new());
}

#[test]
fn the_image_below_is_not_changed() {
    let bench = Bench::new();
    bench.write("a", "A");
    bench.build("FROM scratch\nCOPY a .\nRUN echo B > a\n");
    let unpacked: Vec<String> = fs::read_dir(bench.path("work/rootfs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|path| list(&path))
        .collect();
    assert_eq!(unpacked, ["a: A"]);
}

#[test]
fn the_same_command_gives_the_same_image_on_another_machine() {
    let build = || {
        let bench = Bench::new();
        bench.write("a", "A");
        let built = bench.build(
            "FROM scratch\nCOPY a .\nRUN touch d c b && mkdir -p x/y && cp a x/y/ && date +%s%N > /tmp/now && chmod 640 a\n",
        );
        built.descriptor.digest().to_string()
    };
    assert_eq!(build(), build());
}

#[test]
fn a_command_is_not_run_again_until_what_is_below_it_changes() {
    let bench = Bench::new();
    bench.write("a", "A");
    let kubefile = "FROM scratch\nCOPY a .\nRUN echo ran >&2; test -f a\nRUN cat a > b; echo ran\n";
    let first = bench.build(kubefile);
    assert_eq!((first.layers, first.cached, bench.seen.output().len()), (2, 0, 2));
    // A command that changes nothing makes no layer, and is remembered all the same.
    let second = bench.build(&format!("{kubefile}LABEL of=later\nCMD later\n"));
    assert_eq!((second.layers, second.cached, bench.seen.output().len()), (2, 3, 2));
    let third = bench.build(&kubefile.replace("FROM scratch\n", "FROM scratch\nENV a=b\n"));
    assert_eq!((third.cached, bench.seen.output().len()), (1, 4));
}

#[test]
fn a_failing_command_is_named_with_its_line_status_and_last_words() {
    let bench = Bench::new();
    let kubefile =
        "FROM scratch\n\nRUN i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; done; \\\n  exit 7\n";
    let error = bench.try_build(kubefile).unwrap_err();
    let Error::Run { at, command, status, output } = error else { panic!("{error}") };
    assert_eq!((at.file.as_str(), at.span.map(|span| (span.line, span.column))), ("Kubefile", Some((3, 1))));
    assert_eq!(command, "i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; done;   exit 7");
    assert_eq!(status, 7);
    assert_eq!(output, (11..=30).map(|number| format!("line {number}")).collect::<Vec<_>>());
    assert_eq!(bench.store.references().unwrap(), []);
    assert_eq!(list(&bench.path("work/scratch")), Vec::<String>::new());
}

#[test]
fn a_command_that_a_signal_ends_has_its_status() {
    for (command, expected) in [("kill -9 $$", 137), ("sh -c 'kill -TERM $$'", 143), ("no-such-program", 127)]
    {
        let error = Bench::new().try_build(&format!("FROM scratch\nRUN {command}\n")).unwrap_err();
        let Error::Run { status, .. } = error else { panic!("{error}") };
        assert_eq!(status, expected, "{command}");
    }
}

#[test]
fn an_interrupted_command_ends_at_once() {
    let bench = Bench::new();
    thread::scope(|scope| {
        let building = scope.spawn(|| bench.try_build("FROM scratch\nRUN echo begun; sleep 1000\n"));
        let begun = Instant::now();
        while bench.seen.output().is_empty() && begun.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(5));
        }
        bench.cancel.cancel();
        let error = building.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled(_)), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60));
    });
    assert_eq!(list(&bench.path("work/scratch")), Vec::<String>::new());
}

#[test]
fn what_a_killed_build_left_is_swept_by_the_next() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("work/scratch/run-killed/upper")).unwrap();
    fs::write(bench.path("work/scratch/run-killed/lock"), "").unwrap();
    bench.build("FROM scratch\nRUN true\n");
    assert_eq!(list(&bench.path("work/scratch")), Vec::<String>::new());
}

#[test]
fn large_output_is_kept_as_it_is() {
    let bench = Bench::new();
    let built =
        bench.build("FROM scratch\nRUN head -c 50000000 /dev/zero > big && printf 'a\\n\\377b' > odd\n");
    let files: Vec<u64> =
        bench.image(&built).manifest.layers().iter().map(sealer_image::Descriptor::size).collect();
    assert!(files[0] < 1_000_000);
    assert_eq!(bench.tree(&built).len(), 2);
}
