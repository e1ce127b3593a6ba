//! A pull that is killed: the store is whole, and the next pull goes on from the byte.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealer_image::transfer::{copy, pull};
use sealer_image::{Platform, Registry, Store};
use sealer_stdx::task::Task;
use sealer_testkit::{Action, Fault};

use crate::support::{Memory, Wire, settings};

const STORE: &str = "TEST_CHILD_STORE";
const REFERENCE: &str = "TEST_CHILD_REFERENCE";

/// The child of the test below: pulls, where the variables say what and where to. Else does nothing.
#[test]
fn child() {
    let (Ok(store), Ok(reference)) = (env::var(STORE), env::var(REFERENCE)) else { return };
    let (store, reference) = (Store::open(store.as_ref()).unwrap(), reference.parse().unwrap());
    pull(&Task::unobserved(), &store, &Registry::new(settings()), &reference, &Platform::host()).unwrap();
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pull_that_is_killed_leaves_the_store_whole_and_the_next_one_goes_on() {
    let (wire, task, there) = (Wire::start(), Task::unobserved(), Memory::default());
    let reference = wire.reference("demo:v1");
    let image = there.image(1, &[3 << 20]);
    let layer = there.layers(&image)[0].digest().to_string();
    let registry = Registry::new(settings());
    let repository = registry.repository(&task, &reference);
    copy(&task, &there, &repository, &image, 2).unwrap();
    repository.tag(&image, &there).unwrap();

    for point in [0, 200_000, 1_000_000] {
        wire.proxy.heal();
        wire.proxy.forget();
        wire.proxy.inject(Fault::on("GET", &layer, Action::Slow { per_second: 4 << 20 }));
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "kill::child"])
            .env(STORE, dir.path())
            .env(REFERENCE, reference.to_string())
            .stdout(Stdio::null())
            .spawn()
            .map(Killed)
            .unwrap();
        let received = || wire.proxy.seen_on("GET", &layer).iter().map(|seen| seen.received).sum::<u64>();
        let started = Instant::now();
        while received() <= point {
            assert!(started.elapsed() < Duration::from_secs(30), "the child does not come to {point}");
            thread::sleep(Duration::from_millis(2));
        }
        drop(child);

        let store = Store::open(dir.path()).unwrap();
        assert!(store.references().unwrap().is_empty());
        wire.proxy.heal();
        wire.proxy.forget();
        pull(&task, &store, &registry, &reference, &Platform::host()).unwrap();
        assert_eq!(store.resolve(&reference).unwrap(), image);
        let seen = wire.proxy.seen_on("GET", &layer);
        assert_eq!(seen.len(), 1, "{seen:?}");
        let from = seen[0].range.as_deref().map_or(0, |range| {
            range.trim_start_matches("bytes=").trim_end_matches('-').parse::<u64>().unwrap()
        });
        assert_eq!(seen[0].received, (3 << 20) - from);
        // What was on its way when the process died is lost, and no more.
        assert!(from + (1 << 20) > point, "{from} {point}");
        assert!(point < 1_000_000 || from > 0, "{from}");
    }
}
