//! Pull and push between the store and a registry, beside the tools that others use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use sealer_image::image::Image;
use sealer_image::transfer::{copy, pull, pull_referrers, push, push_referrers};
use sealer_image::{Descriptor, Error, Platform, Reference, Registry, Store};
use sealer_stdx::task::{Cancel, Event, Observe, Outcome, Task};
use sealer_testkit::{Action, Fault, RegistryOptions};

use crate::support::{Memory, Wire, reference, settings, store};

/// Puts an image into a store under a name.
fn stored(store: &Store, reference: &Reference, seed: u64, sizes: &[usize]) -> Descriptor {
    let memory = Memory::default();
    let image = memory.image(seed, sizes);
    copy(&Task::unobserved(), &memory, store, &image, 2).unwrap();
    store.tag(&image, reference).unwrap();
    image
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {out}{err}");
    out.into_owned()
}

#[test]
fn what_is_pushed_is_pulled_into_another_store_and_named_there() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    let reference = wire.reference("team/demo:v1");
    let ((_one, there), (_two, here)) = (store(), store());
    let image = stored(&there, &reference, 1, &[100, 3 << 20]);
    assert_eq!(push(&task, &there, &registry, &reference).unwrap(), image);
    assert_eq!(pull(&task, &here, &registry, &reference, &Platform::host()).unwrap(), image);
    assert_eq!(here.references().unwrap(), there.references().unwrap());

    wire.proxy.forget();
    pull(&task, &here, &registry, &reference, &Platform::host()).unwrap();
    let seen: Vec<String> = wire.proxy.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(seen, ["HEAD"], "a second pull asks what the tag names, and no more");
}

#[test]
fn a_push_of_what_is_not_in_the_store_is_refused() {
    let ((_dir, store), registry) = (store(), Registry::new(settings()));
    let reference = reference("127.0.0.1:1", "demo:v1");
    let refused = push(&Task::unobserved(), &store, &registry, &reference);
    assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
}

#[test]
fn a_pull_that_failed_goes_on_from_its_byte() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    let reference = wire.reference("demo:v1");
    let ((_one, there), (_two, here)) = (store(), store());
    let image = stored(&there, &reference, 1, &[4 << 20]);
    push(&task, &there, &registry, &reference).unwrap();

    let layer = Image::open(&there, &image, &Platform::host()).unwrap().manifest.layers()[0].clone();
    let digest = layer.digest().to_string();
    wire.proxy.inject(Fault::on("GET", &digest, Action::CutResponse { after: 3_000_000 }));
    wire.proxy.inject(Fault::on("GET", &digest, Action::status(404)));
    assert!(pull(&task, &here, &registry, &reference, &Platform::host()).is_err());
    assert!(here.references().unwrap().is_empty());

    wire.proxy.forget();
    pull(&task, &here, &registry, &reference, &Platform::host()).unwrap();
    let seen: Vec<_> =
        wire.proxy.seen_on("GET", &digest).into_iter().map(|seen| (seen.range, seen.received)).collect();
    assert_eq!(seen, [(Some("bytes=3000000-".to_owned()), (4 << 20) - 3_000_000)]);
}

#[test]
fn two_pulls_of_one_image_into_one_store_fetch_it_once() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    let reference = wire.reference("demo:v1");
    let ((_one, there), (dir, here)) = (store(), store());
    let image = stored(&there, &reference, 1, &[4 << 20]);
    push(&task, &there, &registry, &reference).unwrap();
    wire.proxy.forget();
    let other = Store::open(&dir.path().join("images")).unwrap();
    let pulled = sealer_stdx::fanout::fanout(2, vec![&here, &other], |store| {
        pull(&task, store, &registry, &reference, &Platform::host()).unwrap()
    });
    assert_eq!(pulled, [image.clone(), image]);
    let received: u64 = wire.proxy.seen_on("GET", "/blobs/").iter().map(|seen| seen.received).sum();
    assert!(received < (4 << 20) + 1000, "{received}");
}

#[derive(Default)]
struct Seen(Mutex<Vec<Event>>);

