//! What breaks on the wire: what is made good, what is told, and how many bytes go twice.

use std::time::Duration;

use sealer_image::registry::{Ranges, RegistryError};
use sealer_image::transfer::{copy, pull};
use sealer_image::{Descriptor, Error, Platform, Registry, RegistrySettings, Store};
use sealer_stdx::task::Task;
use sealer_testkit::{Action, Fault};

use crate::support::{Memory, Wire, settings};

const MIB: usize = 1 << 20;

/// An image in a registry, and the wire to it with nothing seen yet.
struct Pushed {
    wire: Wire,
    there: Memory,
    image: Descriptor,
}

impl Pushed {
    fn new(sizes: &[usize]) -> Self {
        let (wire, there) = (Wire::start(), Memory::default());
        let image = there.image(1, sizes);
        push(&wire, &there, &image).unwrap();
        wire.proxy.forget();
        Self { wire, there, image }
    }

    fn pull(&self) -> sealer_image::Result<()> {
        self.pull_with(settings())
    }

    fn pull_with(&self, settings: RegistrySettings) -> sealer_image::Result<()> {
        let (task, here, registry) = (Task::unobserved(), Memory::default(), Registry::new(settings));
        let repository = registry.repository(&task, &self.wire.reference("demo:v1"));
        copy(&task, &repository, &here, &self.image, 2)?;
        assert_eq!(here.digests(), self.there.digests());
        Ok(())
    }

    fn blob(&self) -> String {
        self.there.layers(&self.image)[0].digest().to_string()
    }
}

fn push(wire: &Wire, there: &Memory, image: &Descriptor) -> sealer_image::Result<()> {
    let (task, registry) = (Task::unobserved(), Registry::new(settings()));
    let repository = registry.repository(&task, &wire.reference("demo:v1"));
    copy(&task, there, &repository, image, 2)?;
    repository.tag(image, there)
}

#[test]
fn a_cut_download_goes_on_from_its_byte() {
    let pushed = Pushed::new(&[4 * MIB]);
    let cut = Action::CutResponse { after: 3_000_000 };
    pushed.wire.proxy.inject(Fault::on("GET", &pushed.blob(), cut));
    pushed.wire.proxy.inject(Fault::on("GET", &pushed.blob(), Action::CutResponse { after: 500_000 }));
    pushed.pull().unwrap();
    let seen = pushed.wire.proxy.seen_on("GET", &pushed.blob());
    let ranges: Vec<_> = seen.iter().map(|seen| (seen.range.as_deref(), seen.received)).collect();
    let left = 4 * MIB as u64 - 3_500_000;
    assert_eq!(
        ranges,
        [(None, 3_000_000), (Some("bytes=3000000-"), 500_000), (Some("bytes=3500000-"), left)]
    );
}

/// Parts of a mebibyte, three at once, from the first byte on.
fn in_parts() -> RegistrySettings {
    let ranges = Ranges { parts: 3, size: MIB as u64, after: Duration::ZERO };
    RegistrySettings { ranges, ..settings() }
}

#[test]
fn a_large_blob_comes_in_parts_side_by_side_and_a_part_that_breaks_goes_on() {
    let pushed = Pushed::new(&[5 * MIB + 1]);
    let cut = Fault::on("GET", &pushed.blob(), Action::CutResponse { after: 1000 });
    pushed.wire.proxy.inject(cut.skip(2));
    pushed.pull_with(in_parts()).unwrap();
    let seen = pushed.wire.proxy.seen_on("GET", &pushed.blob());
    // One connection brings the first mebibyte; five parts the rest, one of them in two goes.
    let parts = || seen.iter().filter(|seen| seen.range.is_some());
    assert_eq!((seen.len(), parts().count()), (7, 6));
    assert_eq!(parts().map(|seen| seen.received).sum::<u64>(), 4 * MIB as u64 + 1);
}

