//! What refers to an image: by the registry's own list, and by the tag that makes up for it.

use sealer_image::registry::RegistryError;
use sealer_image::transfer::{copy, pull_referrers, push_referrers};
use sealer_image::{Descriptor, Error, Reference, Registry, Store};
use sealer_stdx::task::Task;
use sealer_testkit::{Action, Fault, Proxy, ReferrersApi, RegistryOptions};
use serde_json::{Value, json};

use crate::support::{Memory, Wire, settings, store};

const SBOM: &str = "application/spdx+json";
const SIGNATURE: &str = "application/vnd.example.signature";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image with what refers to it, in memory.
struct Referred {
    memory: Memory,
    image: Descriptor,
    /// As lists have them: with their types and notes.
    referrers: Vec<Descriptor>,
}

impl Referred {
    /// One referrer for each type, in this order.
    fn new(types: &[&str]) -> Self {
        let memory = Memory::default();
        let image = memory.image(1, &[10]);
        let number = |(number, of_type): (usize, &&str)| refer(&memory, &image, of_type, number);
        let referrers = types.iter().enumerate().map(number).collect();
        Self { memory, image, referrers }
    }

    /// Copies image and referrers to where a reference says, as any client does.
    fn copy_to(&self, registry: &Registry, reference: &Reference) {
        let task = Task::unobserved();
        let repository = registry.repository(&task, reference);
        for one in std::iter::once(&self.image).chain(&self.referrers) {
            copy(&task, &self.memory, &repository, one, 2).unwrap();
        }
        repository.tag(&self.image, &self.memory).unwrap();
    }

    fn tag(&self) -> String {
        self.image.digest().to_string().replace(':', "-")
    }
}

/// Adds a manifest that refers to an image; returns its entry of a list.
fn refer(memory: &Memory, image: &Descriptor, of_type: &str, number: usize) -> Descriptor {
    let config = memory.add("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let notes = json!({ "org.example.number": number.to_string() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": of_type, "config": config,
        "layers": [], "subject": image, "annotations": notes,
    });
    let added = memory.add(MANIFEST, manifest.to_string().into());
    let mut entry = serde_json::to_value(added).unwrap();
    entry["artifactType"] = of_type.into();
    entry["annotations"] = notes;
    serde_json::from_value(entry).unwrap()
}

fn with_api(page: usize, filters: bool) -> Wire {
    let registry = sealer_testkit::Registry::start(RegistryOptions::default());
    let proxy = Proxy::start_with_referrers(&registry.address(), ReferrersApi { page, filters });
    Wire { proxy, registry }
}

/// Which paths were asked for, without the digest.
fn asked(wire: &Wire, referred: &Referred) -> Vec<String> {
    let digest = referred.image.digest().to_string();
    let seen = wire.proxy.seen();
    seen.iter().map(|seen| format!("{} {}", seen.method, seen.path.replace(&digest, "IMAGE"))).collect()
}

#[test]
fn the_registrys_list_is_read_page_by_page_and_no_tag_is_asked_for() {
    let (wire, task, registry) = (with_api(2, true), Task::unobserved(), Registry::new(settings()));
    let referred = Referred::new(&[SBOM, SIGNATURE, SBOM, SIGNATURE, SBOM]);
    let reference = wire.reference("team/demo:v1");
    referred.copy_to(&registry, &reference);
    let repository = registry.repository(&task, &reference);
    wire.proxy.forget();
    assert_eq!(repository.referrers(referred.image.digest(), None).unwrap(), referred.referrers);
    assert_eq!(
        asked(&wire, &referred),
        ["", "?from=2", "?from=4"].map(|page| format!("GET /v2/team/demo/referrers/IMAGE{page}"))
    );
    assert_eq!(repository.tags().unwrap(), ["v1"]);
    let nothing = referred.referrers[0].digest();
    assert_eq!(repository.referrers(nothing, None).unwrap(), [], "an empty list is an answer");
}

