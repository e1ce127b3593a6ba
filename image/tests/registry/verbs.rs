//! The verbs of a repository, when nothing goes wrong.

use sealer_image::registry::{RegistryError, Target};
use sealer_image::transfer::copy;
use sealer_image::{Error, Registry};
use sealer_stdx::task::Task;

use crate::support::{Memory, Wire, settings};

#[test]
fn what_is_pushed_comes_back_byte_for_byte() {
    let (wire, task, there) = (Wire::start(), Task::unobserved(), Memory::default());
    let image = there.image(1, &[0, 10, 1 << 20, (1 << 20) + 1, 5 << 20]);
    let registry = Registry::new(settings());
    let reference = wire.reference("team/demo:v1");
    let repository = registry.repository(&task, &reference);
    copy(&task, &there, &repository, &image, 3).unwrap();
    repository.tag(&image, &there).unwrap();

    assert_eq!(repository.resolve().unwrap(), image);
    let here = Memory::default();
    copy(&task, &repository, &here, &image, 3).unwrap();
    assert_eq!(here.digests(), there.digests());
}

#[test]
fn a_second_push_sends_no_body() {
    let (wire, task, there) = (Wire::start(), Task::unobserved(), Memory::default());
    let image = there.image(1, &[10, 3 << 20]);
    let registry = Registry::new(settings());
    let repository = registry.repository(&task, &wire.reference("demo:v1"));
    copy(&task, &there, &repository, &image, 2).unwrap();
    wire.proxy.forget();
    copy(&task, &there, &repository, &image, 2).unwrap();
    let methods: Vec<String> = wire.proxy.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD"; 4]);
}

#[test]
fn only_the_new_layer_of_a_changed_image_is_sent() {
    let (wire, task, there) = (Wire::start(), Task::unobserved(), Memory::default());
    let old = there.image(1, &[2 << 20, 3 << 20]);
    let new = there.image(2, &[3 << 20, 100]);
    let registry = Registry::new(settings());
    let repository = registry.repository(&task, &wire.reference("demo:v1"));
    copy(&task, &there, &repository, &old, 2).unwrap();
    wire.proxy.forget();
    copy(&task, &there, &repository, &new, 2).unwrap();
    let sent: u64 = wire.proxy.seen().iter().map(|seen| seen.sent).sum();
    assert!((100..4000).contains(&sent), "{sent}");
}

#[test]
fn a_tag_that_is_not_there_is_named() {
    let (wire, task) = (Wire::start(), Task::unobserved());
    let registry = Registry::new(settings());
    let reference = wire.reference("demo:nope");
    match registry.repository(&task, &reference).resolve() {
        Err(Error::Registry(RegistryError::ManifestUnknown { target })) => {
            assert_eq!(target, Target::Image(Box::new(reference)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_manifest_that_refers_to_what_is_not_there_is_refused() {
    let (wire, task, there) = (Wire::start(), Task::unobserved(), Memory::default());
    let image = there.image(1, &[10]);
    let registry = Registry::new(settings());
    let tagged = registry.repository(&task, &wire.reference("demo:v1")).tag(&image, &there);
    assert!(matches!(tagged, Err(Error::Registry(RegistryError::BlobUnknown { .. }))), "{tagged:?}");
}

#[test]
fn two_pulls_of_one_image_share_a_registry() {
    let (wire, task, there) = (Wire::start(), Task::unobserved(), Memory::default());
    let image = there.image(1, &[3 << 20, 2 << 20]);
    let registry = Registry::new(settings());
    let repository = registry.repository(&task, &wire.reference("demo:v1"));
    copy(&task, &there, &repository, &image, 2).unwrap();
    let (one, two) = (Memory::default(), Memory::default());
    let copied =
        sealer_stdx::fanout::fanout(2, vec![&one, &two], |here| copy(&task, &repository, here, &image, 2));
    assert!(copied.iter().all(Result::is_ok), "{copied:?}");
    assert_eq!((one.digests(), two.digests()), (there.digests(), there.digests()));
}
