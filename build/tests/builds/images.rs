//! Container images come along: found, brought, kept as a registry serves them, locked.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use sealer_build::images::{LOCK_ANNOTATION, Lack, Lock, Place, Verified, verify};
use sealer_build::{Built, Error};
use sealer_image::layer::unpack;
use sealer_stdx::task::Task;
use sealer_testkit::{Registry, RegistryOptions};

use crate::kit::Bench;

/// Pushes an image of one file to a registry and returns its manifest's digest.
fn push(registry: &Registry, name: &str, content: &str) -> String {
    let maker = Bench::new();
    maker.write("file", content);
    let built = maker.build("FROM scratch\nCOPY file .\n");
    skopeo(&[
        "--dest-tls-verify=false",
        "--preserve-digests",
        &format!("oci:{}:docker.io/library/demo:v1", maker.store.root().display()),
        &format!("docker://{}/{name}", registry.address()),
    ]);
    built.descriptor.digest().to_string()
}

fn skopeo(args: &[&str]) -> String {
    let output = Command::new("skopeo")
        .args(["--insecure-policy", "copy"])
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("skopeo (package skopeo): {error}"));
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Unpacks what was built and returns the folder.
fn unpacked(bench: &Bench, built: &Built, name: &str) -> PathBuf {
    let root = bench.path(name);
    unpack(&Task::unobserved(), &bench.store, &bench.image(built), &root).unwrap();
    root
}

