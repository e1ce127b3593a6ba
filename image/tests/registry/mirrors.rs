//! Where images are really had: mirrors, other locations, and certificates that are shown.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sealer_image::registry::{Mirrors, RegistryError};
use sealer_image::transfer::{pull, push};
use sealer_image::{Error, Image, Platform, Reference, Registry, RegistrySettings};
use sealer_stdx::task::{Cancel, Event, Observe, Task};
use sealer_testkit::{Action, Fault, Proxy, RegistryOptions};
use tempfile::tempdir;

use crate::support::{Memory, Wire, reference, settings, store};

fn with(conf: &str) -> RegistrySettings {
    RegistrySettings { mirrors: Mirrors::parse(Path::new("registries.conf"), conf).unwrap(), ..settings() }
}

/// Puts an image into a registry.
fn pushed(wire: &Wire, name: &str) -> sealer_image::Descriptor {
    let (task, (_dir, there), reference) = (Task::unobserved(), store(), wire.reference(name));
    let memory = Memory::default();
    let image = memory.image(1, &[1000, 2 << 20]);
    sealer_image::transfer::copy(&task, &memory, &there, &image, 2).unwrap();
    there.tag(&image, &reference).unwrap();
    push(&task, &there, &Registry::new(settings()), &reference).unwrap();
    wire.proxy.forget();
    image
}

#[derive(Default)]
struct Warned(Mutex<Vec<String>>);

impl Observe for Warned {
    fn observe(&self, event: &Event) {
        if let Event::Warned { message, .. } = event {
            self.0.lock().unwrap().push(message.clone());
        }
    }
}

#[test]
fn an_image_comes_from_the_mirror_and_its_own_registry_is_not_asked() {
    let (mirror, (_dir, here)) = (Wire::start(), store());
    let image = pushed(&mirror, "hub/library/demo:v1");
    let settings = with(&format!(
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"{}/hub\"\n",
        mirror.proxy.address()
    ));
    let name: Reference = "demo:v1".parse().unwrap();
    let registry = Registry::new(settings);
    let pulled = pull(&Task::unobserved(), &here, &registry, &name, &Platform::host()).unwrap();
    assert_eq!(
        (pulled.digest(), here.references().unwrap()[0].0.familiar()),
        (image.digest(), "demo:v1".into())
    );
}

#[test]
fn a_mirror_that_is_down_or_lacks_the_image_or_loses_a_blob_is_passed_over_with_a_word() {
    let (mirror, origin) = (Wire::start(), Wire::start());
    let image = pushed(&origin, "team/demo:v1");
    pushed(&mirror, "team/whole:v1");
    let down = Proxy::nowhere();
    let (own, other) = (origin.proxy.address(), mirror.proxy.address());
    let conf = format!(
        "[[registry]]\nlocation = \"{own}\"\n[[registry.mirror]]\nlocation = \"{down}\"\n\
         [[registry.mirror]]\nlocation = \"{other}\"\n"
    );
    let warned = Arc::new(Warned::default());
    let task = Task::root(warned.clone(), Cancel::default());
    let (_dir, here) = store();
    let registry = Registry::new(with(&conf));
    let name = origin.reference("team/demo:v1");
    assert_eq!(pull(&task, &here, &registry, &name, &Platform::host()).unwrap().digest(), image.digest());
    let told = warned.0.lock().unwrap().clone();
    assert_eq!(
        told[..2],
        [
            format!(
                "the mirror `{down}` is passed over for `{name}`: registry `{down}` cannot be reached for \
                 `{down}/team/demo:v1`: the connection is refused"
            ),
            format!(
                "the mirror `{other}` is passed over for `{name}`: `{other}/team/demo:v1` is not in the registry"
            ),
        ]
    );
    // What a mirror begins and never ends is gone on with at the next place, from its byte.
    let large = Image::open(&here, &image, &Platform::host()).unwrap().manifest.layers()[1].digest().clone();
    let (_dir, here) = store();
    let name = origin.reference("team/whole:v1");
    pushed(&origin, "team/whole:v1");
    mirror.proxy.inject(Fault::on("GET", large.as_ref(), Action::CutResponse { after: 1_000_000 }));
    mirror.proxy.inject(Fault::on("GET", "/blobs/", Action::status(404)).always());
    let pulled = pull(&task, &here, &registry, &name, &Platform::host()).unwrap();
    assert_eq!(pulled.digest(), image.digest());
    let ranges: Vec<_> = origin.proxy.seen_on("GET", "/blobs/").into_iter().map(|seen| seen.range).collect();
    assert!(ranges.contains(&Some("bytes=1000000-".to_owned())), "{ranges:?}");
}

