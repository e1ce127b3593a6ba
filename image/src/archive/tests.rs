//! What is saved is what is loaded, in every form.

use std::fs;

use oci_spec::image::{Descriptor, MediaType};
use sealer_stdx::task::Task;

use super::*;
use crate::digest::sha256;
use crate::reference::Reference;
use crate::store::Store;

fn image(store: &Store) -> Descriptor {
    let layer = store.put_bytes(b"layer").unwrap();
    let config = store.put_bytes(b"{}").unwrap();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest.to_string(),
        "config": { "mediaType": MediaType::ImageConfig.to_string(), "digest": config, "size": 2 },
        "layers": [{ "mediaType": MediaType::ImageLayer.to_string(), "digest": layer, "size": 5 }],
    });
    let manifest = manifest.to_string();
    let digest = store.put_bytes(manifest.as_bytes()).unwrap();
    Descriptor::new(MediaType::ImageManifest, manifest.len() as u64, digest)
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("one")).unwrap();
    let (task, name) = (Task::unobserved(), "demo:v1".parse::<Reference>().unwrap());
    let root = image(&store);
    store.tag(&root, &name).unwrap();
    let out = dir.path().join("demo.tar");
    save(&task, &store, std::slice::from_ref(&name), &out, SaveOptions::default()).unwrap();
    let other = Store::open(&dir.path().join("two")).unwrap();
    assert_eq!(load(&task, &other, &out, None).unwrap(), std::slice::from_ref(&name));
    assert_eq!(other.resolve(&name).unwrap(), root);
    assert_eq!(other.read(&sha256(b"layer")).unwrap(), b"layer");
    let third = Store::open(&dir.path().join("three")).unwrap();
    assert_eq!(load(&task, &third, other.root(), None).unwrap(), [name]);
}

#[test]
fn an_archive_that_lacks_a_blob_gives_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("one")).unwrap();
    let name: Reference = "demo:v1".parse().unwrap();
    store.tag(&image(&store), &name).unwrap();
    let layer = sha256(b"layer");
    fs::remove_file(store.blob_path(&layer)).unwrap();
    let other = Store::open(&dir.path().join("two")).unwrap();
    let error = load(&Task::unobserved(), &other, store.root(), None).unwrap_err();
    assert_eq!(error.to_string(), format!("content {layer} is missing from the store"));
    assert_eq!(other.references().unwrap(), []);
}

#[test]
fn a_file_that_is_no_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("one")).unwrap();
    let file = dir.path().join("notes.txt");
    fs::write(&file, "no tar at all").unwrap();
    let error = load(&Task::unobserved(), &store, &file, None).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} ", file.display())), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}