fn absent(error: &Error) -> Vec<String> {
    match error {
        Error::Absent(absent) => absent.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}

fn lock_of(bench: &Bench, built: &Built) -> Lock {
    let image = bench.image(built);
    let annotations = image.manifest.annotations().clone().unwrap_or_default();
    Lock::of_annotation(annotations.get(LOCK_ANNOTATION).map_or("{}", String::as_str))
}

#[test]
fn a_registry_over_the_images_folder_serves_what_its_manifests_name() {
    let bench = Bench::new();
    let source = Registry::start(RegistryOptions::default());
    let host = source.address();
    let one = push(&source, "team/one:1", "one");
    let two = push(&source, "two:v2", "two");
    let three = push(&source, "three:latest", "three");
    bench.write(
        "manifests/app.yaml",
        format!("kind: Pod\nspec:\n  containers:\n  - name: c\n    image: {host}/team/one:1\n"),
    );
    bench.write("manifests/imageList", format!("# more\n{host}/two:v2\n{host}/three@{three}\n"));
    let built = bench.build("FROM scratch\nCOPY manifests/* manifests\n");
    let expected = [
        (format!("{host}/team/one:1"), one),
        (format!("{host}/three@{three}"), three.clone()),
        (format!("{host}/two:v2"), two),
    ];
    let locked = lock_of(&bench, &built).0;
    assert_eq!(
        locked.into_iter().map(|(name, digest)| (name, digest.to_string())).collect::<Vec<_>>(),
        expected
    );
    let root = unpacked(&bench, &built, "rootfs");
    assert_eq!(
        Lock::parse(&fs::read_to_string(root.join("image.lock")).unwrap()),
        Ok(lock_of(&bench, &built))
    );

    drop(source);
    let inner = Registry::start_over(&root.join("registry"));
    for name in ["team/one:1", "two:v2", &format!("three@{three}")] {
        let to = format!("dir:{}", bench.path("pulled").display());
        skopeo(&["--src-tls-verify=false", &format!("docker://{}/{name}", inner.address()), &to]);
    }
}

#[test]
fn an_absent_image_ends_the_build_with_its_place_and_nothing_is_named() {
    let bench = Bench::new();
    let source = Registry::start(RegistryOptions::default());
    let host = source.address();
    bench.write(
        "app.yaml",
        format!("kind: Pod\nspec:\n  containers:\n  - name: c\n    image: {host}/none:1\n  - name: d\n    image: No/Name\n"),
    );
    let kubefile = "FROM scratch\nCOPY app.yaml manifests\n";
    let error = bench.try_build(kubefile).unwrap_err();
    assert_eq!(
        absent(&error),
        [
            "manifests/app.yaml:7: `No/Name` is no image's name: invalid reference format",
            &format!(
                "manifests/app.yaml:5: `{host}/none:1` cannot be had: `{host}/none:1` is not in the registry"
            ),
        ]
    );
    assert_eq!(bench.store.references().unwrap(), []);

    let mut bench = bench;
    bench.options.allow_missing = true;
    bench.build(kubefile);
    assert_eq!(bench.seen.warnings(), absent(&error));
}

#[test]
fn a_second_build_asks_for_nothing_that_the_lock_has_and_gives_the_same_digest() {
    let mut bench = Bench::new();
    let source = Registry::start(RegistryOptions::default());
    let host = source.address();
    push(&source, "one:1", "one");
    bench.write("imageList", format!("{host}/one:1\n"));
    bench.options.write_lock = true;
    let kubefile = "FROM scratch\nCOPY imageList manifests\n";
    let first = bench.build(kubefile);
    bench.options.write_lock = false;

    // The tag moves; the lock does not.
    push(&source, "one:1", "another");
    let second = bench.build(kubefile);
    drop(source);
    let third = bench.build(kubefile);
    let digests = [&first, &second, &third].map(|built| built.descriptor.digest().to_string());
    assert_eq!(digests, [digests[0].clone(), digests[0].clone(), digests[0].clone()]);
    assert_eq!(third.layers, 3);
}

#[test]
fn what_the_base_has_is_not_brought_again() {
    let mut bench = Bench::new();
    let source = Registry::start(RegistryOptions::default());
    let host = source.address();
    push(&source, "one:1", "one");
    bench.write("imageList", format!("{host}/one:1\n"));
    bench.options.tag = "base:1";
    bench.build("FROM scratch\nCOPY imageList manifests\n");
    drop(source);

    bench.options.tag = "demo:v1";
    let built = bench.build("FROM base:1\nCOPY imageList charts\n");
    assert_eq!(built.layers, 1);
    assert_eq!(lock_of(&bench, &built).0.len(), 1);
}

#[test]
fn an_image_is_the_same_layer_in_every_image() {
    let mut bench = Bench::new();
    let source = Registry::start(RegistryOptions::default());
    let host = source.address();
    push(&source, "one:1", "one");
    bench.write("imageList", format!("{host}/one:1\n"));
    bench.write("other", "x");
    let layer = |bench: &Bench, kubefile: &str| {
        let built = bench.build(kubefile);
        let layers = bench.image(&built).manifest.layers().clone();
        let marked = |layer: &&sealer_image::Descriptor| layer.media_type().to_string().ends_with(".tar");
        layers.iter().find(marked).map(|layer| layer.digest().to_string())
    };
    let first = layer(&bench, "FROM scratch\nCOPY imageList manifests\n");
    bench.options.no_cache = true;
    bench.options.time = 5;
    let second = layer(&bench, "FROM scratch\nCOPY other etc\nCOPY imageList manifests\n");
    assert_eq!((first.is_some(), first), (true, second));
}

#[test]
fn two_images_with_one_place_in_the_registry_are_refused() {
    let bench = Bench::new();
    let (one, other) =
        (Registry::start(RegistryOptions::default()), Registry::start(RegistryOptions::default()));
    push(&one, "a/b:1", "one");
    push(&other, "a/b:1", "other");
    let (first, second) = (one.address(), other.address());
    bench.write("imageList", format!("{first}/a/b:1\n{second}/a/b:1\n"));
    let error = bench.try_build("FROM scratch\nCOPY imageList manifests\n").unwrap_err();
    let mut names = [format!("{first}/a/b:1"), format!("{second}/a/b:1")];
    names.sort();
    let line = if names[1].starts_with(&first.to_string()) { 1 } else { 2 };
    assert_eq!(
        absent(&error),
        [format!(
            "manifests/imageList:{line}: `{}` has the place of `{}` in the image's registry, which leaves the \
             source's name out",
            names[1], names[0]
        )]
    );
}

#[test]
fn a_list_with_credentials_opens_its_registry_and_never_gets_into_the_image() {
    let bench = Bench::new();
    let credentials = Some(("user".to_owned(), "secret-word".to_owned()));
    let closed = Registry::start(RegistryOptions { credentials, ..RegistryOptions::default() });
    let maker = Bench::new();
    maker.write("file", "x");
    maker.build("FROM scratch\nCOPY file .\n");
    let host = closed.address();
    skopeo(&[
        "--dest-tls-verify=false",
        "--dest-creds=user:secret-word",
        &format!("oci:{}:docker.io/library/demo:v1", maker.store.root().display()),
        &format!("docker://{host}/team/app:1"),
    ]);
    bench.write(
        "imageListWithAuth.yaml",
        format!("- registry: {host}\n  username: user\n  password: secret-word\n  images: [team/app:1]\n"),
    );
    let built = bench.build("FROM scratch\nCOPY . .\n");
    assert_eq!(lock_of(&bench, &built).0.into_keys().collect::<Vec<_>>(), [format!("{host}/team/app:1")]);
    let root = unpacked(&bench, &built, "rootfs");
    let grep = Command::new("grep").args(["-r", "secret-word"]).arg(&root).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "");
    let refused = bench.refused("FROM scratch\nCOPY imageListWithAuth.yaml etc\n");
    assert!(refused.contains("hint: `imageListWithAuth.yaml` is for the build alone"), "{refused}");
}