#[test]
fn one_type_is_asked_for_and_taken_whether_the_registry_heeds_it_or_not() {
    for (filters, pages) in [(true, 1), (false, 3)] {
        let (wire, task, registry) = (with_api(2, filters), Task::unobserved(), Registry::new(settings()));
        let referred = Referred::new(&[SBOM, SIGNATURE, SBOM, SIGNATURE, SIGNATURE]);
        let reference = wire.reference("demo:v1");
        referred.copy_to(&registry, &reference);
        wire.proxy.forget();
        let found = registry.repository(&task, &reference).referrers(referred.image.digest(), Some(SBOM));
        assert_eq!(found.unwrap(), [referred.referrers[0].clone(), referred.referrers[2].clone()]);
        let asked = asked(&wire, &referred);
        let first = "GET /v2/demo/referrers/IMAGE?artifactType=application%2Fspdx%2Bjson";
        let rest = ["", "&from=2", "&from=4"].map(|rest| format!("{first}{rest}"));
        assert_eq!(asked, rest[..pages], "filters: {filters}");
    }
}

#[test]
fn referrers_move_between_registries_with_the_api_and_without() {
    for (from, to) in [(true, true), (true, false), (false, true)] {
        let wire = |api| if api { with_api(2, true) } else { Wire::start() };
        let (from, to_api, to) = (wire(from), to, wire(to));
        let (task, registry, (_dir, here)) = (Task::unobserved(), Registry::new(settings()), store());
        let referred = Referred::new(&[SBOM, SIGNATURE, SBOM]);
        let (source, target) = (from.reference("demo:v1"), to.reference("demo:v1"));
        referred.copy_to(&registry, &source);
        put_list(&registry, &from, &referred);

        sealer_image::transfer::pull(&task, &here, &registry, &source, &sealer_image::Platform::host())
            .unwrap();
        let pulled = pull_referrers(&task, &here, &registry, &source, &referred.image, None).unwrap();
        assert_eq!(pulled, 3);
        rename(&here, &referred, &from, &to);
        sealer_image::transfer::push(&task, &here, &registry, &target).unwrap();
        to.proxy.forget();
        assert_eq!(push_referrers(&task, &here, &registry, &target, &referred.image).unwrap(), 3);

        let list = format!("/manifests/{}", referred.tag());
        assert_eq!(to.proxy.seen_on("PUT", &list).len(), usize::from(!to_api));
        assert_eq!(to.proxy.seen_on("GET", &list).len(), usize::from(!to_api));
        let there = registry.repository(&task, &target).referrers(referred.image.digest(), None).unwrap();
        assert_eq!(there, referred.referrers);
    }
}

/// What clients do for a registry without the API; one with it does not look at it.
fn put_list(registry: &Registry, wire: &Wire, referred: &Referred) {
    let task = Task::unobserved();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let list =
        json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": referred.referrers }).to_string();
    let list = referred.memory.add(media_type, list.into());
    let place = registry.repository(&task, &wire.reference(&format!("demo:{}", referred.tag())));
    place.tag(&list, &referred.memory).unwrap();
}

/// Gives the image and its list the names that the second registry has for them.
fn rename(here: &Store, referred: &Referred, from: &Wire, to: &Wire) {
    for tag in ["v1", &referred.tag()] {
        let found = here.resolve(&from.reference(&format!("demo:{tag}"))).unwrap();
        here.tag(&found, &to.reference(&format!("demo:{tag}"))).unwrap();
    }
}