#[test]
fn a_push_goes_to_the_location_and_to_no_mirror() {
    let (mirror, origin) = (Wire::start(), Wire::start());
    let conf = format!(
        "[[registry]]\nprefix = \"registry.example/team\"\nlocation = \"{}/ours\"\n\
         [[registry.mirror]]\nlocation = \"{}\"\n",
        origin.proxy.address(),
        mirror.proxy.address()
    );
    let (task, (_dir, there), memory) = (Task::unobserved(), store(), Memory::default());
    let image = memory.image(1, &[1000]);
    let name: Reference = "registry.example/team/demo:v1".parse().unwrap();
    sealer_image::transfer::copy(&task, &memory, &there, &image, 2).unwrap();
    there.tag(&image, &name).unwrap();
    push(&task, &there, &Registry::new(with(&conf)), &name).unwrap();
    assert!(mirror.proxy.seen().is_empty());
    assert_eq!(
        Registry::new(settings()).repository(&task, &origin.reference("ours/demo:v1")).resolve().unwrap(),
        image
    );
}

#[test]
fn nothing_is_had_from_a_registry_that_is_blocked() {
    let (task, (_dir, here)) = (Task::unobserved(), store());
    let registry = Registry::new(with("[[registry]]\nlocation = \"bad.example\"\nblocked = true\n"));
    let name = reference("bad.example", "demo:v1");
    let refused = pull(&task, &here, &registry, &name, &Platform::host());
    assert!(matches!(refused, Err(Error::Registry(RegistryError::Blocked { .. }))), "{refused:?}");
}

#[test]
fn a_certificate_is_shown_to_a_registry_that_wants_one() {
    let options = RegistryOptions { tls: true, client_certificate: true, ..RegistryOptions::default() };
    let server = sealer_testkit::Registry::start(options);
    let (task, certs, name) =
        (Task::unobserved(), tempdir().unwrap(), reference(&server.address(), "demo:v1"));
    let resolve = |settings| match Registry::new(settings).repository(&task, &name).resolve() {
        Err(Error::Registry(error)) => error,
        other => panic!("{other:?}"),
    };
    let trusting = RegistrySettings { ca_files: vec![server.ca_file().unwrap().to_owned()], ..settings() };
    let refused = resolve(trusting);
    assert!(matches!(refused, RegistryError::ClientCertificate { .. }), "{refused:?}");
    let host = certs.path().join(server.address());
    fs::create_dir(&host).unwrap();
    for file in ["ca.crt", "client.cert", "client.key"] {
        fs::copy(server.client_dir().unwrap().join(file), host.join(file)).unwrap();
    }
    for settings in [
        RegistrySettings { certs_dirs: vec![certs.path().to_owned()], ..settings() },
        RegistrySettings { cert_dirs: vec![host.clone()], ..settings() },
    ] {
        let found = resolve(settings);
        assert!(matches!(found, RegistryError::ManifestUnknown { .. }), "{found:?}");
    }
    fs::remove_file(host.join("client.key")).unwrap();
    let lacking = resolve(RegistrySettings { cert_dirs: vec![host.clone()], ..settings() });
    let (certificate, key) = (host.join("client.cert"), host.join("client.key"));
    let told = format!("{}: its key is missing: {}", certificate.display(), key.display());
    assert_eq!(lacking.to_string(), told);
}
