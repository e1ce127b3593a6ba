//! Pull, push, login and logout with a real registry.

use sealer_testkit::{Action, Fault, Proxy, ReferrersApi, Registry, RegistryOptions};
use serde_json::{Value, json};

use crate::kit::{User, files};

/// Builds an image of one file at this name.
fn build(user: &User, name: &str) {
    user.write("context/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("context/note.txt", "a note\n");
    user.ok(&["build", "-t", name, "context"]);
}

/// A registry that holds `demo:v1`, and the name of the image in it.
fn with_demo() -> (Registry, String) {
    let registry = Registry::start(RegistryOptions::default());
    let name = format!("{}/demo:v1", registry.address());
    let user = User::new();
    build(&user, &name);
    user.ok(&["push", &name]);
    (registry, name)
}

#[test]
fn an_image_goes_to_a_registry_and_comes_back_the_same() {
    let registry = Registry::start(RegistryOptions::secured("ops", "secret"));
    let (address, ca) = (registry.address(), registry.ca_file().unwrap().to_str().unwrap().to_owned());
    let name = format!("{address}/demo:v1");
    let user = User::new();
    build(&user, &name);
    let login = ["login", "-u", "ops", "--password-stdin", "--ca-file", &ca, &address];
    let answer = user.sealer_with_input(&login, "secret\n");
    assert_eq!((answer.code, answer.stdout), (Some(0), format!("logged in to {address} as ops\n")));
    let pushed = user.ok(&["push", "--ca-file", &ca, &name]);
    user.ok(&["rmi", &name]);
    let pulled = user.ok(&["pull", "--ca-file", &ca, &name]);
    assert_eq!(pulled, pushed.replace("pushed", "pulled"));
    assert_eq!(user.ok(&["logout", &address]), format!("logged out of {address}\n"));
    user.refused(
        &["pull", "--ca-file", &ca, &name],
        4,
        &format!(
            "error: cannot pull `{name}`\n  caused by: registry `{address}` wants credentials for `{name}`\nhint: `sealer login {address}`\n"
        ),
    );
}

#[test]
fn a_wrong_password_is_refused_and_not_kept() {
    let registry = Registry::start(RegistryOptions::secured("ops", "secret"));
    let (address, ca) = (registry.address(), registry.ca_file().unwrap().to_str().unwrap().to_owned());
    let user = User::new();
    user.refused(
        &["login", "-u", "ops", "-p", "wrong", "--ca-file", &ca, &address],
        4,
        &format!(
            "error: cannot log in to `{address}` as `ops`\n  caused by: registry `{address}` refuses the credentials for `{address}`\nhint: `sealer login {address}`\n"
        ),
    );
    assert!(!user.path("home/.docker/config.json").exists());
}

#[test]
fn an_unknown_certificate_is_refused_with_two_ways_on() {
    let registry = Registry::start(RegistryOptions::secured("ops", "secret"));
    let address = registry.address();
    let answer = User::new().sealer(&["-q", "pull", &format!("{address}/demo:v1")]);
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(answer.code, Some(4));
    assert_eq!(lines[0], format!("error: cannot pull `{address}/demo:v1`"));
    let cause = format!("  caused by: the certificate of registry `{address}` is not trusted: ");
    assert!(lines[1].starts_with(&cause), "{}", answer.stderr);
    assert_eq!(
        lines[2..],
        [
            "hint: `--ca-file FILE` trusts the authority that signed it".to_owned(),
            format!("hint: `--insecure-registry {address}` goes on without checking it"),
        ]
    );
}

#[test]
fn a_registry_that_is_down_is_said_to_be_down() {
    let address = Proxy::nowhere();
    User::new().refused(
        &["pull", &format!("{address}/demo:v1")],
        4,
        &format!(
            "error: cannot pull `{address}/demo:v1`\n  \
             caused by: registry `{address}` cannot be reached for `{address}/demo:v1`: the connection is refused\n\
             hint: check the registry's address and port, and that it runs\n"
        ),
    );
}

#[test]
fn an_image_that_the_registry_lacks_is_said_to_be_lacking() {
    let registry = Registry::start(RegistryOptions::default());
    let name = format!("{}/demo:v9", registry.address());
    User::new().refused(
        &["pull", &name],
        4,
        &format!("error: cannot pull `{name}`\n  caused by: `{name}` is not in the registry\nhint: check the name and the tag\n"),
    );
}

#[test]
fn a_base_image_that_is_nowhere_fails_the_build_at_its_line() {
    let registry = Registry::start(RegistryOptions::default());
    let base = format!("{}/kubernetes:v9", registry.address());
    let user = User::new();
    user.write("context/Kubefile", format!("FROM {base}\n"));
    user.refused(
        &["build", "-t", "demo:v1", "context"],
        4,
        &format!(
            "error: cannot build `demo:v1`\n  caused by: base image `{base}` cannot be had\n  caused by: `{base}` is not in the registry\nhint: check the name and the tag\n"
        ),
    );
}

#[test]
fn a_layer_with_other_bytes_is_refused_and_the_next_pull_succeeds() {
    let (registry, name) = with_demo();
    let proxy = Proxy::start(&registry.address());
    let name = name.replace(&registry.address(), &proxy.address());
    let user = User::new();
    proxy.inject(Fault::on("GET", "/blobs/", Action::Corrupt { at: 10 }).times(2));
    let answer = user.sealer(&["-q", "pull", &name]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(lines[0], format!("error: cannot pull `{name}`"));
    assert!(lines[1].contains("is not what its descriptor says: "), "{}", answer.stderr);
    assert_eq!(lines[2..], ["hint: run it again; what was verified is kept"]);
    assert_eq!(user.images(), Vec::<String>::new());
    user.ok(&["pull", &name]);
    assert_eq!(user.images(), [name]);
}

#[test]
fn a_layer_that_breaks_off_goes_on_from_its_byte() {
    let (registry, name) = with_demo();
    let proxy = Proxy::start(&registry.address());
    let name = name.replace(&registry.address(), &proxy.address());
    proxy.inject(Fault::on("GET", "/blobs/", Action::CutResponse { after: 20 }));
    User::new().ok(&["pull", &name]);
}

#[test]
fn a_pull_comes_from_the_mirror_that_registries_conf_names() {
    let (registry, name) = with_demo();
    let user = User::new();
    let conf = format!(
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"{}\"\n",
        registry.address()
    );
    user.write("mirrors.conf", conf);
    let short = name.split_once('/').unwrap().1.to_owned();
    user.write(
        "home/.config/containers/registries.conf",
        "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n",
    );
    user.refused(
        &["pull", &short],
        4,
        &format!(
            "error: cannot pull `{short}`\n  caused by: `docker.io/library/{short}` is blocked by registries.conf\n\
             hint: `--registries-conf FILE`, or CONTAINERS_REGISTRIES_CONF, reads another one\n"
        ),
    );
    // The mirror has it under the name that Docker Hub would.
    let whole = format!("{}/library/{short}", registry.address());
    let other = User::new();
    build(&other, &whole);
    other.ok(&["push", &whole]);
    user.ok(&["pull", "--registries-conf", "mirrors.conf", &short]);
    assert_eq!(user.images(), [short]);
}

#[test]
fn two_processes_that_pull_one_image_fetch_it_once() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    let proxy = Proxy::start(&registry.address());
    let name = format!("{}/demo:v1", proxy.address());
    let noise: Vec<u8> = (0..400_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    user.write("context/noise", noise);
    user.write("context/Kubefile", "FROM scratch\nCOPY noise .\n");
    user.ok(&["build", "-t", &name, "context"]);
    user.ok(&["push", &name]);
    proxy.forget();
    // Slow enough that both are at it.
    proxy.inject(Fault::on("GET", "/blobs/", Action::Slow { per_second: 2 << 20 }).always());
    let other = User::new();
    let pulls: Vec<_> = (0..2).map(|_| other.command(&["-q", "pull", &name]).spawn().unwrap()).collect();
    for mut pull in pulls {
        assert!(pull.wait().unwrap().success());
    }
    let held = user.data(&["inspect", &name])["layers"][0]["sizeBytes"].as_u64().unwrap();
    let received: u64 = proxy.seen_on("GET", "/blobs/").iter().map(|seen| seen.received).sum();
    assert!((held..held + 4000).contains(&received), "{received} of {held}");
}

#[test]
fn an_index_is_pulled_for_one_platform_or_whole() {
    let registry = Registry::start(RegistryOptions::default());
    let user = User::new();
    user.write("context/Kubefile", "FROM scratch\nCOPY note.txt .\n");
    user.write("context/note.txt", "a note\n");
    for platform in ["linux/amd64", "linux/arm64"] {
        let name = format!("one:{}", platform.split_once('/').unwrap().1);
        user.ok(&["build", "--platform", platform, "-t", &name, "context"]);
    }
    let name = format!("{}/many:v1", registry.address());
    user.ok(&["manifest", "create", &name, "one:amd64", "one:arm64"]);
    user.ok(&["push", &name]);
    let (one, all) = (User::new(), User::new());
    one.ok(&["pull", "--platform", "linux/arm64", &name]);
    assert_eq!(
        one.data(&["inspect", "--platform", "linux/arm64", &name])["platform"]["architecture"],
        "arm64"
    );
    all.ok(&["pull", "--all-platforms", &name]);
    let held = all.data(&["manifest", "inspect", &name]);
    let platforms: Vec<_> = held.as_array().unwrap().iter().map(|one| one["platform"].clone()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    for architecture in ["amd64", "arm64"] {
        let platform = format!("linux/{architecture}");
        let seen = all.data(&["inspect", "--platform", &platform, &name]);
        assert_eq!(seen["platform"]["architecture"], architecture);
    }
}

#[test]
fn the_list_of_what_refers_to_an_image_is_no_image_and_goes_with_it() {
    let registry = Registry::start(RegistryOptions::default());
    let proxy = Proxy::start_with_referrers(&registry.address(), ReferrersApi::default());
    let (user, name) = (User::new(), format!("{}/demo:v1", proxy.address()));
    build(&user, &name);
    user.ok(&["push", &name]);
    let digest = user.data(&["inspect", &name])["digest"].as_str().unwrap().to_owned();
    user.write("empty", "{}");
    refer(&user, &proxy.address(), &digest);
    for (of_type, names) in [("none/at-all", 1), ("example/note", 2)] {
        user.ok(&["pull", &format!("--referrers={of_type}"), &name]);
        assert_eq!(user.images(), [name.as_str()], "{of_type}");
        let index = user.path("root/images/index.json");
        let index: Value = serde_json::from_slice(&std::fs::read(index).unwrap()).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), names, "{of_type}");
    }
    user.ok(&["rmi", &name]);
    assert_eq!(files(&user.path("root/images/blobs")), Vec::<std::path::PathBuf>::new());
}

/// Puts a note beside an image, as `oras attach` does.
fn refer(user: &User, address: &str, image: &str) {
    use sealer_image::digest::sha256;
    let (empty, media_type) = (sha256(b"{}"), "application/vnd.oci.image.manifest.v1+json");
    let note = json!({
        "schemaVersion": 2, "mediaType": media_type, "artifactType": "example/note",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": empty.to_string(), "size": 2 },
        "layers": [], "subject": { "mediaType": media_type, "digest": image, "size": 1 },
    });
    user.write("note.json", note.to_string());
    let curl = |arguments: &[&str]| {
        let output = std::process::Command::new("curl").arg("-fsS").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let head = curl(&["-i", "-X", "POST", &format!("http://{address}/v2/demo/blobs/uploads/")]);
    let place = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap().trim();
    let bytes = |name: &str| format!("@{}", user.path(name).display());
    let octets = "Content-Type: application/octet-stream";
    let upload = format!("{place}&digest={empty}");
    curl(&["-X", "PUT", "-H", octets, "--data-binary", &bytes("empty"), &upload]);
    let (kind, at) = (format!("Content-Type: {media_type}"), sha256(note.to_string().as_bytes()));
    let url = format!("http://{address}/v2/demo/manifests/{at}");
    curl(&["-X", "PUT", "-H", &kind, "--data-binary", &bytes("note.json"), &url]);
}