#[test]
fn one_type_alone_is_pulled_and_joins_what_is_there() {
    let (wire, task, registry) = (with_api(2, true), Task::unobserved(), Registry::new(settings()));
    let (referred, (_dir, here)) = (Referred::new(&[SBOM, SIGNATURE]), store());
    let reference = wire.reference("demo:v1");
    referred.copy_to(&registry, &reference);
    let list = wire.reference(&format!("demo:{}", referred.tag()));
    let mut expected = Vec::new();
    for (of_type, one) in [SIGNATURE, SBOM].iter().zip(referred.referrers.iter().rev()) {
        let pulled = pull_referrers(&task, &here, &registry, &reference, &referred.image, Some(of_type));
        assert_eq!(pulled.unwrap(), 1);
        expected.push(serde_json::to_value(one).unwrap());
        let bytes = here.read(here.resolve(&list).unwrap().digest()).unwrap();
        let index: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(index["manifests"], Value::from(expected.clone()));
    }
}

#[test]
fn only_404_at_the_first_page_stands_for_a_registry_without_the_api() {
    let (wire, task) = (with_api(2, true), Task::unobserved());
    let registry = Registry::new(settings());
    let referred = Referred::new(&[SBOM, SBOM, SBOM]);
    let reference = wire.reference("demo:v1");
    referred.copy_to(&registry, &reference);
    let find = || registry.repository(&task, &reference).referrers(referred.image.digest(), None);
    let inject = |skip, action| wire.proxy.inject(Fault::on("GET", "/referrers/", action).skip(skip));
    let tag = format!("/manifests/{}", referred.tag());

    inject(0, Action::status(404));
    assert_eq!(find().unwrap(), []);
    assert_eq!(wire.proxy.seen_on("GET", &tag).len(), 1);
    wire.proxy.heal();
    wire.proxy.forget();

    // What passes is waited out.
    inject(0, Action::status(503));
    inject(1, Action::too_many(0));
    inject(1, Action::Close);
    assert_eq!(find().unwrap(), referred.referrers);
    wire.proxy.heal();

    inject(1, Action::status(404));
    assert!(matches!(find(), Err(Error::Registry(RegistryError::Rejected { status: 404, .. }))), "cut short");
    wire.proxy.heal();
    inject(0, Action::status(403));
    assert!(matches!(find(), Err(Error::Registry(RegistryError::Forbidden { .. }))));
    let page = |body: &str| Action::Answer { status: 200, headers: Vec::new(), body: body.to_owned() };
    for body in ["<html>", "{}", r#"{"schemaVersion": 2, "manifests": [{}]}"#] {
        wire.proxy.heal();
        inject(0, page(body));
        assert!(matches!(find(), Err(Error::Registry(RegistryError::Protocol { .. }))), "{body}");
    }
    assert_eq!(wire.proxy.seen_on("GET", &tag).len(), 0, "a registry with the API is asked for no tag");
}

#[test]
fn a_signature_that_hangs_by_its_tag_is_resolved_once() {
    let (wire, task, registry) = (Wire::start(), Task::unobserved(), Registry::new(settings()));
    let (referred, (_dir, here)) = (Referred::new(&[SIGNATURE]), store());
    let reference = wire.reference("demo:v1");
    referred.copy_to(&registry, &reference);
    let tag = format!("{}.sig", referred.tag());
    let name = wire.reference(&format!("demo:{tag}"));
    let signature = &referred.referrers[0];
    registry.repository(&task, &name).tag(signature, &referred.memory).unwrap();
    copy(&task, &referred.memory, &here, &referred.image, 2).unwrap();
    wire.proxy.forget();
    sealer_image::attached::pull(&task, &here, &registry, &reference, &referred.image).unwrap();
    assert_eq!(here.resolve(&name).unwrap().digest(), signature.digest());
    let manifests: Vec<String> =
        asked(&wire, &referred).into_iter().filter(|line| line.contains("/manifests/")).collect();
    assert_eq!(
        manifests,
        [
            format!("HEAD /v2/demo/manifests/{tag}"),
            format!("GET /v2/demo/manifests/{}", signature.digest()),
            format!("HEAD /v2/demo/manifests/{}.sbom", referred.tag()),
        ]
    );
}
