//! What others read of ours, and we of theirs: skopeo, umoci, buildah.

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