#[test]
fn a_registry_that_knows_no_parts_sends_the_blob_whole() {
    let pushed = Pushed::new(&[5 * MIB]);
    let all = Action::Answer { status: 200, headers: Vec::new(), body: "all of it".into() };
    pushed.wire.proxy.inject(Fault::on("GET", &pushed.blob(), all).skip(1).times(2));
    pushed.pull_with(in_parts()).unwrap();
    let last = pushed.wire.proxy.seen_on("GET", &pushed.blob()).pop().unwrap();
    assert_eq!((last.range.as_deref(), last.received), (Some("bytes=1048576-"), 4 * MIB as u64));
}

#[test]
fn a_download_that_is_cut_again_and_again_without_progress_is_given_up() {
    let pushed = Pushed::new(&[MIB]);
    let fault = Fault::on("GET", &pushed.blob(), Action::CutResponse { after: 0 });
    pushed.wire.proxy.inject(fault.always());
    let broken = pushed.pull();
    assert!(matches!(broken, Err(Error::Registry(RegistryError::Unreachable { .. }))), "{broken:?}");
    assert_eq!(pushed.wire.proxy.seen_on("GET", &pushed.blob()).len(), 4);
}

#[test]
fn an_upload_goes_on_from_the_piece_that_failed() {
    for action in [Action::Close, Action::status(503), Action::status(416), Action::status(401)] {
        let (wire, there, task) = (Wire::start(), Memory::default(), Task::unobserved());
        let image = there.image(1, &[8 * MIB]);
        wire.proxy.inject(Fault::on("PATCH", "", action.clone()).skip(2));
        let registry = Registry::new(RegistrySettings { piece: 3 << 20, ..settings() });
        let repository = registry.repository(&task, &wire.reference("demo:v1"));
        copy(&task, &there, &repository, &image, 2).unwrap();
        let patches = wire.proxy.seen_on("PATCH", "");
        let kept: u64 = patches.iter().filter(|seen| seen.status == 202).map(|seen| seen.sent).sum();
        assert_eq!((patches.len(), kept), (4, 8 * MIB as u64), "{action:?}");
    }
}

/// `docker-registry` 2.8 gives the upload up when one of its requests is cut in the middle: then the
/// blob, and only the blob, begins again.
#[test]
fn an_upload_that_is_cut_in_a_piece_is_made_good() {
    let (wire, there) = (Wire::start(), Memory::default());
    let image = there.image(1, &[8 * MIB]);
    wire.proxy.inject(Fault::on("PATCH", "", Action::CutRequest { after: 3 * MIB as u64 }));
    push(&wire, &there, &image).unwrap();
    let sent: Vec<u64> = wire.proxy.seen_on("PATCH", "").iter().map(|seen| seen.sent).collect();
    assert_eq!(sent, [3 * MIB as u64, 8 * MIB as u64]);
}

#[test]
fn too_many_requests_and_server_errors_are_waited_out() {
    let pushed = Pushed::new(&[MIB]);
    let proxy = &pushed.wire.proxy;
    proxy.inject(Fault::on("GET", "/manifests/", Action::too_many(1)));
    proxy.inject(Fault::on("GET", "/blobs/", Action::status(503)).times(2));
    proxy.inject(Fault::on("GET", "/blobs/", Action::Close));
    let started = std::time::Instant::now();
    pushed.pull().unwrap();
    assert!(started.elapsed().as_secs_f32() >= 1.0, "Retry-After says 1 s");
}

#[test]
fn a_push_outlives_one_failure_of_each_of_its_requests() {
    let (wire, there) = (Wire::start(), Memory::default());
    let image = there.image(1, &[2 * MIB, 10]);
    for method in ["HEAD", "POST", "PATCH", "PUT"] {
        wire.proxy.inject(Fault::on(method, "/blobs/", Action::status(500)));
        wire.proxy.inject(Fault::on(method, "/blobs/", Action::Close));
    }
    wire.proxy.inject(Fault::on("PUT", "/manifests/", Action::too_many(0)).times(2));
    push(&wire, &there, &image).unwrap();
}

