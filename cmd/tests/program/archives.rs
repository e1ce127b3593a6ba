//! Images in files: ours read by others, others' read by us, the original's too.

use std::fs::{self, File};
use std::io::Cursor;
use std::process::Command;

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use crate::kit::User;

fn build(user: &User, more: &[&str]) -> Value {
    user.write("context/Kubefile", "FROM scratch\nLABEL team=a\nCOPY etc .\nRUN ln -s app.conf etc/link\n");
    user.write("context/etc/app.conf", "mode=fast\n");
    user.ok(&[&["build", "-t", "demo:v1", "context"], more].concat());
    user.data(&["inspect", "demo:v1"])
}

fn skopeo(user: &User, args: &[&str]) -> String {
    let output = Command::new("skopeo").args(args).current_dir(user.path("")).output().unwrap();
    assert!(output.status.success(), "skopeo {args:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The files of an image, by what a mount of it holds.
fn conf(user: &User, image: &str) -> String {
    let dir = user.ok(&["--quiet", "mount", image]);
    let dir = dir.trim().replace('~', user.path("").to_str().unwrap().trim_end_matches('/'));
    fs::read_to_string(format!("{dir}/etc/link")).unwrap()
}

#[test]
fn every_form_that_is_saved_is_loaded_again() {
    let user = User::new();
    let built = build(&user, &[]);
    let forms: [(&[&str], bool); 5] = [
        (&[], true),
        (&["--zstd"], true),
        (&["--format", "docker-archive"], false),
        (&["--format", "docker-archive", "--zstd"], false),
        (&["--format", "dir"], true),
    ];
    for (form, same) in forms {
        let _ = fs::remove_dir_all(user.path("saved")).or_else(|_| fs::remove_file(user.path("saved")));
        user.ok(&[&["save", "-o", "saved"], form, &["demo:v1"]].concat());
        let other = User::new();
        let saved = user.path("saved");
        other.ok(&["load", "-i", saved.to_str().unwrap(), "-t", "demo:v1"]);
        let loaded = other.data(&["inspect", "demo:v1"]);
        assert_eq!(loaded["digest"] == built["digest"], same, "{form:?}");
        assert_eq!(loaded["labels"], built["labels"], "{form:?}");
        assert_eq!(conf(&other, "demo:v1"), "mode=fast\n", "{form:?}");
    }
}

#[test]
fn skopeo_reads_every_form_that_we_save() {
    let user = User::new();
    build(&user, &[]);
    for (form, transport) in [
        ("oci-archive", "oci-archive:saved-oci-archive:docker.io/library/demo:v1"),
        ("docker-archive", "docker-archive:saved-docker-archive:demo:v1"),
        ("dir", "dir:saved-dir"),
    ] {
        user.ok(&["save", "--format", form, "-o", &format!("saved-{form}"), "demo:v1"]);
        let seen: Value = serde_json::from_str(&skopeo(&user, &["inspect", transport])).unwrap();
        assert_eq!(seen["Labels"], json!({ "team": "a" }), "{form}");
        skopeo(&user, &["copy", transport, &format!("oci:copied-{form}:v1")]);
    }
}

#[test]
fn we_load_every_form_that_skopeo_writes() {
    let user = User::new();
    // It knows no zstd in archives of docker.
    build(&user, &["--compression", "gzip"]);
    let stored = "oci:root/images:docker.io/library/demo:v1";
    let other = User::new();
    for (form, target) in [
        ("oci-archive", "oci-archive:theirs-oci-archive"),
        ("docker-archive", "docker-archive:theirs-docker-archive:demo:v1"),
        ("dir", "dir:theirs-dir"),
        ("oci", "oci:theirs-oci"),
    ] {
        skopeo(&user, &["copy", stored, target]);
        let name = format!("{form}:v1");
        other.ok(&["load", "-i", user.path(&format!("theirs-{form}")).to_str().unwrap(), "-t", &name]);
        assert_eq!(other.data(&["inspect", &name])["labels"], json!({ "team": "a" }), "{form}");
        assert_eq!(conf(&other, &name), "mode=fast\n", "{form}");
    }
    let unnamed = user.path("theirs-oci-archive");
    let unnamed = unnamed.to_str().unwrap();
    other.refused(
        &["load", "-i", unnamed],
        1,
        &format!("error: cannot load `{unnamed}`\n  caused by: {unnamed} holds an image that has no name\nhint: give it one: `--tag NAME`\n"),
    );
}

fn put(archive: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, mode: u32, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    archive.append_data(&mut header, path, Cursor::new(bytes)).unwrap();
}

/// An archive as the original's `save` wrote it up to 0.8: a folder a layer, overlay's marks as they
/// were on disk, and the object.
fn original(user: &User) {
    let (low, high) = ("1".repeat(64), "2".repeat(64));
    let mut archive = Builder::new(Vec::new());
    put(&mut archive, &format!("{low}/"), EntryType::Directory, 0o755, b"");
    put(&mut archive, &format!("{low}/etc/"), EntryType::Directory, 0o755, b"");
    put(&mut archive, &format!("{low}/etc/gone"), EntryType::Regular, 0o644, b"old\n");
    put(&mut archive, &format!("{low}/etc/app.conf"), EntryType::Regular, 0o600, b"mode=fast\n");
    put(&mut archive, &format!("{low}/old/"), EntryType::Directory, 0o755, b"");
    put(&mut archive, &format!("{low}/old/hidden"), EntryType::Regular, 0o644, b"hidden\n");
    put(&mut archive, &format!("{high}/"), EntryType::Directory, 0o755, b"");
    put(&mut archive, &format!("{high}/etc/"), EntryType::Directory, 0o755, b"");
    put(&mut archive, &format!("{high}/etc/gone"), EntryType::Char, 0, b"");
    archive.append_pax_extensions([("SCHILY.xattr.trusted.overlay.opaque", b"y".as_slice())]).unwrap();
    put(&mut archive, &format!("{high}/old/"), EntryType::Directory, 0o755, b"");
    put(&mut archive, &format!("{high}/old/new"), EntryType::Regular, 0o644, b"new\n");
    let object = format!(
        "kind: Image\nmetadata:\n  name: legacy:v1.19.8\nspec:\n  id: {}\n  sealer_version: v0.7.1\n  platform:\n    \
         architecture: amd64\n    os: linux\n  layers:\n  - id: sha256:{low}\n    type: COPY\n    value: etc .\n  \
         - id: sha256:{high}\n    type: RUN\n    value: rm etc/gone\n  - type: CMD\n    value: kubectl apply -f etc\n  \
         image_config:\n    args:\n      Version: \"1\"\n    labels:\n      team: a\n",
        "3".repeat(64)
    );
    put(&mut archive, "image_metadata.yaml", EntryType::Regular, 0o644, object.as_bytes());
    put(&mut archive, "Metadata", EntryType::Regular, 0o644, b"{\"name\":\"legacy:v1.19.8\"}");
    fs::write(user.path("original.tar"), archive.into_inner().unwrap()).unwrap();
}

#[test]
fn an_archive_of_the_original_is_loaded() {
    let user = User::new();
    original(&user);
    assert_eq!(user.result(&["load", "-i", "original.tar"]), json!({ "images": ["legacy:v1.19.8"] }));
    let loaded = user.data(&["inspect", "legacy:v1.19.8"]);
    assert_eq!(loaded["cmds"], json!(["kubectl apply -f etc"]));
    assert_eq!((&loaded["args"], &loaded["labels"]), (&json!({ "Version": "1" }), &json!({ "team": "a" })));
    let dir = user.ok(&["--quiet", "mount", "legacy:v1.19.8"]);
    let dir = dir.trim().replace('~', user.path("").to_str().unwrap().trim_end_matches('/'));
    let mut held: Vec<String> = crate::kit::files(dir.as_ref())
        .iter()
        .map(|path| path.strip_prefix(&dir).unwrap().display().to_string())
        .collect();
    held.sort();
    assert_eq!(held, ["etc/app.conf", "old/new"]);
    assert!(File::open(format!("{dir}/old/new")).is_ok());
    user.write("next/Kubefile", "FROM legacy:v1.19.8\nRUN test \"$(cat etc/app.conf)\" = mode=fast\n");
    user.ok(&["build", "-t", "next:v1", "next"]);
}