#[test]
fn a_finished_image_is_looked_through_without_a_network() {
    let mut bench = Bench::new();
    let source = Registry::start(RegistryOptions::default());
    let host = source.address();
    push(&source, "one:1", "one");
    bench.write("imageList", format!("{host}/one:1\n"));
    let built = bench.build("FROM scratch\nCOPY imageList manifests\n");
    drop(source);
    let check = |built: &Built| {
        verify(&Task::unobserved(), &bench.store, &bench.image(built), &bench.path("work"), &[]).unwrap()
    };
    assert_eq!(check(&built), Verified { needed: 1, lacking: Vec::new() });

    // A later layer takes a blob away, and a manifest names what nobody brought.
    let inside = unpacked(&bench, &built, "rootfs");
    let blobs = inside.join("registry/docker/registry/v2/blobs/sha256");
    let files = walkdir::WalkDir::new(&blobs).into_iter().map(|entry| entry.unwrap().into_path());
    let is_layer = |path: &PathBuf| path.is_file() && !fs::read(path).unwrap().starts_with(b"{");
    let layer = files.into_iter().find(is_layer).unwrap();
    let place = layer.strip_prefix(&inside).unwrap().parent().unwrap().to_owned();
    let digest = place.file_name().unwrap().to_string_lossy().into_owned();
    bench.write("data", "");
    bench.write(
        "more.yaml",
        format!("kind: Pod\nspec:\n  containers:\n  - {{name: c, image: '{host}/two:2'}}\n"),
    );
    bench.options.allow_missing = true;
    let options = &mut bench.options;
    let first = options.tag;
    options.tag = "demo:v2";
    let built =
        bench.build(&format!("FROM {first}\nCOPY data {}/\nCOPY more.yaml manifests\n", place.display()));
    let lack = |name: String, file: &str, line, why: String| Lack {
        name,
        places: vec![Place { file: file.to_owned(), line }],
        why,
    };
    let check = verify(&Task::unobserved(), &bench.store, &bench.image(&built), &bench.path("work"), &[]);
    assert_eq!(
        check.unwrap(),
        Verified {
            needed: 2,
            lacking: vec![
                lack(
                    format!("{host}/one:1"),
                    "manifests/imageList",
                    1,
                    format!("its blob sha256:{digest} is missing or cut")
                ),
                lack(
                    format!("{host}/two:2"),
                    "manifests/more.yaml",
                    4,
                    "it is not in the image's registry".to_owned()
                ),
            ]
        }
    );
}