#[test]
fn what_never_gets_better_is_told_apart() {
    let pushed = Pushed::new(&[10]);
    let failure = |action: Action| {
        pushed.wire.proxy.heal();
        pushed.wire.proxy.forget();
        pushed.wire.proxy.inject(Fault::on("GET", "/manifests/", action).always());
        let Err(Error::Registry(error)) = pushed.pull() else { panic!("a registry's error") };
        (error, pushed.wire.proxy.seen_on("GET", "/manifests/").len())
    };
    let (error, tries) = failure(Action::too_many(0));
    assert!(matches!(error, RegistryError::RateLimited { .. }), "{error:?}");
    assert_eq!(tries, 4);
    // Longer than we are willing to wait: told at once.
    let (error, tries) = failure(Action::too_many(3600));
    assert!(error.to_string().ends_with("it answers again in 3600 s"), "{error}");
    assert_eq!(tries, 1);
    let (error, tries) = failure(Action::status(502));
    assert!(matches!(error, RegistryError::Server { status: 502, .. }), "{error:?}");
    assert_eq!(tries, 4);
    let (error, tries) = failure(Action::status(403));
    assert!(matches!(error, RegistryError::Forbidden { .. }), "{error:?}");
    assert_eq!(tries, 1);
    let (error, tries) = failure(Action::status(401));
    assert!(matches!(error, RegistryError::Unauthorized { credentials: false, .. }), "{error:?}");
    assert_eq!(tries, 2);
    let body = "<html>a web page</html>".into();
    let (error, _) = failure(Action::Answer { status: 200, headers: Vec::new(), body });
    assert!(matches!(error, RegistryError::Protocol { .. }), "{error:?}");
}

#[test]
fn a_401_in_the_middle_is_answered_once() {
    let pushed = Pushed::new(&[MIB, 10]);
    pushed.wire.proxy.inject(Fault::on("GET", "/blobs/", Action::status(401)));
    pushed.pull().unwrap();
}

#[test]
fn damaged_bytes_and_wrong_lengths_are_not_taken_in() {
    let pushed = Pushed::new(&[MIB]);
    for action in [Action::Corrupt { at: 1000 }, Action::ContentLength(1000)] {
        pushed.wire.proxy.heal();
        pushed.wire.proxy.inject(Fault::on("GET", &pushed.blob(), action));
        let refused = pushed.pull();
        assert!(matches!(refused, Err(Error::Verify { .. })), "{refused:?}");
    }
    pushed.wire.proxy.inject(Fault::on("GET", "/manifests/", Action::Corrupt { at: 10 }));
    let refused = pushed.pull();
    assert!(matches!(refused, Err(Error::Verify { what: "manifest", .. })), "{refused:?}");
}

#[test]
fn a_blob_that_the_registry_has_lost_is_named() {
    let pushed = Pushed::new(&[MIB]);
    std::fs::remove_file(pushed.wire.registry.blob_path(&pushed.blob())).unwrap();
    match pushed.pull() {
        Err(Error::Registry(RegistryError::BlobUnknown { digest, .. })) => {
            assert_eq!(digest.to_string(), pushed.blob());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_layer_is_not_taken_by_the_registry() {
    for size in [100, 2 * MIB] {
        let (wire, there) = (Wire::start(), Memory::default());
        let image = there.image(1, &[size]);
        there.damage(&there.layers(&image)[0]);
        let refused = push(&wire, &there, &image);
        assert!(matches!(refused, Err(Error::Verify { .. })), "{refused:?}");
        assert!(!wire.registry.blob_path(image.digest().as_ref()).exists());
    }
}

#[test]
fn a_layer_whose_size_is_not_what_the_manifest_says_is_refused_by_the_store() {
    for wrong in [-1, 1] {
        let (wire, there, task) = (Wire::start(), Memory::default(), Task::unobserved());
        let honest = there.image(1, &[MIB]);
        push(&wire, &there, &honest).unwrap();
        let image = there.lying_about_sizes(&honest, wrong);
        let (registry, reference) = (Registry::new(settings()), wire.reference("demo:lies"));
        registry.repository(&task, &reference).tag(&image, &there).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let refused = pull(&task, &store, &registry, &reference, &Platform::host());
        let Err(Error::Verify { what: "layer", detail, .. }) = refused else { panic!("{refused:?}") };
        let told = ["more than 1048575 bytes received", "1048577 bytes expected, 1048576 received"];
        assert_eq!(detail, told[usize::from(wrong > 0)]);
        assert!(store.references().unwrap().is_empty());
    }
}
