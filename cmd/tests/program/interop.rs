//! What others read of ours, and we of theirs: skopeo, umoci, buildah, podman, oci-image-tool.

use std::fs;
use std::process::Command;

use sealer_testkit::{Registry, RegistryOptions};
use serde_json::Value;

use crate::kit::User;

/// Runs another tool and returns what it printed; fails the test unless it succeeds.
fn tool(user: &User, program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(user.path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Builds `demo:v1` of a folder, a script, a link and a file that a command made.
fn build(user: &User, more: &[&str]) {
    user.write(
        "context/Kubefile",
        "FROM scratch\nLABEL team=a\nCOPY etc scripts ./\nRUN echo made > made && ln -s etc/app.conf link\n",
    );
    user.write("context/etc/app.conf", "mode=fast\n");
    user.script("context/scripts/init.sh", "echo hello\n");
    user.ok(&[&["build", "-t", "demo:v1", "context"], more].concat());
}

#[test]
fn skopeo_reads_the_store_and_copies_from_and_to_a_registry() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    build(&user, &[]);
    let digest = user.data(&["inspect", "demo:v1"])["digest"].clone();
    let stored = "oci:root/images:docker.io/library/demo:v1";
    let seen: Value = serde_json::from_str(&tool(&user, "skopeo", &["inspect", stored])).unwrap();
    assert_eq!((&seen["Digest"], &seen["Labels"]["team"]), (&digest, &"a".into()));
    let remote = format!("docker://{}/demo:v1", registry.address());
    tool(&user, "skopeo", &["copy", "--dest-tls-verify=false", stored, &remote]);
    let other = User::new();
    let name = format!("{}/demo:v1", registry.address());
    other.ok(&["pull", &name]);
    assert_eq!(other.data(&["inspect", &name])["digest"], digest);
    let pushed = format!("{}/pushed:v1", registry.address());
    user.ok(&["tag", "demo:v1", &pushed]);
    user.ok(&["push", &pushed]);
    tool(
        &user,
        "skopeo",
        &["copy", "--src-tls-verify=false", &format!("docker://{pushed}"), "oci:copy:demo"],
    );
    let copied: Value = serde_json::from_str(&tool(&user, "skopeo", &["inspect", "oci:copy:demo"])).unwrap();
    assert_eq!(copied["Digest"], digest);
}

#[test]
fn umoci_unpacks_what_we_build_and_push() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    build(&user, &["--compression", "gzip"]);
    let name = format!("{}/demo:v1", registry.address());
    user.ok(&["tag", "demo:v1", &name]);
    user.ok(&["push", &name]);
    tool(
        &user,
        "skopeo",
        &["copy", "--src-tls-verify=false", &format!("docker://{name}"), "oci:pushed:demo"],
    );
    tool(&user, "skopeo", &["copy", "oci:root/images:docker.io/library/demo:v1", "oci:built:demo"]);
    for layout in ["pushed:demo", "built:demo"] {
        let bundle = format!("bundle-{}", layout.split(':').next().unwrap());
        tool(&user, "umoci", &["unpack", "--image", layout, &bundle]);
        let root = user.path(&bundle).join("rootfs");
        assert_eq!(fs::read_to_string(root.join("etc/app.conf")).unwrap(), "mode=fast\n");
        assert_eq!(fs::read_to_string(root.join("made")).unwrap(), "made\n");
        assert_eq!(fs::read_link(root.join("link")).unwrap().to_str(), Some("etc/app.conf"));
    }
}

#[test]
fn an_image_is_built_on_one_that_buildah_built_and_pushed() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    user.write("theirs/Dockerfile", "FROM scratch\nENV FROM_BUILDAH=yes\nCOPY hello etc/hello\n");
    user.write("theirs/hello", "from buildah\n");
    let (root, run_root) = (user.path("storage"), user.path("run"));
    let storage = [
        "--storage-driver",
        "vfs",
        "--root",
        root.to_str().unwrap(),
        "--runroot",
        run_root.to_str().unwrap(),
    ];
    let buildah = |args: &[&str]| tool(&user, "buildah", &[&storage[..], args].concat());
    buildah(&["build", "--isolation", "chroot", "--layers=false", "-t", "theirs", "theirs"]);
    let base = format!("{}/theirs:v1", registry.address());
    buildah(&["push", "--tls-verify=false", "theirs", &format!("docker://{base}")]);
    user.write("ours/Kubefile", format!("FROM {base}\nRUN cat etc/hello > seen\n"));
    user.ok(&["build", "-t", "ours:v1", "ours"]);
    let built = user.data(&["inspect", "ours:v1"]);
    assert!(built["env"].as_array().unwrap().contains(&"FROM_BUILDAH=yes".into()), "{built}");
    user.write("check/Kubefile", "FROM ours:v1\nRUN test \"$(cat seen)\" = 'from buildah'\n");
    user.ok(&["build", "-t", "check:v1", "check"]);
}

/// Calls podman with storage of its own.
fn podman(user: &User, args: &[&str]) -> String {
    let (root, run_root) = (user.path("podman"), user.path("podman-run"));
    let storage = ["--storage-driver", "vfs", "--root", root.to_str().unwrap()];
    let storage = [&storage[..], &["--runroot", run_root.to_str().unwrap()]].concat();
    tool(user, "podman", &[&storage[..], args].concat())
}