impl Observe for Seen {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[test]
fn progress_adds_up_to_the_size_also_where_the_line_is_cut() {
    let (wire, registry) = (Wire::start(), Registry::new(settings()));
    let reference = wire.reference("demo:v1");
    let ((_one, there), (_two, here)) = (store(), store());
    stored(&there, &reference, 1, &[4 << 20]);
    push(&Task::unobserved(), &there, &registry, &reference).unwrap();
    wire.proxy.inject(Fault::on("GET", "/blobs/", Action::CutResponse { after: 3_000_000 }).times(2));
    let seen = Arc::new(Seen::default());
    let task = Task::root(seen.clone(), Cancel::default());
    pull(&task, &here, &registry, &reference, &Platform::host()).unwrap();
    let events = seen.0.lock().unwrap();
    let blob = events.iter().find_map(|event| match event {
        Event::Started { task, kind: "blob", total: Some(total), .. } if *total == 4 << 20 => Some(*task),
        _ => None,
    });
    let done = events.iter().filter_map(|event| match event {
        Event::Advanced { task, done } if Some(*task) == blob => Some(*done),
        _ => None,
    });
    assert_eq!(done.max(), Some(4 << 20));
    let failed = |event: &&Event| matches!(event, Event::Finished { outcome: Outcome::Failed, .. });
    assert_eq!(events.iter().filter(failed).count(), 0);
}

#[test]
fn a_cancelled_pull_ends_and_names_nothing() {
    let (wire, registry) = (Wire::start(), Registry::new(settings()));
    let reference = wire.reference("demo:v1");
    let ((_one, there), (_two, here)) = (store(), store());
    stored(&there, &reference, 1, &[4 << 20]);
    push(&Task::unobserved(), &there, &registry, &reference).unwrap();
    wire.proxy.inject(Fault::on("GET", "/blobs/", Action::Slow { per_second: 1 << 20 }).always());
    /// Cancels as soon as bytes come in.
    struct Impatient(Cancel);
    impl Observe for Impatient {
        fn observe(&self, event: &Event) {
            if matches!(event, Event::Advanced { .. }) {
                self.0.cancel();
            }
        }
    }
    let cancel = Cancel::default();
    let task = Task::root(Arc::new(Impatient(cancel.clone())), cancel);
    let ended = pull(&task, &here, &registry, &reference, &Platform::host());
    assert!(matches!(ended, Err(Error::Cancelled(_))), "{ended:?}");
    assert!(here.references().unwrap().is_empty());
}

#[test]
fn layers_of_a_base_in_the_same_registry_are_not_sent_again() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    let (_dir, store) = store();
    let (base, image) = (wire.reference("base:v1"), wire.reference("team/app:v1"));
    stored(&store, &base, 1, &[2 << 20, 100]);
    stored(&store, &image, 1, &[2 << 20, 100, 200]);
    // What is named here need not be there: then it is sent.
    stored(&store, &wire.reference("never/pushed:v1"), 3, &[200]);
    push(&task, &store, &registry, &base).unwrap();
    wire.proxy.forget();
    let pushed = push(&task, &store, &registry, &image).unwrap();
    let sent: u64 = wire.proxy.seen().iter().map(|seen| seen.sent).sum();
    assert!((200..4000).contains(&sent), "{sent}");
    let (_dir, here) = self::store();
    assert_eq!(pull(&task, &here, &registry, &image, &Platform::host()).unwrap(), pushed);
}

/// Makes an image of one file by buildah, in storage of its own, and pushes it.
fn buildah_pushes(dir: &Path, name: &str, options: &[&str]) {
    let storage = dir.join("storage");
    let (root, runroot) = (storage.join("root"), storage.join("run"));
    let global =
        ["--storage-driver", "vfs", "--root", root.to_str().unwrap(), "--runroot", runroot.to_str().unwrap()];
    let buildah = |arguments: &[&str]| run("buildah", &[&global[..], arguments].concat()).trim().to_owned();
    let context = dir.join("context");
    fs::create_dir_all(&context).unwrap();
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY hello /etc/hello\n").unwrap();
    fs::write(context.join("hello"), "from buildah\n").unwrap();
    buildah(&["build", "--isolation", "chroot", "--layers=false", "-t", "made", context.to_str().unwrap()]);
    let to = format!("docker://{name}");
    buildah(&[&["push", "--tls-verify=false"], options, &["made", &to]].concat());
}

#[test]
fn images_that_buildah_pushes_are_pulled_whatever_their_format() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    for format in ["oci", "v2s2"] {
        let (dir, here) = store();
        let reference = wire.reference(&format!("made:{format}"));
        buildah_pushes(dir.path(), &reference.to_string(), &["--format", format]);
        let pulled = pull(&task, &here, &registry, &reference, &Platform::host()).unwrap();
        let image = Image::open(&here, &pulled, &Platform::host()).unwrap();
        let dest = dir.path().join("unpacked");
        sealer_image::layer::unpack(&task, &here, &image, &dest).unwrap();
        assert_eq!(fs::read_to_string(dest.join("etc/hello")).unwrap(), "from buildah\n", "{format}");
    }
}

/// Writes an OCI layout whose index names an image for each of the architectures.
fn layout_of(dir: &Path, architectures: &[&str]) -> PathBuf {
    let store = Store::open(&dir.join("many")).unwrap();
    let memory = Memory::default();
    let children: Vec<_> = (1..)
        .zip(architectures)
        .map(|(seed, architecture)| {
            let image = memory.image(seed * 100, &[100]);
            let mut child = serde_json::to_value(&image).unwrap();
            child["platform"] = serde_json::json!({ "os": "linux", "architecture": architecture });
            child
        })
        .collect();
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children,
    });
    let index = memory.add("application/vnd.oci.image.index.v1+json", index.to_string().into());
    copy(&Task::unobserved(), &memory, &store, &index, 2).unwrap();
    store.tag(&index, &"demo:many".parse().unwrap()).unwrap();
    store.root().to_owned()
}

