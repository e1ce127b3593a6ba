//! Images that mean harm: no file of theirs comes to stand outside the image's root.

use std::fs;
use std::path::Path;

use sealer_image::digest::sha256;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::kit::User;

/// A tar of one entry with a name that `tar` itself would not write.
fn tar_of(name: &str, kind: EntryType, target: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    let content: &[u8] = if kind == EntryType::Regular { b"harm\n" } else { b"" };
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

fn put(layout: &Path, bytes: &[u8]) -> Value {
    let digest = sha256(bytes);
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(digest.digest()), bytes).unwrap();
    json!({ "digest": digest.to_string(), "size": bytes.len() })
}

/// Writes an image layout with `harm:v1`, whose one layer is `tar`, and returns the layer's digest.
fn write_image(layout: &Path, tar: &[u8]) -> String {
    let of = |kind: &str, mut blob: Value| {
        blob["mediaType"] = json!(format!("application/vnd.oci.image.{kind}"));
        blob
    };
    let layer = of("layer.v1.tar", put(layout, tar));
    let digest = layer["digest"].as_str().unwrap().to_owned();
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [digest] },
    });
    let config = of("config.v1+json", put(layout, config.to_string().as_bytes()));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer],
    });
    let mut manifest = of("manifest.v1+json", put(layout, manifest.to_string().as_bytes()));
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "docker.io/library/harm:v1" });
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())
        .unwrap();
    digest
}

/// Runs an image with this layer; it must be refused for this reason before any host is asked.
fn refused(tar: &[u8], entry: &str, reason: &str) {
    let user = User::new();
    let layer = write_image(&user.path("layout"), tar);
    user.ok(&["load", "-i", "layout"]);
    user.refused(
        &["run", "harm:v1", "-m", "10.0.0.1", "-p", "x"],
        1,
        &format!(
            "error: cannot run `harm:v1`\n  caused by: layer {layer} holds `{entry}`, which {reason}\n\
             hint: do not use this image: whoever made it meant harm or erred badly\n"
        ),
    );
    assert!(!user.path("root/harm").exists() && !user.path("harm").exists());
}

#[test]
fn a_file_above_the_root_is_refused() {
    refused(&tar_of("../harm", EntryType::Regular, ""), "../harm", "leaves the image's root by `..`");
}

#[test]
fn a_file_with_an_absolute_path_is_refused() {
    refused(
        &tar_of("/tmp/harm", EntryType::Regular, ""),
        "/tmp/harm",
        "leaves the image's root by an absolute path",
    );
}

#[test]
fn a_hard_link_out_of_the_root_is_refused() {
    let link = tar_of("harm", EntryType::Link, "../../../../etc/passwd");
    refused(&link, "harm", "is a hard link to `../../../../etc/passwd`, outside the image's root");
}

#[test]
fn a_file_through_a_symlink_out_of_the_root_is_refused() {
    let mut tar = tar_of("door", EntryType::Symlink, "/tmp");
    tar.truncate(tar.len() - 1024);
    tar.extend(tar_of("door/harm", EntryType::Regular, ""));
    refused(&tar, "door/harm", "leaves the image's root through the link `door` to `/tmp`");
}

#[test]
fn a_layer_of_another_digest_than_its_name_is_not_taken_in() {
    let user = User::new();
    let layer = write_image(&user.path("layout"), &tar_of("note", EntryType::Regular, ""));
    let hex = layer.strip_prefix("sha256:").unwrap();
    let blob = user.path("layout/blobs/sha256").join(hex);
    let mut bytes = fs::read(&blob).unwrap();
    bytes[600] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let found = sha256(&fs::read(&blob).unwrap());
    user.refused(
        &["load", "-i", "layout"],
        1,
        &format!(
            "error: cannot load `layout`\n  caused by: content {layer} is not what its descriptor says: its bytes are {found}\n\
             hint: the file is damaged: copy it here again\n"
        ),
    );
    assert_eq!(user.images(), Vec::<String>::new());
}