/// The file that `build` copies, as a mount of the image by podman holds it.
fn conf_in_podman(user: &User, image: &str) -> String {
    let dir = podman(user, &["image", "mount", image]);
    let conf = fs::read_to_string(format!("{}/etc/app.conf", dir.trim())).unwrap();
    podman(user, &["image", "unmount", image]);
    podman(user, &["rmi", "--force", image]);
    conf
}

#[test]
fn podman_loads_and_pulls_what_we_write_in_every_form() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    for compression in ["zstd", "gzip"] {
        build(&user, &["--compression", compression]);
        let pushed = format!("{}/{compression}:v1", registry.address());
        user.ok(&["tag", "demo:v1", &pushed]);
        user.ok(&["push", &pushed]);
        podman(&user, &["pull", "-q", "--tls-verify=false", &pushed]);
        assert_eq!(conf_in_podman(&user, &pushed), "mode=fast\n", "{compression}");
        for (form, name) in [
            (&["--format", "oci-archive"][..], "docker.io/library/demo:v1"),
            (&["--format", "oci-archive", "--zstd"], "docker.io/library/demo:v1"),
            (&["--format", "docker-archive"], "localhost/demo:v1"),
            (&["--format", "docker-archive", "--zstd"], "localhost/demo:v1"),
        ] {
            user.ok(&[&["save", "-o", "saved"], form, &["demo:v1"]].concat());
            podman(&user, &["load", "-q", "-i", "saved"]);
            assert_eq!(conf_in_podman(&user, name), "mode=fast\n", "{compression} {form:?}");
        }
        let _ = fs::remove_dir_all(user.path("saved-dir"));
        user.ok(&["save", "--format", "dir", "-o", "saved-dir", "demo:v1"]);
        let dir = format!("dir:{}", user.path("saved-dir").display());
        let id = podman(&user, &["pull", "-q", &dir]);
        assert_eq!(conf_in_podman(&user, id.trim()), "mode=fast\n", "{compression}");
    }
}

#[test]
fn we_load_every_form_that_podman_saves_and_pull_what_it_pushes() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    // It knows no zstd in what is docker's.
    build(&user, &["--compression", "gzip"]);
    user.ok(&["save", "-o", "saved", "demo:v1"]);
    podman(&user, &["load", "-q", "-i", "saved"]);
    for form in ["oci-archive", "docker-archive", "oci-dir", "docker-dir"] {
        let (out, name) = (format!("theirs-{form}"), format!("{form}:v1"));
        podman(&user, &["save", "-q", "--format", form, "-o", &out, "docker.io/library/demo:v1"]);
        user.ok(&["load", "-i", &out, "-t", &name]);
        assert_eq!(user.data(&["inspect", &name])["labels"]["team"], "a", "{form}");
    }
    for form in ["oci", "v2s2"] {
        let name = format!("{}/{form}:v1", registry.address());
        let to = format!("docker://{name}");
        let push = ["push", "-q", "--tls-verify=false", "--format", form, "docker.io/library/demo:v1", &to];
        podman(&user, &push);
        user.ok(&["pull", &name]);
        assert_eq!(user.data(&["inspect", &name])["labels"]["team"], "a", "{form}");
    }
}

/// Its release of 2016 knows no layers but plain and gzipped ones: zstd came with version 1.1 of the
/// specification.
#[test]
fn oci_image_tool_finds_nothing_wrong_with_what_we_write() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    build(&user, &["--compression", "gzip"]);
    let name = "name=docker.io/library/demo:v1";
    tool(&user, "oci-image-tool", &["validate", "--type", "image", "--ref", name, "root/images"]);
    user.ok(&["save", "-o", "saved.tar", "demo:v1"]);
    // It does not find its way in a tar.
    fs::create_dir(user.path("saved")).unwrap();
    tool(&user, "tar", &["-xf", "saved.tar", "-C", "saved"]);
    tool(&user, "oci-image-tool", &["validate", "--type", "image", "--ref", name, "saved"]);
    tool(&user, "oci-image-tool", &["unpack", "--ref", name, "saved", "unpacked"]);
    assert_eq!(fs::read_to_string(user.path("unpacked/etc/app.conf")).unwrap(), "mode=fast\n");
    let pushed = format!("{}/demo:v1", registry.address());
    user.ok(&["tag", "demo:v1", &pushed]);
    user.ok(&["push", &pushed]);
    let copy = ["copy", "--src-tls-verify=false", &format!("docker://{pushed}"), "oci:pushed:v1"];
    tool(&user, "skopeo", &copy);
    tool(&user, "oci-image-tool", &["validate", "--type", "image", "--ref", "name=v1", "pushed"]);
}

#[test]
fn we_load_a_layout_that_umoci_made() {
    let user = User::new();
    user.write("etc/app.conf", "mode=fast\n");
    tool(&user, "umoci", &["init", "--layout", "theirs"]);
    tool(&user, "umoci", &["new", "--image", "theirs:v1"]);
    tool(&user, "umoci", &["insert", "--rootless", "--image", "theirs:v1", "etc", "/etc"]);
    tool(&user, "umoci", &["config", "--image", "theirs:v1", "--config.label", "team=a"]);
    user.ok(&["load", "-i", "theirs", "-t", "theirs:v1"]);
    assert_eq!(user.data(&["inspect", "theirs:v1"])["labels"]["team"], "a");
    user.write("check/Kubefile", "FROM theirs:v1\nRUN test \"$(cat etc/app.conf)\" = mode=fast\n");
    user.ok(&["build", "-t", "check:v1", "check"]);
}