#[test]
fn of_an_index_the_image_for_the_platform_is_pulled() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    let (dir, here) = store();
    let layout = layout_of(dir.path(), &["s390x", "amd64", "arm64"]);
    let there = Store::open(&layout).unwrap();
    let index = there.resolve(&"demo:many".parse().unwrap()).unwrap();
    let reference = wire.reference("demo:many");
    there.tag(&index, &reference).unwrap();
    assert_eq!(push(&task, &there, &registry, &reference).unwrap(), index);

    let arm: Platform = "linux/arm64/v8".parse().unwrap();
    let pulled = pull(&task, &here, &registry, &reference, &arm).unwrap();
    let bytes = there.read(index.digest()).unwrap();
    let manifests: sealer_image::ImageIndex = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(pulled.digest(), manifests.manifests()[2].digest());
    assert_eq!(here.resolve(&reference).unwrap().digest(), pulled.digest());

    let riscv: Platform = "linux/riscv64".parse().unwrap();
    let refused = pull(&task, &here, &registry, &reference, &riscv).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "there is no image for linux/riscv64, only for linux/s390x, linux/amd64, linux/arm64"
    );
}

#[test]
fn skopeo_reads_what_we_push_and_we_what_skopeo_copies() {
    let server = sealer_testkit::Registry::start(RegistryOptions::secured("sealer", "s3cret"));
    let (task, (dir, there), (_two, here)) = (Task::unobserved(), store(), store());
    let authority = server.ca_file().unwrap().parent().unwrap().to_str().unwrap().to_owned();
    let mut settings = settings();
    settings.ca_files = vec![server.ca_file().unwrap().to_owned()];
    settings.auth_file = Some(dir.path().join("auth.json"));
    let registry = Registry::new(settings);
    registry.login(&task, &server.address(), "sealer", &"s3cret".into()).unwrap();
    let reference = reference(&server.address(), "team/demo:v1");
    let image = stored(&there, &reference, 1, &[1000, 2 << 20]);
    push(&task, &there, &registry, &reference).unwrap();

    // With the very file that our login has written.
    let auth_file = dir.path().join("auth.json");
    let auth_file = auth_file.to_str().unwrap();
    let name = format!("docker://{reference}");
    let said = run("skopeo", &["inspect", "--raw", "--authfile", auth_file, "--cert-dir", &authority, &name]);
    assert_eq!(sealer_image::digest::sha256(said.as_bytes()), *image.digest());
    let copied = format!("docker://{}/copied/by:skopeo", server.address());
    let skopeo = [
        "copy",
        "--preserve-digests",
        "--authfile",
        auth_file,
        "--src-cert-dir",
        &authority,
        "--dest-cert-dir",
        &authority,
    ];
    run("skopeo", &[&skopeo[..], &[&name, &copied]].concat());
    let copied = crate::support::reference(&server.address(), "copied/by:skopeo");
    assert_eq!(pull(&task, &here, &registry, &copied, &Platform::host()).unwrap(), image);
}

#[test]
fn what_refers_to_an_image_goes_along_when_asked_for_and_joins_what_is_there() {
    let (from, to, task) = (Wire::start(), Wire::start(), Task::unobserved());
    let registry = Registry::new(settings());
    let (memory, (_dir, here)) = (Memory::default(), store());
    let image = memory.image(1, &[10]);
    let (signature, inventory) = (memory.image(2, &[10]), memory.image(3, &[10]));
    for (wire, referrer) in [(&from, &signature), (&to, &inventory)] {
        let list = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [referrer],
        });
        let list = memory.add("application/vnd.oci.image.index.v1+json", list.to_string().into());
        for (tag, root) in [("v1".to_owned(), &image), (image.digest().to_string().replace(':', "-"), &list)]
        {
            let repository = registry.repository(&task, &wire.reference(&format!("demo:{tag}")));
            copy(&task, &memory, &repository, root, 2).unwrap();
            repository.tag(root, &memory).unwrap();
        }
    }
    let (source, target) = (from.reference("demo:v1"), to.reference("demo:v1"));
    pull(&task, &here, &registry, &source, &Platform::host()).unwrap();
    assert_eq!(pull_referrers(&task, &here, &registry, &source, &image, None).unwrap(), 1);
    here.tag(&image, &target).unwrap();
    assert_eq!(push_referrers(&task, &here, &registry, &target, &image).unwrap(), 0, "of another repository");
    let tag = image.digest().to_string().replace(':', "-");
    let list = here.resolve(&from.reference(&format!("demo:{tag}"))).unwrap();
    here.tag(&list, &to.reference(&format!("demo:{tag}"))).unwrap();
    for _ in 0..2 {
        assert_eq!(push_referrers(&task, &here, &registry, &target, &image).unwrap(), 1);
        let found = registry.repository(&task, &target).referrers(image.digest(), None).unwrap();
        assert_eq!(found, [inventory.clone(), signature.clone()]);
    }
}
