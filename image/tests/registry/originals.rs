//! Images that the original pushed, written by hand from what its code does.

use std::collections::BTreeMap;

use sealer_image::image::{Image, NewImage, commit};
use sealer_image::transfer::{copy, pull};
use sealer_image::{Descriptor, Platform, Registry, SealerConfig, Store};
use sealer_stdx::task::Task;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Memory, Wire, settings};

const SCHEMA_2: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A layer of one file, gzipped as the original sends it.
fn layer(memory: &Memory, name: &str) -> Descriptor {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6)));
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(3);
    archive.append_data(&mut header, name, &b"hi\n"[..]).unwrap();
    memory.add(DOCKER_LAYER, archive.into_inner().unwrap().finish().unwrap())
}

/// The object of 0.5 to 0.8 in the place of a configuration.
fn old(memory: &Memory, image_config: &Value, steps: &Value) -> Descriptor {
    let config = json!({
        "kind": "Image", "metadata": { "name": "demo:v1" },
        "spec": {
            "id": "0".repeat(64), "sealer_version": "v0.7.1", "layers": steps, "image_config": image_config,
            "platform": { "architecture": "amd64", "os": "linux" },
        },
        "architecture": "amd64", "os": "linux", "history": [{ "created_by": "COPY etc ." }],
    });
    let config = memory.add(DOCKER_CONFIG, config.to_string().into());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": SCHEMA_2, "config": config, "layers": [layer(memory, "etc/a")],
    });
    memory.add(SCHEMA_2, manifest.to_string().into())
}

/// Sends an image to a registry and brings it back into a store.
fn through_a_registry(memory: &Memory, image: &Descriptor) -> (tempfile::TempDir, Store, Image) {
    let wire = Wire::start();
    let registry = Registry::new(settings());
    let task = Task::unobserved();
    let name = wire.reference("demo:v1");
    let repository = registry.repository(&task, &name);
    copy(&task, memory, &repository, image, 2).unwrap();
    repository.tag(image, memory).unwrap();
    let dir = tempdir().unwrap();
    let store = Store::open(&dir.path().join("images")).unwrap();
    let pulled = pull(&task, &store, &registry, &name, &Platform::host()).unwrap();
    let image = Image::open(&store, &pulled, &Platform::host()).unwrap();
    (dir, store, image)
}

fn step(kind: &str, value: &str) -> Value {
    json!({ "type": kind, "value": value })
}

fn copied() -> Value {
    json!({ "id": format!("sha256:{}", "1".repeat(64)), "type": "COPY", "value": "etc ." })
}

#[test]
fn an_image_of_0_7_is_read_with_its_commands_and_arguments() {
    let memory = Memory::default();
    let config = json!({ "args": { "Version": "1" }, "labels": { "team": "a" } });
    let image = old(&memory, &config, &json!([copied(), step("CMD", "kubectl apply -f etc")]));
    let (_dir, _store, image) = through_a_registry(&memory, &image);
    assert_eq!(
        image.sealer,
        SealerConfig {
            sealer_version: "v0.7.1".into(),
            cmds: vec!["kubectl apply -f etc".into()],
            args: BTreeMap::from([("Version".into(), "1".into())]),
            ..SealerConfig::default()
        }
    );
    let labels = image.config.config().as_ref().unwrap().labels().clone().unwrap();
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "a".to_owned())]);
}

#[test]
fn of_an_image_of_0_8_the_commands_of_its_base_come_first() {
    let memory = Memory::default();
    let config = json!({
        "cmd": { "parent": ["first"], "current": ["second"] },
        "args": { "parent": { "A": "1", "B": "1" }, "current": { "B": "2" } },
    });
    let image = old(&memory, &config, &json!([copied()]));
    let (_dir, _store, image) = through_a_registry(&memory, &image);
    assert_eq!(image.sealer.cmds, ["first", "second"]);
    assert_eq!(image.sealer.args, BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]));
}

#[test]
fn an_image_on_one_of_0_7_is_oci_through_and_through() {
    let memory = Memory::default();
    let image = old(&memory, &json!({}), &json!([copied(), step("CMD", "go")]));
    let (_dir, store, base) = through_a_registry(&memory, &image);
    let new = NewImage {
        base: Some(base),
        layers: Vec::new(),
        platform: Platform::host(),
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        sealer: SealerConfig::default(),
        time: 0,
    };
    let root = commit(&Task::unobserved(), &store, new).unwrap();
    let image = Image::open(&store, &root, &Platform::host()).unwrap();
    assert_eq!(image.sealer.cmds, ["go"]);
    assert_eq!(
        image.manifest.layers()[0].media_type().to_string(),
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    assert_eq!(image.diff_ids().len(), 1);
    let dir = tempdir().unwrap();
    let tree =
        sealer_image::layer::unpack(&Task::unobserved(), &store, &image, &dir.path().join("root")).unwrap();
    assert_eq!(tree.keys().map(|path| path.display().to_string()).collect::<Vec<_>>(), ["etc", "etc/a"]);
}

#[test]
fn an_image_of_0_9_launches_what_its_annotation_says() {
    let extension = |launch: &Value| {
        json!({
            "buildClient": { "sealerVersion": "v0.9.0", "buildahVersion": "1.27.1" },
            "schemaVersion": "v1alpha1", "type": "app-installer",
            "applications": [
                { "name": "web", "type": "kube", "cmds": ["kubectl apply -f web"] },
                { "name": "idle", "type": "kube", "cmds": ["never"] },
            ],
            "launch": launch, "env": { "A": "1" },
        })
    };
    let launched = |launch: &Value| {
        let memory = Memory::default();
        let config =
            json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] } });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": memory.add("application/vnd.oci.image.config.v1+json", config.to_string().into()),
            "layers": [], "annotations": { "sealer.image.extension": extension(launch).to_string() },
        });
        let image = memory.add("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into());
        through_a_registry(&memory, &image).2.sealer.cmds
    };
    assert_eq!(launched(&json!({ "cmds": ["sh go.sh"], "app_names": ["web"] })), ["sh go.sh"]);
    assert_eq!(launched(&json!({ "app_names": ["web"] })), ["kubectl apply -f web"]);
}

#[test]
fn what_refers_to_an_image_is_found_by_the_tag_that_makes_up_for_the_api() {
    let wire = Wire::start();
    let registry = Registry::new(settings());
    let task = Task::unobserved();
    let memory = Memory::default();
    let (image, signature) = (memory.image(1, &[10]), memory.image(2, &[10]));
    let repository = registry.repository(&task, &wire.reference("demo:v1"));
    copy(&task, &memory, &repository, &image, 2).unwrap();
    assert_eq!(repository.referrers(image.digest(), None).unwrap(), []);
    copy(&task, &memory, &repository, &signature, 2).unwrap();
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [signature],
    });
    let index = memory.add("application/vnd.oci.image.index.v1+json", index.to_string().into());
    let tag = image.digest().to_string().replace(':', "-");
    let place = registry.repository(&task, &wire.reference(&format!("demo:{tag}")));
    copy(&task, &memory, &place, &index, 2).unwrap();
    place.tag(&index, &memory).unwrap();
    assert_eq!(repository.referrers(image.digest(), None).unwrap(), [signature]);
    assert_eq!(repository.tags().unwrap(), [tag]);
}
